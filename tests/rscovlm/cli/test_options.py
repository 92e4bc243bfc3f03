"""Options that mean the same in every command."""

import pytest

from detection_eval.formats.class_lists import DIOR_R
from rscovlm.cli.options import read_bands, read_classes, read_list
from rscovlm.errors import UsageError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_classes_are_names_a_file_or_a_list(here):
    (here / "mine.txt").write_text("ship\nplane\n")
    assert read_classes("ship, small vehicle,ship") == ("ship", "small vehicle")
    assert read_classes("mine.txt") == ("ship", "plane")
    (here / "data.yaml").write_text("train: images/train\nnames: {0: ship, 1: plane}\n")
    assert read_classes("data.yaml") == ("ship", "plane")
    assert read_classes("dior-r") == DIOR_R
    assert read_classes("harbor") == ("harbor",)
    assert read_classes(None) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dota", "did you mean dota-v1.0 or dota-v1.5 or dota-v2.0?"),
        ("dotav1.0", "did you mean dota-v1.0?"),
        ("gone.txt", "no such file"),
        ("lists/ships", "no such file"),
        (" , ", "names nothing"),
    ],
)
def test_what_looks_like_a_list_or_a_file_and_is_none_is_refused(text, says):
    with pytest.raises(UsageError, match="--classes") as error:
        read_classes(text)
    assert says in str(error.value)


def test_lists_keep_their_order_and_drop_repeats():
    assert read_list("b,a,b", "--x") == ("b", "a")
    with pytest.raises(UsageError, match="--x ',' names nothing"):
        read_list(",", "--x")


def test_bands_are_numbers_or_names():
    assert read_bands("4, 3,2") == [4, 3, 2]
    assert read_bands("red,Green,5") == ["red", "Green", 5]
    assert read_bands(None) is None
    with pytest.raises(UsageError, match="--bands '1,,2'"):
        read_bands("1,,2")
