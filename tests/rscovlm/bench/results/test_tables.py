"""Tables: totals with intervals and costs, categories, and the forms they are written in."""

import csv
import io

import pytest

from rscovlm.bench.results.baselines import baselines
from rscovlm.bench.results.compare import compare
from rscovlm.bench.results.published import load_publication
from rscovlm.bench.results.scores import score_rows, to_json
from rscovlm.bench.results.tables import (
    ResultTable,
    by_group,
    comparison_table,
    overview,
    own_metrics,
    p_value,
    percent,
    published_table,
)
from tests.rscovlm.bench.made import STRICT, item, row

ROWS = [row(item(str(n), category="xy"[n % 2]), "yes" if n < 3 else "") for n in range(4)]


@pytest.fixture
def scores():
    run = score_rows(ROWS, STRICT, label="nano, off", benchmark="set", asked=5)
    return [run, *baselines(ROWS, STRICT, "set")]


def column(table, name):
    return [row[table.head.index(name)] for row in table.rows]


def test_the_overview_holds_totals_costs_and_baselines(scores):
    table = overview(scores)
    assert table.title == "set, protocol set/strict/1"
    assert column(table, "run") == ["nano, off", "[most frequent answer]", "[random answer]"]
    assert column(table, "micro") == ["75.00", "100.00", "100.00"]
    assert column(table, "n") == ["4", "4", "4"]
    assert column(table, "unread") == ["1", "", ""]
    assert column(table, "s")[0] == "0.50"
    assert any("1 item was never asked" in note for note in table.notes)


def test_what_a_run_says_of_itself_stands_below_its_scores():
    note = "training has seen the tiles 30UWB"
    run = score_rows(ROWS, STRICT, label="nano, off", benchmark="set", notes=[note])
    assert overview([run]).notes[-1] == f"nano, off: {note}"
    assert to_json(run)["notes"] == [note]


def test_categories_stand_beside_each_other(scores):
    table = by_group(scores)
    assert column(table, "category") == ["category: x", "category: y"]
    assert column(table, "nano, off") == ["100.00", "50.00"]


def test_metrics_of_the_protocol_mark_the_headline(scores):
    rows = dict(own_metrics(scores[:1]).rows)
    assert rows["micro *"] == "0.7500"
    assert rows["n"] == "4"


def test_published_rows_say_that_they_are(scores):
    table = published_table(load_publication("rscovlm")[0])
    assert table.foreign
    assert "Not computed here" in table.notes[0]


def test_a_comparison_holds_all_and_each_category():
    table = comparison_table(compare(ROWS, ROWS, STRICT, ("one", "other")))
    assert table.title == "one less other"
    assert column(table, "difference") == ["+0.00"] * 3
    assert column(table, "p") == ["1.000"] * 3


def test_forms():
    table = ResultTable("A_1", ("run", "n"), (("a|b & c", "7"), ("d", "12")), ("note",))
    assert table.to_text() == "A_1\nrun       n\na|b & c   7\nd        12\n  note\n"
    assert table.to_markdown() == "## A_1\n\n| run | n |\n|---|---:|\n| a\\|b & c | 7 |\n| d | 12 |\n\nnote\n"
    assert list(csv.reader(io.StringIO(table.to_csv())))[1] == ["A_1", "a|b & c", "7"]
    assert "a|b \\& c & 7 \\\\" in table.to_latex()


def test_numbers():
    assert percent(0.12345) == "12.35"
    assert percent(-0.1, sign=True) == "-10.00"
    assert percent(float("nan")) == "-"
    assert [p_value(value) for value in (0.0004, 0.05, 1)] == ["<0.001", "0.050", "1.000"]
