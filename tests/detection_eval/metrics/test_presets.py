"""The rows in which the evaluators of the field differ, preset by preset."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from detection_eval.metrics.presets import PRESETS, preset

ROWS = (
    "shape",
    "min_side_px",
    "inclusive",
    "matching",
    "difficult",
    "difficult_above",
    "absent",
    "interpolation",
    "recall_grid",
    "ties",
    "max_detections",
)
TABLE = {
    "mmrotate-0.x": ("rectangle", 2, True, "voc", "drop", 100, "skip", "11-point", "float", "given", None),
    "mmrotate-1.x": ("rectangle", 0, True, "voc", "ignore", 100, "skip", "11-point", "float", "given", None),
    "devkit-v1.0": ("polygon", 0, False, "voc", "ignore", 0, "zero", "11-point", "float", "given", None),
    "devkit-v1.5": ("polygon", 0, False, "voc", "count", 0, "zero", "11-point", "float", "given", None),
    "rotated-coco": (
        "rectangle",
        0,
        True,
        "coco",
        "ignore",
        100,
        "skip",
        "101-point",
        "float",
        "given",
        1000,
    ),
    "lmmrotate": ("rectangle", 0, True, "voc", "ignore", 100, "skip", "11-point", "float", "given", None),
    "rscovlm": ("rectangle", 0, True, "voc", "ignore", 100, "skip", "11-point", "float", "given", None),
    "ultralytics-probiou": (
        *("rectangle", 0, True, "coco", "count", 0, "skip", "101-point", "float", "given", None),
    ),
    "strict": ("polygon", 0, True, "voc", "ignore", 0, "nan", "11-point", "exact", "block", None),
}


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_holds_the_rows_of_its_original(name):
    held = preset(name).rows()
    assert held["overlap"] == ("probiou" if name == "ultralytics-probiou" else "iou")
    assert held["equal_rectangles"] == ("opencv" if held["shape"] == "rectangle" else "stable")
    assert tuple(held[row] for row in ROWS) == TABLE[name]
    assert held["name"] == name


def test_where_the_threshold_of_a_detector_comes_from():
    # LMMRotate: the best of nine on the reported images; RSCoVLM: of i/20 on the training images
    assert {name: preset(name).threshold_split for name in ("lmmrotate", "rscovlm", "strict")} == {
        "lmmrotate": "oracle",
        "rscovlm": "train",
        "strict": "kfold",
    }
    assert preset("lmmrotate").score_thresholds == (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.7)
    np.testing.assert_allclose(preset("rscovlm").score_thresholds, np.arange(20) / 20)


def test_what_each_original_is_run_on_is_told():
    assert {name: "patches" in preset(name).units for name in TABLE} == {
        "mmrotate-0.x": True,
        "mmrotate-1.x": True,
        "devkit-v1.0": False,  # full images, after NMS at 0.1
        "devkit-v1.5": False,
        "rotated-coco": False,
        "lmmrotate": True,
        "rscovlm": True,
        "strict": False,
        "ultralytics-probiou": False,
    }
    assert "stable" in preset("rotated-coco").original_overlap
    assert "unstable" in preset("mmrotate-1.x").original_overlap


def test_a_preset_cannot_be_changed_by_accident():
    with pytest.raises(FrozenInstanceError):
        preset("strict").inclusive = False
