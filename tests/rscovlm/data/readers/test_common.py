"""What all adapters share: records with their places, images by name, boxes from numbers, the account."""

import json
import math

import pytest

from rscovlm.data.readers.common import (
    Account,
    ImageFolder,
    LeftOut,
    Options,
    ask,
    box_of,
    each,
    id_of,
    kept,
    listed,
    outside,
    read_records,
    stated_size,
    text_of,
)
from rscovlm.data.sample import Turn
from rscovlm.errors import DataError
from tests.rscovlm.data.published import corners, image, quad


def records(path):
    return [(place.removeprefix(f"{path}"), record) for place, record in read_records(path, Options())]


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        ("x.json", '[{"a": 1}, {"a": 2}]', [": entry 0", ": entry 1"]),
        ("x.json", '{"info": "of 2026", "data": [{"a": 1},\n{"a": 2}]}', [": entry 0", ": entry 1"]),
        ("x.jsonl", '\ufeff{"a": 1}\n\n{"a": 2}\n', [":1", ":3"]),
        ("x.json", '{"a": 1}\n{"a": 2}\n', [":1", ":2"]),
    ],
)
def test_records_have_places_in_lists_objects_of_a_list_and_lines(tmp_path, name, text, places):
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = records(tmp_path / name)
    assert [place for place, _ in found] == places
    assert [record["a"] for _, record in found] == [1, 2]


def test_an_object_of_no_list_or_of_several_is_one_record(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"boxes": [1], "names": ["a"]}))
    assert records(tmp_path / "x.json") == [(": entry 0", {"boxes": [1], "names": ["a"]})]


def test_what_holds_no_records_is_refused_with_its_place(tmp_path):
    for text, message in (('"words"', "not str"), ("[1]", "entry 0: a record is a JSON object, not int")):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(DataError, match=message):
            records(tmp_path / "x.json")


def test_records_that_fail_are_counted_by_reason_and_the_others_go_on():
    def read(place, record):
        if record == 1:
            raise LeftOut("no answer", "it is empty")
        if record == 2:
            raise DataError("boxes.3 lies outside")
        yield record

    options = Options(account=Account())
    made = list(each(iter([("f:1", 0), ("f:2", 1), ("f:3", 2), ("f:4", 3), ("f:5", 1)]), options, read))
    assert made == [0, 3]
    assert options.account.left_out == {"no answer": 2, "it makes no valid sample": 1}
    assert options.account.places[:2] == [
        ("no answer", "f:2: it is empty"),
        ("it makes no valid sample", "f:3: boxes.3 lies outside"),
    ]


def test_the_first_filled_field_counts_and_numbers_are_text():
    record = {"a": " ", "b": True, "c": 3, "d": "words"}
    assert text_of(record, "a", "b", "c", "d") == "3"
    with pytest.raises(LeftOut, match="no answer") as caught:
        text_of(record, "a", "b", what="answer")
    assert caught.value.detail == "none of the fields a, b holds text"


def test_an_id_is_the_records_own_or_says_where_it_was():
    assert id_of({"uid": 0, "id": "x"}, "a/b.json: entry 4", "uid") == "0"
    assert id_of({"question_id": "q"}, "a/b.json: entry 4") == "q"
    assert id_of({"id": " "}, "a/b.json: entry 4") == "b.json:4"


def test_lists_sizes_and_attributes_are_read_or_refused():
    assert listed({"a": [], "b": [1]}, "a", "b") == [1]
    assert listed({}, "a") == []
    with pytest.raises(LeftOut, match="a field is malformed"):
        listed({"a": "x"}, "a")
    assert stated_size({"h": 10.0, "w": 20}, "h", "w") == (10, 20)
    assert stated_size({"h": 10, "w": None}, "h", "w") is None
    for side in (-1, math.inf, "10"):
        with pytest.raises(LeftOut, match="a field is malformed"):
            stated_size({"h": 10, "w": side}, "h", "w")
    assert kept({"a": 0, "b": "", "c": None, "d": 1}, "a", "b", "c", "e") == {"a": 0}
    assert ask(" Which? ", " A ", images=2) == (Turn("user", "<image><image>Which?"), Turn("assistant", "A"))


def test_an_image_is_found_by_name_without_suffix_with_another_one_or_by_a_windows_path(tmp_path):
    for name in ("a.tif", "a.png", "sub/b.JPG"):
        image(tmp_path / name)
    folder = ImageFolder(tmp_path)
    for name, file in (("a.tif", "a.tif"), ("a", "a.png"), ("a.bmp", "a.png"), ("sub\\b.jpeg", "sub/b.JPG")):
        assert folder.find(name) == tmp_path / file
    assert folder.find("gone", "sub/b") == tmp_path / "sub" / "b.JPG"
    with pytest.raises(LeftOut, match="its image is missing"):
        folder.find("gone", "no/where")
    with pytest.raises(NotADirectoryError, match="no folder of images"):
        ImageFolder(tmp_path / "a.png")


def test_an_image_has_the_size_of_its_header_which_the_annotation_may_not_contradict(tmp_path):
    image(tmp_path / "a.png", 200, 100)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    folder = ImageFolder(tmp_path)
    assert folder.ref("a").size == folder.ref("a", (100, 200)).size == (100, 200)
    with pytest.raises(LeftOut, match="another size than annotated") as caught:
        folder.ref("a", (200, 100))
    assert caught.value.detail == "a has 200 x 100 px, its annotation says 100 x 200"
    with pytest.raises(LeftOut, match="cannot be opened"):
        folder.ref("torn")


# --- boxes ------------------------------------------------------------------------------------------

KITE = [10, 0, 20, 5, 10, 30, 0, 5]
"""Four corners: its bounds are (0, 0, 20, 30)."""


def test_four_numbers_are_bounds_in_any_order_and_eight_are_corners():
    flat = box_of([30, 40, 10, 20], label="ship")
    assert (corners(flat), flat.horizontal, flat.label) == (quad(10, 20, 30, 40), True, "ship")
    kite = box_of(KITE)
    assert (corners(kite), kite.horizontal) == ([[10, 0], [20, 5], [10, 30], [0, 5]], False)
    assert not box_of([0, 0, 4, 4], horizontal=False).horizontal


def test_a_geometry_makes_bounds_or_the_smallest_rectangle_of_corners():
    bounds = box_of(KITE, "hbb")
    assert (corners(bounds), bounds.horizontal) == (quad(0, 0, 20, 30), True)
    rectangle = box_of([0, 0, 30, 0, 30, 10, 15, 10], "obb")
    assert (corners(rectangle), rectangle.horizontal) == (quad(0, 0, 30, 10), False)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ([1, 2, 3], "its box is malformed"),
        ("abcd", "its box is malformed"),
        ([1, 2, math.nan, 4], "its box is malformed"),
        ([0, 0, 1e8, 4], "its box is malformed"),
        ([1, 2, 1, 4], "its box has no area"),
    ],
)
def test_what_is_no_box_is_left_out_with_its_reason(numbers, reason):
    with pytest.raises(LeftOut, match=reason):
        box_of(numbers)


def test_a_box_is_outside_where_nothing_of_it_is_in_the_image():
    size = (100, 200)
    assert not outside(box_of([-10, -10, 1, 1]), size)
    assert not outside(box_of([199, 99, 300, 300]), size)
    assert outside(box_of([-10, 5, 0, 20]), size)
    assert outside(box_of([200, 5, 210, 20]), size)
    assert outside(box_of([150, 100, 160, 120]), size), "100 px high"


def test_an_account_names_the_first_places_of_each_reason():
    account = Account()
    assert account.reasons() == "it is empty"
    for number in range(3):
        account.leave_out(LeftOut("no phrase", "empty"), f"a.json: entry {number}")
    account.leave_out(LeftOut("no box"), "a.json: entry 9")
    account.changed["ids mended"] = 1200
    assert account.reasons() == "3 x no phrase; 1 x no box (first: a.json: entry 0: empty)"
    assert account.lines(2, "; see all") == [
        "3 left out: no phrase",
        "  a.json: entry 0: empty",
        "  a.json: entry 1: empty",
        "  and 1 more; see all",
        "1 left out: no box",
        "  a.json: entry 9",
        "1,200 changed: ids mended",
    ]
