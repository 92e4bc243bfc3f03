"""Captions: what the three protocols take for the caption."""

import pytest

from rscovlm.bench.protocols.catalogue import PROTOCOLS
from tests.rscovlm.bench.rows import row, summed

REFERENCES = ("two planes stand idle",)


def caption(reply, **fields):
    return row(reply, REFERENCES, "caption", **fields)


def metrics(name, rows):
    return summed(PROTOCOLS["vrsbench-caption"][name], rows).metrics


def test_metrics_of_a_set():
    found = metrics("official", [caption("two planes stand idle"), caption("two planes")])
    assert found["words"] == 3
    assert found["bleu_1"] == pytest.approx(2.718281828 ** (1 - 8 / 6))  # 6 of 6 words, of 8 wanted
    assert found["micro"] == pytest.approx((1 + (1 + 1.44) * 0.5 / (0.5 + 1.44)) / 2)
    # 1 - 0.5 / 4^3, and 2 of 2 words of 4 in one fragment: 0.5 / 0.95 * (1 - 0.5 / 2^3)
    assert found["meteor_2005"] == pytest.approx((1 - 0.5 / 64 + 0.5 / 0.95 * (1 - 0.5 / 8)) / 2)
    assert found["n"] == 2


def test_thoughts_are_part_of_the_caption_under_official_alone():
    rows = [caption("<think>Ships?</think>two planes stand idle")]
    assert metrics("official", rows)["bleu_1"] < 1
    assert metrics("rscovlm", rows)["bleu_1"] == metrics("strict", rows)["bleu_1"] == 1


def test_refusals_and_failures_are_empty_captions_under_strict_alone():
    rows = [caption("two planes stand idle"), caption("I'm sorry, two planes cannot be seen.")]
    assert metrics("strict", rows)["micro"] == 0.5 < metrics("rscovlm", rows)["micro"]
    failed = [rows[0], caption("", error="timed out")]
    assert metrics("strict", failed)["micro"] == 0.5
    assert metrics("strict", failed)["words"] == 2
    assert metrics("official", failed)["micro"] == 1


def test_groups_have_the_same_metrics():
    found = summed(
        PROTOCOLS["vrsbench-caption"]["official"], [caption(REFERENCES[0], groups={"dataset": "DOTA"})]
    )
    assert found.headline == "cider"
    assert found.groups["dataset", "DOTA"]["bleu_4"] == 1
