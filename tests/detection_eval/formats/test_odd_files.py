"""Files slightly different from what their format says: read, skipped or refused as they should be."""

import json

import pytest

from detection_eval.detections import Detections
from detection_eval.errors import FormatError
from detection_eval.formats import (
    Collection,
    ImageBoxes,
    WriteOptions,
    convert,
    detect_format,
    losses,
    read,
    write,
)
from detection_eval.geometry.quads import box_quads

SQUARE = [10, 20, 30, 20, 30, 40, 10, 40]
LABEL = "10 20 30 20 30 40 10 40 ship 0\n"


def coco(image=None, **annotation):
    return {
        "images": [{"id": 7, "file_name": "a.tif"} | (image or {})],
        "categories": [{"id": 1, "name": "ship"}],
        "annotations": [{"image_id": 7, "category_id": 1, "bbox": [10, 20, 20, 20]} | annotation],
    }


def test_a_coco_file_need_not_state_sizes(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(coco()))
    assert read(tmp_path / "a.json").images["a"].size is None
    assert read(tmp_path / "a.json", sizes=(64, 48)).images["a"].size == (64, 48)
    (tmp_path / "a.json").write_text(json.dumps(coco({"width": 64})))
    with pytest.raises(FormatError, match="not a COCO data set"):
        read(tmp_path / "a.json")


def test_a_ring_may_be_closed_by_its_first_point(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(coco(segmentation=[[*SQUARE, 10, 20]])))
    assert read(tmp_path / "a.json").detections["a"].polygons.reshape(-1).tolist() == SQUARE
    (tmp_path / "a.json").write_text(json.dumps(coco(segmentation=[[*SQUARE, 11, 20]])))
    (note,) = read(tmp_path / "a.json").notes
    assert note == "1 ring of other than 4 vertices taken by the smallest rectangle"


def test_results_of_coco_have_four_numbers_and_categories_from_1(tmp_path):
    rows = [{"image_id": 7, "category_id": 2, "bbox": [10, 20, 20, 20], "score": 0.5}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert detect_format(tmp_path / "a.json") == "ultralytics-json"
    back = read(tmp_path / "a.json", classes=["plane", "ship"])
    assert back.images["7"].detections == Detections(
        box_quads([[10, 20, 30, 40]]), [1], ("plane", "ship"), [0.5]
    )
    assert back.images["7"].coco_id == 7
    assert back.notes == ("1 horizontal box (COCO results), whose categories count from 1 plane to 2 ship",)


def test_results_of_coco_have_the_numbers_of_their_ground_truth_gaps_included(tmp_path):
    numbered = {"ship": 90, "plane": 7, "car": 9}
    truth = coco() | {"categories": [{"id": number, "name": name} for name, number in numbered.items()]}
    truth["annotations"][0]["category_id"] = 90
    (tmp_path / "a.json").write_text(json.dumps(truth))
    numbers = read(tmp_path / "a.json").categories
    assert numbers == numbered
    rows = [{"image_id": 1, "category_id": n, "bbox": [10, 20, 20, 20], "score": 0.5} for n in (90, 7, 9)]
    (tmp_path / "r.json").write_text(json.dumps(rows))
    found = read(tmp_path / "r.json", classes=["plane", "ship"], categories=numbers)
    assert list(found.images["1"].detections.names) == ["ship", "plane"]
    first, second = found.notes
    assert first.endswith("whose categories are those of the ground truth, from 7 plane to 90 ship")
    assert second == "1 box of a class that is not evaluated is left out"
    (tmp_path / "r.json").write_text(json.dumps([rows[0] | {"category_id": 8}]))
    with pytest.raises(FormatError, match="category 8, but the ground truth numbers 3 classes otherwise"):
        read(tmp_path / "r.json", classes=["plane", "ship"], categories=numbers)


def test_labels_of_ultralytics_without_angles_are_horizontal_boxes(tmp_path):
    # Centre (0.5, 0.4), sides 0.2 and 0.4, of 200 x 100 px.
    (tmp_path / "a.txt").write_text("1 0.5 0.4 0.2 0.4\n")
    assert detect_format(tmp_path / "a.txt") == "ultralytics"
    found = read(tmp_path / "a.txt", classes=["plane", "ship"], sizes=(200, 100))
    assert found.images["a"].detections == Detections(box_quads([[80, 20, 120, 60]]), [1], ("plane", "ship"))
    assert found.notes == ("1 label is of horizontal boxes",)
    (tmp_path / "a.txt").write_text("1 0.5 0.4 0.2 0.4 0.75\n")
    found = read(tmp_path / "a.txt", classes=["plane", "ship"], sizes=(200, 100))
    assert found.images["a"].detections.scores.tolist() == [0.75]


def test_a_coco_file_keeps_the_ids_of_its_images(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(coco({"width": 64, "height": 48})))
    convert(tmp_path / "a.json", tmp_path / "b.json")
    again = json.loads((tmp_path / "b.json").read_text())
    assert (again["images"][0]["id"], again["annotations"][0]["image_id"]) == (7, 7)


@pytest.mark.parametrize("difficult", ["Unspecified", "unspecified", ""])
def test_an_unspecified_difficulty_is_none(tmp_path, difficult):
    box = "<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
    unspecified = (
        f"<object><name>ship</name><pose>Unspecified</pose><difficult>{difficult}</difficult>{box}</object>"
    )
    (tmp_path / "a.xml").write_text(f"<annotation>{unspecified}</annotation>")
    assert read(tmp_path / "a.xml").images["a"].difficulty is None
    difficult_one = f"<object><name>ship</name><difficult>1</difficult>{box}</object>"
    (tmp_path / "a.xml").write_text(f"<annotation>{unspecified}{difficult_one}</annotation>")
    assert read(tmp_path / "a.xml").images["a"].difficulty.tolist() == [0, 1]


@pytest.mark.parametrize("prefix", ["", "a:"])
def test_tags_may_have_a_namespace(tmp_path, prefix):
    corners = "".join(
        f"<{prefix}{axis}_{corner}>{value}</{prefix}{axis}_{corner}>"
        for corner, point in zip(
            ("left_top", "right_top", "right_bottom", "left_bottom"), zip(SQUARE[::2], SQUARE[1::2])
        )
        for axis, value in zip("xy", point)
    )
    space = f'xmlns{":a" if prefix else ""}="http://example.org/voc"'
    (tmp_path / "a.xml").write_text(
        f"<{prefix}annotation {space}><{prefix}object><{prefix}name>ship</{prefix}name>"
        f"<{prefix}robndbox>{corners}</{prefix}robndbox></{prefix}object></{prefix}annotation>"
    )
    assert detect_format(tmp_path / "a.xml") == "dior-r"
    assert read(tmp_path / "a.xml").detections["a"].polygons.reshape(-1).tolist() == SQUARE


@pytest.mark.parametrize(("suffix", "name"), [("txt", "dota"), ("xml", "dior-r")])
def test_attributes_that_macos_leaves_beside_files_are_skipped(tmp_path, suffix, name):
    found = Detections(box_quads([[10, 20, 30, 40]]), [0], ("ship",))
    write(tmp_path / "out", Collection({"a": ImageBoxes(found)}, ("ship",)), name)
    (tmp_path / "out" / f"._a.{suffix}").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X\xff")
    assert detect_format(tmp_path / "out") == name
    assert list(read(tmp_path / "out", name, ("ship",)).images) == ["a"]


def test_all_that_a_conversion_loses_is_said(tmp_path):
    held = ImageBoxes(
        Detections(box_quads([[10, 20, 30, 40]]), [0], ("ship",), [0.5]),
        size=(64, 48),
        file_name="b.tif",
        source="GoogleEarth",
        gsd_m=0.5,
        coco_id=4,
    )
    other = ImageBoxes(Detections(box_quads([[0, 0, 4, 4]]), [0], ("ship",), [0.25]))
    whole = Collection({"b": held, "a": other}, ("ship",))
    size, header = "the size of 1 image", "the header (source, GSD) of 1 image"
    name, number = "the suffix of the file names of 1 image", "the COCO ids of 1 image"
    order, digits = "the order of the images", "digits: it holds rounded numbers or rectangles"
    classes = "the names of classes, counted as ship"
    ids = "the ids of images, whose order is that of --images when it is read"
    lost = {
        "predictions": set(),
        "dota": {"the scores", size, name, number, order},
        "task1": {size, header, name, number, order},
        "coco": {header},
        "mmrotate-0.x": {size, header, name, number, digits, classes, ids},
        "mmrotate-1.x": {header, number, digits, classes},
        "ultralytics-json": {size, header, name, number, classes},
        "dior-r": {"the scores", header, number, order},
    }
    assert {target: set(losses(whole, target)) for target in lost} == lost


def test_what_is_given_for_writing_and_not_used_is_said(tmp_path):
    (tmp_path / "a.txt").write_text(LABEL)
    done = convert(
        tmp_path / "a.txt", tmp_path / "out", target_format="dota", writing=WriteOptions(0.5, "qbox")
    )
    assert done.notes == (
        "--score 0.5 is not used: dota demands no scores",
        "--vertices is not used: it is for mmrotate-1.x, not dota",
    )
    convert(tmp_path / "a.txt", tmp_path / "t", target_format="task1", writing=WriteOptions(0.5))
    done = convert(tmp_path / "t", tmp_path / "u", target_format="task1", writing=WriteOptions(0.9))
    assert done.notes == ("--score 0.9 is not used: the boxes have scores",)


def test_what_merging_of_patches_loses_is_said(tmp_path):
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches" / "P1__1024__0___0.txt").write_text("gsd:0.5\n" + LABEL.replace("ship 0", "ship 1"))
    done = convert(tmp_path / "patches", tmp_path / "scenes", patches="mmrotate")
    assert done.notes[1:] == (
        "merging of patches loses the difficulty of objects in 1 image",
        "merging of patches loses the header (source, GSD) of 1 image",
    )


def test_ids_that_a_tool_wrote_as_texts_are_the_numbers_of_results(tmp_path):
    content = coco({"id": "7"}, image_id="7", category_id="1")
    content["categories"][0]["id"] = "1"
    (tmp_path / "a.json").write_text(json.dumps(content))
    found = read(tmp_path / "a.json")
    assert found.images["a"].coco_id == 7
    assert found.categories == {"ship": 1}


@pytest.mark.parametrize("rows", ["images", "categories"])
def test_a_name_that_is_null_is_said(tmp_path, rows):
    content = coco()
    name = "file_name" if rows == "images" else "name"
    content[rows][0][name] = None
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match=f"malformed: the {name} of id [17] is null"):
        read(tmp_path / "a.json")
