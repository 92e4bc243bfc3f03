"""COCO data sets of rotated boxes: exact round trips, and errors that name the annotation."""

import json

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.errors import FormatError
from detection_eval.formats import (
    CocoImage,
    read_coco,
    write_coco,
)
from detection_eval.geometry.quads import box_quads, canonical
from detection_eval.geometry.rotated import boxes_to_quads

CLASSES = ("plane", "ship", "small-vehicle")


def objects(seed, count, scored=False):
    rng = np.random.default_rng(seed)
    boxes = np.column_stack([rng.uniform(-50, 5000, (count, 2)), rng.uniform(0, 90, (count, 3))])
    scores = rng.random(count) if scored else None
    return Detections(canonical(boxes_to_quads(boxes)), rng.integers(0, 3, count), CLASSES, scores)


@pytest.mark.parametrize("scored", [False, True])
def test_coco_files_give_back_the_very_same_numbers(tmp_path, scored):
    images = {
        "a.tif": CocoImage(objects(1, 5, scored), 640, 480),
        "empty.tif": CocoImage(objects(1, 0), 9, 9),
    }
    write_coco(tmp_path / "a.json", images, info={"version": "1"})
    assert read_coco(tmp_path / "a.json") == images
    assert json.loads((tmp_path / "a.json").read_text())["info"] == {"version": "1"}


def test_pycocotools_reads_what_is_written(tmp_path):
    from pycocotools.coco import COCO

    write_coco(
        tmp_path / "a.json", {"a.tif": (Detections(box_quads([[10, 20, 30, 50]]), [1], CLASSES), 64, 64)}
    )
    coco = COCO(str(tmp_path / "a.json"))
    (annotation,) = coco.loadAnns(coco.getAnnIds(catIds=coco.getCatIds(["ship"])))
    assert (annotation["bbox"], annotation["area"]) == ([10, 20, 20, 30], 600)
    assert coco.annToMask(annotation).sum() == 600


def coco(**annotation):
    row = {"image_id": 1, "category_id": 7, "bbox": [10, 20, 20, 20], **annotation}
    return {
        "images": [{"id": 1, "file_name": "a.tif", "width": 64, "height": 64}],
        "categories": [{"id": 7, "name": "ship"}],
        "annotations": [row],
    }


def test_a_coco_object_without_segmentation_is_its_bbox(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(coco()))
    found = read_coco(tmp_path / "a.json")["a.tif"].detections
    assert found == Detections(box_quads([[10, 20, 30, 40]]), [0], ("ship",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [\n', r"a\.json:2: not JSON"),
        ("[]", "not a COCO data set"),
        ('{"images": []}', "not a COCO data set"),
        (json.dumps(coco(category_id=8)), "annotation 0: .*8"),
        (json.dumps(coco(image_id=2)), "annotation 0: .*2"),
        (json.dumps(coco(bbox=[1, 2, 3])), "annotation 0: "),
        (json.dumps(coco(bbox=[1, 2, 3, "x"])), "annotation 0: 'x' is not a finite number"),
        (
            json.dumps(coco(segmentation=[[1, 2, 3, 4]])),
            "annotation 0: its segmentation is no ring of points",
        ),
        (json.dumps(coco(segmentation={"counts": "x"})), "annotation 0: its mask states no size"),
    ],
)
def test_a_malformed_coco_file_is_told_by_place(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(FormatError, match=message):
        read_coco(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.pop("categories"), r"not a COCO data set \(it has no 'categories'\)"),
        (lambda data: data["annotations"][0].pop("image_id"), "annotation 0: it has no 'image_id'"),
        (
            lambda data: data["annotations"][0].update(category_id=8),
            "category_id 8 is none of the categories",
        ),
        (lambda data: data["annotations"][0].update(image_id=9), "image_id 9 is none of the images"),
        (
            lambda data: data["categories"].append({"id": 7, "name": "plane"}),
            "'ship' and 'plane' have the same",
        ),
        (lambda data: data["images"].append({"id": 1, "file_name": "b.tif"}), "'a.tif' and 'b.tif' have the"),
    ],
)
def test_what_a_file_lacks_or_says_twice_is_named(tmp_path, change, says):
    data = coco()
    change(data)
    (tmp_path / "a.json").write_text(json.dumps(data))
    with pytest.raises(FormatError, match=says):
        read_coco(tmp_path / "a.json")


def test_a_box_without_area_is_kept_and_told(tmp_path):
    from detection_eval.formats.coco import read_coco_collection

    (tmp_path / "a.json").write_text(json.dumps(coco(bbox=[10, 20, 0, 20])))
    read = read_coco_collection(tmp_path / "a.json")
    assert len(read.images["a"].detections) == 1
    assert read.notes == ()
    assert read.remarks == ("1 box has no area: it overlaps nothing, and nothing finds it",)
