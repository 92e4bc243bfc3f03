"""Published tables: complete, with means that follow from their values, about benchmarks that there are."""

import math

import pytest

from configs import available, load_config
from rscovlm.bench.suites import SUITES

TABLES = available("published/")


@pytest.fixture(params=TABLES)
def table(request):
    return load_config(request.param)


def test_there_is_one_for_each_table_of_rscovlm():
    assert [
        f"published/rscovlm-{name}" for name in ("detection", "grounding", "lrs-vqa", "scenes", "vqa")
    ] == TABLES


def test_columns_are_metrics_of_benchmarks_that_there_are(table):
    assert {"source", "section", "protocol", "percent", "columns", "rows"} <= set(table)
    labels = [column["label"] for column in table["columns"]]
    assert len(set(labels)) == len(labels)
    for column in table["columns"]:
        suite = SUITES[column["benchmark"]]
        assert table["protocol"] in suite.protocols
        # the labels of DOTA's test set are with the authors' server
        assert column["split"] in suite.splits or (suite.name, column["split"]) == ("dota-v1.0", "test")
        assert set(column.get("group", {})) <= {*suite.read.groups, "class"}


def test_each_row_has_a_name_of_its_own_and_a_value_or_a_gap_for_each_column(table):
    names = [row["name"] for row in table["rows"]]
    assert len(set(names)) == len(names)
    for row in table["rows"]:
        assert len(row["values"]) == len(table["columns"])
        assert all(value is None or 0 <= value <= 100 for value in row["values"])


@pytest.mark.parametrize(("name", "averaged"), [("lrs-vqa", 3), ("grounding", 7), ("vqa", 5)])
def test_means_follow_from_the_values(name, averaged):
    rows = [row for row in load_config(f"published/rscovlm-{name}")["rows"] if "mean" in row]
    assert len(rows) >= 10
    for row in rows:
        assert row["mean"] == pytest.approx(math.fsum(row["values"][:averaged]) / averaged, abs=0.0101), row[
            "name"
        ]


def test_confidence_free_precision_is_the_mean_over_the_classes():
    for row in load_config("published/rscovlm-detection")["rows"]:
        assert row["values"][15] == pytest.approx(math.fsum(row["values"][:15]) / 15, abs=0.0101), row["name"]


def test_rscovlm_is_in_each_of_its_tables(table):
    assert "RSCoVLM" in [row["name"] for row in table["rows"]]
