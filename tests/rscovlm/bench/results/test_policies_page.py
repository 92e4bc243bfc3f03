"""The page of a comparison: one point for each policy where it belongs, and all tables."""

import re

from rscovlm.bench.results.policies import compare_policies
from rscovlm.bench.results.policies_page import cost_chart, policies_html
from tests.rscovlm.bench.made import STRICT
from tests.rscovlm.bench.results.test_policies import RUNS


def test_points_stand_at_accuracy_and_cost():
    scores = compare_policies(RUNS, STRICT)
    chart = str(cost_chart(scores, "visual_tokens"))
    points = re.findall(r'<circle[^>]*cx="([\d.]+)" cy="([\d.]+)"', chart)
    assert len(points) == len(scores)
    # All cost the same; the higher the accuracy, the higher the point.
    assert len({x for x, _ in points}) == 1
    heights = [float(y) for _, y in points]
    shares = [each.accuracy.value for each in scores]
    assert sorted(range(4), key=heights.__getitem__) == sorted(range(4), key=lambda index: -shares[index])
    assert chart.count('fill="none"') == 1  # the blind run is a ring


def test_the_page_has_all_tables_and_no_script_and_escapes_what_it_is_told():
    page = policies_html(compare_policies(RUNS, STRICT), "Policies", [("model", "<b>x</b>")])
    assert "&lt;b&gt;x" in page
    assert "<script" not in page
    for title in ("Resize audit", "By category", "How questions ended"):
        assert title in page
