"""Lines and JSON lines: numbers, byte order marks, and errors that name file and line."""

import pytest

from detection_eval.errors import CannotWrite, FormatError
from detection_eval.formats.lines import (
    check_names,
    finite_numbers,
    json_lines,
    numbered_lines,
    read_json,
    shortest,
    text_files,
)


def test_empty_lines_count_and_are_skipped(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbffirst\r\n\n  third \n")
    assert list(numbered_lines(tmp_path / "a.txt")) == [(1, "first"), (3, "third")]


def test_json_lines_have_their_places(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n[2]')
    assert list(json_lines(path)) == [(f"{path}:1", {"a": 1}), (f"{path}:3", [2])]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"1\n{\n", r"a\.jsonl:2: not JSON"), (b"1\n\n\xff\n", r"a\.jsonl:3: not UTF-8 text \(byte 0\)")],
)
def test_errors_name_file_and_line(tmp_path, content, message):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        list(json_lines(tmp_path / "a.jsonl"))


def test_only_the_last_line_may_be_torn(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"ste')
    assert [value for _, value in json_lines(path, may_be_torn=True)] == [{"step": 1}]
    path.write_text('{"ste\n{"step": 2}\n')
    with pytest.raises(FormatError, match=r"log\.jsonl:1: not JSON"):
        list(json_lines(path, may_be_torn=True))


def test_broken_json_is_told_by_line(tmp_path):
    (tmp_path / "a.json").write_text('{"a":\n')
    with pytest.raises(FormatError, match=r"a\.json:2: not JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("written", ["nan", "1_0", None, "inf", 10**400])
def test_what_is_not_a_finite_number_is_refused_with_its_place(written):
    assert finite_numbers(["1.5", 2], "a:1") == [1.5, 2.0]
    with pytest.raises(FormatError, match=r"a:1: .* is not a finite number"):
        finite_numbers([written], "a:1")


@pytest.mark.parametrize(("name", "spaces"), [("", True), (" a", True), ("a  b", True), ("a b", False)])
def test_names_have_to_fit_into_columns(name, spaces):
    check_names(["a b", "c"])
    with pytest.raises(CannotWrite, match="does not fit"):
        check_names([name], spaces=spaces)


def test_numbers_are_written_in_the_shortest_form_that_reads_back():
    assert [shortest(value) for value in (3.0, 0.1, -2.5, 1e20)] == ["3", "0.1", "-2.5", "1e+20"]


def test_a_folder_is_its_files_in_order(tmp_path):
    for name in ("b.txt", "a.TXT", "c.xml"):
        (tmp_path / name).touch()
    assert [path.name for path in text_files(tmp_path)] == ["a.TXT", "b.txt"]
    with pytest.raises(FileNotFoundError, match=r"no \*\.json file"):
        text_files(tmp_path, ".json")
