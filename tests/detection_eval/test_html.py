"""Templates of pages: escaped, complete, and one layout for all."""

import pytest
from jinja2 import UndefinedError

from detection_eval.detections import Detections
from detection_eval.html import environment, render
from detection_eval.metrics.comparison import benchmark
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.report import report_html
from detection_eval.report.svg import Shape, drawing
from detection_eval.text.parsing import ParseReport
from tests.detection_eval.problem import problem

ATTACK = "<script>alert(1)</script>\"'&</style>"


def test_classes_methods_images_and_facts_are_shown_not_obeyed():
    classes = (ATTACK, "<img src=x onerror=alert(2)>", "ship")

    def hostile(boxes):
        return Detections(boxes.polygons, boxes.labels, classes, boxes.scores)

    truth, detector, model = problem(6)
    names = {image: f"{ATTACK}{image}" for image in truth}
    bench = benchmark(
        {names[i]: GroundTruth(hostile(t.objects), t.difficulty, size=t.size) for i, t in truth.items()},
        {
            f"model {ATTACK}": {names[i]: hostile(boxes) for i, boxes in model.items()},
            f"detector {ATTACK}": {names[i]: hostile(boxes) for i, boxes in detector.items()},
        },
        parsing={f"model {ATTACK}": ParseReport()},
        samples=20,
    )
    page = report_html(bench, title=ATTACK, provenance={ATTACK: ATTACK})
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("</style>") == 1
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10


def test_a_name_that_a_template_lacks_a_value_for_is_an_error():
    with pytest.raises(UndefinedError, match="'overlaps' is undefined"):
        render("detection_eval.report", "report.html", title="no bench")


def test_attributes_of_shapes_cannot_be_left():
    svg = drawing(
        [Shape("text", {"class": f'x" onload="{ATTACK}'}, ATTACK, ATTACK)], (0, 0, 9, 9), class_="chart"
    )
    assert "<script" not in svg
    assert 'onload="' not in svg
    assert svg.startswith('<svg viewBox="0 0 9 9" class="chart">')


@pytest.mark.parametrize("package", ["detection_eval.report", "zoom_chain", "rscovlm.training"])
def test_every_page_has_the_shared_layout(package):
    pages = [name for name in environment(package).list_templates() if name.endswith(".html")]
    own = [name for name in pages if not name.startswith("shared/")]
    assert own
    for name in own:
        source = environment(package).loader.get_source(environment(package), name)[0]
        assert source.startswith('{% extends "shared/page.html" %}')
        assert "| safe" not in source
