"""Ground truth of an evaluation: the objects of each image, and all boxes of a data set in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError
from detection_eval.geometry.quads import Floats
from detection_eval.words import counted

Indices = NDArray[np.int64]

CROWD = 101
"""A difficulty above every protocol's ordinary objects, for COCO's ``iscrowd``."""


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The objects of one image.

    Attributes:
        objects: in the pixel frame of the predictions; without scores.
        difficulty: (n,) int64, all 0 if not given: 1 difficult, 2 cut by the edge of a patch, ``CROWD``.
        scene: scene that the image is a part of. Images of one scene are not independent samples. None
            takes the image id up to the first ``__``, as DOTA's patches are named.
        size: width and height in pixels, or None where they are not known.
    """

    objects: Detections
    difficulty: NDArray[np.int64] | None = None
    scene: str | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        given = np.zeros(len(self.objects)) if self.difficulty is None else self.difficulty
        difficulty = np.asarray(given, dtype=np.int64).reshape(-1)
        if len(difficulty) != len(self.objects):
            raise ValueError(f"{len(difficulty)} difficulties for {len(self.objects)} objects; give one each")
        object.__setattr__(self, "difficulty", difficulty)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of many images, image by image.

    Attributes:
        polygons: (n, 4, 2) float64.
        labels: (n,) index of the class.
        images: (n,) index of the image.
        positions: (n,) how many boxes of its image were listed before it.
    """

    polygons: Floats
    labels: Indices
    images: Indices
    positions: Indices

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, index: ArrayLike) -> Boxes:
        """The boxes that a mask or integer index picks."""
        index = np.asarray(index)
        return Boxes(self.polygons[index], self.labels[index], self.images[index], self.positions[index])


def tabulate(images: Sequence[Detections], classes: Sequence[str], owners: Sequence[str]) -> Boxes:
    """The boxes of all images in one table, labels renumbered by name.

    Args:
        images: the boxes of each image.
        classes: the names that count.
        owners: name for the boxes of each image in errors.

    Raises:
        EvaluationError: a box of a class that does not count.
    """
    counts = np.array([len(boxes) for boxes in images], dtype=np.int64)
    labels = [_renumbered(boxes, tuple(classes), owner) for boxes, owner in zip(images, owners)]
    starts = np.cumsum(counts) - counts
    return Boxes(
        np.concatenate([np.zeros((0, 4, 2)), *(boxes.polygons for boxes in images)]),
        np.concatenate([np.zeros(0, np.int64), *labels]),
        np.repeat(np.arange(len(images)), counts),
        np.arange(counts.sum()) - np.repeat(starts, counts),
    )


def _renumbered(boxes: Detections, classes: tuple[str, ...], owner: str) -> Indices:
    if boxes.classes == classes or not len(boxes):
        return boxes.labels
    place = {name: index for index, name in enumerate(classes)}
    for label in np.unique(boxes.labels):
        if boxes.classes[label] not in place:
            raise EvaluationError(
                f"{owner}: class {boxes.classes[label]!r} is not evaluated, only {', '.join(classes)}"
            )
    index = np.array([place.get(name, -1) for name in boxes.classes], dtype=np.int64)
    return index[boxes.labels]


def tabulate_scores(images: Iterable[Detections]) -> Floats | None:
    """Scores (n,) of all boxes, or None where no box has one.

    Raises:
        EvaluationError: some images have scores and others none, or a score is not finite.
    """
    filled = [boxes for boxes in images if len(boxes)]
    scored = [boxes.scores for boxes in filled if boxes.scores is not None]
    if not scored:
        return None
    if len(scored) < len(filled):
        raise EvaluationError(
            f"{len(scored)} of {counted(len(filled), 'image')} with boxes have scores; "
            "give scores to all or to none"
        )
    scores = np.concatenate(scored)
    if not np.isfinite(scores).all():
        raise EvaluationError(
            f"{counted(int((~np.isfinite(scores)).sum()), 'score is', 'scores are')} not finite"
        )
    return scores


def class_list(images: Mapping[str, GroundTruth]) -> tuple[str, ...]:
    """The class list that all images share, or else all names in alphabetical order."""
    lists = {truth.objects.classes for truth in images.values()}
    if len(lists) == 1:
        return next(iter(lists))
    return tuple(sorted({name for names in lists for name in names}))


def scene_of(image: str, truth: GroundTruth) -> str:
    """The scene that an image belongs to."""
    return image.partition("__")[0] if truth.scene is None else truth.scene
