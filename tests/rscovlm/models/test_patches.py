"""From a multispectral file to a model: one path for any number of bands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch

from rscovlm.data.encoding import Encoder
from rscovlm.data.example import Example, Key
from rscovlm.data.packing import collate, model_inputs
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.families import family_of
from rscovlm.models.patches import PatchSpec
from rscovlm.models.weights import read_tokenizer, read_weights
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tiling.scene import Scene
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation, Generation, ImagePart

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
BANDS = ("B02", "B03", "B04", "B08", "VV", "VH")


@dataclass(frozen=True)
class Bands:
    """A picture of all bands of a file, in physical units."""

    path: str
    view: View

    @property
    def size(self) -> Size:
        return self.view.size

    @property
    def gsd_m(self) -> None:
        return None

    def read(self) -> np.ndarray:
        with Scene(self.path) as scene:
            return scene.read_bands(self.view, BANDS).physical().pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint whose vision tower takes six bands."""
    folder = tiny_qwen3_vl(tmp_path_factory.mktemp("six") / "tiny", channels=6)
    path = folder / "preprocessor_config.json"
    settings = json.loads(path.read_text()) if path.is_file() else {}
    settings |= {"image_mean": [0.1, 0.1, 0.1, 0.3, -12, -18], "image_std": [0.1, 0.1, 0.1, 0.2, 5, 5]}
    path.write_text(json.dumps(settings))
    return folder


@pytest.fixture
def scene(tmp_path):
    """Reflectances and backscatter, stored as 16-bit numbers with a scale and an offset."""
    path = tmp_path / "six.tif"
    stored = np.random.default_rng(0).integers(1000, 5000, (6, 200, 240)).astype(np.uint16)
    profile = {"driver": "GTiff", "count": 6, "height": 200, "width": 240, "dtype": "uint16"}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(stored)
        dataset.descriptions = BANDS
        dataset.scales = (1e-4,) * 4 + (0.01,) * 2
        dataset.offsets = (-0.1,) * 4 + (-50.0,) * 2
    return str(path)


def test_bands_of_a_file_reach_the_model_alike_in_inference_and_in_training(folder, scene):
    model = read_weights(folder, torch.float32).eval()
    spec = PatchSpec.of_checkpoint(folder, model.config.vision_config)
    assert spec.channels == 6
    tokenizer = read_tokenizer(folder)
    engine = TransformersEngine(model, tokenizer, spec, family_of(folder), "six")
    picture = Bands(scene, View(Window(10, 20, 150, 130), Size(3 * spec.factor, 4 * spec.factor)))

    asked = Conversation().say("user", picture, "How many ships?")
    prompt = engine.prompt(asked)
    (reply,) = engine.chat([asked], Generation(max_new_tokens=3, logprobs=True))
    assert reply.stop_reason in ("stop", "length")
    image = prompt.images[0]
    assert image.pixels.shape == (3 * spec.factor, 4 * spec.factor, 6)
    assert image.pixels.dtype == np.float32

    coded = Encoder(tokenizer, spec).encode(Example(asked.say("assistant", "2"), Key("s", 0, 0), "vqa"))
    pack = collate([coded], spec, model.config.image_token_id)
    assert pack.patches.dtype == torch.float32
    values = engine._decoder.pixels([prompt], [0])
    torch.testing.assert_close(pack.pixel_values(), values["pixel_values"], atol=0, rtol=0)
    assert pack.image_grid_thw.tolist() == values["image_grid_thw"].tolist()
    assert values["pixel_values"].abs().max() < 8, "physical values over their own statistics"
    with torch.no_grad():
        logits = model(**model_inputs(pack)).logits[0, len(prompt.ids) - 1]
    best = torch.log_softmax(logits.double(), dim=-1).max()
    assert float(best) == pytest.approx(float(reply.logprobs[0]), abs=1e-3)


def test_a_checkpoint_that_states_no_statistics_has_those_of_openai_clip(tmp_path):
    """What the processors of the Qwen2-VL line fall back to (openai/CLIP, clip.py)."""
    (tmp_path / "preprocessor_config.json").write_text("{}")
    vision = SimpleNamespace(in_channels=3, patch_size=14, spatial_merge_size=2, temporal_patch_size=2)
    spec = PatchSpec.of_checkpoint(tmp_path, vision)
    assert spec.mean == (0.48145466, 0.4578275, 0.40821073)
    assert spec.standard_deviation == (0.26862954, 0.26130258, 0.27577711)
    assert (spec.patch, spec.merge, spec.temporal, spec.factor) == (14, 2, 2, 28)


def test_other_values_of_one_band_are_another_image(folder, scene):
    view = View(Window(0, 0, 64, 64), Size(64, 64))
    pixels = Bands(scene, view).read()
    other = pixels.copy()
    other[5, 7, 5] += 0.5
    assert ImagePart(pixels, BANDS) != ImagePart(other, BANDS)
