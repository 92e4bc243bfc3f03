"""From patches back to scenes: what patch names mean, and the suppression of duplicates at seams.

A patch is called ``P0706__1024__824___0``: scene, a first number, x, y. To MMRotate's splitter the first
number is the patch's size, to DOTA_devkit it is the rate by which the scene was scaled before it was cut.
The name does not say which, so the reader has to be given it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError, FormatError, SettingError
from detection_eval.formats.records import Collection, ImageBoxes
from detection_eval.geometry.overlap import overlapping_pairs
from detection_eval.words import counted

Naming = Literal["mmrotate", "devkit"]

_NAME = re.compile(r"(?P<scene>.+?)__(?P<first>\d+(?:\.\d+)?)__(?P<x>\d+)___(?P<y>\d+)")


class Patch(NamedTuple):
    """Position of a patch: pixels of the scene are (pixels of the patch + x, y) / rate."""

    scene: str
    x: int
    y: int
    rate: float


def parse_patch(name: str, naming: Naming) -> Patch | None:
    """Parse the name of a patch; None for any other name.

    Args:
        name: an image id.
        naming: ``mmrotate``: the first number is a size and counts for nothing. ``devkit``: it is the rate.

    Raises:
        FormatError: a rate of 0.
        SettingError: unknown naming.
    """
    if naming not in ("mmrotate", "devkit"):
        raise SettingError(f"unknown naming {naming!r} of patches; choose mmrotate or devkit")
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    rate = 1.0 if naming == "mmrotate" else float(found["first"])
    if rate == 0:
        raise FormatError(f"{name}: a patch of rate 0; with sizes in the names, the naming is mmrotate")
    return Patch(found["scene"], int(found["x"]), int(found["y"]), rate)


@dataclass(frozen=True)
class Merged:
    """Scenes put together from patches, and what suppression did.

    Attributes:
        scenes: boxes in pixels of the scenes.
        patches: how many images were patches.
        boxes: boxes of all patches.
        suppressed: boxes that suppression removed.
        by_order: boxes whose survival hangs on the order of equally scored boxes alone: kept in the order
            given and removed in the reverse one, or the other way round.
    """

    scenes: Collection
    patches: int
    boxes: int
    suppressed: int
    by_order: int

    @property
    def line(self) -> str:
        """One line for a report."""
        return (
            f"{counted(self.patches, 'patch')} merged to {counted(len(self.scenes.images), 'scene')}: "
            f"{self.suppressed} of "
            f"{counted(self.boxes, 'box')} suppressed, {self.by_order} by nothing but the order "
            "of equal scores"
        )


def merge_patches(collection: Collection, naming: Naming, iou: float | None = 0.1) -> Merged:
    """Move boxes of patches to their scenes and suppress duplicates class by class, as servers expect.

    Images that are not called like patches are scenes already and are moved nowhere. Where the names are
    MMRotate's and are read as the devkit's, boxes shrink to nothing: say which.

    Args:
        collection: results of patches. Difficulty and ground truth do not survive, since objects at seams
            are in several patches.
        naming: the meaning of the first number.
        iou: NMS threshold: of two boxes that overlap more, the lower scored one is removed; None
            disables it. MMRotate and DOTA_devkit take 0.1. Without scores
            all are equal and the order given decides.

    Raises:
        FormatError: a patch of rate 0.
        SettingError: unknown naming.
        EvaluationError: some images of a scene have scores and others none.
    """
    parts: dict[str, list[Detections]] = {}
    patches = 0
    whole: dict[str, ImageBoxes] = {}
    for image, boxes in collection.images.items():
        patch = parse_patch(image, naming)
        if patch is None:
            whole[image] = boxes
            parts.setdefault(image, []).append(boxes.detections)
            continue
        patches += 1
        moved = (boxes.detections.polygons + np.array([patch.x, patch.y])) / patch.rate
        parts.setdefault(patch.scene, []).append(boxes.detections.with_polygons(moved))
    scenes = {scene: _joined(scene, found, collection.classes) for scene, found in parts.items()}
    total = sum(map(len, scenes.values()))
    kept, by_order = scenes, 0
    if iou is not None:
        masks = {scene: _survivors(boxes, iou) for scene, boxes in scenes.items()}
        kept = {scene: boxes.select(masks[scene][0]) for scene, boxes in scenes.items()}
        by_order = sum(int((given != reverse).sum()) for given, reverse in masks.values())
    images = {
        scene: ImageBoxes(
            boxes,
            size=whole[scene].size if scene in whole else None,
            file_name=whole[scene].file_name if scene in whole else None,
        )
        for scene, boxes in kept.items()
    }
    merged = Collection(images, collection.classes, notes=collection.notes)
    return Merged(merged, patches, total, total - sum(map(len, kept.values())), by_order)


def _joined(scene: str, parts: Sequence[Detections], classes: tuple[str, ...]) -> Detections:
    filled = [part for part in parts if len(part)]
    scored = [part.scores for part in filled if part.scores is not None]
    if len(scored) not in (0, len(filled)):
        raise EvaluationError(f"{scene}: only some patches have scores; give scores to all or none")
    return Detections(
        np.concatenate([np.zeros((0, 4, 2)), *(part.polygons for part in filled)]),
        np.concatenate([np.zeros(0, np.int64), *(part.labels for part in filled)]),
        classes,
        np.concatenate(scored) if scored else None,
    )


def _survivors(boxes: Detections, iou: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Boxes kept by NMS, with equally scored ones in the order given and in the reverse order."""
    groups = (boxes.labels, boxes.labels)
    first, second, overlap = overlapping_pairs(boxes.polygons, boxes.polygons, groups, at_least=iou)
    close = (overlap > iou) & (first != second)
    first, second = first[close], second[close]
    starts = np.searchsorted(first, np.arange(len(boxes) + 1))
    neighbours = np.split(second, starts[1:-1])
    scores = np.zeros(len(boxes)) if boxes.scores is None else boxes.scores
    rows = np.arange(len(boxes))
    given, reverse = np.lexsort((rows, -scores)), np.lexsort((-rows, -scores))
    return _greedy(given, neighbours), _greedy(reverse, neighbours)


def _greedy(order: NDArray[np.int64], neighbours: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    gone = np.zeros(len(order), dtype=bool)
    for box in order:
        if not gone[box]:
            gone[neighbours[box]] = True
    return ~gone
