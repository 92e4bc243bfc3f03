"""Averages over judged rows: macro and micro, groups, rates."""

import math

import pytest

from rscovlm.bench.protocol import Verdict
from rscovlm.bench.protocols.scored import ByKind, Scored, mean, rates
from tests.rscovlm.bench.rows import row, summed


def by_text(each):
    """ "1" is right, "0" and nothing wrong, "-" left out."""
    return Verdict(None if each.text == "-" else float(each.text or 0))


PROTOCOL = Scored("b/official/1", by_text, "category", "macro", {"category": ("count", "colour", "shape")})
STRICT = Scored("b/strict/1", by_text, "category", "macro", failed_is_wrong=True)


def rows(*pairs):
    return [row(text, groups={"category": category}) for category, text in pairs]


def test_macro_is_over_groups_and_micro_over_rows():
    found = summed(PROTOCOL, rows(("count", "1"), ("count", "1"), ("count", "0"), ("colour", "0")))
    assert found.metrics["micro"] == pytest.approx(2 / 4)
    assert found.metrics["macro"] == pytest.approx((2 / 3 + 0) / 2)
    assert found.headline == "macro"
    assert found.groups["category", "count"]["n"] == 3
    assert found.groups["category", "count"]["micro"] == pytest.approx(2 / 3)


def test_what_was_never_asked_is_listed_as_not_a_number():
    found = summed(PROTOCOL, rows(("count", "1")))
    assert found.groups["category", "shape"]["n"] == 0
    assert math.isnan(found.groups["category", "shape"]["micro"])
    assert found.metrics["macro"] == 1


def test_an_empty_run_is_not_a_number():
    metrics = summed(PROTOCOL, []).metrics
    assert metrics["n"] == 0
    assert all(math.isnan(metrics[name]) for name in ("micro", "macro", "parse_fail", "refusal", "abstain"))


def test_rows_that_the_rule_leaves_out_have_no_part_in_means():
    found = summed(PROTOCOL, rows(("count", "1"), ("count", "-")))
    assert (found.metrics["micro"], found.metrics["n"], found.metrics["scored"]) == (1, 2, 1)


@pytest.mark.parametrize(("protocol", "micro"), [(PROTOCOL, 1.0), (STRICT, 0.5)])
def test_failed_rows_are_wrong_under_strict_and_left_out_elsewhere(protocol, micro):
    failed = row("1", groups={"category": "count"}, error="the server said 500")
    found = summed(protocol, [*rows(("count", "1")), failed])
    assert found.metrics["micro"] == micro
    assert found.metrics["failed"] == 0.5


def test_rates_are_always_there():
    names = {
        "parse_fail",
        "refusal",
        "failed",
        "abstain",
        "multi_letter",
        "ambiguous",
        "n",
        "scored",
        "micro",
    }
    assert names <= rates([]).keys()
    found = rates(
        [
            Verdict(1.0, counts={"multi_letter/hits": 0.0, "multi_letter/of": 1.0}),
            Verdict(0.0, status="unread", counts={"multi_letter/hits": 1.0, "multi_letter/of": 1.0}),
            Verdict(0.0, status="refused", counts={"abstain/hits": 1.0, "abstain/of": 1.0}),
            Verdict(0.0, status="refused", counts={"abstain/hits": 0.0, "abstain/of": 1.0}),
        ]
    )
    assert (found["parse_fail"], found["multi_letter"], found["abstain"]) == (1 / 4, 1 / 2, 1 / 2)
    assert found["refusal"] == 1 / 4  # an undecided reply is no refusal
    assert math.isnan(found["ambiguous"])


def test_numbers_off_become_mae_and_rmse():
    verdicts = [
        Verdict(0.0, counts={f"{name}/hits": value, f"{name}/of": 1.0})
        for name, value in (("absolute_error", 3.0), ("squared_error", 9.0))
    ]
    found = rates(verdicts)
    assert (found["mae"], found["rmse"]) == (3, 3)
    assert "squared_error" not in found


def test_the_class_of_a_scene_is_its_right_answer():
    protocol = Scored("b/official/1", by_text, "class")
    found = summed(protocol, [row("1", "beach"), row("0", "beach"), row("1", "port")])
    assert found.groups["class", "beach"]["micro"] == 0.5
    assert found.metrics["macro"] == 0.75


def test_kinds_have_protocols_of_their_own():
    def half(each):
        return Verdict(0.5)

    protocol = ByKind(
        "b/official/1", {"choice": PROTOCOL, "ground": Scored("b/official/1", half, headline="iou")}
    )
    choices = [row("1", kind="choice", groups={"category": "count"})]
    boxes = [row("", kind="ground", groups={"category": "count"}), row("", kind="ground")]
    both = summed(protocol, [*boxes, *choices, row("x", kind="caption")])
    assert both.headline == "macro"
    assert both.metrics["micro"] == 1
    assert both.metrics["ground/micro"] == 0.5
    assert (both.metrics["n"], both.metrics["ground/n"]) == (1, 2)
    assert both.groups["ground/category", "count"]["n"] == both.groups["category", "count"]["n"] == 1
    alone = summed(protocol, boxes)
    assert alone.headline == "iou"
    assert alone.metrics["micro"] == 0.5
    assert summed(protocol, []).metrics["n"] == 0


def test_a_mean_passes_over_what_is_not_a_number():
    assert mean([1.0, math.nan, 0.0]) == 0.5
    assert math.isnan(mean([]))
