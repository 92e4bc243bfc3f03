"""FLOPs of a model: against what torch counts, and by hand."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from rscovlm.data.packing import collate, model_inputs
from rscovlm.models.cost import Cost, CostModel, Counts, Gradients, Work, gradients_of
from rscovlm.training.metrics import step_numbers
from tests.rscovlm.data.examples import FAMILIES, encoded, load_subject


@pytest.fixture(scope="module", params=FAMILIES)
def subject(request, tmp_path_factory):
    return load_subject(tmp_path_factory.mktemp("checkpoint"), request.param)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3), st.integers(1, 30))
@settings(max_examples=8, deadline=None)
def test_costs_are_the_operations_that_torch_counts(subject, images, answer):
    subject.model.set_attn_implementation("eager")
    example = encoded(subject.spec, subject.rope, 0, answer=answer, images=images)
    pack = collate([example], subject.spec, subject.rope.image_token_id)
    counts = Counts([pack.length], pack.image_grid_thw.tolist(), int(pack.learnt.sum()))
    cost = CostModel.of_config(subject.model.config).cost(counts)
    inputs = model_inputs(pack)
    with torch.no_grad(), FlopCounterMode(display=False) as vision:
        subject.model.model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"])
    with torch.no_grad(), FlopCounterMode(display=False) as whole:
        hidden = subject.model.model(**inputs).last_hidden_state[0]
        subject.model.lm_head(hidden[pack.targets[0] >= 0])
    counted = vision.get_total_flops()
    assert Cost(vision=cost.vision, merger=cost.merger).forward == pytest.approx(counted, rel=1e-3)
    # Eager attention computes the half above the diagonal, too, and the products of rotary angles.
    text, length = subject.model.config.text_config, pack.length
    above = 4 * text.num_attention_heads * text.head_dim * text.num_hidden_layers
    above *= length**2 - length * (length + 1) / 2
    language = Cost(language=cost.language, head=cost.head).forward
    assert language + above == pytest.approx(whole.get_total_flops() - counted, rel=1e-2)


TINY = SimpleNamespace(
    text_config=SimpleNamespace(
        hidden_size=4,
        num_hidden_layers=2,
        head_dim=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=8,
        vocab_size=10,
    ),
    vision_config=SimpleNamespace(
        hidden_size=3,
        depth=2,
        spatial_merge_size=2,
        intermediate_size=5,
        temporal_patch_size=2,
        patch_size=1,
        in_channels=3,
        out_hidden_size=4,
    ),
)
"""The shape of a Qwen3-VL with numbers small enough for pencil and paper."""


def test_a_step_by_hand_and_its_mfu_with_the_vision_tower():
    """One sample of 3 tokens, 2 of them learnt, after an image of 2 x 4 patches."""
    cost = CostModel.of_config(TINY).cost(Counts([3], [(1, 2, 4)], 2))
    # Queries 4 x 4, keys and values 4 x 2 each, output 4 x 4, three MLP matrices of 4 x 8.
    assert cost.language.weights == 2 * 3 * 2 * (16 + 8 + 8 + 16 + 96)
    # Token 1 sees 1, token 2 sees 2, token 3 sees 3; scores and their use, 4 wide, in 2 layers.
    assert cost.language.attention == 2 * 2 * (1 + 2 + 3) * 4 * 2
    assert cost.head == Work(2 * 2 * 4 * 10)
    # Two layers of 4 x 3 x 3 and 2 x 3 x 5 weights; patches of 3 colours x 2 frames x 1 px enter at width 3.
    assert cost.vision.weights == 2 * 8 * (2 * (36 + 30) + 6 * 3)
    assert cost.vision.attention == 2 * 2 * 8**2 * 3 * 2
    # 8 patches are 2 visual tokens; 4 patches of width 3 become 12, then 4.
    assert cost.merger == Work(2 * 2 * (12 * 12 + 12 * 4))
    assert cost.forward == 1728 + 192 + 160 + 2400 + 1536 + 768

    everything = dict.fromkeys(("vision", "merger", "language", "head"), Gradients(1.0, True))
    assert cost.training(everything) == 3 * cost.forward
    # A frozen tower goes forward alone; the language model below which nothing learns still gets gradients.
    frozen = gradients_of(
        [("vision", 100, False), ("merger", 10, False), ("language", 50, True), ("head", 5, True)]
    )
    flops = cost.training(frozen)
    assert flops == 2400 + 1536 + 768 + 3 * (1728 + 192 + 160)
    numbers = step_numbers({"flops": flops}, seconds=2.0, steps=1, processes=4, peak=1000.0)
    assert numbers["speed/mfu"] == pytest.approx(flops / 8000)


def test_frozen_weights_under_adapters_pass_gradients_on_but_get_none():
    """1 % of the weights learn: forward, gradient to the inputs, and a hundredth of that to the weights."""
    found = gradients_of([("language", 99, False), ("language", 1, True)])["language"]
    assert found == Gradients(0.01, False)
    work = Cost(language=Work(100.0, 10.0))
    gradients = gradients_of([("language", 99, False), ("language", 1, True)])
    assert work.training(gradients) == pytest.approx(100 * 2.01 + 10 * 3)


def test_costs_add_up():
    one, other = Cost(vision=Work(1, 2), head=Work(3)), Cost(vision=Work(10), language=Work(0, 5))
    assert one + other == Cost(vision=Work(11, 2), language=Work(0, 5), head=Work(3))
    assert (one + other).forward == 21


def test_samples_of_a_pack_do_not_pay_for_each_other():
    model = CostModel.of_config(TINY)
    together = model.cost(Counts([3, 5], [], 0))
    assert together == model.cost(Counts([3], [], 0)) + model.cost(Counts([5], [], 0))
    assert together.language.attention < model.cost(Counts([8], [], 0)).language.attention
