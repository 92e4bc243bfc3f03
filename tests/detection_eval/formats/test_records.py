"""Collections: class names of files against those asked for."""

from detection_eval.formats import (
    read,
)
from detection_eval.formats.class_lists import classes
from tests.detection_eval.formats.material import NAMES


def test_names_of_classes_match_as_spoken(tmp_path):
    (tmp_path / "a.txt").write_text("0 0 4 0 4 4 0 4 Small_Vehicle 0\n")
    assert read(tmp_path / "a.txt", classes=NAMES).detections["a"].names == ["small-vehicle"]


def test_other_categories_of_fair1m_are_left_out_with_a_note(tmp_path):
    lines = [f"0 0 4 0 4 4 0 4 {name} 0" for name in ("Dry Cargo Ship", "other-ship")]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    back = read(tmp_path / "a.txt", classes=classes("fair1m"))
    assert back.detections["a"].names == ["Dry Cargo Ship"]
    assert back.notes == ("1 box of categories other-... is left out",)
    assert len(read(tmp_path / "a.txt", classes=classes("fair1m-37")).detections["a"]) == 2
