"""Figures of the page: what is drawn of which method."""

import pytest

from detection_eval.metrics.comparison import benchmark
from detection_eval.report.cells import colour_of
from detection_eval.report.figures import class_curves, difference_charts, error_charts, whole_curves
from tests.detection_eval.problem import CLASSES, problem


@pytest.fixture(scope="module")
def bench():
    truth, detector, model = problem(images=3)
    methods = {"model": model, "detector": detector}
    return benchmark(truth, methods, thresholds={"detector": 0.5}, samples=5)


def test_a_chart_for_each_class_that_has_objects(bench):
    objects = bench.methods[0].summary["per_class"]
    assert len(class_curves(bench)) == sum(objects[name]["objects"] > 0 for name in CLASSES)


def test_every_method_is_drawn_in_its_own_colour(bench):
    colours = [colour_of(bench, method) for method in bench.methods]
    assert len(set(colours)) == 2
    for chart in whole_curves(bench):
        assert all(colour in chart for colour in colours)


def test_a_card_for_each_pair_of_methods(bench):
    assert [card["name"] for card in difference_charts(bench)] == ["model - detector"]


def test_errors_are_drawn_for_each_method(bench):
    assert list(error_charts(bench, None)["drawings"]) == ["model", "detector"]
