"""Detection: DOTA, DIOR-R and FAIR1M, by the presets of ``detection_eval``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detection_eval.detections import Detections
from detection_eval.metrics.evaluation import Result, evaluate
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.words import counted
from rscovlm.bench.item import Item
from rscovlm.bench.protocol import Protocol, Summary, Verdict
from rscovlm.bench.protocols.grounding import contract_of
from rscovlm.bench.protocols.replies import judged
from rscovlm.bench.protocols.scored import Scored
from rscovlm.bench.row import Row
from rscovlm.tasks.detection import Detection


@dataclass(frozen=True)
class Detected:
    """Boxes of all classes in an image, as confidence-free average precision and as counts.

    Attributes:
        id: ``<benchmark>/<name>/<version>``.
        preset: protocol of ``detection_eval``.
        failed_is_wrong: whether an image without a usable reply is one where nothing was found; else it is
            left out.
    """

    id: str
    preset: str
    failed_is_wrong: bool = False

    def judge(self, row: Row) -> Verdict:
        """F1 of the boxes of one image at an IoU of 0.5, all classes counted as one."""
        return self._by_image.judge(row)

    @property
    def _by_image(self) -> Scored:
        return Scored(self.id, image_f1, "source", "apnc@0.5", failed_is_wrong=self.failed_is_wrong)

    def summarise(self, rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Summary:
        """``apnc@0.5`` and ``@0.5:0.95``, precision, recall and F1, macro over classes and micro over boxes.

        ``ap@0.5`` is what mAP comes to where each box has the score 1: in the order in which the boxes of an
        image were found, and images by name.
        ``micro`` is the mean over images of F1, as verdicts have it; ``macro`` that over classes.
        """
        counted = [row for row, verdict in zip(rows, verdicts) if verdict.score is not None]
        counted.sort(key=lambda row: row.item.key)  # a run that was resumed has them in another order
        summary = self._by_image.summarise(rows, verdicts)
        if not counted:
            return summary
        result = evaluated(counted, self.preset)
        metrics, counts = box_metrics(result), result.counts()
        by_class = zip(result.classes, counts.f1.tolist(), result.class_apnc().tolist(), counts.positives)
        groups = {
            ("class", name): {"n": float(n), "micro": f1, "apnc@0.5": apnc} for name, f1, apnc, n in by_class
        }
        overall = {**summary.metrics, "macro": metrics["macro_f1@0.5"], **metrics}
        return Summary(summary.headline, overall, {**summary.groups, **groups})


def evaluated(rows: Sequence[Row], preset: str) -> Result:
    """All that is said about the boxes of some images, by a preset of ``detection_eval``."""
    classes = tuple(dict.fromkeys(name for row in rows for name in _classes(row.item)))
    truth = {row.item.key: _ground_truth(row.item) for row in rows}
    return evaluate(truth, {row.item.key: _boxes(row) for row in rows}, preset, classes=classes)


def box_metrics(result: Result) -> dict[str, float]:
    """What summaries state of it."""
    counts, levels = result.counts(), tuple(percent / 100 for percent in range(50, 100, 5))
    return {
        "apnc@0.5": result.apnc(0.5),
        "apnc@0.5:0.95": result.apnc(levels),
        "ap@0.5": result.orders(0.5, shuffles=0).mean()["given"],
        "macro_f1@0.5": float(counts.macro_f1),
        "f1@0.5": float(counts.micro.f1[0]),
        "precision@0.5": float(counts.micro.precision[0]),
        "recall@0.5": float(counts.micro.recall[0]),
    }


def detected_among(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Mapping[str, float]:
    """The same of those items of a mixed benchmark that are to be detected, by the preset ``strict``."""
    pairs = [(row, said) for row, said in zip(rows, verdicts) if row.item.kind == "detect"]
    counted = sorted((row for row, said in pairs if said.score is not None), key=lambda row: row.item.key)
    return box_metrics(evaluated(counted, "strict")) if any(_classes(row.item) for row in counted) else {}


def image_f1(row: Row) -> Verdict:
    """F1 of the boxes of one image at an IoU of 0.5, all classes as one; 1 for saying so where nothing is."""
    found, key, classes = _boxes(row), row.item.key, _classes(row.item)
    boxes = evaluate({key: _ground_truth(row.item)}, {key: found}, "strict", classes=classes).counts().micro
    right, wrong, there = (float(part[0]) for part in (boxes.true, boxes.false, boxes.positives))
    counts = {
        **{"f1@0.5/hits": 2 * right, "f1@0.5/of": right + wrong + there},
        **{"precision@0.5/hits": right, "precision@0.5/of": right + wrong},
        **{"recall@0.5/hits": right, "recall@0.5/of": there},
    }
    readable = len(found) > 0 or _declares_nothing(row)
    said = judged(False, row.said, readable=readable, counts=counts)
    # Silence is not the statement that nothing is there.
    f1 = counts["f1@0.5/hits"] / counts["f1@0.5/of"] if counts["f1@0.5/of"] else float(readable)
    return replace(said, score=f1, parsed=f"{counted(len(found), 'box')}")


def _task(row: Row) -> Detection:
    return Detection(contract_of(row), _classes(row.item))


def _declares_nothing(row: Row) -> bool:
    """Whether it is said, of the image or of any tile, that nothing is there."""
    looks = [(row.view, row.text), *((tile.view, tile.text) for tile in row.tiles)]
    return any(_task(row).read(text, view.size).report.declared_empty > 0 for view, text in looks)


def _boxes(row: Row) -> Detections:
    """What was found, in pixels of the image as stored; nothing where it failed."""
    classes = _classes(row.item)
    if row.error is not None or not classes:
        return Detections.empty(classes)
    if row.found is not None:
        known = [place for place, label in enumerate(row.found.labels) if label in classes]
        labels = [classes.index(row.found.labels[place]) for place in known]
        return Detections(row.found.polygons[known], np.array(labels, dtype=np.int64), classes)
    boxes = _task(row).parse(row.text, row.view.size)
    return boxes.with_polygons(np.asarray(row.view.to_scene(boxes.polygons)))


def _classes(item: Item) -> tuple[str, ...]:
    return item.options or tuple(dict.fromkeys(item.truth.labels))


def _ground_truth(item: Item) -> GroundTruth:
    truth, classes = item.truth, _classes(item)
    polygons = np.zeros((0, 4, 2)) if truth.polygons is None else truth.polygons
    labels = np.array([classes.index(name) for name in truth.labels], dtype=np.int64)
    difficulty = np.zeros(len(labels), np.int64) if truth.ignored is None else truth.ignored.astype(np.int64)
    return GroundTruth(Detections(polygons, labels, classes), difficulty)


def detection_protocols(name: str, official: str) -> tuple[Protocol, ...]:
    """Official, rscovlm, strict, each with a preset of ``detection_eval``."""
    return (
        Detected(f"{name}/official/1", official),
        Detected(f"{name}/rscovlm/1", "rscovlm"),
        Detected(f"{name}/strict/1", "strict", failed_is_wrong=True),
    )


DETECTION: Mapping[str, tuple[Protocol, ...]] = {
    "dota-v1.0": detection_protocols("dota-v1.0", "devkit-v1.0"),
    "dota-v1.5": detection_protocols("dota-v1.5", "devkit-v1.5"),
    "dior-r": detection_protocols("dior-r", "mmrotate-1.x"),
    "fair1m": detection_protocols("fair1m", "mmrotate-1.x"),
}
"""Protocols by benchmark: official, rscovlm, strict."""
