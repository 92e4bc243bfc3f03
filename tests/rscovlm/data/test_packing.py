"""Packs: samples in one row that do not see each other."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rscovlm.data.packing import NOT_LEARNT, collate, empty_pack, model_inputs, segments
from rscovlm.errors import DataError
from rscovlm.models.patches import PatchSpec
from tests.rscovlm.data.examples import FAMILIES, encoded, load_subject
from tiling.view import Size


@pytest.fixture(scope="module", params=FAMILIES)
def subject(request, tmp_path_factory):
    return load_subject(tmp_path_factory.mktemp("checkpoint"), request.param)


def conversation_of_all_kinds(subject):
    """Images of different sizes, two in one sample, none in another."""
    shapes = [((2, 3),), ((1, 1), (4, 2)), (), ((3, 3),)]
    return [
        encoded(
            subject.spec, subject.rope, index, question=5 + 2 * index, answer=2 + 3 * index, images=images
        )
        for index, images in enumerate(shapes)
    ]


def packed(subject, examples):
    return collate(examples, subject.spec, subject.rope.image_token_id)


def loss_of(model, pack):
    logits = model(**model_inputs(pack)).logits
    return F.cross_entropy(logits[0], pack.targets[0], ignore_index=NOT_LEARNT, reduction="sum"), logits


def gradients(model):
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_packed_and_separate_give_the_same_logits_and_gradients(subject, attention):
    model, examples = subject.model, conversation_of_all_kinds(subject)
    model.set_attn_implementation(attention)
    pack = packed(subject, examples)
    loss, together = loss_of(model, pack)
    loss.backward()
    packed_gradients = gradients(model)
    for index, example in enumerate(examples):
        alone = collate([example], subject.spec, subject.rope.image_token_id)
        loss, logits = loss_of(model, alone)
        loss.backward()
        own = alone.sample[0] == 0
        torch.testing.assert_close(together[pack.sample == index], logits[0, own], atol=1e-5, rtol=1e-5)
    separate = gradients(model)
    assert separate.keys() == packed_gradients.keys() == dict(model.named_parameters()).keys()
    for name, gradient in separate.items():
        scale = gradient.abs().max().clamp_min(1)
        torch.testing.assert_close(packed_gradients[name] / scale, gradient / scale, atol=1e-5, rtol=0)


def test_neighbours_would_be_seen_if_places_did_not_start_anew(subject):
    """The test above can fail: the same pack with one row less of positions leaks."""
    examples = conversation_of_all_kinds(subject)
    pack = packed(subject, examples)
    with torch.no_grad():
        right = loss_of(subject.model, pack)[1]
        inputs = model_inputs(pack) | {"position_ids": pack.position_ids[1:]}
        leaky = subject.model(**inputs).logits
    first = pack.sample[0] == 0
    torch.testing.assert_close(leaky[0, first], right[0, first], atol=1e-5, rtol=1e-5)
    assert (leaky - right).abs().max() > 0.1


def test_a_text_only_pack_trains_the_vision_tower_by_exactly_nothing(subject):
    pack = packed(subject, [encoded(subject.spec, subject.rope, 5), encoded(subject.spec, subject.rope, 6)])
    assert pack.sample[0, -1] == -1
    loss, _ = loss_of(subject.model, pack)
    loss.backward()
    found = gradients(subject.model)
    vision = [name for name, _ in subject.model.named_parameters() if ".visual." in name]
    assert vision
    assert all(name in found and not found[name].any() for name in vision)
    assert any(gradient.any() for gradient in found.values())


def test_the_dummy_changes_no_logit_and_no_gradient_of_the_samples(subject):
    examples = [encoded(subject.spec, subject.rope, 5), encoded(subject.spec, subject.rope, 6)]
    results = []
    for dummy in (True, False):
        pack = collate(examples, subject.spec, subject.rope.image_token_id, dummy=dummy)
        loss, logits = loss_of(subject.model, pack)
        loss.backward()
        results.append((logits[0, pack.sample[0] >= 0], gradients(subject.model)))
    torch.testing.assert_close(*[logits for logits, _ in results], atol=1e-5, rtol=1e-5)
    with_dummy, without = (found for _, found in results)
    for name, gradient in without.items():
        torch.testing.assert_close(with_dummy[name], gradient, atol=1e-5, rtol=1e-5)


def test_an_empty_pack_runs_and_every_gradient_is_nothing(subject):
    pack = empty_pack(subject.spec, subject.rope.image_token_id)
    assert pack.keys == ()
    assert len(pack.learnt) == 0
    loss, logits = loss_of(subject.model, pack)
    assert logits.shape[1] == 1
    loss.backward()
    found = gradients(subject.model)
    assert found.keys() == dict(subject.model.named_parameters()).keys()
    assert not any(gradient.any() for gradient in found.values())


SPEC = PatchSpec(14, 2, 2, (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))


@pytest.fixture
def examples():
    from rscovlm.models.positions import RopeSpec

    rope = RopeSpec(image_token_id=7)
    return [
        encoded(SPEC, rope, 0, question=3, answer=2, images=((1, 2),)),
        encoded(SPEC, rope, 1, question=1, answer=3),
    ]


def test_targets_are_the_next_learnt_token_and_never_cross_samples(examples):
    pack = collate(examples, SPEC, 7)
    first, second = (example.ids for example in examples)
    none = NOT_LEARNT
    # [<start>, image, image, <end>, q, q, q, a, a] then [q, a, a, a]
    assert pack.targets.tolist() == [
        [none] * 6 + [first[7], first[8], none] + [second[1], second[2], second[3], none]
    ]
    assert pack.learnt.tolist() == [2, 3]
    assert pack.cu_seqlens.tolist() == [0, 9, 13]
    assert pack.max_length == 9
    assert pack.sample.tolist() == [[0] * 9 + [1] * 4]
    assert [(part.start, part.stop) for part in segments(pack)] == [(0, 9), (9, 13)]


def test_a_first_token_that_would_be_learnt_has_nothing_to_be_told_from(examples):
    every = replace(examples[1], learnt=np.ones(4, dtype=bool))
    pack = collate([examples[0], every], SPEC, 7)
    assert pack.learnt.tolist() == [2, 3]


def test_patches_travel_as_bytes_and_are_normalised_by_the_pack(examples):
    pack = collate(examples, SPEC, 7)
    assert pack.patches.dtype == torch.uint8
    assert pack.image_grid_thw.tolist() == [[1, 2, 4]]
    first = examples[0].pictures[0].read()[:14, :14]
    expected = (first / 255 - np.array(SPEC.mean)) / SPEC.standard_deviation
    found = pack.pixel_values()[0].reshape(3, 2, 14, 14)
    for frame in range(2):
        np.testing.assert_allclose(found[:, frame], np.moveaxis(expected, -1, 0), atol=2e-6)


@dataclass(frozen=True)
class Reflectance:
    """A picture of several bands in physical units."""

    size: Size
    bands: int

    def read(self):
        return np.linspace(-1, 2, self.size.height * self.size.width * self.bands, dtype=np.float32).reshape(
            *self.size, self.bands
        )


def test_pictures_of_many_bands_are_packed_as_they_are(examples):
    spec = replace(SPEC, mean=(0.5,) * 6, standard_deviation=(0.25,) * 6)
    picture = Reflectance(Size(28, 56), 6)
    pack = collate([replace(examples[0], pictures=(picture,))], spec, 7)
    assert pack.patches.shape == (8, 6 * 14 * 14)
    assert pack.patches.dtype == torch.float32
    found = pack.pixel_values()[0].reshape(6, 2, 14, 14)[:, 1]
    np.testing.assert_allclose(found, np.moveaxis((picture.read()[:14, :14] - 0.5) / 0.25, -1, 0), atol=1e-5)
    assert empty_pack(spec, 7).patches.shape == (4, 6 * 14 * 14)
    with pytest.raises(DataError, match="uint8 and float32 pictures cannot share a pack"):
        collate([replace(examples[0], pictures=(Reflectance(Size(28, 56), 3),)), examples[0]], SPEC, 7)


def test_extras_follow_their_tokens_and_images_and_are_zero_where_there_are_none(examples):
    flags = np.arange(9) > 6
    rich = replace(examples[0], tokens={"soft": flags}, images={"gsd": np.array([0.5], dtype=np.float32)})
    pack = collate([examples[1], rich], SPEC, 7)
    assert pack.token_extras["soft"].tolist() == [[False] * 4 + flags.tolist()]
    assert pack.image_extras["gsd"].tolist() == [0.5]
    # The targets of the last example are its two last tokens, which the flag marks.
    learnt = pack.targets[0, 4:] != NOT_LEARNT
    assert pack.of_targets("soft")[0, 4:][learnt].tolist() == [True, True]
    alone = collate([replace(examples[1], tokens={"soft": np.ones(4, dtype=bool)})], SPEC, 7)
    assert alone.token_extras["soft"].tolist() == [[True] * 4 + [False]], "the dummy has none"


def test_a_picture_of_another_size_than_promised_is_a_data_error(examples):
    other = replace(examples[0], pictures=(replace(examples[0].pictures[0], size=Size(28, 28)),))
    with pytest.raises(DataError, match=r"noise 0: .*\(28, 28, 3\).*\(28, 56, 3\)"):
        collate([other], SPEC, 7)
    with pytest.raises(DataError, match=r"noise 0: .*float32 \(28, 56, 2\).*\(28, 56, 3\)"):
        collate([replace(examples[0], pictures=(Reflectance(Size(28, 56), 2),))], SPEC, 7)


def test_a_pack_knows_its_longest_segment_wherever_it_stands(examples):
    assert collate(examples, SPEC, 7).max_length == 9
    assert collate(examples[::-1], SPEC, 7).max_length == 9
    assert empty_pack(SPEC, 7).max_length == 1


@dataclass(frozen=True)
class OfType:
    """A picture of numbers of some type."""

    size: Size
    dtype: str

    def read(self):
        return np.ones((*self.size, 3), dtype=self.dtype)


@pytest.mark.parametrize("dtype", ["uint16", "int8", "float64", "float16"])
def test_a_picture_of_other_numbers_than_bytes_and_floats_is_a_data_error(examples, dtype):
    with pytest.raises(DataError, match=rf"noise 0: .*{dtype} \(28, 56, 3\).*uint8 or float32"):
        collate([replace(examples[0], pictures=(OfType(Size(28, 56), dtype),))], SPEC, 7)


def test_a_pack_moves_to_a_device_whole(examples):
    pack = collate([replace(examples[1], tokens={"soft": np.ones(4, dtype=bool)})], SPEC, 7).to("meta")
    tensors = [pack.input_ids, pack.position_ids, pack.cu_seqlens, pack.targets, pack.sample, pack.learnt]
    assert all(t.device.type == "meta" for t in [*tensors, pack.patches, pack.token_extras["soft"]])
    assert pack.keys == (examples[1].key,)
