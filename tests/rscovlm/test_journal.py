"""The journal: nothing recorded is lost, nothing counts twice, and other work is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rscovlm.errors import JournalError
from rscovlm.journal import Journal, differences, journal_path, parameters_hash, read_journal, results_in

PARAMETERS = {"scene": "a.tif", "tile": 512, "classes": ["plane", "ship"]}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.gpkg.journal.jsonl"


def test_the_journal_lies_beside_its_output():
    assert journal_path(Path("maps/out.gpkg")) == Path("maps/out.gpkg.journal.jsonl")


def test_what_was_added_is_there_after_reopening(path):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"0,0,512,512": {"labels": [0], "polygons": [[0.1, 1 / 3]]}})
        journal.append({"512,0,512,512": None, "0,512,512,512": []})
    with Journal(path, PARAMETERS, resume=True) as journal:
        assert journal.done == {
            "0,0,512,512": {"labels": [0], "polygons": [[0.1, 1 / 3]]},
            "512,0,512,512": None,
            "0,512,512,512": [],
        }


def test_a_key_added_twice_keeps_its_first_value(path):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"a": 1})
        journal.append({"a": 2})
        assert journal.done == {"a": 1}
    with Journal(path, PARAMETERS, resume=True) as journal:
        assert journal.done == {"a": 1}


def test_tuples_in_parameters_equal_the_lists_that_json_makes_of_them(path):
    with Journal(path, {"classes": ("plane", "ship")}) as journal:
        journal.append({"a": 1})
    with Journal(path, {"classes": ["plane", "ship"]}, resume=True) as journal:
        assert journal.done == {"a": 1}


@given(cut=st.integers(min_value=1, max_value=200))
@settings(max_examples=40, deadline=None)
def test_a_file_cut_anywhere_resumes_with_its_whole_lines(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    with Journal(path, PARAMETERS) as journal:
        for number in range(5):
            journal.append({str(number): {"number": number}})
    recorded = path.read_bytes()
    torn = recorded[: max(0, len(recorded) - cut)]
    path.write_bytes(torn)
    whole = max(0, torn.count(b"\n") - 1)
    with Journal(path, PARAMETERS, resume=True) as journal:
        assert journal.done == {str(number): {"number": number} for number in range(whole)}
        journal.append({str(number): {"number": number} for number in range(whole, 5)})
    assert path.read_bytes() == recorded


def test_threads_that_append_at_once_leave_whole_lines(path):
    with Journal(path, PARAMETERS) as journal, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.append({str(number): "x" * 20_000}), range(100)))
    with Journal(path, PARAMETERS, resume=True) as journal:
        assert sorted(journal.done, key=int) == [str(number) for number in range(100)]


def test_nothing_is_left_of_a_torn_line_that_was_longer_than_what_comes_after_it(path):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"a": 1})
        journal.append({"b": "x" * 500})
    path.write_bytes(path.read_bytes()[:-5])
    with Journal(path, PARAMETERS, resume=True) as journal:
        journal.append({"c": 3})
    assert path.read_bytes().endswith(b"}\n")
    with Journal(path, PARAMETERS, resume=True) as journal:
        assert journal.done == {"a": 1, "c": 3}


def test_changed_parameters_are_refused_and_each_change_is_named(path):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"a": 1})
    recorded = path.read_bytes()
    changed = {"scene": "a.tif", "tile": 256, "classes": ["plane"], "seed": 1}
    with pytest.raises(JournalError) as error:
        Journal(path, changed, resume=True)
    message = str(error.value)
    assert "tile was 512, now 256" in message
    assert 'classes was ["plane", "ship"], now ["plane"]' in message
    assert "seed was null, now 1" in message
    assert "scene was" not in message
    assert path.read_bytes() == recorded


def test_of_values_inside_others_those_that_differ_are_named_and_of_fingerprints_that_they_do():
    before = {"zoom": {"budget": {"zooms": 4, "views": 9}}, "items": "0" * 64, "mix": None}
    now = {
        "zoom": {"budget": {"zooms": 6, "views": 9}},
        "items": "a" * 64,
        "mix": {"a": 1},
    }
    assert differences(before, now) == {
        "items": "items: other content",
        "mix": 'mix was null, now {"a": 1}',
        "zoom.budget.zooms": "zoom.budget.zooms was 4, now 6",
    }


def test_a_journal_with_results_is_refused_without_resume_and_stays_as_it_is(path):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"a": 1})
    recorded = path.read_bytes()
    with pytest.raises(JournalError, match=r"--resume.*--overwrite"):
        Journal(path, PARAMETERS)
    assert path.read_bytes() == recorded


def test_a_journal_without_results_stands_in_nobodys_way(path):
    Journal(path, {"tile": 1}).close()
    with Journal(path, PARAMETERS) as journal:
        assert journal.done == {}
    header = json.loads(path.read_text())
    assert header["parameters"] == PARAMETERS
    assert header["hash"] == parameters_hash(PARAMETERS)


def test_overwrite_starts_anew(path):
    with Journal(path, {"tile": 1}) as journal:
        journal.append({"a": 1})
    with Journal(path, PARAMETERS, overwrite=True) as journal:
        assert journal.done == {}
    assert path.read_text().count("\n") == 1


def test_nothing_of_the_old_run_comes_back_after_overwrite_though_its_parameters_are_the_same(path):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"a": "old", "b": "old", "c": "old"})
    with Journal(path, PARAMETERS, overwrite=True) as journal:
        assert journal.done == {}
        journal.append({"b": "new"})
    with Journal(path, PARAMETERS, resume=True) as journal:
        assert journal.done == {"b": "new"}


@pytest.mark.parametrize("line", [0, 1, 2])
def test_damage_before_the_last_line_is_an_error_that_names_the_line(path, line):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"a": 1, "b": 2})
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = b"{'broken\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalError, match=f"damaged at line {line + 1}"):
        Journal(path, PARAMETERS, resume=True)


def test_a_header_whose_parameters_were_edited_is_damaged(path):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"a": 1})
    path.write_text(path.read_text().replace("512", "256", 1))
    with pytest.raises(JournalError, match="damaged at line 1"):
        Journal(path, {**PARAMETERS, "tile": 256}, resume=True)


def test_two_runs_cannot_hold_one_journal(path):
    with Journal(path, PARAMETERS), pytest.raises(JournalError, match="in use by another run"):
        Journal(path, PARAMETERS, resume=True)


def test_removing_deletes_the_file(path):
    journal = Journal(path, PARAMETERS)
    journal.append({"a": 1})
    journal.remove()
    assert not path.exists()


def test_what_a_killed_process_had_added_is_on_the_disk(path):
    code = (
        "import sys, time; from pathlib import Path; from rscovlm.journal import Journal\n"
        f"journal = Journal(Path(sys.argv[1]), {PARAMETERS!r})\n"
        "journal.append({'a': 1, 'b': 2})\n"
        "print('added', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout.readline() == b"added\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with Journal(path, PARAMETERS, resume=True) as journal:
        assert journal.done == {"a": 1, "b": 2}


def test_the_last_record_of_a_key_counts_where_a_part_of_the_work_is_done_again(path):
    with Journal(path, PARAMETERS, latest=True) as journal:
        journal.append({"a": "failed", "b": 1})
        journal.append({"a": 2})
        assert journal.done == {"a": 2, "b": 1}
    with Journal(path, PARAMETERS, resume=True, latest=True) as journal:
        assert journal.done == {"a": 2, "b": 1}


def test_a_journal_is_read_by_others_while_it_is_held(path):
    with Journal(path, PARAMETERS) as journal:
        journal.append({"a": 1})
        with path.open("ab") as file:
            file.write(b'{"key": "torn')
        assert read_journal(path) == (PARAMETERS, [("a", 1)])


@pytest.mark.parametrize("content", [b"", b"[1]\n", b'{"schema": "another"}\n'])
def test_what_is_no_journal_is_not_read(path, content):
    path.write_bytes(content)
    with pytest.raises(JournalError, match="damaged at line 1"):
        read_journal(path)


def test_results_are_counted_without_opening_a_journal(path):
    assert results_in(path) == 0
    with Journal(path, {"a": 1}) as journal:
        assert results_in(path) == 0
        journal.append({"x": 1, "y": 2})
        assert results_in(path) == 2
    with path.open("ab") as file:
        file.write(b'{"key": "torn')
    assert results_in(path) == 2


def test_a_long_value_is_told_from_where_it_differs(path):
    """The identity of a model is long, and often differs at its end alone."""
    common = "model.safetensors 123456 bytes " * 5
    with Journal(path, {"model": common + "111 ns"}) as journal:
        journal.append({"a": 1})
    with pytest.raises(JournalError) as caught:
        Journal(path, {"model": common + "222 ns"}, resume=True)
    assert 'model was ...456 bytes 111 ns", now ...456 bytes 222 ns".' in str(caught.value)
