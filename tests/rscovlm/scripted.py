"""An engine that says what a test tells it to, and small rasters for it to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio

from rscovlm.models.families import FAMILIES, ModelFamily
from tests.places import from_origin, unplaced
from zoom_chain.chat import Conversation, Generation, Reply

Script = Callable[[Conversation], str | Reply]

ONE_SCALE = replace(FAMILIES["nano"], detect_gsd_m=1.2, class_gsd_m=None, closer_looks=0)
"""nano's family, as if it looked for every class in one pass."""


class ScriptedEngine:
    """Answers each conversation by a function; keeps the batches and options that it was called with."""

    def __init__(self, script: Script, family: ModelFamily | None = None, name: str = "scripted") -> None:
        self.script = script
        self.family = family or ONE_SCALE
        self.name = name
        self.batches: list[list[Conversation]] = []
        self.options: list[Generation] = []
        self.closed = False

    def __enter__(self) -> ScriptedEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        self.batches.append(list(conversations))
        self.options.append(options)
        replies = [self.script(conversation) for conversation in conversations]
        return [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]

    def close(self) -> None:
        self.closed = True


def write_raster(
    path: Path,
    width: int = 256,
    height: int = 256,
    gsd_m: float | None = 0.3,
    pixels: np.ndarray | None = None,
    **profile: object,
) -> Path:
    """A GeoTIFF in UTM zone 33, of a gradient in each of three bands unless pixels are given."""
    if pixels is None:
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256]).astype(np.uint8)
    bands, height, width = pixels.shape
    place = {}
    if gsd_m is not None:
        place = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_000_000, gsd_m, gsd_m)}
    shape = {"count": bands, "height": height, "width": width, "dtype": pixels.dtype}
    with unplaced(), rasterio.open(path, "w", driver="GTiff", **{**shape, **place, **profile}) as dataset:
        dataset.write(pixels)
    return path
