"""Published tables: each is whole, says where it is from, and is about a benchmark that exists."""

import pytest

from configs import ConfigError, available
from rscovlm.bench.results.published import FOLDER, load_publication, published_for
from rscovlm.bench.suites import SUITES

SHIPPED = available(f"{FOLDER}/")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_publication_names_its_source_and_benchmarks_that_exist(name):
    for table in load_publication(name):
        assert table.source
        assert table.benchmark in SUITES
        for values in table.rows.values():
            shares = table.metric.endswith("; %")
            assert all(value is None or not shares or 0 <= value <= 100 for value in values)


def test_the_average_of_rscovlms_row_is_that_of_its_sources():
    (table,) = (t for t in load_publication("rscovlm") if t.benchmark == "lrs-vqa")
    for fair, bridge, star, average in table.rows.values():
        assert average == pytest.approx((fair + bridge + star) / 3, abs=0.011)


def test_the_average_of_grounding_is_the_published_one():
    columns = [
        table.rows["RSCoVLM"]
        for table in load_publication("rscovlm")
        if table.benchmark in ("dior-rsvg", "rsvg", "geochat-vg", "vrsbench-vg", "avvg")
    ]
    values = [value for row in columns for value in row]
    assert sum(values) / len(values) == pytest.approx(65.92, abs=0.01)


def test_tables_are_found_by_benchmark():
    assert {table.benchmark for table in published_for("lrs-vqa")} == {"lrs-vqa"}
    assert len(published_for("lrs-vqa")) >= 3
    assert published_for("synth") == []


def test_a_row_of_another_width_is_refused(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "source: here\ntables:\n"
        "  - {benchmark: x, metric: m, protocol: p, columns: [a, b], rows: {one: [1]}}\n"
    )
    with pytest.raises(ConfigError, match="one has 1 value for 2 columns"):
        load_publication(str(path))
