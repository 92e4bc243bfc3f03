"""Class names as spoken, and the class that a written label stands for."""

import pytest

from detection_eval.errors import SettingError
from detection_eval.text.labels import LabelMatcher, by_spoken_name, singular, spoken

CLASSES = ("large-vehicle", "ship", "storage_tank")


@pytest.mark.parametrize(
    ("written", "label", "how"),
    [
        ("Large Vehicle", 0, "exact"),
        ("ships", 1, "plural"),
        ("boat", 1, "alias"),
        ("ship 2", 1, "numbered"),
        ("ship/vessel", 1, "either"),
    ],
)
def test_a_label_finds_its_class_by_the_first_rule_that_fits(written, label, how):
    found = LabelMatcher(CLASSES, {"boat": "ship"})(written)
    assert (found.label, found.how) == (label, how)


@pytest.mark.parametrize("written", ["car", "", "ship or storage tank", "x" * 500])
def test_a_label_of_no_single_class_has_none(written):
    assert LabelMatcher(CLASSES)(written) is None


def test_a_guess_is_made_only_above_the_cut_off():
    assert LabelMatcher(CLASSES, fuzzy=0.9)("storage tnak").label == 2
    assert LabelMatcher(CLASSES, fuzzy=0.9)("car") is None
    with pytest.raises(SettingError, match=r"outside \(0, 1\]"):
        LabelMatcher(CLASSES, fuzzy=1.5)
    with pytest.raises(SettingError, match="is for 'boat', which is not among"):
        LabelMatcher(CLASSES, {"vessel": "boat"})


def test_names_are_listed_as_they_are_spoken():
    assert [spoken(name) for name in CLASSES] == ["large vehicle", "ship", "storage tank"]
    assert by_spoken_name(["small-car", "Ship", "bridge"]) == ["bridge", "Ship", "small-car"]
    assert [singular(name) for name in ("buses", "houses", "ferries", "grass")] == [
        "bus",
        "house",
        "ferry",
        "grass",
    ]
