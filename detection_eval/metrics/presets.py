"""Evaluation protocols by name: the rows in which the evaluators of the field differ.

A "mAP50" without the name of its protocol cannot be compared with another one. Each preset reproduces one
evaluator row by row, flaws included; ``strict`` is the recommended one. Sources: ``eval_rbbox_map`` and
``DOTAMetric`` of mmrotate 0.x and 1.x, ``RotatedCocoMetric`` of mmrotate 1.x on pycocotools' COCOeval,
``dota_evaluation_task1.py`` and ``dota-v1.5_evaluation_task1.py`` of DOTA_devkit, LMMRotate, RSCoVLM.

``ultralytics-probiou`` has the overlap of Ultralytics' evaluation of oriented boxes and otherwise COCO's
rules: Ultralytics matches by overlap instead of score and integrates by trapezoids; that is not reproduced.

Two things are the same under every preset, whatever the original does: overlap is exact in float64, and the
images of the ground truth are what is evaluated, so an image without predictions costs recall.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detection_eval.errors import SettingError
from detection_eval.geometry.quads import Floats

Overlap = Literal["iou", "probiou"]
Shape = Literal["rectangle", "polygon"]
EqualRectangles = Literal["stable", "opencv"]
Matching = Literal["voc", "coco"]
EqualOverlap = Literal["listed", "ordinary", "last", "content"]
Difficult = Literal["count", "ignore", "drop"]
Absent = Literal["zero", "skip", "nan"]
Interpolation = Literal["11-point", "area", "101-point"]
RecallGrid = Literal["exact", "float"]
Ties = Literal["block", "given"]
Split = Literal["oracle", "train", "val", "kfold"]

_TWENTIETHS = tuple(step / 20 for step in range(20))
_LMMROTATE = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.7)


@dataclass(frozen=True)
class Preset:
    """One evaluation protocol.

    Attributes:
        name: name in reports.
        overlap: exact intersection over union, or Ultralytics' ProbIoU of Gaussians (``geometry.probiou``),
            whose values compare with no IoU.
        shape: compared geometry: the minimum-area rectangle of a quadrilateral, or the quadrilateral itself.
        equal_rectangles: choice among equally small rectangles: ``stable``, the one along the
            longest edge, whatever the order of vertices (``quads.min_area_rectangles``); or the one that
            ``cv2.minAreaRect`` takes, as MMRotate does (``calipers.opencv_rectangles``).
        min_side_px: objects of the ground truth whose rectangle is thinner are dropped.
        inclusive: an overlap equal to the level matches (>=), or does not (>).
        matching: ``voc``: a detection claims the object that it overlaps most, and is false where a better
            one has claimed it. ``coco``: it then falls back to the next object that is free.
        equal_overlap: choice among equally overlapped objects: the first as listed; the first
            that is not ignored; the last; or, of those not ignored, the one whose corners come first in
            number order, which no reordering can change.
        difficult: treatment of objects above ``difficult_above``: counted like others; ignored, so that
            their detections are neither right nor wrong; or dropped, which makes these wrong.
        difficult_above: the highest difficulty of an ordinary object. DOTA marks difficult objects by 1 and
            its splitter objects that the edge of a patch cuts by 2.
        loses_ignored: in images without an ordinary object the ignored ones are forgotten, so that
            detections of them are wrong (a defect of mmrotate 1.x).
        absent: the AP of a class without objects: 0 and part of the mean; left out of the mean, which is 0
            where nothing is left; or left out and NaN.
        interpolation: how a precision-recall curve becomes a number: VOC2007's 11 points, the area under
            VOC2010's envelope, or COCO's 101 points.
        recall_grid: when a recall reaches a point: in integers (10 tp >= k n), or as floating-point numbers
            compare. In the originals' grid 3/10, 6/10 and 7/10 lie above the recalls they stand for.
        ties: how AP of scored detections reads the curve at equal scores: at the end of each tie, which no
            reordering can change, or after each detection in the order given. In the first case equally
            scored detections also claim objects in the number order of their corners.
        max_detections: best-scored detections per image and class that AP of scored detections sees, or
            None. Lists without scores have no rank and are never cut. RotatedCocoMetric prints AP50 and AP75
            from the first 1000, and only its mean over ten levels from the first 100.
        score_thresholds: the grid from which the threshold of a scored detector is chosen (score > t).
        threshold_split: data on which the original chose the threshold.
        original_overlap: the kernel of the original, for the record.
        units: images that the original is run on, for the record.
    """

    name: str
    overlap: Overlap = "iou"
    shape: Shape = "polygon"
    equal_rectangles: EqualRectangles = "stable"
    min_side_px: float = 0.0
    inclusive: bool = True
    matching: Matching = "voc"
    equal_overlap: EqualOverlap = "content"
    difficult: Difficult = "ignore"
    difficult_above: int = 0
    loses_ignored: bool = False
    absent: Absent = "nan"
    interpolation: Interpolation = "11-point"
    recall_grid: RecallGrid = "exact"
    ties: Ties = "block"
    max_detections: int | None = None
    score_thresholds: tuple[float, ...] = field(default=_TWENTIETHS, repr=False)
    threshold_split: Split = "kfold"
    original_overlap: str = "float64, exact"
    units: str = "any"

    def reaches(self, overlap: Floats, level: float) -> NDArray[np.bool_]:
        """Mask of the overlaps (n,) that match at a level."""
        return overlap >= level if self.inclusive else overlap > level

    def rows(self) -> dict[str, Any]:
        """Every row by name, for a report."""
        return asdict(self)


STRICT = Preset("strict")

MMROTATE_1 = Preset(
    "mmrotate-1.x",
    shape="rectangle",
    equal_rectangles="opencv",
    equal_overlap="ordinary",
    difficult_above=100,
    loses_ignored=True,
    absent="skip",
    recall_grid="float",
    ties="given",
    original_overlap="float32, mmcv box_iou_rotated; unstable sort",
    units="patches",
)

MMROTATE_0 = replace(MMROTATE_1, name="mmrotate-0.x", min_side_px=2.0, difficult="drop", loses_ignored=False)

DEVKIT_V1_0 = Preset(
    "devkit-v1.0",
    inclusive=False,
    equal_overlap="listed",
    absent="zero",
    recall_grid="float",
    ties="given",
    original_overlap="float64, polyiou; unstable sort",
    units="full images, merged by NMS at 0.1",
)

DEVKIT_V1_5 = replace(DEVKIT_V1_0, name="devkit-v1.5", difficult="count")

ROTATED_COCO = Preset(
    "rotated-coco",
    shape="rectangle",
    equal_rectangles="opencv",
    matching="coco",
    equal_overlap="last",
    difficult_above=100,
    absent="skip",
    interpolation="101-point",
    recall_grid="float",
    ties="given",
    max_detections=1000,
    original_overlap="float32, mmcv box_iou_rotated; stable sort",
)

LMMROTATE = replace(
    MMROTATE_1,
    name="lmmrotate",
    score_thresholds=_LMMROTATE,
    threshold_split="oracle",
    original_overlap="float32, mmcv box_iou_rotated; unstable sort, images shuffled with seed 42",
)

RSCOVLM = replace(
    MMROTATE_1,
    name="rscovlm",
    threshold_split="train",
    original_overlap="float32, mmcv box_iou_rotated; unstable sort, images ascending by object count",
    units="patches that have a response",
)

ULTRALYTICS_PROBIOU = Preset(
    "ultralytics-probiou",
    overlap="probiou",
    shape="rectangle",
    equal_rectangles="opencv",
    matching="coco",
    equal_overlap="last",
    difficult="count",
    absent="skip",
    interpolation="101-point",
    recall_grid="float",
    ties="given",
    original_overlap="float32, batch_probiou; matched by overlap, not by score; trapezoids over 101 points",
)

PRESETS = {
    preset.name: preset
    for preset in (
        STRICT,
        MMROTATE_1,
        MMROTATE_0,
        DEVKIT_V1_0,
        DEVKIT_V1_5,
        ROTATED_COCO,
        LMMROTATE,
        RSCOVLM,
        ULTRALYTICS_PROBIOU,
    )
}


def preset(name: str | Preset) -> Preset:
    """The preset of a name; a ``Preset`` is returned as it is.

    Raises:
        SettingError: no preset has this name.
    """
    if isinstance(name, Preset):
        return name
    if name not in PRESETS:
        raise SettingError(f"unknown preset {name!r}; choose {', '.join(PRESETS)}")
    return PRESETS[name]
