"""Everything that is said about one method on one data set, and about the difference of two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.quads import Floats
from detection_eval.metrics.average_precision import class_average_precision, mean_over_classes
from detection_eval.metrics.calibration import calibration
from detection_eval.metrics.confidence_free import ConfidenceFreeAP, block_ap, confidence_free_ap
from detection_eval.metrics.confusion import mf1_lmmrotate, one_to_one_confusion
from detection_eval.metrics.counts import Counts, count, count_by_scene, count_error
from detection_eval.metrics.curves import precision_recall
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.localisation import best_localisation, localisation
from detection_eval.metrics.matching import LEVELS, Matches, match
from detection_eval.metrics.overlaps import Mask, Overlaps, overlap
from detection_eval.metrics.presets import Preset
from detection_eval.metrics.presets import preset as preset_named
from detection_eval.metrics.sizes import SizeResult, average_recall, by_size
from detection_eval.metrics.thresholds import Sweep, ThresholdChoice, best_threshold, fixed_threshold, sweep
from detection_eval.metrics.uncertainty import (
    Interval,
    PairedDifference,
    bootstrap,
    bootstrap_ap,
    holm,
    paired_test,
)

Threshold = float | Literal["oracle", "kfold"] | ThresholdChoice | None


@dataclass(frozen=True, eq=False)
class Result:
    """One method on one data set. Values are computed when they are asked for, matchings once.

    Attributes:
        overlaps: the data set under the predictions.
        choice: the score threshold at which confidence-free values are computed; None keeps everything.
        seed: random seed of orders and resampling.
    """

    overlaps: Overlaps
    choice: ThresholdChoice | None = None
    seed: int = 0
    _matches: dict[float, Matches] = field(default_factory=dict, init=False, repr=False)

    @property
    def preset(self) -> Preset:
        """The protocol."""
        return self.overlaps.preset

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of all arrays."""
        return self.overlaps.classes

    @cached_property
    def keep(self) -> Mask | None:
        """Detections (detections,) above the threshold, or None for all."""
        return None if self.choice is None else self.choice.keep(self.overlaps)

    def matches(self, level: float = 0.5) -> Matches:
        """The verdict on each detection, whatever its score."""
        if level not in self._matches:
            self._matches[level] = match(self.overlaps, level)
        return self._matches[level]

    def counts(self, level: float = 0.5) -> Counts:
        """One-to-one counts by class (classes,) at the threshold."""
        return count(self.overlaps, self.matches(level), self.keep)

    def counts_by_scene(self, level: float = 0.5) -> Counts:
        """The same by scene, (scenes, classes), scenes in alphabetical order."""
        return count_by_scene(self.overlaps, self.matches(level), self.keep)[1]

    def class_apnc(self, level: float = 0.5) -> Floats:
        """APnc of each class (classes,), the order-free value; NaN without objects."""
        return block_ap(self.counts(level), self.preset)

    def apnc(self, levels: float | Sequence[float] = 0.5) -> float:
        """Mean APnc over classes, and over several levels, such as ``LEVELS``."""
        levels = [levels] if isinstance(levels, float) else levels
        values = [float(mean_over_classes(self.class_apnc(level), self.preset)) for level in levels]
        return float(np.mean(values))

    def class_precision_times_recall(self, level: float = 0.5) -> Floats:
        """Precision times recall of each class (classes,), NaN without objects.

        It is the area under the curve of one tie. APnc of 11 points jumps where recall passes k / 10, this
        does not.
        """
        return block_ap(self.counts(level), replace(self.preset, interpolation="area"))

    def by_size(self) -> tuple[SizeResult, ...]:
        """AP, APnc and recall of small, medium and large objects."""
        return by_size(self.overlaps, self.keep)

    def orders(self, level: float = 0.5, shuffles: int = 200) -> ConfidenceFreeAP:
        """APnc beside what other orders of the detections would give."""
        return confidence_free_ap(
            self.overlaps, self.matches(level), self.keep, shuffles=shuffles, seed=self.seed
        )

    def class_ap(self, level: float = 0.5) -> Floats | None:
        """Ordinary AP of each class from all scored detections (classes,), or None without scores."""
        if self.overlaps.scores is None:
            return None
        return class_average_precision(self.overlaps, self.matches(level))

    def ap(self, levels: float | Sequence[float] = 0.5) -> float | None:
        """Mean ordinary AP over classes, and over several levels; None without scores."""
        levels = [levels] if isinstance(levels, float) else levels
        values = [self.class_ap(level) for level in levels]
        means = [float(mean_over_classes(value, self.preset)) for value in values if value is not None]
        return float(np.mean(means)) if means else None

    def curve(self, thresholds: Sequence[float] | None = None) -> Sweep:
        """Counts, APnc and F1 over thresholds and the levels of 50:95."""
        return sweep(self.overlaps, [self.matches(level) for level in LEVELS], thresholds)

    def oracle_gap(self, level: float = 0.5) -> float | None:
        """The APnc that an oracle's threshold would add; None without scores or threshold."""
        if self.choice is None or self.overlaps.scores is None:
            return None
        best = best_threshold(self.overlaps, "oracle", level=level, per_class=self.choice.per_class)
        counts = count(self.overlaps, self.matches(level), best.keep(self.overlaps))
        best_apnc = float(mean_over_classes(block_ap(counts, self.preset), self.preset))
        return best_apnc - self.apnc(level)

    def mean_apnc_of(self, counts: Counts) -> Floats:
        """Mean APnc (...) of counts (..., classes): a statistic to resample."""
        return mean_over_classes(block_ap(counts, self.preset), self.preset)

    def intervals(self, samples: int = 1000) -> dict[str, Interval]:
        """95 % intervals over scenes of APnc50, APnc75, f1_50 and, with scores, AP50."""
        found = {
            f"APnc{round(100 * level)}": bootstrap(
                self.counts_by_scene(level), self.mean_apnc_of, samples=samples, seed=self.seed
            )
            for level in (0.5, 0.75)
        }
        found["f1_50"] = bootstrap(self.counts_by_scene(), micro_f1, samples=samples, seed=self.seed)
        if self.overlaps.scores is not None:
            found["AP50"] = bootstrap_ap(self.overlaps, self.matches(), samples=samples, seed=self.seed)
        return found

    def summary(self, *, shuffles: int = 200, samples: int = 0) -> dict[str, Any]:
        """The main values as JSON holds them, NaN as None.

        Args:
            shuffles: random orders of APnc.
            samples: resamplings for the intervals; 0 leaves them out.
        """
        counts, orders = self.counts(), self.orders(shuffles=shuffles)
        spread = orders.mean()
        errors = count_error(self.overlaps, self.matches(), self.keep)
        values = {
            "threshold": None if self.choice is None else self.choice.describe(),
            "threshold_split": None if self.choice is None else self.choice.split,
            "oracle_gap": self.oracle_gap(),
            "APnc50": self.apnc(0.5),
            "APnc75": self.apnc(0.75),
            "APnc50:95": self.apnc(LEVELS),
            "PxR50": float(mean_over_classes(self.class_precision_times_recall(), self.preset)),
            "APnc50_parity": spread["given"],
            "APnc50_upper": spread["upper"],
            "APnc50_shuffles": {name: spread[f"shuffle_{name}"] for name in ("mean", "sd", "p5", "p95")},
            "AP50": self.ap(0.5),
            "AP75": self.ap(0.75),
            "AP50:95": self.ap(LEVELS),
            "AR": average_recall(self.overlaps, keep=self.keep),
            **{f"AR_{most}": self._average_recall(most) for most in (1, 10, 100)},
            "by_size": {row.name: _size_values(row) for row in self.by_size()},
            "per_class": self._per_class(counts, orders),
            "precision_50": float(counts.micro.precision[0]),
            "recall_50": float(counts.micro.recall[0]),
            "f1_50": float(counts.micro.f1[0]),
            "f1_75": float(self.counts(0.75).micro.f1[0]),
            "macro_precision_50": float(counts.macro_precision),
            "macro_recall_50": float(counts.macro_recall),
            "macro_f1_50": float(counts.macro_f1),
            "mf1_lmmrotate": max(mf1_lmmrotate(self.overlaps, at_least=k / 10) for k in range(10)),
            "lrp_50": localisation(self.overlaps, self.matches(), self.keep).mean(),
            "lrp_50_lowest": None
            if self.overlaps.scores is None
            else best_localisation(self.overlaps, self.matches()).mean()["error"],
            "count_error": {
                "mean_absolute": errors.mean_absolute,
                "bias": errors.bias,
                "per_image": errors.per_image,
            },
            "calibration_error": self._calibration_error(),
            "confusion_50": {
                "classes": [*self.classes, "background"],
                "matrix": one_to_one_confusion(self.overlaps, self.matches(), self.keep).tolist(),
            },
            "precision_recall_50": self._precision_recall(),
            "objects": int(self.overlaps.positives.sum()),
            "ignored_objects": int(self.overlaps.ignored.sum()),
            "images": len(self.overlaps.images),
            "scenes": len(set(self.overlaps.scenes)),
            "unanswered": len(self.overlaps.unanswered),
            "unknown_images": list(self.overlaps.unknown),
            "ci": {
                name: [float(interval.low), float(interval.high)]
                for name, interval in (self.intervals(samples) if samples else {}).items()
            },
        }
        return _without_nan(values)

    def _per_class(self, counts: Counts, orders: ConfidenceFreeAP) -> dict[str, dict[str, Any]]:
        strict, mean = self.class_apnc(0.75), np.mean([self.class_apnc(level) for level in LEVELS], axis=0)
        ap, product = self.class_ap(), self.class_precision_times_recall()
        return {
            name: {
                "objects": int(counts.positives[label]),
                "detections": int(counts.true[label] + counts.false[label]),
                "APnc50": float(orders.block[label]),
                "APnc75": float(strict[label]),
                "APnc50:95": float(mean[label]),
                "PxR50": float(product[label]),
                "APnc50_parity": float(orders.given[label]),
                "AP50": None if ap is None else float(ap[label]),
                "precision_50": float(counts.precision[label]),
                "recall_50": float(counts.recall[label]),
                "f1_50": float(counts.f1[label]),
            }
            for label, name in enumerate(self.classes)
        }

    def _average_recall(self, most: int) -> float | None:
        return None if self.overlaps.scores is None else average_recall(self.overlaps, most)

    def _precision_recall(self) -> dict[str, Any] | None:
        if self.overlaps.scores is None:
            return None
        curves = precision_recall(self.overlaps, self.matches())
        per_class = {
            name: {"precision": curves.precision[label].tolist(), "score": curves.score[label].tolist()}
            for label, name in enumerate(self.classes)
        }
        return {"recall": curves.recall.tolist(), "per_class": per_class}

    def _calibration_error(self) -> float | None:
        scores = self.overlaps.scores
        if scores is None or not len(scores) or scores.min() < 0 or scores.max() > 1:
            return None
        return calibration(self.overlaps, self.matches()).error


def evaluate(
    truth: Mapping[str, GroundTruth],
    predictions: Mapping[str, Detections],
    preset: str | Preset = "strict",
    *,
    classes: Sequence[str] | None = None,
    threshold: Threshold = None,
    per_class_threshold: bool = False,
    seed: int = 0,
) -> Result:
    """Evaluate one method.

    The images are those of the ground truth: one without predictions costs recall, one that only the
    predictions have is listed and counts for nothing.

    Args:
        truth: by image id.
        predictions: by image id, in the pixel frame of the ground truth, all with scores or none.
        preset: the protocol, or its name.
        classes: those that are evaluated; None takes the ground truth's.
        threshold: score above which detections count for confidence-free values; chosen on the
            evaluated images as a whole (``oracle``) or on the other folds of their scenes (``kfold``: five
            folds, fewer of fewer scenes); or a choice made on other data by ``thresholds.best_threshold``.
            None keeps everything.
        per_class_threshold: give each class its own, where it is chosen here.
        seed: random seed of folds, orders and resampling.

    Raises:
        SettingError: an unknown preset.
        EvaluationError: a box of a class that is not evaluated, scores on a part of the
            images, or folds of a single scene.
    """
    laid = overlap(truth, predictions, preset_named(preset), classes)
    if laid.scores is None:
        choice = None
    elif threshold is None or isinstance(threshold, ThresholdChoice):
        choice = threshold
    elif isinstance(threshold, str):
        folds = max(2, min(5, len(set(laid.scenes))))
        choice = best_threshold(laid, threshold, per_class=per_class_threshold, folds=folds, seed=seed)
    else:
        choice = fixed_threshold(laid.classes, threshold)
    return Result(laid, choice, seed)


def compare(
    first: Result, second: Result, *, level: float = 0.5, samples: int = 1000
) -> dict[str, PairedDifference]:
    """The first method's APnc and F1 minus the second's, on the same ground truth.

    Returns:
        ``APnc`` and ``f1`` (one number each) and ``per_class``, APnc by class with p-values after Holm.

    Raises:
        ValueError: the methods were not evaluated on the same images under the same preset.
    """
    same = first.preset == second.preset and first.classes == second.classes
    if not same or set(first.overlaps.images) != set(second.overlaps.images):
        raise ValueError("the methods were evaluated on different images or presets; compare like with like")
    pair = first.counts_by_scene(level), second.counts_by_scene(level)
    statistics = {
        "APnc": first.mean_apnc_of,
        "f1": micro_f1,
        "per_class": lambda counts: block_ap(counts, first.preset),
    }
    found = {
        name: paired_test(*pair, statistic, samples=samples, seed=first.seed)
        for name, statistic in statistics.items()
    }
    classes = found["per_class"]
    found["per_class"] = PairedDifference(classes.interval, holm(classes.p_value))
    return found


def summarize_comparison(
    first: Result, second: Result, *, level: float = 0.5, samples: int = 1000
) -> dict[str, Any]:
    """``compare`` as JSON holds it: difference, interval and p-value of each."""
    found = compare(first, second, level=level, samples=samples)
    per_class = found["per_class"]
    rows = {
        name: {
            "difference": float(per_class.interval.value[label]),
            "ci": [float(per_class.interval.low[label]), float(per_class.interval.high[label])],
            "p_value_holm": float(per_class.p_value[label]),
        }
        for label, name in enumerate(first.classes)
    }
    whole = {
        name: {
            "difference": float(found[name].interval.value),
            "ci": [float(found[name].interval.low), float(found[name].interval.high)],
            "p_value": float(found[name].p_value),
        }
        for name in ("APnc", "f1")
    }
    return _without_nan({"level": level, **whole, "per_class": rows})


def _size_values(row: SizeResult) -> dict[str, Any]:
    return {
        "objects": row.objects,
        "APnc50": row.apnc_50,
        "APnc50:95": row.apnc,
        "AP50": row.ap_50,
        "AP50:95": row.ap,
        "AR": row.recall,
    }


def micro_f1(counts: Counts) -> Floats:
    """F1 (...) of all classes together from counts (..., classes): a statistic to resample."""
    return counts.micro.f1[..., 0]


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
