"""Other words for classes: the lists that come with the package, and those in files."""

import pytest

from detection_eval.errors import FormatError, SettingError
from detection_eval.formats.class_lists import CLASS_LISTS
from detection_eval.text.aliases import ALIAS_LISTS, aliases_for, read_aliases
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.labels import spoken
from detection_eval.text.parsing import parse_response


@pytest.mark.parametrize(
    "text",
    [
        "airplane = plane\nboat = ship  # of any size\n\n# nothing else\nsmall car = small-vehicle\n",
        "airplane: plane\nboat: ship\nsmall car: small-vehicle\n",
        "plane: [airplane]\nship:\n  - boat\nsmall-vehicle: [small car]\n",
    ],
)
def test_lines_and_yaml_say_the_same(tmp_path, text):
    path = tmp_path / "aliases"
    path.write_text(text)
    assert read_aliases(path) == {"airplane": "plane", "boat": "ship", "small car": "small-vehicle"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no class|expected"),
        ("airplane plane\n", "expected 'word = class'"),
        ("airplane = plane\nboat\n", ":2: 'boat' is not word = class"),
        ("boat = ship\nBoat = harbor\n", "'Boat' is given to 'ship' and to 'harbor'"),
        ("boat: 3\n", "all text"),
        ("boat: {ship: 1}\n", "all text"),
        ("[1, 2", "neither lines"),
        ("a: &a [*a]", "all text|neither lines"),
    ],
)
def test_a_file_of_something_else_is_refused_by_its_line(tmp_path, text, message):
    path = tmp_path / "aliases.txt"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read_aliases(path)


def test_a_list_that_is_neither_known_nor_a_file_is_refused_with_the_choices():
    with pytest.raises(SettingError, match="choose dota, dior-r"):
        read_aliases("doda")


@pytest.mark.parametrize(("name", "classes"), [("dota", "dota-v2.0"), ("dior-r", "dior-r")])
def test_the_shipped_lists_are_for_classes_of_their_data_set_and_rename_none_of_them(name, classes):
    names = {spoken(known) for known in CLASS_LISTS[classes]}
    assert {spoken(target) for target in ALIAS_LISTS[name].values()} <= names
    assert not {spoken(word) for word in ALIAS_LISTS[name]} & names
    assert aliases_for(ALIAS_LISTS[name], CLASS_LISTS[classes]) == (ALIAS_LISTS[name], ())


def test_only_words_for_the_classes_asked_are_used_and_the_others_named():
    words = {"boat": "ship", "car": "small vehicle", "plane": "airplane"}
    assert aliases_for(words, ["small-vehicle", "plane"]) == ({"car": "small-vehicle"}, ("ship", "airplane"))
    assert aliases_for({"boat": "ship"}, ["boat", "ship"]) == ({}, ())  # both are classes here


def test_an_alias_is_read_in_a_reply_and_each_use_is_noted():
    text = '[{"bbox_2d": [1, 2, 30, 40], "label": "airplane"}, {"bbox_2d": [1, 2, 30, 40], "label": "Boats"}]'
    read = parse_response(
        text,
        CONTRACTS["qwen2.5-vl"],
        ("plane", "ship"),
        100,
        100,
        aliases={"airplane": "plane", "boat": "ship"},
    )
    assert read.detections.names == ["plane", "ship"]
    assert read.report.repaired == {"label by alias": 2}
