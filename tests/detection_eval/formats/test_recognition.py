"""Formats recognised by content."""

import pytest

from detection_eval.errors import FormatError
from detection_eval.formats import (
    FORMATS,
    detect_format,
    read,
    write,
)
from tests.detection_eval.formats.material import (
    TWINS,
    sample,
    target,
)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_told_apart_by_content(tmp_path, name):
    path = target(tmp_path, name)
    write(path, sample(name), name)
    assert detect_format(path) == TWINS.get(name, name)
    if path.is_dir() and name != "task1":
        assert detect_format(
            path / "P0000.xml" if "xml" in str(list(path.iterdir())) else path / "P0000.txt"
        ) == (TWINS.get(name, name))


@pytest.mark.parametrize("content", [b"[]", b"[\n]\n", b"\xef\xbb\xbf [ ] "])
def test_an_empty_list_is_results_without_boxes_and_needs_no_class_list(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_bytes(content)
    for format in (None, "mmrotate-json", "ultralytics-json"):
        assert len(read(path, format).images) == 0
    assert detect_format(path) == "mmrotate-json"


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01", b"<html></html>", b"[1, 2]", b"words only\n", b'{"a": 1}']
)
def test_what_cannot_be_told_asks_for_a_name(tmp_path, content):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.bin: format not recognised; give"):
        detect_format(tmp_path / "a.bin")


_DOTA = "10 10 30 10 30 30 10 30 plane 0\n"
_YOLO = "0 0.1 0.1 0.3 0.1 0.3 0.3 0.1 0.3\n"


@pytest.mark.parametrize(
    ("files", "places"),
    [
        ({"labels/train/a.txt": _YOLO, "labels/val/a.txt": _YOLO}, ["labels/train", "labels/val"]),
        ({"train/labels/a.txt": _YOLO, "valid/labels/a.txt": _YOLO}, ["train/labels", "valid/labels"]),
        ({"labels/a.txt": _YOLO, "classes.txt": "plane\nship\n", "train.txt": "a.png\n"}, ["labels"]),
        ({"train/labelTxt/a.txt": _DOTA, "val/labelTxt/a.txt": _DOTA}, ["train/labelTxt", "val/labelTxt"]),
        ({"labelTxt/a.txt": _DOTA, "readme.json": "{}"}, ["labelTxt"]),
        (
            {f"annotations/{split}.json": '{"images": [], "annotations": []}' for split in ("train", "val")},
            ["annotations/train.json", "annotations/val.json"],
        ),
        ({"a.json": '{"images": []}', "b.json": '{"images": []}'}, ["a.json", "b.json"]),
    ],
)
def test_of_the_root_of_a_data_set_the_places_of_its_annotations_are_named(tmp_path, files, places):
    for name, text in ({"images/train/a.png": "", "data.yaml": "names: [plane, ship]\n"} | files).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(FormatError) as raised:
        detect_format(tmp_path)
    for place in places:
        name = detect_format(tmp_path / place)
        assert f"{tmp_path / place} ({name})" in str(raised.value)
    assert str(raised.value).count(" (") == len(places)


def test_empty_label_files_are_of_images_without_objects(tmp_path):
    (tmp_path / "P0001.txt").touch()
    assert detect_format(tmp_path) == "dota"


def test_numbers_of_classes_name_the_file_that_has_their_names(tmp_path):
    (tmp_path / "labels" / "val").mkdir(parents=True)
    (tmp_path / "labels" / "val" / "a.txt").write_text(_YOLO)
    with pytest.raises(FormatError, match=r"in order$"):
        read(tmp_path / "labels" / "val", sizes=(100, 100))
    (tmp_path / "data.yaml").write_text("names: [plane, ship]\n")
    with pytest.raises(FormatError, match=r"in order, such as .*data\.yaml$"):
        read(tmp_path / "labels" / "val", sizes=(100, 100))
