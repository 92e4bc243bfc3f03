"""nano's lessons and batches."""

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from detection_eval.geometry import canonical
from rscovlm.synth.catalogue import PLANE
from rscovlm.synth.world import World, make_object
from rscovlm.training.nano.batches import Encoder, collate, pack_rows, patches_of, positions_of
from rscovlm.training.nano.cells import cell_truth
from rscovlm.training.nano.loss import token_losses
from rscovlm.training.nano.model import VIEW_SIDE, Shape, build_model
from rscovlm.training.nano.samples import make_sample, next_window, visible_polygons
from rscovlm.training.nano.speedups import patch_embed_as_matmul
from rscovlm.training.nano.tokenizer import build_tokenizer, number_tokens
from rscovlm.training.nano.train import Course, Teacher, Tokens, corpus, loss_of, train
from tiling.view import Window

SMALL = Shape(
    vision_width=32,
    vision_depth=2,
    vision_heads=2,
    width=32,
    depth=2,
    heads=1,
    kv_heads=1,
    mlp=48,
    deepstack=(0,),
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    build_tokenizer(corpus(seed=1, samples=200), folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def encoder(tokenizer):
    return Encoder(tokenizer, number_tokens(tokenizer))


def messages_for_template(conversation):
    return [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                for part in message.content
            ],
        }
        for message in conversation.messages
    ]


def test_every_number_from_0_to_1000_is_one_token_and_text_survives_a_round_trip(tokenizer):
    assert len(set(number_tokens(tokenizer))) == 1001
    text = (
        '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [0, 37, 1000, 512]}}</tool_call>'
    )
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    assert (
        tokenizer.decode(tokenizer.encode("Größe? 1234 m²\n", add_special_tokens=False)) == "Größe? 1234 m²\n"
    )


def test_a_sample_depends_on_seed_and_index_alone():
    first, again = make_sample(7, 12), make_sample(7, 12)
    assert first.conversation == again.conversation
    assert make_sample(7, 13).conversation != first.conversation


def test_samples_are_encoded_as_the_chat_template_writes_them(tokenizer, encoder):
    for index in range(40):
        sample = make_sample(3, index)
        encoded = encoder.encode(sample)
        template = tokenizer.apply_chat_template(messages_for_template(sample.conversation), tokenize=False)
        image = "<|vision_start|>" + "<|image_pad|>" * 64 + "<|vision_end|>"
        expected = template.replace("<|vision_start|><|image_pad|><|vision_end|>", image)
        assert tokenizer.decode(encoded.ids) == expected


def test_exactly_the_assistant_turns_and_their_ends_are_learnt(tokenizer, encoder):
    for index in range(20):
        sample = make_sample(4, index)
        encoded = encoder.encode(sample)
        turns = [m.text + "<|im_end|>" for m in sample.conversation.messages if m.role == "assistant"]
        assert tokenizer.decode(encoded.ids[encoded.learnt]) == "".join(turns)


def test_coordinates_are_soft_and_counts_are_not(tokenizer, encoder):
    samples = [make_sample(5, index) for index in range(150)]
    close = [encoder.encode(s) for s in samples if s.task in ("close", "glance", "classify", "grid")]
    assert not any(e.soft.any() for e in close)
    box = next(e for s in samples if s.task == "detect" and (e := encoder.encode(s)).soft.any())
    assert box.soft.sum() % 8 == 0
    calls = [encoder.encode(s) for s in samples if any("bbox_2d" in m.text for m in s.conversation.messages)]
    assert calls
    assert all(call.soft.sum() % 4 == 0 for call in calls), "the 2 of bbox_2d is no coordinate"


def test_an_observer_answers_when_the_place_fills_half_the_view_and_else_goes_closer():
    view = Window(0, 0, 8192, 8192)
    assert next_window(Window(0, 0, 100, 100), Window(20, 20, 50, 50)) is None
    speck = next_window(view, Window(4000, 4000, 300, 300))
    assert (speck.width, speck.height) == (2048, 2048)
    assert speck.contains(Window(4000, 4000, 300, 300))
    framed = next_window(Window(0, 0, 1000, 1000), Window(400, 400, 250, 250))
    assert framed.width == pytest.approx(300)
    corner = next_window(view, Window(0, 0, 300, 300))
    assert view.contains(corner)


def test_a_chain_ends_with_the_answer_in_sight():
    chains = [s for i in range(120) if (s := make_sample(6, i)).task == "chain"]
    assert len(chains) > 10
    for sample in chains:
        last = sample.conversation.messages[-1]
        assert last.role == "assistant"
        assert "tool_call" not in last.text
    assert max(len(s.conversation.messages) for s in chains) >= 7, "some scenes need two zooms"


def test_patches_equal_those_of_the_reference_image_processor():
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    pixels = np.random.default_rng(0).integers(0, 256, (2, VIEW_SIDE, VIEW_SIDE, 3), dtype=np.uint8)
    processor = Qwen2VLImageProcessorPil(
        patch_size=16,
        merge_size=1,
        temporal_patch_size=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": 64 * 64, "longest_edge": VIEW_SIDE**2},
    )
    expected = processor(list(pixels), return_tensors="pt")
    assert expected["image_grid_thw"].tolist() == [[1, 8, 8]] * 2
    torch.testing.assert_close(patches_of(pixels), expected["pixel_values"], atol=2e-6, rtol=0)


@pytest.fixture(scope="module")
def model(tokenizer):
    return build_model(SMALL, tokenizer, number_tokens(tokenizer), seed=0).eval()


def test_positions_equal_those_of_the_model(tokenizer, encoder, model):
    for index in range(12):
        ids = encoder.encode(make_sample(8, index)).ids
        batch = torch.tensor(ids)[None]
        is_image = batch == encoder.image_id
        count = int(is_image.sum()) // 64
        expected, _ = model.model.get_rope_index(
            input_ids=batch,
            mm_token_type_ids=is_image.int(),
            image_grid_thw=torch.tensor([[1, 8, 8]] * count),
            attention_mask=torch.ones_like(batch),
        )
        np.testing.assert_array_equal(positions_of(ids == encoder.image_id), expected[-3:, 0].numpy())


def hidden_states(model, batch):
    return model.model(
        input_ids=batch.input_ids,
        position_ids=batch.positions,
        pixel_values=patches_of(batch.images.numpy()),
        image_grid_thw=torch.tensor([[1, 8, 8]]).expand(len(batch.images), 3),
        use_cache=False,
    ).last_hidden_state


def test_packed_samples_do_not_see_each_other(encoder, model):
    samples = [encoder.encode(make_sample(9, index)) for index in range(8)]
    with torch.no_grad():
        packed = collate(samples, encoder.image_id, pad_id=0)
        together = hidden_states(model, packed)
        for index, sample in enumerate(samples):
            alone = hidden_states(model, collate([sample], encoder.image_id, pad_id=0))[0]
            torch.testing.assert_close(together[packed.sample == index], alone, atol=2e-5, rtol=0)


def test_the_patch_embedding_is_the_same_as_a_matmul(tokenizer, encoder):
    model = build_model(SMALL, tokenizer, number_tokens(tokenizer), seed=0).eval()
    batch = collate([encoder.encode(make_sample(9, i)) for i in range(4)], encoder.image_id, pad_id=0)
    assert len(batch.images) > 1
    with torch.no_grad():
        before = hidden_states(model, batch)
        patch_embed_as_matmul(model)
        torch.testing.assert_close(hidden_states(model, batch), before, atol=1e-5, rtol=0)


def test_rows_are_filled_without_losing_or_cutting_a_sample():
    lengths = [50, 300, 120, 80, 200, 10, 400]
    rows = pack_rows(lengths, 320)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[i] for i in row) <= 320 for row in rows)


def test_a_coordinate_nearly_right_costs_less_than_one_far_off_and_a_perfect_guess_nothing():
    numbers = torch.arange(10, 1011)
    target = torch.full((3,), 10 + 500)
    logits = torch.full((3, 1100), -1e4)
    distance = torch.arange(1001.0)
    for row, centre in enumerate((500, 510, 700)):
        logits[row, numbers] = -0.5 * ((distance - centre) / 8) ** 2
    losses = token_losses(logits, target, torch.ones(3, dtype=torch.bool), numbers, spread=8.0)
    assert losses[0] == pytest.approx(0, abs=1e-4)
    # Gaussians of equal width: the divergence is (distance / spread)^2 / 2.
    assert losses[1] == pytest.approx(0.5 * (10 / 8) ** 2, rel=1e-3)
    assert losses[2] == pytest.approx(0.5 * (200 / 8) ** 2, rel=1e-3)


def test_hard_targets_have_the_usual_cross_entropy():
    logits = torch.randn(5, 1100, generator=torch.Generator().manual_seed(0))
    target = torch.arange(5)
    losses = token_losses(logits, target, torch.zeros(5, dtype=torch.bool), torch.arange(10, 1011), 8.0)
    torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(logits, target, reduction="none"))


def test_a_resumed_run_ends_with_the_same_weights_to_the_bit(tmp_path):
    course = Course(batch=4, samples=24, decay_from=16, warmup=2)
    train(tmp_path / "whole", course, SMALL)
    train(tmp_path / "halves", course, SMALL, stop_at=12)
    train(tmp_path / "halves", course, SMALL)
    whole, halves = (
        torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "halves")
    )
    assert whole["step"] == halves["step"] == 6
    for name, weight in whole["model"].items():
        assert torch.equal(weight, halves["model"][name]), name


def test_a_few_steps_lower_each_part_of_the_loss(tokenizer, encoder):
    model = build_model(SMALL, tokenizer, number_tokens(tokenizer), seed=0)
    teacher = Teacher(SMALL.width)
    batch = collate([encoder.encode(make_sample(1, i)) for i in range(8)], encoder.image_id, pad_id=0)
    optimizer = torch.optim.AdamW([*model.parameters(), *teacher.parameters()], 3e-3)
    tokens = Tokens(encoder.image_id, torch.tensor(number_tokens(tokenizer)))
    history = []
    for _ in range(12):
        loss, parts = loss_of(model, teacher, batch, tokens, spread=20.0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        history.append({"all": loss.item(), **parts})
    assert set(history[0]) == {make_sample(1, i).task for i in range(8)} | {"cells", "outline", "all"}
    assert history[-1]["all"] < 0.8 * history[0]["all"]
    assert history[-1]["cells"] < 0.8 * history[0]["cells"]
    assert history[-1]["outline"] < history[0]["outline"]


def test_each_visual_token_has_the_name_of_what_it_shows():
    rng = np.random.default_rng(0)
    item = make_object(rng, PLANE, 96.0, 32.0, 1.0, angle_rad=0.0)
    world = World(5, 128, 128, 1.0, "desert", "desert", (), (item,))
    truth = cell_truth(world, Window(0, 0, 128, 128))
    corner = [truth.words[8 * row + column] for row in (1, 2) for column in (5, 6)]
    assert corner == ["plane"] * 4, "the plane stands on the corner of four cells"
    assert truth.words[56] == "desert"
    assert np.isnan(truth.outlines[56]).all()
    np.testing.assert_allclose(
        truth.outlines[13].reshape(4, 2) * 128, canonical(item.polygon[None])[0], atol=1e-3
    )


def test_an_object_cut_by_the_edge_is_outlined_inside_the_view():
    item = make_object(np.random.default_rng(0), PLANE, 2.0, 64.0, 1.0, angle_rad=0.3)
    world = World(5, 128, 128, 1.0, "desert", "desert", (), (item,))
    polygons, objects = visible_polygons(world, Window(0, 0, 128, 128))
    assert objects == [item]
    assert polygons.min() >= 0
    assert polygons.max() <= 128
    gone, _ = visible_polygons(world, Window(4, 0, 128, 128))
    assert len(gone) == 0, "its centre is outside, so the neighbouring tile has it"
