"""Class lists: published lengths, and lists from files."""

import pytest

from detection_eval.errors import FormatError, SettingError
from detection_eval.formats.class_lists import CLASS_LISTS, HRSC2016_CODES, classes


def test_class_lists_have_their_published_lengths():
    lengths = {name: len(names) for name, names in CLASS_LISTS.items()}
    assert lengths == {
        "dota-v1.0": 15,
        "dota-v1.5": 16,
        "dota-v2.0": 18,
        "dior-r": 20,
        "fair1m": 34,
        "fair1m-37": 37,
        "hrsc2016": 1,
        "hrsc2016-31": 31,
        "srsdd": 6,
        "srsdd-mmrotate": 6,
        "rsar": 6,
    }
    assert all(len(set(names)) == len(names) for names in CLASS_LISTS.values())
    assert sorted(classes("srsdd")) == sorted(classes("srsdd-mmrotate"))
    assert HRSC2016_CODES["22"] == "Hovercraft"


def test_a_class_list_can_come_from_a_file(tmp_path):
    (tmp_path / "names.txt").write_text("# mine\nship\n\nDry Cargo Ship\n")
    assert classes(tmp_path / "names.txt") == ("ship", "Dry Cargo Ship")
    (tmp_path / "names.txt").write_text("ship\nship\n")
    with pytest.raises(FormatError, match="class 'ship' is listed twice"):
        classes(tmp_path / "names.txt")
    with pytest.raises(SettingError, match="no class list 'dota'; choose dota-v1"):
        classes("dota")
