"""Right, wrong and missed: one-to-one counts, precision, recall, F1, and how well the number is counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from detection_eval.detections import Detections
from detection_eval.geometry.quads import Floats
from detection_eval.metrics.ground_truth import GroundTruth, Indices
from detection_eval.metrics.matching import FALSE, IGNORED, TRUE, Matches, match_by_overlap
from detection_eval.metrics.overlaps import Mask, Overlaps, overlap
from detection_eval.metrics.presets import STRICT


@dataclass(frozen=True, eq=False)
class Counts:
    """Detections and objects in numbers, the last axis being the classes.

    Each detection is right about one object at most, and each object has one right detection at most.

    Attributes:
        true: (..., classes) right detections, which is also the objects found.
        false: (..., classes) wrong detections; those on ignored objects are neither.
        positives: (..., classes) objects that count.
    """

    true: Indices
    false: Indices
    positives: Indices

    @property
    def missed(self) -> Indices:
        """(..., classes) objects without a right detection."""
        return self.positives - self.true

    @property
    def precision(self) -> Floats:
        """(..., classes), NaN without detections."""
        return _share(self.true, self.true + self.false)

    @property
    def recall(self) -> Floats:
        """(..., classes), NaN without objects."""
        return _share(self.true, self.positives)

    @property
    def f1(self) -> Floats:
        """(..., classes), NaN with neither detections nor objects."""
        return _share(2 * self.true, self.true + self.false + self.positives)

    @property
    def micro(self) -> Counts:
        """All classes counted as one, (..., 1)."""
        return Counts(*(x.sum(axis=-1, keepdims=True) for x in (self.true, self.false, self.positives)))

    @property
    def macro_precision(self) -> Floats:
        """(...) mean over classes that have objects; 0 stands for a class without detections."""
        return self._macro(np.where(self.true + self.false > 0, self.precision, 0.0))

    @property
    def macro_recall(self) -> Floats:
        """(...) mean over classes that have objects."""
        return self._macro(self.recall)

    @property
    def macro_f1(self) -> Floats:
        """(...) mean of F1 over classes that have objects."""
        return self._macro(self.f1)

    def _macro(self, values: Floats) -> Floats:
        present = self.positives > 0
        return _share(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1))


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole)
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


def count(overlaps: Overlaps, matches: Matches, keep: Mask | None = None) -> Counts:
    """Counts by class, (classes,).

    Args:
        overlaps: matched overlaps.
        matches: the verdicts.
        keep: (detections,) those above a score threshold; None keeps all. Of the detections of one image and
            class it must keep those with the highest scores.
    """
    kept = overlaps.kept(keep)
    labels, classes = overlaps.detections.labels, len(overlaps.classes)
    return Counts(
        np.bincount(labels[kept & (matches.verdict == TRUE)], minlength=classes),
        np.bincount(labels[kept & (matches.verdict == FALSE)], minlength=classes),
        overlaps.positives,
    )


def count_image(found: Detections, truth: Detections, level: float = 0.5) -> dict[str, Counts]:
    """Counts (1,) of one image by class name, one to one and without regard to scores or order.

    Args:
        found: in the frame of ``truth``.
        truth: the objects; those of each class count.
        level: IoU from which a box is right.

    Raises:
        ValueError: a level outside [0.1, 1].
    """
    names = tuple(sorted({*found.names, *truth.names}))
    overlaps = overlap({"": GroundTruth(truth)}, {"": replace(found, scores=None)}, STRICT, names)
    counts = count(overlaps, match_by_overlap(overlaps, level))
    return {
        name: Counts(*(part[[index]] for part in (counts.true, counts.false, counts.positives)))
        for index, name in enumerate(names)
    }


def count_by_scene(
    overlaps: Overlaps, matches: Matches, keep: Mask | None = None
) -> tuple[tuple[str, ...], Counts]:
    """Counts by scene and class, (scenes, classes), and the scenes' names in alphabetical order."""
    kept = overlaps.kept(keep)
    names, scene = np.unique(np.array(overlaps.scenes, dtype=str), return_inverse=True)
    detections, objects, classes = overlaps.detections, overlaps.objects, len(overlaps.classes)

    def table(images: Indices, labels: Indices, mask: Mask) -> Indices:
        cells = scene[images[mask]] * classes + labels[mask]
        return np.bincount(cells, minlength=len(names) * classes).reshape(len(names), classes)

    return tuple(names.tolist()), Counts(
        table(detections.images, detections.labels, kept & (matches.verdict == TRUE)),
        table(detections.images, detections.labels, kept & (matches.verdict == FALSE)),
        table(objects.images, objects.labels, ~overlaps.ignored),
    )


@dataclass(frozen=True)
class CountError:
    """Counting error: detections against objects, over images and classes.

    Attributes:
        mean_absolute: per image and class, over those with an object or a detection; NaN if there are none.
        bias: the same with its sign; positive where too many are detected.
        per_image: mean over images of the absolute difference of all classes together.
    """

    mean_absolute: float
    bias: float
    per_image: float


def count_error(overlaps: Overlaps, matches: Matches, keep: Mask | None = None) -> CountError:
    """Compare the numbers of detections and objects; ignored objects and detections of them are left out."""
    kept = matches.verdict != IGNORED if keep is None else keep & (matches.verdict != IGNORED)
    classes, images = max(len(overlaps.classes), 1), len(overlaps.images)

    def table(images_of: Indices, labels: Indices) -> Indices:
        cells = np.bincount(images_of * classes + labels, minlength=images * classes)
        return cells.reshape(images, classes)

    found, there = overlaps.detections.select(kept), overlaps.objects.select(~overlaps.ignored)
    detected, present = table(found.images, found.labels), table(there.images, there.labels)
    used = (detected + present) > 0
    difference = (detected - present)[used]
    whole = np.abs((detected - present).sum(axis=1))
    return CountError(
        float(np.abs(difference).mean()) if len(difference) else float("nan"),
        float(difference.mean()) if len(difference) else float("nan"),
        float(whole.mean()) if len(whole) else float("nan"),
    )
