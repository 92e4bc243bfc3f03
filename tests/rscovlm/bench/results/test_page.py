"""The page: everything in one file, no script, samples that filters can tell apart."""

import re

import numpy as np
import pytest

from rscovlm.bench.item import Truth
from rscovlm.bench.results.page import report_html
from rscovlm.bench.results.tables import ResultTable
from rscovlm.bench.runs.folder import Run
from tests.rscovlm.bench.made import STRICT, VIEW, item, picture, row
from tiling.view import Size, View, Window


def run_of(path, label, rows):
    benchmark = {"name": "set", "title": "A set", "items": len(rows)}
    return Run(path, {"label": label, "hash": "h" * 64, "facts": {}, "benchmark": benchmark}, tuple(rows))


@pytest.fixture
def page(tmp_path):
    image = str(picture(tmp_path / "a.png", 200))
    box = np.array([[(20, 20), (60, 20), (60, 40), (20, 40)]], dtype=float)
    near = View(Window(50, 25, 50, 25), Size(50, 100))
    questions = [
        item("first", category="colour", image=image, evidence=(10.0, 20.0, 110.0, 70.0)),
        item("<b>second</b>", category="count", image=image),
        item("third", kind="ground", image=image, truth=Truth(polygons=box, labels=("ship",))),
        item("fourth", category="count", image=str(tmp_path / "gone.png")),
    ]
    one = [row(each, "yes", contract="nano", views=(VIEW, near)) for each in questions]
    other = [row(each, "<script>alert(1)</script>", contract="nano") for each in questions]
    runs = [run_of(tmp_path, "nano, chain", one), run_of(tmp_path, "nano, off", other)]
    table = ResultTable("A table", ("run", "micro", "95 %"), (("nano", "50.00", "40.0-60.0"),), ("A note.",))
    return report_html([(runs, STRICT, [table])])


def test_it_needs_nothing_from_outside_and_runs_nothing(page):
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert not re.search(r"""(src|href)\s*=\s*["']?http""", page)
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;b&gt;second" in page


def test_a_sample_can_be_filtered_by_category_and_verdict(page):
    categories = re.findall(r'id="(b0-c\d+)"><label[^>]*>(\w+) <small>(\d+)', page)
    assert [(name, number) for _, name, number in categories] == [
        ("colour", "1"),
        ("count", "2"),
        ("presence", "1"),
    ]
    for button, _, _ in categories:
        kept = button.removeprefix("b0-")
        assert f"#b0:has(#{button}:checked) .sample:not(.{kept}) {{ display: none; }}" in page
    assert re.findall(r'class="card sample ([^"]*)"', page) == [
        "c0 m-differ",
        "c1 m-differ",
        "c2 m-wrong m-unread",
        "c1 m-differ",
    ]


def test_a_picture_is_embedded_once_and_a_missing_one_is_said(page):
    assert page.count("data:image/jpeg") == 1
    assert "gone.png is not there" in page


def test_boxes_evidence_and_looks_are_drawn_in_the_pictures_frame(page):
    # 200 px wide, shown at its own size
    assert 'class="truth" points="20.0,20.0 60.0,20.0 60.0,40.0 20.0,40.0"' in page
    assert 'class="evidence" points="10.0,20.0 110.0,20.0 110.0,70.0 10.0,70.0"' in page
    assert 'class="look" points="50.0,25.0 100.0,25.0 100.0,50.0 50.0,50.0"' in page


def test_tables_show_intervals_behind_their_value_and_runs_are_compared(page):
    assert "<th>micro</th></tr>" in page
    assert "50.00 <small>40.0-60.0</small>" in page
    assert "nano, chain less nano, off" in page
    assert "A note." in page
