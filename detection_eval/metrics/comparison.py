"""Several methods on one ground truth: a table, paired differences, and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError, SettingError
from detection_eval.geometry.quads import bounds, box_quads
from detection_eval.metrics.coco_metrics import coco_metrics
from detection_eval.metrics.evaluation import Result, Threshold, evaluate, summarize_comparison
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.presets import Preset
from detection_eval.text.parsing import ParseReport


@dataclass(frozen=True, eq=False)
class Method:
    """One method of a comparison.

    Attributes:
        name: name in tables.
        result: its evaluation.
        parsing: parse report, where the method wrote text.
        summary: ``Result.summary`` and ``parse``, as JSON holds them.
    """

    name: str
    result: Result
    parsing: ParseReport | None
    summary: dict[str, Any]

    @property
    def scored(self) -> bool:
        """Whether its detections have scores."""
        return self.result.overlaps.scores is not None


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Methods on the same ground truth under the same protocol.

    Attributes:
        preset: the protocol.
        classes: evaluated.
        levels: IoU levels whose APnc and F1 are listed beside the usual ones.
        methods: in the order given.
        paired: by "A - B", ``summarize_comparison`` of two of them.
        seed: random seed of folds, orders and resampling.
    """

    preset: Preset
    classes: tuple[str, ...]
    levels: tuple[float, ...]
    methods: tuple[Method, ...]
    paired: dict[str, dict[str, Any]]
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Everything in numbers."""
        return {
            "preset": self.preset.name,
            "protocol": self.preset.rows(),
            "classes": list(self.classes),
            "seed": self.seed,
            "results": {method.name: method.summary for method in self.methods},
            "paired": self.paired,
        }


def benchmark(
    truth: Mapping[str, GroundTruth],
    predictions: Mapping[str, Mapping[str, Detections]],
    preset: str | Preset = "strict",
    *,
    classes: Sequence[str] | None = None,
    levels: Sequence[float] = (0.5, 0.75),
    thresholds: Mapping[str, Threshold] | None = None,
    per_class_threshold: bool = False,
    parsing: Mapping[str, ParseReport | None] | None = None,
    samples: int = 0,
    seed: int = 0,
    coco: Literal["bbox", "segm"] | None = None,
) -> Benchmark:
    """Evaluate several methods and compare them in pairs.

    Methods without scores are compared with each that has some; where all have scores or none has, the first
    is compared with each other one.

    Args:
        truth: by image id.
        predictions: by method, then image id.
        preset: the protocol.
        classes: evaluated; None takes the ground truth's.
        levels: IoU levels listed one by one.
        thresholds: by method, see ``evaluate``; methods without scores need none.
        per_class_threshold: give each class its own, where they are chosen here.
        parsing: by method, what became of its text.
        samples: resamplings of intervals and tests; 0 leaves both out.
        seed: random seed of folds, orders and resampling.
        coco: COCO's own numbers too, of the bounds or of the masks of the polygons.

    Raises:
        DetectionError: see ``evaluate``.
    """
    thresholds, parsing = thresholds or {}, parsing or {}
    methods = []
    for name, boxes in predictions.items():
        scored = any(b.scores is not None for b in boxes.values() if len(b))
        threshold = thresholds.get(name) if scored else None
        try:
            result = evaluate(
                truth,
                boxes,
                preset,
                classes=classes,
                threshold=threshold,
                per_class_threshold=per_class_threshold,
                seed=seed,
            )
        except EvaluationError as error:
            raise EvaluationError(f"{name}: {error}") from error
        method = _method(name, result, parsing.get(name), levels, samples)
        if coco is not None:
            found = coco_metrics(truth, boxes, coco, result.classes)
            method.summary["coco"] = {key: _finite(value) for key, value in found.items()}
        methods.append(method)
    pairs = _pairs(methods) if samples else []
    return Benchmark(
        preset=methods[0].result.preset,
        classes=methods[0].result.classes,
        levels=tuple(levels),
        methods=tuple(methods),
        paired={
            f"{a.name} - {b.name}": summarize_comparison(a.result, b.result, samples=samples)
            for a, b in pairs
        },
        seed=seed,
    )


def _method(
    name: str, result: Result, parsing: ParseReport | None, levels: Sequence[float], samples: int
) -> Method:
    summary = result.summary(samples=samples)
    summary["by_level"] = {
        f"{level:.2f}": {
            "APnc": _finite(result.apnc(float(level))),
            "AP": _finite(result.ap(float(level))),
            "f1": _finite(float(result.counts(float(level)).micro.f1[0])),
        }
        for level in levels
    }
    summary["parse"] = None if parsing is None else parsing.to_json()
    return Method(name, result, parsing, summary)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else value


def _pairs(methods: Sequence[Method]) -> list[tuple[Method, Method]]:
    bare = [method for method in methods if not method.scored]
    scored = [method for method in methods if method.scored]
    if bare and scored:
        return [(a, b) for a in bare for b in scored]
    return [(methods[0], other) for other in methods[1:]]


def are_horizontal(truth: Mapping[str, GroundTruth], predictions: Iterable[Mapping[str, Detections]]) -> bool:
    """Whether all boxes are axis-aligned rectangles, so that COCO's numbers are about them."""
    parts = [value.objects for value in truth.values()]
    parts += [boxes for found in predictions for boxes in found.values()]
    return all(np.array_equal(part.polygons, box_quads(bounds(part.polygons))) for part in parts if len(part))


def parse_levels(text: str) -> tuple[float, ...]:
    """IoU levels from ``0.5,0.75,0.5:0.95``; a range has steps of 0.05.

    Raises:
        SettingError: a level outside (0.1, 1), or not a number.
    """
    levels: list[float] = []
    for part in text.split(","):
        first, colon, last = part.strip().partition(":")
        try:
            low, high = float(first), float(last if colon else first)
        except ValueError:
            raise SettingError(
                f"IoU must be a number in [0.1, 1), not {part!r}; give levels such as 0.5,0.75,0.5:0.95"
            ) from None
        if not 0.1 <= low <= high < 1:
            raise SettingError(f"IoU must be in [0.1, 1), not {part!r}")
        steps = round((high - low) / 0.05) if colon else 0
        levels += [round(low + 0.05 * step, 10) for step in range(steps + 1)]
    return tuple(dict.fromkeys(levels))
