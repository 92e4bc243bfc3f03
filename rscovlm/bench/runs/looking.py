"""What the model is shown of an item: the overview, all pixels it takes, the evidence alone, or no picture.

| mode | shown |
|---|---|
| ``off`` | the whole image at the size that the model is run with |
| ``single``, ``chain``, ... | the same, and a zoom policy looks closer; objects are detected tile by tile |
| ``direct`` | the whole image at the largest size that the checkpoint itself allows |
| ``oracle`` | the part that holds the evidence, where an item states it, else the whole image |

| blind | shown in place of the image |
|---|---|
| ``text`` | nothing: the question alone |
| ``gray`` | an even grey of the same size |
| ``shuffle`` | the image of another item |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from rscovlm.bench.item import Item
from rscovlm.models.sidecars import image_processor
from tiling.resolution import Resolution
from tiling.view import View, Window
from zoom_chain.looks import CropRule, crop_window

if TYPE_CHECKING:
    from rscovlm.models.checkpoints import Checkpoint
    from tiling.scene import Scene

Mode = Literal["off", "single", "chain", "focus", "tree", "retrieve", "sweep", "auto", "direct", "oracle"]
MODES: tuple[Mode, ...] = get_args(Mode)
CLOSER: tuple[Mode, ...] = tuple(mode for mode in MODES if mode not in ("off", "direct", "oracle"))
"""Modes in which the model looks closer than the overview."""
Blind = Literal["none", "text", "gray", "shuffle"]
BLINDS: tuple[Blind, ...] = ("none", "text", "gray", "shuffle")

GRAY = 128
OWN_CAP_TOKENS = 16_384
"""Visual tokens that a checkpoint allows where its files do not say: those of Qwen's on the hub."""


def direct_resolution(checkpoint: Checkpoint) -> Resolution:
    """Sizes up to the largest that the checkpoint's own processor takes, whatever we would choose."""
    resolution = checkpoint.family.resolution
    processor = {} if checkpoint.folder is None else image_processor(checkpoint.folder) or {}
    stated = processor.get("size", {}).get("longest_edge") or processor.get("max_pixels")
    most = int(stated or OWN_CAP_TOKENS * resolution.factor**2)
    return replace(
        resolution, max_pixels=max(most, resolution.min_pixels, resolution.factor**2), target_pixels=None
    )


def first_view(scene: Scene, item: Item, mode: Mode, resolution: Resolution) -> View:
    """The first view of an item's image.

    Raises:
        SceneError: where there is nothing to look at.
    """
    if mode == "oracle" and item.evidence is not None:
        window = crop_window(Window.from_bounds(*item.evidence), (0.0, 0.0), scene.window, CropRule())
        return scene.view(window, resolution)
    return scene.overview(resolution)


def gray(view: View) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """(height, width, 3) uint8, an even grey of the size of a view."""
    return np.full((view.size.height, view.size.width, 3), GRAY, dtype=np.uint8)


def shuffled_images(items: Sequence[Item], seed: int) -> dict[str, tuple[str, ...]]:
    """For each item the images of another one, by key; its own where all items share theirs.

    Each set of images goes to the next one in an order drawn with the seed, so that an item's new images do
    not depend on how often others are asked about.
    """
    sets = sorted({item.images for item in items})
    order = np.random.default_rng([seed, len(sets)]).permutation(len(sets)).tolist()
    following = {sets[one]: sets[other] for one, other in zip(order, [*order[1:], *order[:1]])}
    return {item.key: following[item.images] for item in items}
