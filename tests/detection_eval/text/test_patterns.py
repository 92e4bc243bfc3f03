"""Patterns of replies: what each contract writes matches its own, and what it would not write does not."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.parsing import parse_response
from detection_eval.text.patterns import reply_pattern
from detection_eval.text.writing import render_response

CLASSES = ("ship", "storage-tank", "plane (large)")
SIDE = 1000


def detections(corners, labels):
    """Upright boxes from (n, 4) x0, y0, x1, y1."""
    x0, y0, x1, y1 = np.sort(np.asarray(corners, dtype=float).reshape(-1, 2, 2), axis=1).reshape(-1, 4).T
    quads = np.stack([x0, y0, x1 + 1, y0, x1 + 1, y1 + 1, x0, y1 + 1], axis=1).reshape(-1, 4, 2)
    return Detections(quads, np.asarray(labels, dtype=np.int64), CLASSES)


def follows(text, name, classes=CLASSES):
    return re.fullmatch(reply_pattern(CONTRACTS[name], classes), text) is not None


@pytest.mark.parametrize("name", CONTRACTS)
@given(data=st.data())
def test_whatever_a_contract_writes_matches_its_pattern(name, data):
    coordinates = st.integers(0, SIDE - 2)
    boxes = data.draw(st.lists(st.tuples(*[coordinates] * 4), max_size=4))
    unlabelled = getattr(CONTRACTS[name].syntax, "label", "") is None
    labels = [0 if unlabelled else data.draw(st.integers(0, 2)) for _ in boxes]
    text = render_response(detections(boxes, labels), CONTRACTS[name], SIDE, SIDE)
    assert follows(text, name)


@pytest.mark.parametrize("name", CONTRACTS)
def test_other_words_other_classes_and_half_a_box_do_not(name):
    contract = CONTRACTS[name]
    text = render_response(detections([(10, 20, 30, 40)], [0]), contract, SIDE, SIDE)
    assert follows(text, name)
    assert not follows(f"Sure! {text}", name)
    assert not follows(text + " and more", name)
    assert not follows(text[: len(text) // 2], name)
    assert follows("", name) == (contract.empty == "")
    if getattr(contract.syntax, "label", "") is not None:
        assert not follows(text, name, ("harbor",))
        assert follows(text, name, None)


def test_a_reply_that_matches_is_read_without_a_complaint():
    contract = CONTRACTS["qwen3-vl"]
    text = '```json\n[\n\t{"bbox_2d": [1, 2, 300, 400], "label": "ship"}\n]\n```'
    assert follows(text, "qwen3-vl")
    assert len(parse_response(text, contract, CLASSES, SIDE, SIDE).detections) == 1


def test_a_pattern_holds_nothing_that_servers_do_not_know():
    for contract in CONTRACTS.values():
        pattern = reply_pattern(contract, CLASSES)
        assert not re.search(r"\(\?[^:]|\\[^\\.^$*+?{}\[\]()|nt]", pattern)
