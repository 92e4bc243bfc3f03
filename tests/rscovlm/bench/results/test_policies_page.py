"""The page of a comparison: one point for each policy where it belongs, and all tables."""

import re

from rscovlm.bench.results.policies import compare_policies
from rscovlm.bench.results.policies_page import _Point, cost_chart, name_places, policies_html
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


def test_names_overlap_neither_points_nor_each_other():
    names = ("overview", "single", "chain", "focus", "sweep", "auto")
    points = [_Point(name, 150 + 8 * index, 100, 60, 140) for index, name in enumerate(names)]
    boxes = [
        (left, base - 9, left + 6 * len(name), base + 3)
        for name, (left, base) in zip(names, name_places(points, 540), strict=True)
    ]
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        for a0, b0, a1, b1 in boxes[:number]:
            assert x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0
        for point in points:
            assert not (x0 < point.x < x1 and y0 < point.y < y1)


def test_a_lone_point_has_its_name_beside_it_and_one_at_the_edge_on_its_left():
    assert name_places([_Point("tree", 100, 50, 40, 60)], 540) == [(109, 54)]
    assert name_places([_Point("tree", 530, 50, 40, 60)], 540)[0][0] < 530
