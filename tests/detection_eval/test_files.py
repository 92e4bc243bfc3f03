"""Files appear whole or not at all; a lock keeps a second process out and goes with its holder."""

import errno
import multiprocessing
import os
import signal
import time
from types import SimpleNamespace

import pytest

from detection_eval.files import (
    InUse,
    atomic_path,
    check_folder,
    commit_folder,
    locked,
    without_nan,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path):
    with atomic_path(tmp_path / "a.txt") as path:
        path.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_a_failure_leaves_what_was_there(tmp_path):
    write_text(tmp_path / "a.txt", "old")

    def fail():
        with atomic_path(tmp_path / "a.txt") as path:
            path.write_text("half")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_keeps_the_files_of_others(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "mine.txt").write_text("kept")
    (folder / "Task1_ship.txt").write_text("old")
    with atomic_path(folder) as path:
        path.mkdir()
        (path / "Task1_ship.txt").write_text("new")
    assert (folder / "mine.txt").read_text() == "kept"
    assert (folder / "Task1_ship.txt").read_text() == "new"
    assert names(tmp_path) == ["results"]


def test_json_holds_no_nan(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("where", "error"), [("missing/a.txt", FileNotFoundError), ("file/a.txt", NotADirectoryError)]
)
def test_a_folder_that_cannot_hold_the_output_is_named(tmp_path, where, error):
    (tmp_path / "file").touch()
    with pytest.raises(error, match=r"a\.txt"):
        check_folder(tmp_path / where)


def test_a_committed_folder_replaces_the_old_one_whole(tmp_path):
    final, partial = tmp_path / "model", tmp_path / ".partial-model"
    final.mkdir()
    (final / "old.bin").touch()
    partial.mkdir()
    (partial / "new.bin").touch()
    commit_folder(partial, final)
    assert names(final) == ["new.bin"]
    assert names(tmp_path) == ["model"]


def hold(path, ready, children):
    """Hold a lock for ever, with a forked child that lives on."""
    with locked(path):
        if children:
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            ready.put(child)
        ready.put(os.getpid())
        time.sleep(60)


def held(path, children=False):
    context = multiprocessing.get_context("fork")
    ready = context.Queue()
    process = context.Process(target=hold, args=(path, ready, children))
    process.start()
    child = ready.get(timeout=20) if children else None
    ready.get(timeout=20)
    return process, child


def test_a_second_process_is_kept_out_until_the_first_is_killed(tmp_path):
    process, _ = held(tmp_path / "run")
    with pytest.raises(InUse, match="in use"), locked(tmp_path / "run"):
        pass
    process.kill()
    process.join()
    with locked(tmp_path / "run"):
        pass
    assert names(tmp_path) == []


def test_a_child_that_outlives_the_holder_does_not_keep_the_lock(tmp_path):
    process, child = held(tmp_path / "run", children=True)
    try:
        process.kill()
        process.join()
        with locked(tmp_path / "run"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def write_slowly(path):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        (path.parent / "ready").touch()
        time.sleep(60)


def test_what_a_killed_writer_leaves_goes_with_the_next_one_but_not_what_another_writes(tmp_path):
    path = tmp_path / "out [1].txt"
    process = multiprocessing.get_context("spawn").Process(target=write_slowly, args=(path,))
    process.start()
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    (tmp_path / ".out [1].txt.mine").mkdir()  # of somebody else
    write_text(path, "whole")
    assert len(names(tmp_path)) == 4  # the result, "ready", and both folders
    process.kill()
    process.join()
    write_text(path, "whole")
    assert set(names(tmp_path)) == {"out [1].txt", "ready", ".out [1].txt.mine"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_names_the_file_that_could_not_be_written(tmp_path, number):
    with pytest.raises(OSError) as full, atomic_path(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))
    assert full.value.filename == str(tmp_path / "a.txt")
    with pytest.raises(OSError) as other, atomic_path(tmp_path / "a.txt"):
        raise OSError(errno.EPIPE, "Broken pipe")
    assert other.value.filename is None


@pytest.mark.parametrize(("free", "said"), [(4096, "No space left"), (1 << 30, "no such table")])
def test_a_library_that_does_not_say_why_it_cannot_write_is_asked_what_is_left(
    tmp_path, monkeypatch, free, said
):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(OSError, match=said), atomic_path(tmp_path / "a.gpkg"):
        raise OSError("no such table: gpkg_contents")
    assert not list(tmp_path.iterdir())


def test_the_exception_before_is_told_in_place_of_a_hint_at_it(tmp_path):
    with pytest.raises(OSError, match=r"cannot write a\.tif: bad strip"), atomic_path(tmp_path / "a.tif"):
        raise OSError("Write failed. See previous exception for details.") from ValueError("bad strip")


def test_numbers_that_json_does_not_have_become_none_at_any_depth():
    assert without_nan({"a": [float("nan"), 1.0, (float("inf"), "x")], "b": {"c": -0.5}}) == {
        "a": [None, 1.0, [None, "x"]],
        "b": {"c": -0.5},
    }
