"""Published tables: about benchmarks that there are, and with the sums that their papers print."""

import math

import pytest

from configs import available, load_config
from rscovlm.bench.results.published import load_publication
from rscovlm.bench.suites import SUITES

NAMES = [name.removeprefix("published/") for name in available("published/")]


@pytest.fixture(params=NAMES)
def tables(request):
    return load_publication(request.param)


def rows(benchmark, publication="rscovlm"):
    (found,) = [table for table in load_publication(publication) if table.benchmark == benchmark]
    return found.rows


def test_tables_are_about_benchmarks_and_protocols_that_there_are(tables):
    assert tables
    for table in tables:
        suite = SUITES[table.benchmark]
        ids = [protocol.id for protocol in suite.protocols.values()]
        assert table.protocol.partition(" ")[0] in ids or "/" not in table.protocol
        assert table.source
        for values in table.rows.values():
            assert len(values) == len(table.columns)
            shares = table.metric.endswith("; %")
            assert all(value is None or not shares or 0 <= value <= 100 for value in values)
            assert any(value is not None for value in values)


def test_rscovlm_has_a_table_for_each_benchmark_of_its_paper():
    assert {table.benchmark for table in load_publication("rscovlm")} == {
        *("lrs-vqa", "dior-rsvg", "rsvg", "geochat-vg", "vrsbench-vg", "avvg", "dota-v1.0"),
        *("aid", "ucmerced", "meter-ml", "nwpu-resisc45", "whu-rs19"),
        *("rsvqa-hr", "rsvqa-lr", "vrsbench-vqa"),
    }
    for table in load_publication("rscovlm"):
        assert any(name.startswith("RSCoVLM") for name in table.rows)


def test_the_average_of_lrs_vqa_is_over_its_three_sources():
    assert len(rows("lrs-vqa")) == 16
    for name, values in rows("lrs-vqa").items():
        assert values[3] == pytest.approx(math.fsum(values[:3]) / 3, abs=0.0101), name


@pytest.mark.parametrize(
    ("name", "average"),
    [("RSCoVLM", 65.92), ("RSCoVLM + Min Size", 37.99), ("GeoGround", 52.44), ("GeoChat", 12.44)],
)
def test_the_average_of_grounding_is_over_seven_columns(name, average):
    parts = ("dior-rsvg", "rsvg", "geochat-vg", "vrsbench-vg", "avvg")
    values = [value for benchmark in parts for value in rows(benchmark)[name]]
    assert len(values) == 7
    assert math.fsum(values) / 7 == pytest.approx(average, abs=0.0101)


@pytest.mark.parametrize(("name", "average"), [("RSCoVLM", 86.09), ("VHM", 83.72), ("Qwen3-VL", 71.57)])
def test_the_average_of_rsvqa_is_over_five_columns(name, average):
    values = [*rows("rsvqa-hr")[name], *rows("rsvqa-lr")[name]]
    assert math.fsum(values) / 5 == pytest.approx(average, abs=0.0101)


def test_confidence_free_precision_is_the_mean_over_the_classes():
    assert len(rows("dota-v1.0")) == 11
    for name, values in rows("dota-v1.0").items():
        assert values[15] == pytest.approx(math.fsum(values[:15]) / 15, abs=0.0101), name


def test_every_table_says_where_it_is_from():
    assert all(load_config(f"published/{name}")["source"] for name in NAMES)
