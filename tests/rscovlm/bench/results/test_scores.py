"""Scores of a log: macro and micro, categories with intervals, and what was not asked or not read."""

import math

import pytest

from rscovlm.bench.results.scores import score_rows, to_json
from rscovlm.scoring.statistics import wilson
from tests.rscovlm.bench.made import ANSWERED, STRICT, item, row

ROWS = [
    row(item("a", category="x", image="1.tif"), "yes"),
    row(item("b", category="x", image="1.tif"), "no"),
    row(item("c", category="x", image="2.tif"), "no"),
    row(item("d", category="y", image="3.tif"), "yes", visual_tokens=12, seconds=1.5),
    row(item("e", category="y", image="4.tif"), ""),
    row(item("f", category="y", image="5.tif"), "", error="lost", visual_tokens=None, reply_tokens=None),
]


def scored(rows=ROWS, answered=False, **more):
    return score_rows(rows, ANSWERED if answered else STRICT, label="run", benchmark="set", **more)


def test_micro_macro_and_categories_are_always_there():
    found = scored()
    assert (found.n, found.micro.value) == (6, pytest.approx(2 / 6))
    assert found.macro["category"].value == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert [(group.value, group.n) for group in found.groups] == [("x", 3), ("y", 3)]
    assert found.groups[0].mean == wilson(1 / 3, 3)
    assert found.micro.low <= found.micro.value <= found.micro.high
    uneven = scored(ROWS[:5])
    assert (uneven.micro.value, uneven.macro["category"].value) == (2 / 5, pytest.approx((1 / 3 + 1 / 2) / 2))


def test_replies_are_counted_by_what_could_be_read_of_them():
    assert dict(scored().statuses) == {"read": 4, "unread": 1, "refused": 0, "failed": 1}


def test_costs_are_means_over_the_items_that_state_them():
    found = scored()
    assert found.visual_tokens == pytest.approx((8 + 8 + 8 + 12 + 8) / 5)
    assert found.seconds == pytest.approx((0.5 * 5 + 1.5) / 6)


def test_a_protocol_may_leave_items_out_and_a_run_may_lack_some():
    found = scored(answered=True, asked=10)
    assert (found.n, found.left_out, found.missing) == (4, 2, 4)
    assert found.micro.value == pytest.approx(2 / 4)


def test_no_rows_are_no_numbers_and_still_json():
    found = scored([], asked=3)
    assert (found.n, found.missing) == (0, 3)
    assert math.isnan(found.micro.value)
    assert to_json(found)["micro"] == {"value": None, "low": None, "high": None}


def test_json_holds_the_protocol_the_job_and_each_verdict():
    record = to_json(scored(), job="abc")
    assert (record["protocol"], record["job"], record["headline"]) == ("set/strict/1", "abc", "micro")
    assert record["verdicts"]["a"] == {"score": 1.0, "parsed": "yes", "status": "read"}
    assert record["verdicts"]["f"]["status"] == "failed"
    assert {group["value"]: group["n"] for group in record["groups"]} == {"x": 3, "y": 3}
