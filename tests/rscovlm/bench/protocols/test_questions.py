"""Open questions under the protocols of LRS-VQA, RSVQA and VRSBench."""

import math

import pytest

from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.bench.protocols.questions import VRSBenchRule
from tests.rscovlm.bench.rows import row, summed


def scores(benchmark, reply, gold, **fields):
    return tuple(
        protocol.judge(row(reply, gold, **fields)).score for protocol in PROTOCOLS[benchmark].values()
    )


@pytest.mark.parametrize(
    ("gold", "reply", "official", "rscovlm", "strict"),
    [
        # the vectors
        ("2", "two", 1, 1, 1),
        ("21", "twenty-one", 1, 1, 1),
        ("gray", "grey", 1, 1, 1),
        ("airplane", "airplanes", 1, 1, 1),
        ("round", "circular", 1, 1, 1),
        ("port", "harbor", 0, 0, 0),
        ("car", "vehicle", 0, 0, 0),
        ("rectangular", "rectangle", 0, 0, 1),
        ("parking lot", "car park", 0, 0, 0),
        ("no", "nobelium", 1, 1, 0),
        # white space and full stops
        ("parking lot", "Parking lot.", 0, 1, 1),
        ("red", " crimson. ", 0, 1, 0),
        ("red", "red ", 0, 1, 1),
        ("red", "<think>It may be blue.</think>red", 0, 1, 1),
        ("3", "There are 3 planes", 0, 0, 1),
        ("lead", "Pb", 1, 1, 0),
        ("ten", "x", 1, 1, 0),
        ("red", "", 0, 0, 0),
    ],
)
def test_lrs_vqa(gold, reply, official, rscovlm, strict):
    assert scores("lrs-vqa", reply, gold) == (official, rscovlm, strict)


def test_lrs_vqa_passes_over_questions_without_an_answer():
    assert scores("lrs-vqa", "red", "") == (None, 0, 0)


def test_the_headline_of_lrs_vqa_is_the_mean_of_sources_of_the_mean_of_categories():
    def asked(source, category, reply):
        return row(reply, "red", groups={"source": source, "category": category})

    rows = [
        *(asked("FAIR", "object color", reply) for reply in ("red", "red", "red", "blue")),  # 3/4
        asked("FAIR", "reasoning", "blue"),  # 0
        asked("STAR", "object color", "red"),  # 1
    ]
    found = summed(PROTOCOLS["lrs-vqa"]["official"], rows)
    assert found.headline == "average_accuracy"
    assert found.metrics["average_accuracy/FAIR"] == pytest.approx(3 / 8)
    assert found.metrics["average_accuracy/STAR"] == 1
    assert math.isnan(found.metrics["average_accuracy/Bridge"])
    assert found.metrics["average_accuracy"] == pytest.approx((3 / 8 + 1) / 2)
    assert found.metrics["micro"] == pytest.approx(4 / 6)
    assert found.metrics["macro"] == pytest.approx((4 / 5 + 0) / 2)
    assert found.groups["source", "Bridge"]["n"] == found.groups["category", "count"]["n"] == 0


@pytest.mark.parametrize(
    ("type", "kind", "gold", "reply", "official", "rscovlm", "strict"),
    [
        ("count", "count", "57", "around 80", 1, None, 0),
        ("count", "count", "57", "57", 1, None, 1),
        ("count", "count", "57", "fifty-seven", 1, None, 1),
        ("count", "count", "57", "101", 0, None, 0),
        ("count", "count", "0", "none", 1, None, 1),
        ("count", "count", "0", "1", 0, None, 0),
        ("count", "count", "57", "many", 0, None, 0),
        ("area", "number", "3211m2", "2,000 m2", 1, None, 0),
        ("presence", "open", "no", "none", 0, 1, 0),
        ("presence", "open", "no", "Nothing here", 0, 1, 0),
        ("presence", "open", "yes", "Yes.", 1, 1, 1),
        ("presence", "open", "yes", "Yes, there is", 0, 1, 1),
        ("presence", "open", "yes", "Yes, two of them", 0, 1, 1),
        ("presence", "open", "yes", "", 0, 1, 0),
        ("rural_urban", "open", "rural", "rural area", 0, 1, 0),
    ],
)
def test_rsvqa(type, kind, gold, reply, official, rscovlm, strict):
    found = scores("rsvqa-hr", reply, gold, kind=kind, groups={"type": type})
    assert found == (official, rscovlm, strict)


def test_the_habit_of_rsvqa_averages_what_it_keeps():
    rows = [
        row("yes", "yes", groups={"type": "presence"}),
        row("no", "yes", groups={"type": "presence"}),
        row("no", "no", groups={"type": "comp"}),
        row("7", "9", "count", groups={"type": "count"}),
    ]
    habit = summed(PROTOCOLS["rsvqa-hr"]["rscovlm"], rows)
    assert (habit.headline, habit.metrics["macro"]) == ("macro", pytest.approx(3 / 4))
    assert math.isnan(habit.groups["type", "count"]["micro"])
    strict = summed(PROTOCOLS["rsvqa-hr"]["strict"], rows)
    assert strict.metrics["macro"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert strict.groups["type", "count"]["mae"] == 2
    assert strict.groups["type", "count"]["level"] == 1
    assert strict.groups["type", "area"]["n"] == 0


@pytest.mark.parametrize(
    ("gold", "reply", "official", "rscovlm", "strict"),
    [
        ("yes", "Yes, it is", 1, 1, 1),
        ("yes", "Yes, in the north", 1, 1, 1),
        ("yes", "Surely yes", 1, 1, 0),
        ("1", "11", 1, 1, 0),
        ("no", "none", 1, 1, 0),
        ("harbor", "a port", 0, 0, 0),
        ("harbor", "A harbour.", 0, 0, 1),
        ("urban", "", 0, 0, 0),
    ],
)
def test_vrsbench_questions(gold, reply, official, rscovlm, strict):
    assert scores("vrsbench-vqa", reply, gold) == (official, rscovlm, strict)


def test_vrsbench_says_what_is_left_to_a_judge():
    rows = [row("a port", "harbor", key="1"), row("no", "yes", key="2"), row("red", "red", key="3")]
    found = summed(PROTOCOLS["vrsbench-vqa"]["official"], rows)
    assert (found.metrics["micro"], found.metrics["unjudged"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    decided = VRSBenchRule({"1": True, "2": True})
    assert [decided(each).score for each in rows] == [1, 0, 1]  # no judge is asked about yes and no
    assert decided(rows[0]).counts["unjudged/hits"] == 0


def test_replies_without_an_answer_are_told_apart():
    rows = [
        row("", "red"),
        row("I'm sorry, I cannot view images.", "red"),
        row("It cannot be determined.", "red"),
        row("blue", "red"),
    ]
    metrics = summed(PROTOCOLS["lrs-vqa"]["strict"], rows).metrics
    assert [metrics[name] for name in ("micro", "parse_fail", "refusal", "abstain")] == [
        0,
        1 / 4,
        1 / 4,
        1 / 4,
    ]
