"""An estimator that reads the pixels it is shown, and scenes whose numbers are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from rscovlm.data.plot_views import CHANNELS
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.heads import write_heads
from rscovlm.models.heads.dense.head import DenseHead
from rscovlm.models.heads.distribution import Mixture
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.inputs import PatchInput, Scaling, Target, write_inputs
from rscovlm.models.patches import PatchSpec
from rscovlm.models.regions import Regions
from rscovlm.models.weights import read_settings
from rscovlm.synth.forest import BANDS, POLARISATIONS
from tests.places import unplaced
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.scripted import write_raster
from tiling.composites import composites_named

INPUTS = PatchInput(
    views=("natural",),
    scaling=Scaling(
        low=dict.fromkeys(("B02", "B03", "B04"), 0.0), high=dict.fromkeys(("B02", "B03", "B04"), 0.255)
    ),
    patch_px=25,
    gsd_m=10.0,
    side=64,
    prompt="How much biomass is at the middle?",
    targets={"agb_mg_per_ha": Target(unit="Mg ha-1", long_name="above-ground biomass density")},
    sensors=("sentinel2-l2a", "alos2-palsar2"),
)
"""A reflectance of 0.001 is one step of 8 bits."""

DEVIATION = 10.0

REGIONS = Regions.of(
    "cover",
    np.array(["forest"] * 3 + ["crops"] * 3),
    {"agb_mg_per_ha": np.array([100.0, 200.0, 300.0, 4.0, 6.0, 8.0])},
    least=3,
)
"""Means of 200 in forests, 6 on crops, 103 in all."""


class Reader:
    """Says the green value at the middle of the first image, +- ``DEVIATION``; dies after some batches."""

    def __init__(self, lives: int | None = None) -> None:
        self.heads = nn.ModuleDict({"agb": NumberHead(8, "agb_mg_per_ha")})
        self.batches: list[int] = []
        self.lives = lives

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def estimate(self, conversations, targets, numbers=None):
        if self.lives is not None and len(self.batches) >= self.lives:
            raise KeyboardInterrupt
        self.batches.append(len(conversations))
        self.numbers = numbers
        self.asked = [each.messages[-1].text for each in conversations]
        means = [float(each.images[0].read()[32, 32, 1]) for each in conversations]
        said = Mixture.gaussian(torch.tensor(means), torch.full((len(means),), DEVIATION))
        return [said for _ in targets]


def checkpoint(folder: Path, inputs: PatchInput = INPUTS) -> Path:
    """What a command reads of a checkpoint before it loads one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "rscovlm.json", "preprocessor_config.json"):
        (folder / name).write_bytes((NANO_FOLDER / name).read_bytes())
    write_inputs(folder, inputs)
    known = json.loads((folder / "rscovlm.json").read_text())
    heads = {"numbers": {"agb": {"target": "agb_mg_per_ha"}}}
    (folder / "rscovlm.json").write_text(json.dumps(known | {"heads": heads}))
    return folder


def number_checkpoint(folder: Path, views: tuple[str, ...] = ("natural",)) -> Path:
    """A tiny random checkpoint with a head, whole enough to load."""
    tiny_qwen3_vl(folder)
    torch.manual_seed(2)
    head = NumberHead(64, "agb_mg_per_ha", output={"name": "gaussian"}, mean=100.0, deviation=50.0)
    write_heads(folder, nn.ModuleDict({"agb": head}))
    names = [*CHANNELS, *(channel.name for each in composites_named(views) for channel in each.channels)]
    low = {name: 0.0 if name[0] == "B" else -30.0 for name in names}
    high = {name: 0.255 if name[0] == "B" else -4.5 for name in names}
    write_inputs(folder, INPUTS.model_copy(update={"views": views, "scaling": Scaling(low=low, high=high)}))
    return folder


def map_checkpoint(folder: Path) -> Path:
    """As ``number_checkpoint``, with a head that maps 4 x 4 cells a patch."""
    tiny_qwen3_vl(folder)
    spec = PatchSpec.of_checkpoint(folder, read_settings(folder).vision_config)
    torch.manual_seed(2)
    tokens = INPUTS.side // spec.factor
    head = DenseHead(
        64,
        "canopy_height_m",
        decoder={"name": "masked", "rounds": 1, "draws": 1},
        detail=max(1, 4 // tokens),
        mean=14.0,
        deviation=10.0,
        low=0.0,
    )
    write_heads(folder, nn.ModuleDict({"height": head}))
    low, high = INPUTS.scaling.low, INPUTS.scaling.high
    write_inputs(folder, INPUTS.model_copy(update={"scaling": Scaling(low=low, high=high)}))
    return folder


def radar(path: Path, side: int, gsd_m: float = 25.0) -> Path:
    """Amplitudes of about -10 and -16 dB, on the upper left corner of ``scene``."""
    decibels = np.random.default_rng(1).normal([[[-10.0]], [[-16.0]]], 1.5, (2, side, side))
    write_raster(path, pixels=np.rint(10 ** ((decibels + 83) / 20)).astype(np.uint16), gsd_m=gsd_m)
    return named(path, POLARISATIONS)


def named(path: Path, names: Sequence[str], **tags: str) -> Path:
    """The same file, whose bands have names, with tags."""
    import rasterio

    with unplaced(), rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names or dataset.descriptions
        dataset.update_tags(**tags)
    return path


def stored(green: np.ndarray) -> np.ndarray:
    """(12, height, width) Sentinel-2 values whose green is as given, in steps of 8 bits."""
    pixels = np.full((12, *green.shape), 1000, np.uint16)
    pixels[2] = np.rint(green * 10)
    return pixels


def scene(path: Path, green: np.ndarray, gsd_m: float | None = 10.0, **profile: object) -> Path:
    """A Sentinel-2 scene without an offset."""
    write_raster(path, pixels=stored(green), gsd_m=gsd_m, **profile)
    return named(path, BANDS, PROCESSING_BASELINE="02.14")


def plateau(rows: int, columns: int, side: int = 25, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) values, and a green band in which each fills a square of ``side`` px."""
    values = np.random.default_rng(seed).integers(30, 250, (rows, columns)).astype(float)
    return values, values.repeat(side, axis=0).repeat(side, axis=1)
