"""The score threshold at which a detector is compared with a model that gives no scores.

A detector is a curve, a text-only model a point. Where on the curve the detector stands has to be chosen on
declared data: on the evaluated images themselves (an oracle, which flatters the detector), on the training
images (where it is over-confident), on held-out ones, or on the other folds of the evaluated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection_eval.errors import EvaluationError
from detection_eval.geometry.quads import Floats
from detection_eval.metrics.average_precision import class_average_precision, mean_over_classes
from detection_eval.metrics.confidence_free import block_ap, without_scores
from detection_eval.metrics.counts import Counts
from detection_eval.metrics.ground_truth import Indices
from detection_eval.metrics.matching import FALSE, TRUE, Matches, match
from detection_eval.metrics.overlaps import Mask, Overlaps
from detection_eval.metrics.presets import Preset, Split


@dataclass(frozen=True, eq=False)
class Sweep:
    """Counts at every level of overlap and score threshold.

    Attributes:
        levels: (levels,) IoU.
        thresholds: (thresholds,) a detection is kept where its score is greater.
        counts: (levels, thresholds, classes).
        preset: the protocol.
    """

    levels: tuple[float, ...]
    thresholds: tuple[float, ...]
    counts: Counts
    preset: Preset

    @property
    def class_apnc(self) -> Floats:
        """APnc, (levels, thresholds, classes)."""
        return block_ap(self.counts, self.preset)

    @property
    def apnc(self) -> Floats:
        """Mean APnc over classes, (levels, thresholds)."""
        return mean_over_classes(self.class_apnc, self.preset)

    @property
    def f1(self) -> Floats:
        """F1 of all classes together, (levels, thresholds)."""
        return self.counts.micro.f1[..., 0]


def sweep(
    overlaps: Overlaps,
    matched: Sequence[Matches],
    thresholds: Sequence[float] | None = None,
    images: Mask | None = None,
) -> Sweep:
    """Count at every threshold; matching is greedy by score, so each count is read off one cumulative sum.

    Args:
        overlaps: matched overlaps; detections without scores are kept at every threshold.
        matched: the verdicts, one per level.
        thresholds: the grid; None takes the preset's.
        images: (images,) those that count; None takes all.
    """
    grid = overlaps.preset.score_thresholds if thresholds is None else tuple(thresholds)
    classes = len(overlaps.classes)
    used = np.ones(len(overlaps.images), dtype=bool) if images is None else images
    there = ~overlaps.ignored & used[overlaps.objects.images]
    positives = np.bincount(overlaps.objects.labels[there], minlength=classes)
    true, false = (np.zeros((len(matched), len(grid), classes), np.int64) for _ in range(2))
    for label, ranked in enumerate(overlaps.by_class):
        ranked = ranked[used[overlaps.detections.images[ranked]]]
        above = _above(overlaps, ranked, grid)
        for level, matches in enumerate(matched):
            verdict = matches.verdict[ranked]
            true[level, :, label] = np.append(0, np.cumsum(verdict == TRUE))[above]
            false[level, :, label] = np.append(0, np.cumsum(verdict == FALSE))[above]
    counts = Counts(true, false, np.broadcast_to(positives, true.shape))
    return Sweep(tuple(matches.level for matches in matched), grid, counts, overlaps.preset)


def _above(overlaps: Overlaps, ranked: Indices, grid: Sequence[float]) -> Indices:
    """Number of ranked detections with a score above each threshold."""
    if overlaps.scores is None:
        return np.full(len(grid), len(ranked))
    return np.searchsorted(-overlaps.scores[ranked], -np.asarray(grid), side="left")


def given_sweep(
    overlaps: Overlaps, levels: Sequence[float], thresholds: Sequence[float] | None = None
) -> Floats:
    """APnc of the order as given at every level and threshold, (levels, thresholds, classes)."""
    grid = overlaps.preset.score_thresholds if thresholds is None else tuple(thresholds)
    values = np.full((len(levels), len(grid), len(overlaps.classes)), np.nan)
    for column, threshold in enumerate(grid):
        unscored = without_scores(overlaps, above(overlaps, threshold))
        for row, level in enumerate(levels):
            values[row, column] = class_average_precision(unscored, match(unscored, level))
    return values


def above(overlaps: Overlaps, threshold: float) -> Mask:
    """Mask (detections,) of scores above a threshold; all, where there are no scores."""
    if overlaps.scores is None:
        return np.ones(len(overlaps.detections), dtype=bool)
    return overlaps.scores > threshold


@dataclass(frozen=True, eq=False)
class ThresholdChoice:
    """Score thresholds, and where they come from.

    Attributes:
        split: ``oracle``, ``train``, ``val``, ``kfold``, or ``fixed``.
        thresholds: (folds, classes); one fold unless the split is ``kfold``.
        classes: names.
        per_class: each class has its own threshold.
        fold_of_scene: the fold whose thresholds hold for each scene; empty unless the split is ``kfold``.
    """

    split: str
    thresholds: Floats
    classes: tuple[str, ...]
    per_class: bool
    fold_of_scene: dict[str, int]

    def keep(self, overlaps: Overlaps) -> Mask:
        """Mask (detections,) of scores above their threshold; all, where there are no scores.

        Raises:
            EvaluationError: thresholds of other classes, or a scene that no fold holds.
        """
        if overlaps.scores is None:
            return np.ones(len(overlaps.detections), dtype=bool)
        if overlaps.classes != self.classes:
            raise EvaluationError(
                f"thresholds were chosen for {', '.join(self.classes)}, not {', '.join(overlaps.classes)}"
            )
        if not self.fold_of_scene:
            fold = np.zeros(len(overlaps.scenes), dtype=np.int64)
        elif lost := sorted(set(overlaps.scenes) - set(self.fold_of_scene)):
            raise EvaluationError(f"scene {lost[0]!r} is in no fold; choose thresholds on these images")
        else:
            fold = np.array([self.fold_of_scene[scene] for scene in overlaps.scenes], dtype=np.int64)
        detections = overlaps.detections
        return overlaps.scores > self.thresholds[fold[detections.images], detections.labels]

    def describe(self) -> float | dict[str, float]:
        """The threshold, or those of the classes; the mean over folds."""
        mean = self.thresholds.mean(axis=0)
        if self.per_class:
            return dict(zip(self.classes, mean.tolist()))
        return float(mean[0]) if len(mean) else float("nan")


def fixed_threshold(classes: Sequence[str], threshold: float) -> ThresholdChoice:
    """A threshold that the user gives."""
    return ThresholdChoice("fixed", np.full((1, len(classes)), float(threshold)), tuple(classes), False, {})


def best_threshold(
    overlaps: Overlaps,
    split: Split,
    *,
    level: float = 0.5,
    thresholds: Sequence[float] | None = None,
    per_class: bool = False,
    folds: int = 5,
    seed: int = 0,
) -> ThresholdChoice:
    """The threshold with the best APnc; the lowest of equally good ones.

    Args:
        overlaps: the data on which it is chosen. For ``oracle`` and ``kfold`` these are the evaluated images,
            for ``train`` and ``val`` other ones.
        split: name of this split of the data. ``kfold`` chooses for each part of the scenes on all others.
        level: IoU.
        thresholds: the grid; None takes the preset's.
        per_class: choose for each class on its own.
        folds: parts of ``kfold``.
        seed: random seed of the assignment of scenes to folds.

    Raises:
        EvaluationError: fewer scenes than folds.
    """
    matched = [match(overlaps, level)]
    if split != "kfold":
        chosen = _best(sweep(overlaps, matched, thresholds), per_class)
        return ThresholdChoice(split, chosen[None], overlaps.classes, per_class, {})
    fold_of_scene = _folds(overlaps.scenes, folds, seed)
    fold = np.array([fold_of_scene[scene] for scene in overlaps.scenes], dtype=np.int64)
    rows = [_best(sweep(overlaps, matched, thresholds, fold != part), per_class) for part in range(folds)]
    return ThresholdChoice(split, np.array(rows), overlaps.classes, per_class, fold_of_scene)


def _best(curve: Sweep, per_class: bool) -> Floats:
    grid = np.array(curve.thresholds)
    if per_class:
        return grid[np.nan_to_num(curve.class_apnc[0]).argmax(axis=0)]
    best = np.nan_to_num(curve.apnc[0]).argmax()
    return np.full(curve.class_apnc.shape[-1], grid[best])


def _folds(scenes: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    names = sorted(set(scenes))
    if len(names) < 2:
        raise EvaluationError(
            f"all {len(scenes)} images are of one scene, so no other scene is left to choose a threshold on; "
            "give a threshold, choose it on other images (val), or on these very ones (oracle)"
        )
    if not 2 <= folds <= len(names):
        raise EvaluationError(f"{len(names)} scenes do not make {folds} folds; choose 2 to {len(names)}")
    order = np.random.default_rng(seed).permutation(len(names))
    return {names[scene]: int(place % folds) for place, scene in enumerate(order)}
