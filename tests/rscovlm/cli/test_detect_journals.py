"""The journals of several scenes: kept until all is done, so that a run goes on where it ended."""

from __future__ import annotations

import os

import geopandas
import pytest

from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.painted import TRUTH, find_squares, paint
from zoom_chain.chat import Reply

COUNT = len(TRUTH)


@pytest.fixture
def two(tmp_path):
    return [paint(tmp_path / f"{name}.tif", gsd_m=1.2) for name in ("a", "b")]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def stopping_after(tiles: int):
    """A model that is interrupted."""
    calls = iter(range(1000))

    def reply(conversation):
        if next(calls) >= tiles:
            raise KeyboardInterrupt
        return find_squares(conversation)

    return reply


@pytest.mark.parametrize("output", ["all.gpkg", "{name}.gpkg"])
def test_a_run_that_stopped_in_its_second_scene_goes_on_there(run, scripted, two, folder, output):
    command = ("detect", "--model", MODEL, *two, "--output", folder / output, "--batch-size", 5)
    scripted(stopping_after(35))
    done = run(*command)
    assert done.code == 130
    assert "interrupted after 35 of 50 tiles; the same command with --resume goes on" in done.err
    journals = [name for name in names(folder) if "journal" in name]
    each = ["all.gpkg.a", "all.gpkg.b"] if output == "all.gpkg" else ["a.gpkg", "b.gpkg"]
    assert journals == [f"{name}.journal.jsonl" for name in each]
    again = run(*command)
    assert again.code == 2
    assert "--resume" in again.err
    engine = scripted(find_squares)
    assert run(*command, "--resume").code == 0
    assert sum(map(len, engine.batches)) == 15
    assert not [name for name in names(folder) if "journal" in name]
    files = [folder / output.replace("{name}", name) for name in ("a", "b")]
    assert sum(len(geopandas.read_file(file, layer="detections")) for file in set(files)) == 2 * COUNT


def test_a_scene_with_failed_tiles_keeps_the_journals_of_all(run, scripted, two, folder):
    command = ("detect", "--model", MODEL, *two, "--output", folder / "all.json")
    calls = iter(range(50))
    scripted(lambda c: Reply("", "error", error="gone") if next(calls) == 30 else find_squares(c))
    assert run(*command).code == 1
    assert len(names(folder)) == 3
    # The batch of the failed tile is asked again as a whole, and none of the other scene.
    engine = scripted(find_squares)
    assert run(*command, "--resume").code == 0
    assert [len(batch) for batch in engine.batches] == [16]
    assert names(folder) == ["all.json"]


def test_a_scene_that_changed_is_told_before_a_model_is_loaded(run, scripted, two, folder, monkeypatch):
    command = ("detect", "--model", MODEL, *two, "--output", folder / "all.json", "--batch-size", 5)
    scripted(stopping_after(35))
    assert run(*command).code == 130
    facts = two[1].stat()
    os.utime(two[1], ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))

    def load(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("rscovlm.engines.load_model", load)
    done = run(*command, "--resume")
    assert done.code == 2
    assert "scene was" in done.err
    assert "all.json.b.journal.jsonl" in done.err


def test_a_scene_may_be_added_to_a_run_that_goes_on(run, scripted, two, folder, tmp_path):
    command = ("detect", "--model", MODEL, tmp_path, "--output", folder / "all.json", "--batch-size", 5)
    scripted(stopping_after(35))
    assert run(*command).code == 130
    paint(tmp_path / "c.tif", gsd_m=1.2)
    engine = scripted(find_squares)
    assert run(*command, "--resume").code == 0
    assert sum(map(len, engine.batches)) == 15 + 25


def test_an_empty_journal_does_not_open_the_way_to_replace_an_output(run, scripted, two, folder):
    from rscovlm.journal import Journal

    scripted(find_squares)
    (folder / "all.json").write_text("kept")
    with Journal(folder / "all.json.a.journal.jsonl", {}):
        pass
    done = run("detect", "--model", MODEL, *two, "--output", folder / "all.json")
    assert done.code == 2
    assert "all.json exists; add --overwrite" in done.err
    assert (folder / "all.json").read_text() == "kept"
