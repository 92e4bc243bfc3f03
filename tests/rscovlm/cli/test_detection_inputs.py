"""The inputs of a comparison as options name them; test_bench_detections.py reads files of all formats."""

import json

import pytest

from detection_eval.formats import Collection, ImageBoxes
from rscovlm.cli.detection_inputs import Compared, read_sources, read_thresholds, split_images
from rscovlm.errors import UsageError
from tests.detection_eval.problems import boxes

CLASSES = ("plane", "ship")
TRUTH = Collection({"a": ImageBoxes(boxes([[0, 0, 9, 9]], classes=CLASSES))}, CLASSES)
SCORED = Collection({"a": ImageBoxes(boxes([[0, 0, 9, 9]], scores=[0.5], classes=CLASSES))}, CLASSES)


def compared(**found):
    return Compared(CLASSES, TRUTH, found)


def test_a_method_is_a_name_and_everything_behind_the_first_equals_sign():
    assert read_sources(["Qwen =a=b.jsonl:task1", "FCOS=c"]) == {"Qwen": "a=b.jsonl:task1", "FCOS": "c"}


@pytest.mark.parametrize("order", [1, -1])
def test_images_are_a_folder_and_a_file_in_any_order(tmp_path, order):
    listing = tmp_path / "list.txt"
    listing.touch()
    assert split_images([tmp_path, listing][::order]) == (tmp_path, listing)
    assert split_images([listing]) == (None, listing)
    with pytest.raises(UsageError, match="one folder of images and one file"):
        split_images([listing, listing])


def test_methods_without_scores_have_no_threshold():
    assert read_thresholds(None, compared(vlm=TRUTH, fcos=SCORED), per_class=False) == {"fcos": "kfold"}
    assert read_thresholds("0.35", compared(vlm=TRUTH, fcos=SCORED), per_class=False) == {"fcos": 0.35}
    with pytest.raises(UsageError, match="needs results with scores"):
        read_thresholds("0.35", compared(vlm=TRUTH), per_class=False)


@pytest.mark.parametrize("text", ["nan", "inf", "best"])
def test_a_threshold_is_a_finite_number(text):
    with pytest.raises(UsageError, match="none of oracle, kfold, val:FILE and a number"):
        read_thresholds(text, compared(fcos=SCORED), per_class=False)


def test_thresholds_of_another_run_stand_in_the_order_of_the_classes(tmp_path):
    earlier = tmp_path / "results.json"
    earlier.write_text(json.dumps({"results": {"fcos": {"threshold": {"ship": 0.2, "plane": 0.6}}}}))
    chosen = read_thresholds(f"val:{earlier}", compared(fcos=SCORED), per_class=False)
    assert chosen["fcos"].thresholds.tolist() == [[0.6, 0.2]]
    earlier.write_text(json.dumps({"results": {"fcos": {"threshold": {"ship": 0.2}}}}))
    with pytest.raises(UsageError, match="no threshold for fcos and class plane"):
        read_thresholds(f"val:{earlier}", compared(fcos=SCORED), per_class=False)
    earlier.write_text(json.dumps({"results": {}}))
    with pytest.raises(UsageError, match="no threshold for fcos; it has them for none"):
        read_thresholds(f"val:{earlier}", compared(fcos=SCORED), per_class=False)
