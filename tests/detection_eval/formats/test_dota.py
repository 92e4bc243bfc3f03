"""labelTxt and Task1 of DOTA: exact round trips, and errors that name file and line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, FormatError
from detection_eval.formats import (
    read_dota_labels,
    read_task1,
    write_dota_labels,
    write_task1,
)
from detection_eval.geometry.quads import box_quads, canonical
from detection_eval.geometry.rotated import boxes_to_quads

CLASSES = ("plane", "ship", "small-vehicle")
CORNERS = "10 20 30 20 30 40 10 40"


def objects(seed, count, scored=False):
    rng = np.random.default_rng(seed)
    boxes = np.column_stack([rng.uniform(-50, 5000, (count, 2)), rng.uniform(0, 90, (count, 3))])
    scores = rng.random(count) if scored else None
    return Detections(canonical(boxes_to_quads(boxes)), rng.integers(0, 3, count), CLASSES, scores)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 9))
def test_label_files_give_back_the_very_same_numbers(tmp_path_factory, seed, count):
    path = tmp_path_factory.mktemp("labels") / "P0001.txt"
    truth, difficulty = objects(seed, count), [i % 3 for i in range(count)]
    write_dota_labels(path, truth, difficulty=difficulty, source="GoogleEarth", gsd_m=0.146343)
    read = read_dota_labels(path, CLASSES)
    assert read.detections == truth
    assert read.difficulty.tolist() == difficulty
    assert (read.source, read.gsd_m, read.without_difficulty) == ("GoogleEarth", 0.146343, 0)


def test_a_label_file_looks_as_dota_lays_it_down(tmp_path):
    write_dota_labels(tmp_path / "a.txt", Detections(box_quads([[10, 20, 30, 40]]), [1], CLASSES), gsd_m=0.5)
    assert (tmp_path / "a.txt").read_text() == f"gsd:0.5\n{CORNERS} ship 0\n"


def test_headers_difficulty_and_one_word_names_are_optional(tmp_path):
    path = tmp_path / "a.txt"
    header = "imagesource:GoogleEarth\r\ngsd:null\r\n\r\n"
    path.write_text(f"{header}{CORNERS} Dry Cargo Ship 2\r\n{CORNERS} ship\r\n")
    read = read_dota_labels(path)
    assert read.detections.names == ["Dry Cargo Ship", "ship"]
    assert read.difficulty.tolist() == [2, 0]
    assert (read.gsd_m, read.without_difficulty) == (None, 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 3 4 5 6 7 ship", r"a\.txt:2: .*8 columns"),
        ("1 2 3 4 5 6 7 x ship 0", r"a\.txt:2: 'x' is not a finite number"),
        ("1 2 3 4 5 6 7 nan ship 0", r"a\.txt:2: 'nan' is not a finite number"),
        (f"{CORNERS} boat 0", r"a\.txt:2: category 'boat' is none of plane, ship"),
        (f"{CORNERS} plane 0 extra", r"a\.txt:2: 'plane 0 extra' is no category with one difficulty"),
        (f"{CORNERS} plane 0 1", r"a\.txt:2: 'plane 0 1' is no category with one difficulty"),
        (f"{CORNERS} plane -1", r"a\.txt:2: the difficulty -1 is no whole number from 0"),
        (f"{CORNERS} plane 0.5", r"a\.txt:2: the difficulty 0.5 is no whole number from 0"),
        (f"{CORNERS} plane 1e9", r"a\.txt:2: the difficulty 1e9 is no whole number from 0"),
    ],
)
def test_a_malformed_label_is_told_by_file_and_line(tmp_path, line, message):
    path = tmp_path / "a.txt"
    path.write_text(f"{CORNERS} ship 0\n{line}\n")
    with pytest.raises(FormatError, match=message):
        read_dota_labels(path, CLASSES)


def test_a_difficulty_may_be_written_as_a_decimal_and_a_number_may_belong_to_a_class(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"{CORNERS} plane 2.0\n{CORNERS} plane 1\n{CORNERS} plane\n")
    read = read_dota_labels(path)
    assert (read.detections.classes, read.difficulty.tolist()) == (("plane",), [2, 1, 0])
    assert read.without_difficulty == 1
    path.write_text(f"{CORNERS} Boeing 737 1\n{CORNERS} Boeing 737\n")
    with pytest.raises(FormatError, match=r"a\.txt:1: .*if the number belongs to the category, give the"):
        read_dota_labels(path)
    read = read_dota_labels(path, ("Boeing 737",))
    assert (read.detections.names, read.difficulty.tolist()) == (["Boeing 737"] * 2, [1, 0])


def test_what_a_label_file_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    boxes = Detections(box_quads([[0, 0, 1, 1]]), [0], ("two\nlines",))
    with pytest.raises(CannotWrite, match="does not fit into a column"):
        write_dota_labels(tmp_path / "a.txt", boxes)
    with pytest.raises(ValueError, match="2 difficulties for 1 boxes"):
        write_dota_labels(tmp_path / "a.txt", objects(1, 1), difficulty=[0, 1])
    assert list(tmp_path.iterdir()) == []


def test_task1_files_give_back_the_very_same_numbers(tmp_path):
    images = {"P0001": objects(1, 6, scored=True), "P0002": objects(2, 4, scored=True)}
    write_task1(tmp_path / "out", images)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"Task1_{name}.txt" for name in CLASSES]
    read = read_task1(tmp_path / "out", CLASSES)
    assert set(read) == set(images)
    for image, found in images.items():
        by_class = found.select(np.argsort(found.labels, kind="stable"))  # a file holds one class
        assert read[image] == by_class


def test_task1_invents_no_score(tmp_path):
    with pytest.raises(CannotWrite, match="P1: Task1 demands scores and there are none"):
        write_task1(tmp_path, {"P1": objects(1, 2)})
    write_task1(tmp_path, {"P1": Detections(box_quads([[10, 20, 30, 40]]), [1], CLASSES)}, constant_score=1)
    assert (tmp_path / "Task1_ship.txt").read_text() == f"P1 1 {CORNERS}\n"
    assert (tmp_path / "Task1_plane.txt").read_text() == ""


def test_task1_errors_name_the_place(tmp_path):
    with pytest.raises(FileNotFoundError, match="no Task1"):
        read_task1(tmp_path)
    (tmp_path / "Task1_ship.txt").write_text(f"P1 0.5 {CORNERS}\nP1 0.5 1 2 3\n")
    with pytest.raises(FormatError, match=r"Task1_ship\.txt:2: .*5 columns"):
        read_task1(tmp_path)
    with pytest.raises(FormatError, match="class 'ship' is none of plane"):
        read_task1(tmp_path, ("plane",))
    with pytest.raises(CannotWrite, match="does not fit into a column"):
        write_task1(tmp_path, {"a b": objects(1, 1, scored=True)})


def test_a_line_break_in_the_name_of_a_source_stays_in_the_header(tmp_path):
    path = tmp_path / "a.txt"
    write_dota_labels(path, objects(0, 0), source="a\nb\r\nc.tif")
    assert path.read_text().splitlines() == ["imagesource:a b c.tif", "gsd:null"]
