"""Strict and answered: the task's own score of every kind of item, and what becomes of no answer."""

import math

import numpy as np
import pytest

from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_box
from rscovlm.bench.item import Truth
from rscovlm.bench.protocols.strict import Strict, generic
from tests.rscovlm.bench.made import VIEW, item, row

STRICT, ANSWERED = Strict("set"), Strict("set", answered=True)
BOX = np.array([[(20, 20), (60, 20), (60, 40), (20, 40)]], dtype=float)
"""In pixels of an image of 200 x 100 px."""


def judged(asked, text, **more):
    return STRICT.judge(row(asked, text, **more))


def test_identifiers_name_benchmark_rule_and_version():
    assert {name: each.id for name, each in generic("set").items()} == {
        "strict": "set/strict/1",
        "answered": "set/answered/1",
    }


@pytest.mark.parametrize(
    ("kind", "answers", "more", "right", "wrong"),
    [
        ("open", ("gray", "silver"), {}, "It is grey.", "black"),
        ("number", ("12.5",), {}, "12.50 m", "12"),
        ("number", ("100",), {"extra": {"tolerance": 0.1}}, "about 92", "89"),
        ("count", ("3",), {}, "There are three.", "4"),
        ("classify", ("beach",), {"options": ("beach", "port")}, "Beach.", "port"),
        ("choice", ("B",), {"options": ("red", "blue")}, "(B) blue", "A"),
        ("choice", ("A", "C"), {"options": ("x1", "y2", "z3")}, "A, C", "A"),
    ],
)
def test_words_are_right_by_the_tasks_own_score(kind, answers, more, right, wrong):
    asked = item("a", kind=kind, truth=Truth(answers), **more)
    assert judged(asked, right).score == 1
    assert judged(asked, wrong).score == 0
    assert judged(asked, wrong).status == "read"


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("open", (), ""),
        ("count", (), "many"),
        ("classify", ("beach", "port"), "beach or port"),
        ("choice", ("red", "blue"), "I cannot tell"),
        ("ground", (), "over there"),
    ],
)
def test_no_answer_is_wrong_under_strict_and_left_out_under_answered(kind, options, text):
    asked = item("a", kind=kind, options=options)
    said = row(asked, text, contract="nano")
    assert (STRICT.judge(said).score, STRICT.judge(said).status) == (0, "unread")
    assert ANSWERED.judge(said).score is None


def test_a_request_that_failed_is_wrong_under_strict():
    said = row(item("a"), "yes", error="connection lost")
    assert (STRICT.judge(said).score, STRICT.judge(said).status) == (0, "failed")


def test_a_box_is_read_in_the_frame_of_its_view_and_compared_in_pixels_of_the_image():
    asked = item("a", kind="ground", truth=Truth(polygons=BOX, labels=("ship",)))
    # the view is half as large as the image, and nano writes 0-1000 of the view
    text = "ship " + render_box(BOX[0] / 2, CONTRACTS["nano"], VIEW.size.width, VIEW.size.height)
    assert judged(asked, text, contract="nano").score == 1
    shifted = "ship " + render_box(BOX[0] / 2 + 20, CONTRACTS["nano"], VIEW.size.width, VIEW.size.height)
    assert judged(asked, shifted, contract="nano").score == 0


def test_boxes_count_by_f1_and_what_is_ignored_neither_way():
    other = BOX + np.array([80, 30])
    truth = Truth(polygons=np.concatenate([BOX, other]), labels=("ship", "ship"))
    asked = item("a", kind="detect", options=("ship",), truth=truth)
    line = "ship " + render_box(BOX[0] / 2, CONTRACTS["nano"], VIEW.size.width, VIEW.size.height)
    found = judged(asked, line, contract="nano")
    assert found.score == pytest.approx(2 * 1 / (1 + 2))  # one of two: 2 tp / (found + objects)
    assert found.parsed == "1 ship"
    lenient = Truth(polygons=truth.polygons, labels=truth.labels, ignored=np.array([False, True]))
    assert (
        judged(item("a", kind="detect", options=("ship",), truth=lenient), line, contract="nano").score == 1
    )


def test_nothing_found_where_nothing_is_is_right():
    empty = Truth(polygons=np.zeros((0, 4, 2)))
    asked = item("a", kind="detect", options=("ship",), truth=empty)
    assert judged(asked, "There are none.", contract="nano").score == 1


def test_a_caption_scores_by_the_nearest_reference():
    asked = item("a", kind="caption", truth=Truth(("a forest", "two planes on grass")))
    assert judged(asked, "two planes on grass").score == 1
    assert 0 < judged(asked, "two planes").score < 1


def test_micro_weighs_items_and_macro_categories():
    rows = [
        row(item("a", category="x"), "yes"),
        row(item("b", category="x"), "no"),
        row(item("c", category="x"), "no"),
        row(item("d", category="y"), "yes"),
    ]
    summary = STRICT.summarise(rows, [STRICT.judge(each) for each in rows])
    assert summary.headline == "micro"
    assert summary.metrics["micro"] == 2 / 4
    assert summary.metrics["macro"] == pytest.approx((1 / 3 + 1) / 2)
    assert summary.groups["category", "x"]["n"] == 3


def test_answered_says_how_much_it_is_a_score_of():
    rows = [row(item("a"), "yes"), row(item("b"), ""), row(item("c"), "", error="lost")]
    summary = ANSWERED.summarise(rows, [ANSWERED.judge(each) for each in rows])
    assert (summary.metrics["micro"], summary.metrics["n"]) == (1, 1)
    assert summary.metrics["coverage"] == pytest.approx(1 / 3)


def test_nothing_asked_is_no_number():
    assert math.isnan(STRICT.summarise([], []).metrics["micro"])
