"""Verdicts on each box as tables of all methods."""

import csv

from detection_eval.metrics.comparison import benchmark
from detection_eval.report.exports import to_csv, verdict_tables, write_verdicts
from tests.detection_eval.problem import problem


def test_rows_of_all_methods_are_written_with_empty_cells_for_missing_values(tmp_path):
    truth, detector, model = problem(images=3)
    bench = benchmark(truth, {"vlm": model, "detector": detector}, thresholds={"detector": 0.5}, samples=5)
    boxes, images = verdict_tables(bench)
    assert images["method"] == ["vlm"] * 3 + ["detector"] * 3
    assert "verdicts.csv" in write_verdicts(tmp_path, bench)
    rows = list(csv.DictReader((tmp_path / "verdicts.csv").open(encoding="utf-8")))
    assert len(rows) == len(boxes["method"])
    assert {row["score"] for row in rows if row["method"] == "vlm"} == {""}
    assert any(row["score"] for row in rows if row["method"] == "detector")


def test_commas_and_quotes_survive():
    assert to_csv({"a": ['x,"y"', None], "b": [1, 2.5]}) == 'a,b\n"x,""y""",1\n,2.5\n'
