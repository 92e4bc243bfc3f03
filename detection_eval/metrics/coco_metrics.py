"""COCO's own metrics of horizontal boxes and masks, by COCO's own code (pycocotools)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any, Literal

import numpy as np

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError
from detection_eval.geometry.quads import Floats, bounds
from detection_eval.metrics.ground_truth import CROWD, GroundTruth, class_list, tabulate, tabulate_scores

METRICS = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR_1", "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large"),
)
"""COCOeval's summary values, in its order."""


def coco_metrics(
    truth: Mapping[str, GroundTruth],
    predictions: Mapping[str, Detections],
    kind: Literal["bbox", "segm"] = "bbox",
    classes: Sequence[str] | None = None,
) -> dict[str, float]:
    """COCOeval's twelve numbers, of the bounds of the polygons (``bbox``) or of their masks (``segm``).

    Args:
        truth: by image id. Objects of difficulty ``CROWD`` are COCO's crowds.
        predictions: by image id. COCO ranks by score; without scores all are equal, and their order decides.
        kind: geometry that is compared.
        classes: those that are evaluated; None takes the ground truth's.

    Returns:
        ``METRICS`` by name, NaN where COCOeval says -1: nothing to measure.

    Raises:
        EvaluationError: masks of images whose size is not known, or a box of a class that is not evaluated.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    names = class_list(truth) if classes is None else tuple(classes)
    if kind == "segm" and (unknown := [image for image, value in truth.items() if value.size is None]):
        raise EvaluationError(f"{unknown[0]}: masks need the size of the image; give GroundTruth.size")
    found = [predictions.get(image, Detections.empty(names)) for image in truth]
    scores = tabulate_scores(found)
    objects = tabulate([value.objects for value in truth.values()], names, [f"truth of {i}" for i in truth])
    boxes = tabulate(found, names, [f"predictions of {i}" for i in truth])
    sizes = [value.size for value in truth.values()]
    crowd = np.concatenate([np.zeros(0, np.int64), *(value.difficulty for value in truth.values())])
    annotations, results = (
        [
            _entry(row, int(image), int(label), polygon, sizes[image], kind)
            for row, (image, label, polygon) in enumerate(zip(table.images, table.labels, table.polygons))
        ]
        for table in (objects, boxes)
    )
    for annotation, grade in zip(annotations, crowd):
        annotation["iscrowd"] = int(grade >= CROWD)
    for row, result in enumerate(results):
        result["score"] = 1.0 if scores is None else float(scores[row])
    images = [
        {"id": number, "width": size[0] if size else 0, "height": size[1] if size else 0}
        for number, size in enumerate(sizes)
    ]
    categories = [{"id": label, "name": name} for label, name in enumerate(names)]
    with redirect_stdout(io.StringIO()):
        sides = []
        for rows in (annotations, results):
            side = COCO()
            side.dataset = {"images": images, "categories": categories, "annotations": rows}
            side.createIndex()
            sides.append(side)
        judge = COCOeval(*sides, kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {name: float(v) if v >= 0 else float("nan") for name, v in zip(METRICS, judge.stats)}


def _entry(
    row: int, image: int, label: int, polygon: Floats, size: tuple[int, int] | None, kind: str
) -> dict[str, Any]:
    x0, y0, x1, y1 = bounds(polygon).tolist()
    entry = {"id": row + 1, "image_id": image, "category_id": label, "bbox": [x0, y0, x1 - x0, y1 - y0]}
    entry["area"] = (x1 - x0) * (y1 - y0)
    if kind == "segm" and size is not None:
        from pycocotools import mask

        entry["segmentation"] = mask.merge(mask.frPyObjects([polygon.ravel().tolist()], size[1], size[0]))
        entry["area"] = float(mask.area(entry["segmentation"]))
    return entry
