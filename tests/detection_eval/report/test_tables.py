"""Tables in the paper's layout, and the published rows."""

import csv
import io
import math

import pytest

from detection_eval.errors import SettingError
from detection_eval.report.tables import PUBLISHED, ResultTable, TableRow, published, shared_classes

DOTA = tuple(published("rscovlm-dota")[0].per_class)


def test_published_means_are_the_means_of_the_published_classes():
    rows = published("rscovlm-dota")
    assert len(rows) == 11
    for row in rows:
        assert len(row.per_class) == 15
        # S2A-Net's printed mean is one hundredth above that of its printed classes.
        assert sum(row.per_class.values()) / 15 == pytest.approx(row.means[0], abs=1.5e-4)


def test_published_rows_are_those_of_the_paper():
    by_name = {row.method: row for row in published("rscovlm-dota")}
    assert by_name["Faster RCNN"].threshold == 0.85
    assert by_name["RSCoVLM"].threshold is None
    assert by_name["RSCoVLM"].means == pytest.approx((0.5127, 0.2575, 0.2760))
    assert by_name["RSCoVLM-det + Max Mode"].per_class["large-vehicle"] == pytest.approx(0.6647)


def test_an_unknown_table_is_refused_by_name():
    with pytest.raises(SettingError, match=f"'nonsense'; known are {PUBLISHED[0]}"):
        published("nonsense")


@pytest.fixture
def table():
    mine = TableRow("a_b & c", None, {"plane": 0.5, "ship": math.nan}, (0.25, None, 0.125))
    return ResultTable(("plane", "ship"), (mine, *published("rscovlm-dota")[:1]))


def test_csv_leaves_unknown_values_empty(table):
    header, mine, other = csv.reader(io.StringIO(table.to_csv()))
    assert header == ["Method", "Score", "PL", "SH", "APnc50", "APnc75", "APnc50:95", "Source"]
    assert mine == ["a_b & c", "", "50.00", "", "25.00", "", "12.50", ""]
    assert other[:3] == ["GWD", "0.40", "72.07"]
    assert "not computed here" in other[-1]


def test_markdown_marks_rows_that_were_not_computed(table):
    lines = table.to_markdown().splitlines()
    assert lines[0].startswith("| Method | Score | PL | SH |")
    assert {line.count("|") for line in lines[:4]} == {8}
    assert lines[2] == "| a_b & c | - | 50.00 | - | 25.00 | - | 12.50 |"
    assert lines[3].startswith("| GWD * |")
    assert lines[-1].startswith("\\* published by")


def test_latex_escapes_names_and_has_as_many_columns_as_cells(table):
    text = table.to_latex()
    assert "a\\_b \\& c" in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert {line.replace("\\&", "").count("&") for line in rows} == {6}
    assert "\\begin{tabular}{lrrr|rrr}" in text


def test_means_compare_only_over_the_same_classes():
    rows = published("rscovlm-dota")
    assert shared_classes(rows, DOTA)
    assert not shared_classes(rows, DOTA[:-1])
