"""The run folder: a manifest, a log that survives, and refusals that name what differs."""

import json

import pytest

from rscovlm.bench.runs.folder import (
    MANIFEST,
    SAMPLES,
    SCORES,
    find_runs,
    open_log,
    read_run,
    record,
    refuse_what_is_there,
    write_manifest,
)
from rscovlm.errors import DataError, JournalError, UsageError
from tests.rscovlm.bench.made import item, row

FACTS = {"model": "nano", "zoom": "off", "sizes": (1, 2)}
ABOUT = {"name": "made", "title": "Made", "items": 3}


def written(folder, rows, facts=FACTS, **how):
    with open_log(folder, facts, **{"resume": False, "overwrite": False, **how}) as (journal, known):
        write_manifest(folder, "nano, overview", facts, ABOUT, device="cpu")
        record(journal, rows)
        return known


def test_what_was_recorded_is_read_with_its_manifest(tmp_path):
    rows = [row(item("a"), "yes"), row(item("b"), "no")]
    written(tmp_path, rows)
    run = read_run(tmp_path)
    assert (run.benchmark, run.label, run.asked) == ("made", "nano, overview", 3)
    assert run.rows == tuple(rows)
    assert run.manifest["facts"]["sizes"] == [1, 2]
    assert run.manifest["device"] == "cpu"


def test_an_item_asked_again_keeps_its_place_with_its_last_reply(tmp_path):
    written(tmp_path, [row(item("a"), "", error="lost"), row(item("b"), "no")])
    known = written(tmp_path, [row(item("a"), "yes")], resume=True)
    assert known["a"].error == "lost"
    assert [(each.item.key, each.text) for each in read_run(tmp_path).rows] == [("a", "yes"), ("b", "no")]


def test_a_log_of_another_job_is_refused_by_what_differs(tmp_path):
    written(tmp_path, [row(item("a"), "yes")])
    with pytest.raises(JournalError, match='zoom was "off", now "chain"'):
        written(tmp_path, [], {**FACTS, "zoom": "chain"}, resume=True)
    assert len(read_run(tmp_path).rows) == 1


def test_an_old_score_does_not_outlive_a_changed_log(tmp_path):
    written(tmp_path, [row(item("a"), "yes")])
    (tmp_path / SCORES).write_text("{}")
    written(tmp_path, [row(item("b"), "yes")], resume=True)
    assert not (tmp_path / SCORES).exists()


def test_a_torn_last_line_is_no_row(tmp_path):
    written(tmp_path, [row(item("a"), "yes"), row(item("b"), "no")])
    log = tmp_path / SAMPLES
    log.write_bytes(log.read_bytes()[:-20])
    assert [each.item.key for each in read_run(tmp_path).rows] == ["a"]


def test_a_run_that_exists_is_neither_replaced_nor_continued_unasked(tmp_path):
    refuse_what_is_there(tmp_path, resume=False, overwrite=False)
    written(tmp_path, [row(item("a"), "yes")])
    with pytest.raises(UsageError, match="--resume, or start anew with --overwrite"):
        refuse_what_is_there(tmp_path, resume=False, overwrite=False)
    with pytest.raises(UsageError, match="give one of them"):
        refuse_what_is_there(tmp_path, resume=True, overwrite=True)
    refuse_what_is_there(tmp_path, resume=True, overwrite=False)


def test_a_folder_that_cannot_be_made_is_refused_before_a_model_is_loaded(tmp_path):
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(NotADirectoryError, match="is a file"):
            refuse_what_is_there(folder, resume=False, overwrite=False)
    refuse_what_is_there(tmp_path / "new" / "run", resume=False, overwrite=False)
    assert not (tmp_path / "new").exists()
    written(tmp_path, [], overwrite=True)
    assert read_run(tmp_path).rows == ()


def test_manifest_and_log_have_to_be_of_one_job(tmp_path):
    written(tmp_path, [row(item("a"), "yes")])
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({**manifest, "hash": "0" * 64}))
    with pytest.raises(DataError, match="are of different jobs"):
        read_run(tmp_path)


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(DataError, match="holds no run"):
        read_run(tmp_path)
    with pytest.raises(DataError, match="neither is nor holds a run folder"):
        find_runs([tmp_path])
    (tmp_path / MANIFEST).write_text('{"schema": "rscovlm.run/0"}')
    (tmp_path / SAMPLES).write_text("")
    with pytest.raises(DataError, match="no manifest of this version"):
        read_run(tmp_path)


def test_runs_are_found_at_any_depth_once(tmp_path):
    for name in ("b", "a"):
        (tmp_path / "x" / name).mkdir(parents=True)
        written(tmp_path / "x" / name, [])
    assert find_runs([tmp_path, tmp_path / "x" / "a"]) == [tmp_path / "x" / "b", tmp_path / "x" / "a"]
