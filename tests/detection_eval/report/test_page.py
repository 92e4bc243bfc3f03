"""The report as one page."""

from detection_eval.metrics.comparison import benchmark
from detection_eval.report.page import report_html
from tests.detection_eval.problem import problem


def test_the_page_stands_alone_and_shows_every_method_escaped():
    truth, detector, model = problem(images=3)
    methods = {"vlm <b>": model, "detector": detector}
    bench = benchmark(truth, methods, thresholds={"detector": 0.5}, samples=5)
    page = report_html(bench, title="A & B", provenance={"commit": "<x>"})
    assert "<title>A &amp; B</title>" in page
    assert "vlm &lt;b&gt;" in page
    assert "&lt;x&gt;" in page
    assert "vlm <b>" not in page
    assert "<script" not in page
