"""The page of scores."""

from rscovlm.bench.results.tables import ResultTable
from rscovlm.reo.page import page
from rscovlm.reo.score import card, tables
from rscovlm.scoring.prediction_files import stated_in
from tests.rscovlm.reo.test_score import records


def test_predictions_are_drawn_once_each_and_intervals_at_each_level():
    found = card(stated_in(records(["a<b>", "c"], 1, each=10), "x"))
    text = page("T", tables(found, "Mg/ha"), found)
    assert text.count("<circle") == 20 + 19
    assert "a<b>" not in text
    assert "as stated" in text


def test_tables_alone_have_no_charts():
    text = page("Audit", [ResultTable("Checks", ("a", "b"), (("1", "2"),), ("a note",))])
    assert "<svg" not in text
    assert "a note" in text
