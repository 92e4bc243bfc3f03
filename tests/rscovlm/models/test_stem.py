"""A widened patch embedding: what stays the same, and a checkpoint that carries it."""

import json

import numpy as np
import pytest
import torch

from rscovlm.errors import ModelError
from rscovlm.models.patches import PatchSpec, normalise, patchify
from rscovlm.models.stem import widen, widened, write_widened
from rscovlm.models.weights import read_settings, read_weights
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl

BANDS = ("B02", "B03", "B04", "B08", "B12")


@pytest.fixture(scope="module", params=[tiny_qwen25_vl, tiny_qwen3_vl])
def checkpoint(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("tiny"))


def spec_of(folder):
    return PatchSpec.of_checkpoint(folder, read_settings(folder).vision_config)


def embedded(model, patches):
    """What the patch embedding makes of patches that are normalised already."""
    with torch.no_grad():
        return model.model.visual.patch_embed(patches)


def of_bands(values, spec):
    """(P, bands * temporal * patch * patch) from (P, bands, patch * patch)."""
    return values[:, :, None].expand(-1, -1, spec.temporal, -1).flatten(1)


def test_bands_that_are_all_alike_give_what_they_give_as_rgb(checkpoint):
    spec, model = spec_of(checkpoint), read_weights(checkpoint, torch.float32)
    grey = torch.randn(4, 1, spec.patch**2, generator=torch.Generator().manual_seed(0))
    before = embedded(model, of_bands(grey.expand(-1, 3, -1), spec))
    widen(model, BANDS, "mean")
    after = embedded(model, of_bands(grey.expand(-1, len(BANDS), -1), spec))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_an_rgb_start_sees_the_colours_alone_and_learns_the_rest(checkpoint):
    spec, model = spec_of(checkpoint), read_weights(checkpoint, torch.float32)
    pixels = torch.randn(4, len(BANDS), spec.patch**2, generator=torch.Generator().manual_seed(0))
    before = embedded(model, of_bands(pixels[:, [2, 1, 0]], spec))
    widen(model, BANDS, "rgb")
    torch.testing.assert_close(embedded(model, of_bands(pixels, spec)), before, rtol=1e-4, atol=1e-5)
    model.model.visual.patch_embed(of_bands(pixels, spec)).square().sum().backward()
    assert (model.model.visual.patch_embed.proj.weight.grad.abs().amax(dim=(0, 2, 3, 4)) > 0).all()


def test_a_checkpoint_keeps_its_bands_and_is_read_like_any_other(checkpoint, tmp_path):
    write_widened(checkpoint, tmp_path / "wide", BANDS, "mean")
    spec = spec_of(tmp_path / "wide")
    assert spec.channels == len(BANDS)
    assert spec.mean == pytest.approx([np.mean(spec_of(checkpoint).mean)] * len(BANDS))
    assert json.loads((tmp_path / "wide" / "rscovlm.json").read_text())["bands"] == list(BANDS)
    model = read_weights(tmp_path / "wide", torch.float32)
    image = np.random.default_rng(0).random((spec.factor, spec.factor, len(BANDS))).astype(np.float32)
    patches = normalise(torch.from_numpy(patchify(image, spec)), spec)
    grid = torch.tensor([[1, spec.merge, spec.merge]])
    with torch.no_grad():
        assert model.model.visual(patches, grid_thw=grid)[0].isfinite().all()
    assert {file.name for file in checkpoint.iterdir() if file.suffix == ".json"} <= {
        file.name for file in (tmp_path / "wide").iterdir()
    } | {"model.safetensors.index.json"}


@pytest.mark.parametrize(
    ("channels", "bands", "start", "words"),
    [
        (5, BANDS, "mean", "has 5 bands, not 3"),
        (3, ("B02", "B02"), "mean", "have to be different names"),
        (3, ("B02", "B03"), "rgb", "start rgb needs the bands B04, B03, B02; B04 is missing"),
    ],
)
def test_what_cannot_be_widened_is_told(channels, bands, start, words):
    with pytest.raises(ModelError, match=words):
        widened(torch.zeros(4, channels, 2, 2, 2), bands, start)
