"""Methods side by side: the JSON, the table and the page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError, SettingError
from detection_eval.metrics.comparison import benchmark, parse_levels
from detection_eval.metrics.evaluation import evaluate
from detection_eval.report import report_html
from detection_eval.report.tables import published
from detection_eval.text.parsing import ParseReport
from tests.detection_eval.problem import CLASSES, problem


@pytest.fixture(scope="module")
def bench():
    truth, detector, model = problem()
    return benchmark(
        truth,
        {"vlm": model, "detector": detector},
        levels=(0.5, 0.6),
        thresholds={"detector": "kfold"},
        parsing={"vlm": ParseReport()},
        samples=50,
    )


@pytest.fixture(scope="module")
def page(bench):
    return report_html(bench, title="A <b>title</b>", published=published("rscovlm-dota"))


def test_the_json_holds_what_evaluate_says(bench):
    truth, detector, model = problem()
    found = json.loads(json.dumps(bench.to_json()))
    assert set(found) >= {"preset", "classes", "results", "paired"}
    assert found["classes"] == list(CLASSES)
    alone = evaluate(truth, model)
    assert found["results"]["vlm"]["APnc50"] == pytest.approx(alone.apnc(0.5))
    assert found["results"]["vlm"]["by_level"]["0.60"]["APnc"] == pytest.approx(alone.apnc(0.6))
    assert found["results"]["vlm"]["AP50"] is None
    scored = evaluate(truth, detector, threshold="kfold")
    assert found["results"]["detector"]["APnc50"] == pytest.approx(scored.apnc(0.5))
    assert found["results"]["detector"]["parse"] is None
    assert found["results"]["vlm"]["parse"] == ParseReport().to_json()


def test_methods_without_scores_are_compared_with_those_that_have_some(bench):
    pair = bench.paired["vlm - detector"]
    assert set(bench.paired) == {"vlm - detector"}
    values = {method.name: method.summary["APnc50"] for method in bench.methods}
    assert pair["APnc"]["difference"] == pytest.approx(values["vlm"] - values["detector"])
    assert pair["APnc"]["ci"][0] <= pair["APnc"]["difference"] <= pair["APnc"]["ci"][1]


def test_an_error_names_the_method():
    truth, _, model = problem(3)
    strange = {image: Detections(b.polygons, b.labels, ("a", "b", "c")) for image, b in model.items()}
    wrong = r"^odd: predictions of .*: class '[abc]' is not evaluated"
    with pytest.raises(EvaluationError, match=wrong):
        benchmark(truth, {"odd": strange})


def test_the_page_is_whole_and_needs_nothing_beside_it(page, bench):
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag not in ("meta", "line", "circle", "rect", "polyline", "polygon", "br"):
                open_tags.append(tag)
            for name, value in attributes:
                assert name not in ("src", "href"), value

        def handle_endtag(self, tag):
            if tag not in ("line", "circle", "rect", "polyline", "polygon"):
                assert open_tags.pop() == tag

        def handle_startendtag(self, tag, attributes):
            pass

    Checker().feed(page)
    assert open_tags == []
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert len(page) < 5_000_000
    assert "A &lt;b&gt;title&lt;/b&gt;" in page
    assert "nan" not in page.partition("<h2>Protocol")[0].partition("</style>")[2]
    for heading in ("Summary", "By class", "Points and curves", "Paired differences", "Errors", "Slices"):
        assert f"<h2>{heading}</h2>" in page


def test_the_page_shows_the_values_of_the_json(page, bench):
    for method in bench.methods:
        assert f"{100 * method.summary['APnc50']:.2f}" in page
    assert "other classes than those evaluated here" in page, "published means are over 15 classes, not 3"


def test_coordinates_in_the_charts_are_inside_them(page):
    for chart in re.finditer(r'<svg class="chart" viewBox="0 0 (\d+) (\d+)"[^>]*>(.*?)</svg>', page, re.S):
        width, height, inside = float(chart[1]), float(chart[2]), chart[3]
        for x, y in re.findall(r'<circle [^>]*cx="([-\d.]+)" cy="([-\d.]+)"', inside):
            assert 0 <= float(x) <= width
            assert 0 <= float(y) <= height


def test_a_page_of_one_method_that_found_nothing():
    truth, _, _ = problem(2)
    page = report_html(benchmark(truth, {"silent": {}}))
    assert "silent has no entry for 2 images: counted as empty." in page
    assert "<h2>Paired differences</h2>" not in page


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("0.5", (0.5,)),
        ("0.5,0.75", (0.5, 0.75)),
        ("0.5:0.6", (0.5, 0.55, 0.6)),
        ("0.75, 0.7:0.8", (0.75, 0.7, 0.8)),
    ],
)
def test_levels(text, levels):
    assert parse_levels(text) == levels


@pytest.mark.parametrize("text", ["", "x", "0.05", "1", "0.8:0.5", "0.5;0.7"])
def test_levels_that_make_no_sense_are_refused(text):
    with pytest.raises(SettingError, match=r"IoU must be (a number )?in \[0\.1, 1\)"):
        parse_levels(text)
