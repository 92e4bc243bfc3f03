"""Policies side by side: accuracy with intervals, cost, what was seen, and how questions ended."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rscovlm.bench.results.policies import (
    answered_from,
    audit_table,
    compare_policies,
    group_table,
    policy_table,
    tables,
    to_json,
)
from rscovlm.bench.runs.folder import Run
from rscovlm.scoring.statistics import wilson
from tests.rscovlm.bench.made import STRICT, item, row
from tiling.view import Size, View, Window
from zoom_chain.trace import ReplyRecord, Trace, ViewRecord, thumbnail_png

THUMBNAIL = thumbnail_png(np.zeros((4, 4, 3), np.uint8))
EVIDENCE = (100.0, 100.0, 200.0, 200.0)


def view(x, y, side, score=None, parent=0):
    return ViewRecord(
        View(Window(x, y, side, side), Size(64, 64)), None, 1.0, 1.0, 64, None, None, THUMBNAIL, parent, score
    )


def trace(views, turns, answer="yes", **settings):
    return Trace(
        "q?", answer, "answered", None, {"source": "s"}, settings, tuple(views), tuple(turns), seconds=1.0
    )


OVERVIEW = view(0, 0, 4096)
CHAINED = trace(
    [OVERVIEW, view(90, 90, 150)],
    [ReplyRecord("call", "", shown=(1,), about=(0,)), ReplyRecord("yes", "yes", about=(1,))],
)
SEARCHED = trace(
    [OVERVIEW, view(90, 90, 150, 0.2), view(2000, 2000, 150, 0.9)],
    [
        ReplyRecord("no", "", about=(1,), score=0.2),
        ReplyRecord("yes", "", about=(2,), score=0.9),
        ReplyRecord("yes", "yes", about=(0, 2), shown=(2,), confidence=0.8),
        ReplyRecord("no", "no", about=(0, 1), shown=(1,), confidence=0.9),
    ],
    chosen="tree",
)


def made(zoom, replies, traced=None, blind="none"):
    rows = []
    for number, text in enumerate(replies):
        asked = item(f"i{number}", category="xy"[number % 2], image=f"{number // 2}.tif", evidence=EVIDENCE)
        more = {} if traced is None else {"trace": json.loads(traced.to_json())}
        rows.append(row(asked, text, **more))
    manifest = {"facts": {"zoom": zoom, "blind": blind}}
    return Run(Path(zoom), manifest, tuple(rows))


RUNS = [
    made("off", ["yes", "no", "no", "no"]),
    made("chain", ["yes", "yes", "yes", "no"], CHAINED),
    made("tree", ["yes", "yes", "no", "no"], SEARCHED),
    made("off", ["no", "no", "no", "no"], blind="text"),
]


@pytest.fixture
def scores():
    return compare_policies(RUNS, STRICT)


def test_accuracy_has_its_score_interval_in_all_and_by_category(scores):
    assert [each.name for each in scores] == ["off", "chain", "tree", "blind"]
    assert scores[1].accuracy == wilson(0.75, 4)
    assert scores[1].groups["category", "x"] == (2, wilson(1.0, 2))
    assert scores[1].groups["category", "y"] == (2, wilson(0.5, 2))


def test_differences_are_from_the_overview_on_the_same_questions(scores):
    assert scores[0].difference is None
    assert scores[1].difference.value == pytest.approx(0.5)
    assert scores[3].difference.value == pytest.approx(-0.25)


def test_calls_zooms_and_ranked_views_are_told_apart(scores):
    off, chain, tree, _ = (each.cost for each in scores)
    assert (off.calls, off.zooms, off.ranked) == (1, 0, 0)
    assert (chain.calls, chain.zooms, chain.ranked) == (2, 1, 0)
    assert (tree.calls, tree.zooms, tree.ranked) == (4, 0, 2)


def test_evidence_is_seen_where_the_answer_is_about_a_view_of_it(scores):
    """The search looked at the evidence too, but its answer is about another view."""
    assert scores[1].hits.value == 1
    assert scores[2].hits.value == 0
    assert [window.x for window in answered_from(SEARCHED)] == [0, 2000]
    assert math.isnan(scores[3].hits.value)


def test_what_answered_in_place_of_a_policy_is_counted(scores):
    assert scores[2].chosen == {"tree": 4}


def test_tables_name_each_policy_and_the_audit_keeps_its_order(scores):
    assert [line[0] for line in policy_table(scores).rows] == [
        "overview",
        "chain",
        "tree",
        "blind: the question alone",
    ]
    assert policy_table(scores).rows[1][2:5] == ("75.00", "30.1-95.4", "+50.00")
    assert group_table(scores, "category").head == ("policy", "x (2)", "y (2)")
    assert group_table(scores, "category").rows[1][1:] == ("100 (34-100)", "50 (9-91)")
    assert [line[0] for line in audit_table(scores).rows] == [
        "overview",
        "chain",
        "blind: the question alone",
    ]
    assert [table.title for table in tables(scores)][:2] == ["Policies", "Resize audit"]


def test_the_comparison_is_json_without_nan(scores):
    stated = json.loads(json.dumps(to_json(scores), allow_nan=False))
    assert stated[3]["evidence_seen"] == {"value": None, "low": None, "high": None}
    assert stated[2]["ends"] == {"stop": 4}


def test_values_stand_in_the_order_of_their_numbers(scores):
    sizes = ("4,096 px", "16,384 px", "40,000 px", "none")
    groups = {("size", size): (1, wilson(1.0, 1)) for size in reversed(sizes)}
    table = group_table([replace(scores[0], groups=groups)], "size")
    assert table.head[1:] == tuple(f"{size} (1)" for size in sizes)


def test_one_image_alone_gives_no_interval_of_a_difference():
    runs = [made("off", ["yes", "no"]), made("chain", ["yes", "yes"], CHAINED)]
    assert compare_policies(runs, STRICT)[1].difference is None
