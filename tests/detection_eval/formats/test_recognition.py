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
