"""YOLO-OBB: labels in parts of the image's sides."""

import pytest

from rscovlm.errors import DataError
from tests.rscovlm.data.published import converted, image, read


@pytest.fixture
def yolo(tmp_path):
    image(tmp_path / "set" / "images" / "train" / "a.png")
    (tmp_path / "set" / "labels" / "train").mkdir(parents=True)
    (tmp_path / "set" / "labels" / "train" / "a.txt").write_text("1 0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4\n")
    (tmp_path / "set" / "data.yaml").write_text("train: images/train\nnames: {0: plane, 1: ship}\n")
    return tmp_path / "set"


def test_yolo_labels_are_named_by_their_yaml_and_scaled_to_their_image(yolo):
    (sample,), _, _ = converted(yolo)
    assert (sample.id, sample.classes, sample.source) == ("train/a", ("plane", "ship"), "yolo-obb")
    (box,) = sample.boxes
    assert (box.label, box.horizontal) == ("ship", False)
    assert box.polygon.round(6).tolist() == [[20, 20], [60, 20], [60, 40], [20, 40]]


def test_labels_without_angles_are_horizontal_boxes(yolo):
    # Centre (0.5, 0.4), sides 0.2 and 0.4, of 200 x 100 px; the second with a confidence.
    label = yolo / "labels" / "train" / "a.txt"
    label.write_text("1 0.5 0.4 0.2 0.4\n0 0.5 0.4 0.2 0.4 0.9\n")
    (sample,), _, _ = converted(yolo)
    assert [(box.label, box.horizontal) for box in sample.boxes] == [("ship", True), ("plane", True)]
    for box in sample.boxes:
        assert box.polygon.round(6).tolist() == [[80, 20], [120, 20], [120, 60], [80, 60]]


def test_yolo_without_names_and_the_reader_of_dota_are_refused(yolo):
    labels, images = yolo / "labels" / "train", yolo / "images" / "train"
    with pytest.raises(DataError, match="does not hold what --from dota reads; use --from yolo-obb"):
        converted(labels, "dota", images)
    (sample,), _, _ = converted(labels, "yolo-obb", images, classes=("car", "bus"))
    assert sample.boxes[0].label == "bus"
    (yolo / "data.yaml").unlink()
    with pytest.raises(DataError, match=r"put data\.yaml or classes\.txt beside it, or give --classes"):
        converted(labels, "yolo-obb", images)
    (yolo / "classes.txt").write_text("plane\n")
    with pytest.raises(DataError, match=r"a class has no name .*line 1: class 1 of 1 name"):
        converted(yolo, "yolo-obb")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 0.1 0.2 0.3", "a line is no class and eight or four numbers"),
        ("ship 0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4", "a line is no class and eight or four numbers"),
        ("1 10 20 30 20 30 40 10 40", "its coordinates are no parts of the image's sides"),
    ],
)
def test_a_line_that_is_no_label_leaves_its_image_out(yolo, line, reason):
    label = yolo / "labels" / "train" / "a.txt"
    label.write_text(f"{label.read_text()}{line}\n")
    samples, account = read("yolo-obb", yolo, yolo)
    assert samples == []
    assert account.left_out == {reason: 1}
    assert "line 2" in account.places[0][1]


def test_boxes_outside_their_image_are_removed_and_counted(yolo):
    label = yolo / "labels" / "train" / "a.txt"
    label.write_text(f"{label.read_text()}0 1.1 0.2 1.3 0.2 1.3 0.4 1.1 0.4\n")
    (sample,), account = read("yolo-obb", yolo, yolo)
    assert [box.label for box in sample.boxes] == ["ship"]
    assert account.changed == {"boxes outside their image removed": 1}


def test_a_box_without_area_costs_itself_and_not_its_image(yolo):
    label = yolo / "labels" / "train" / "a.txt"
    label.write_text("1 0.5 0.4 0.2 0.4\n0 0.5 0.4 0.2 0\n")
    (sample,), _, account = converted(yolo)
    assert [box.label for box in sample.boxes] == ["ship"]
    assert account.changed == {"boxes without area removed": 1}
