"""Features from inside the vision tower, token by token."""

import pytest
import torch

from rscovlm.errors import ModelError
from rscovlm.models.taps import tap_layers, tapped
from rscovlm.models.weights import read_weights
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl


@pytest.fixture(scope="module", params=[tiny_qwen25_vl, tiny_qwen3_vl], ids=["qwen2.5-vl", "qwen3-vl"])
def model(request, tmp_path_factory):
    return read_weights(request.param(tmp_path_factory.mktemp("model")), torch.float32).eval()


def patches(model, grids, seed=0):
    config = model.config.vision_config
    count = int(grids.prod(dim=1).sum())
    size = config.in_channels * config.temporal_patch_size * config.patch_size**2
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_the_last_layer_is_what_the_merger_was_given(model):
    grids = torch.tensor([[1, 12, 8], [1, 4, 4]])
    given = []
    handle = model.model.visual.merger.register_forward_pre_hook(lambda module, args: given.append(args[0]))
    with torch.no_grad(), tapped(model, [-1]) as taps:
        model.model.visual(patches(model, grids), grids)
    handle.remove()
    found = taps.features(grids)
    assert found.shape == (24 + 4, 32)
    merged = given[0].reshape(28, 4, 32).mean(dim=1)
    assert torch.equal(found.sort(dim=0).values, merged.sort(dim=0).values)


def test_tokens_are_in_the_order_of_the_language_model(model):
    # Changing the patches of one visual token moves the features of its own image alone, and its own most.
    grids = torch.tensor([[1, 12, 8], [1, 4, 4]])
    pixels = patches(model, grids)
    changed = pixels.clone()
    token = 17
    changed[4 * token : 4 * token + 4] += 3
    with torch.no_grad(), tapped(model, [0]) as taps:
        model.model.visual(pixels, grids)
        before = taps.features(grids)
        model.model.visual(changed, grids)
        moved = (taps.features(grids) - before).norm(dim=1)
    assert moved.argmax() == token
    assert moved[24:].max() == 0


def test_layers_are_averaged(model):
    grids = torch.tensor([[1, 4, 4]])
    pixels = patches(model, grids)
    each = []
    for layers in ([0], [2], [0, 2]):
        with torch.no_grad(), tapped(model, layers) as taps:
            model.model.visual(pixels, grids)
            each.append(taps.features(grids))
    torch.testing.assert_close((each[0] + each[1]) / 2, each[2])


def test_features_carry_the_gradient(model):
    grids = torch.tensor([[1, 4, 4]])
    with tapped(model, [1]) as taps:
        model.model.visual(patches(model, grids), grids)
        taps.features(grids).sum().backward()
    assert model.model.visual.patch_embed.proj.weight.grad.abs().sum() > 0


def test_nothing_is_recorded_once_the_context_is_closed(model):
    with tapped(model, [0]) as taps:
        pass
    model.model.visual(patches(model, torch.tensor([[1, 4, 4]])), torch.tensor([[1, 4, 4]]))
    with pytest.raises(ModelError, match=r"layers \[0\] .* have not run"):
        taps.features(torch.tensor([[1, 4, 4]]))


def test_a_layer_that_does_not_exist_is_refused(model):
    with pytest.raises(ModelError, match="4 layers, 0 to 3; there is no layer 4"), tapped(model, [4]):
        pass


@pytest.mark.parametrize(
    ("taps", "layers"),
    [
        ("last", [7]),
        ("half", [1, 3, 5, 7]),
        ("half_deep", [3, 5, 7]),
        ("all", list(range(8))),
        ((0, -1), [0, 7]),
    ],
)
def test_choices_of_reo_vlm_by_name(taps, layers):
    assert list(tap_layers(taps, 8)) == layers


def test_half_of_the_24_layers_of_vit_l_are_12():
    assert [len(tap_layers(name, 24)) for name in ("last", "half", "half_deep", "all")] == [1, 12, 9, 24]


def test_an_unknown_choice_is_refused_with_those_there_are():
    with pytest.raises(ModelError, match="taps 'halves' are unknown; choose from last, half, half_deep, all"):
        tap_layers("halves", 8)


def test_a_head_takes_some_of_the_layers_that_are_recorded(model):
    grids = torch.tensor([[1, 4, 4]])
    with torch.no_grad(), tapped(model, [0, 2]) as taps:
        model.model.visual(patches(model, grids), grids)
        both, first, third = (taps.features(grids, chosen) for chosen in (None, [0], [2]))
    torch.testing.assert_close((first + third) / 2, both)
