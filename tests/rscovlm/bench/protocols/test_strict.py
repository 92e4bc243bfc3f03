"""Protocols for any benchmark: the rule of each kind, what is wrong and what is left out."""

import math

import pytest

from detection_eval.geometry.quads import box_quads
from rscovlm.bench.protocols.strict import RULES, generic
from tests.rscovlm.bench.rows import row, summed
from tiling.view import Size, View, Window

WHOLE = View(Window(0, 0, 100, 100), Size(100, 100))
BOX = {
    "polygons": box_quads([(10, 10, 30, 30)]),
    "labels": ("ship",),
    "contract": "qwen2.5-vl",
    "view": WHOLE,
}
REPLY = '[{"bbox_2d": [10, 10, 30, 30], "label": "ship"}]'
RIGHT = [
    row("A red roof.", "red roof", "open"),
    row("3.5 m", "3.5", "number"),
    row("There are three.", "3", "count"),
    row("The answer is B", "B", "choice", options=("red", "blue")),
    row("a beach", "beach", "classify", options=("beach", "port")),
    row(REPLY, (), "ground", **BOX),
    row(REPLY, (), "detect", options=("ship",), **BOX),
    row("two planes stand", "two planes stand", "caption"),
]


def test_there_is_a_rule_for_each_kind():
    assert {each.item.kind for each in RIGHT} == RULES.keys()


@pytest.mark.parametrize("each", RIGHT, ids=lambda each: each.item.kind)
def test_a_right_reply_is_right_by_the_rule_of_its_kind(each):
    for protocol in generic("mine").values():
        assert (protocol.judge(each).score, protocol.judge(each).status) == (1, "read")


def test_kinds_together_have_one_mean():
    wrong = row("blue", "red", "open", groups={"topic": "x"})
    found = summed(generic("mine", "topic")["strict"], [*RIGHT, wrong])
    assert found.headline == "micro"
    assert found.metrics["micro"] == pytest.approx(8 / 9)
    assert found.groups["topic", "x"]["micro"] == found.metrics["macro"] == 0


def test_what_holds_no_answer_is_wrong_or_left_out():
    silent = [
        row("", "red"),
        row("I'm sorry, I cannot view images.", "red"),
        row("red", "red", error="timed out"),
    ]
    protocols = generic("mine")
    strict, answered = (summed(protocols[name], [*RIGHT[:1], *silent]).metrics for name in protocols)
    assert (strict["micro"], strict["scored"], strict["coverage"]) == (1 / 4, 4, 1 / 4)
    assert (answered["micro"], answered["scored"], answered["coverage"]) == (1, 1, 1 / 4)
    assert math.isnan(summed(protocols["answered"], silent).metrics["micro"])


def test_any_of_the_right_boxes_will_do():
    two = box_quads([(50, 50, 60, 60), (10, 10, 30, 30)])
    assert generic("mine")["strict"].judge(row(REPLY, (), "ground", **{**BOX, "polygons": two})).score == 1
