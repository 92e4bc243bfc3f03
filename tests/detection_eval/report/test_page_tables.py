"""Tables of the page, of comparisons that are small enough to count."""

import pytest

from detection_eval.metrics.comparison import benchmark
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.report import page_tables
from detection_eval.report.cells import Cell
from detection_eval.text.parsing import ParseReport
from tests.detection_eval.problems import boxes

TRUTH = {"a": GroundTruth(boxes([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 1], classes=("plane", "ship")))}
FOUND = {"a": boxes([[0, 0, 10, 10], [20, 0, 30, 10], [50, 0, 60, 10]], [0, 0, 1], classes=("plane", "ship"))}


@pytest.fixture(scope="module")
def bench():
    return benchmark(TRUTH, {"vlm": FOUND}, samples=0)


def texts(row):
    return [cell.text if isinstance(cell, Cell) else cell for cell in row]


def test_rows_of_the_confusion_are_objects_and_its_columns_what_they_were_found_as(bench):
    table = page_tables.confusion(bench.methods[0])
    assert list(table.head) == ["object \\ found as", "plane", "ship", "missed"]
    assert [texts(row) for row in table.rows] == [
        ["plane", "1", "", ""],
        ["ship", "1", "", ""],  # found as a plane
        ["background", "", "1", ""],
    ]


def test_precision_and_recall_are_those_of_the_boxes(bench):
    (row,) = page_tables.right_and_wrong(bench).rows
    assert texts(row)[:3] == ["vlm", "33.33", "50.00"]  # 1 of 3 boxes is right, 1 of 2 objects found


def test_what_is_not_there_has_no_table(bench):
    assert page_tables.coco_results(bench) is None
    assert page_tables.parsing(bench) is None
    assert page_tables.facts({}) is None


def test_counts_of_replies_stand_in_one_row_each():
    read = benchmark(TRUTH, {"vlm": FOUND}, samples=0, parsing={"vlm": ParseReport(responses=3, ok=2)})
    rows = {row[0]: row[1] for row in page_tables.parsing(read).rows}
    assert rows["responses"] == "3"
    assert rows["ok"] == "2"
