"""Detections: a struct of arrays that holds the boxes of one image or scene."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.quads import canonical


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes of one image as convex quadrilaterals, in one declared pixel frame.

    Attributes:
        polygons: (n, 4, 2) float64, x right and y down. Vertices may be given in any order around the
            box; they are kept clockwise on the image, the topmost (then leftmost) first.
        labels: (n,) int64 indices into ``classes``.
        classes: class names.
        scores: (n,) float64 confidences, or None for confidence-free detections. None stays
            None: a text-only model states no confidence and none is invented.
    """

    polygons: NDArray[np.float64]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    scores: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        polygons = canonical(np.asarray(self.polygons, dtype=np.float64).reshape(-1, 4, 2))
        labels = np.asarray(self.labels, dtype=np.int64).reshape(-1)
        if len(polygons) != len(labels):
            raise ValueError(f"{len(polygons)} polygons but {len(labels)} labels; give one label per polygon")
        if len(labels) and (labels.min() < 0 or labels.max() >= len(self.classes)):
            raise ValueError(
                f"label {int(labels.max())} is outside the {len(self.classes)} classes {self.classes}"
            )
        object.__setattr__(self, "polygons", polygons)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "classes", tuple(self.classes))
        if self.scores is not None:
            scores = np.asarray(self.scores, dtype=np.float64).reshape(-1)
            if len(scores) != len(polygons):
                raise ValueError(f"{len(polygons)} polygons but {len(scores)} scores; give one each, or None")
            object.__setattr__(self, "scores", scores)

    def __len__(self) -> int:
        return len(self.polygons)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        own, others = self.scores, other.scores
        same_scores = own is others if own is None or others is None else np.array_equal(own, others)
        return (
            self.classes == other.classes
            and np.array_equal(self.polygons, other.polygons)
            and np.array_equal(self.labels, other.labels)
            and same_scores
        )

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def empty(cls, classes: Iterable[str] = ()) -> Detections:
        """No boxes of the given classes."""
        return cls(np.zeros((0, 4, 2)), np.zeros(0, dtype=np.int64), tuple(classes))

    @property
    def names(self) -> list[str]:
        """The class name of each box."""
        return [self.classes[label] for label in self.labels]

    def select(self, index: NDArray[np.bool_] | NDArray[np.integer] | Sequence[int]) -> Detections:
        """The boxes that a boolean mask or integer index picks, in that order."""
        index = np.asarray(index)
        if index.size == 0:
            index = index.astype(np.int64)
        scores = None if self.scores is None else self.scores[index]
        return Detections(self.polygons[index], self.labels[index], self.classes, scores)

    def with_polygons(self, polygons: NDArray[np.float64]) -> Detections:
        """The same labels and scores on other polygons, (n, 4, 2): a change of frame."""
        return Detections(polygons, self.labels, self.classes, self.scores)
