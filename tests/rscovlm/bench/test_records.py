"""Items and rows as JSON: what is written is what is read."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.bench.item import Item, Truth
from rscovlm.bench.records import item_from_json, item_to_json, row_from_json, row_to_json
from rscovlm.bench.row import Row
from rscovlm.errors import DataError
from tests.rscovlm.bench.made import VIEW, item, row
from tiling.view import Orientation, Size, View, Window

TEXTS = st.text(max_size=20)


def through_json(value):
    return json.loads(json.dumps(value, allow_nan=False))


@given(key=TEXTS, answers=st.lists(TEXTS, max_size=3), options=st.lists(TEXTS, max_size=4), group=TEXTS)
def test_an_item_in_words_comes_back_whole(key, answers, options, group):
    asked = Item(key, ("a.tif",), "open", "?", Truth(tuple(answers)), tuple(options), {"category": group})
    assert item_from_json(through_json(item_to_json(asked))) == asked


def test_boxes_come_back_as_arrays_and_no_boxes_are_not_unknown_boxes():
    boxes = np.arange(16, dtype=float).reshape(2, 4, 2)
    truth = Truth(polygons=boxes, labels=("plane", "ship"), ignored=np.array([False, True]))
    read = item_from_json(through_json(item_to_json(item("a", truth=truth, kind="detect"))))
    assert np.array_equal(read.truth.polygons, boxes)
    assert read.truth.ignored.tolist() == [False, True]
    empty = item_from_json(through_json(item_to_json(item("a", truth=Truth(polygons=boxes[:0])))))
    assert empty.truth.polygons.shape == (0, 4, 2)
    assert item_from_json(through_json(item_to_json(item("a")))).truth.polygons is None


def test_a_row_comes_back_whole():
    turned = View(Window(1, 2, 30, 40), Size(28, 56), Orientation(transpose=True))
    said = row(
        item("a", evidence=(1.0, 2.0, 3.0, 4.0), extra={"several": True}),
        "maybe\nyes",
        views=(VIEW, turned),
        error="cut",
        system="S",
        prompt_tokens=3,
        contract="nano",
        trace={"turns": [{"refusal": None}]},
    )
    assert row_from_json(through_json(row_to_json(said))) == said


def test_none_seen_is_told_from_not_counted():
    blind = row(item("a"), "", visual_tokens=0, views=())
    assert row_from_json(through_json(row_to_json(blind))).visual_tokens == 0
    assert row_from_json(through_json(row_to_json(Row(item("a"), "", VIEW, "stop")))).visual_tokens is None


def test_what_is_empty_takes_no_room():
    assert set(item_to_json(item("a"))) == {"key", "images", "kind", "subject", "truth", "groups"}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ([], "log:3"),
        ({"key": "a"}, "log:3: images: is missing"),
        ({**item_to_json(item("a")), "kind": "regress"}, "log:3: kind"),
    ],
)
def test_what_is_no_item_is_named(record, words):
    with pytest.raises(DataError, match=words):
        item_from_json(record, "log:3")
