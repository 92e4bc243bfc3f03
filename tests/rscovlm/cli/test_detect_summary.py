"""What is said about several scenes: counts over all, JSON of each, and what is missing."""

from __future__ import annotations

import json

import pytest

from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.painted import TRUTH, find_squares, paint
from zoom_chain.chat import Reply

COUNT = len(TRUTH)
COMMAND = ("detect", "--model", MODEL)


@pytest.fixture
def two(tmp_path):
    return [paint(tmp_path / f"{name}.tif", gsd_m=1.2) for name in ("a", "b")]


def test_counts_are_over_all_scenes_and_each_has_its_line(run, scripted, two):
    engine = scripted(find_squares)
    done = run(*COMMAND, *two)
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()] == [
        [str(2 * COUNT), "ship"],
        [str(2 * COUNT), "objects", "in", "all"],
    ]
    assert f"a: {COUNT:,} objects" in done.err
    assert f"b: {COUNT:,} objects" in done.err
    assert "parsing: responses 50" in done.err
    assert engine.closed


def test_one_model_is_loaded_for_all(run, scripted, two, monkeypatch):
    engine, loads = scripted(find_squares), []
    monkeypatch.setattr("rscovlm.engines.load_model", lambda spec, **_: loads.append(spec) or engine)
    assert run(*COMMAND, *two).code == 0
    assert len(loads) == 1


def test_json_has_a_summary_of_each_scene_with_its_boxes(run, scripted, two):
    scripted(find_squares)
    found = json.loads(run(*COMMAND, *two, "--json").out)
    assert [scene["scene"] for scene in found["scenes"]] == [str(path) for path in two]
    assert [len(scene["detections"]) for scene in found["scenes"]] == [COUNT, COUNT]
    assert found["objects"] == {"ship": 2 * COUNT}
    assert found["failed_scenes"] == found["scenes_outside"] == []
    assert found["model"] == MODEL


def test_a_pattern_that_matches_one_scene_has_the_form_of_several(run, scripted, two):
    scripted(find_squares)
    assert len(json.loads(run(*COMMAND, two[0].with_name("a*.tif"), "--json").out)["scenes"]) == 1
    assert "scenes" not in json.loads(run(*COMMAND, two[0], "--json").out)


def test_a_scene_that_cannot_be_opened_costs_itself_alone(run, scripted, two, tmp_path):
    scripted(find_squares)
    (tmp_path / "broken.tif").write_bytes(two[0].read_bytes()[:500])
    none = tmp_path / "none.tif"
    given = (two[0], tmp_path / "broken.tif", none, two[1])
    output = tmp_path / "all.gpkg"
    done = run(*COMMAND, *given, "--output", output)
    assert done.code == 1
    assert f"{2 * COUNT}  ship" in done.out
    last = done.err.splitlines()[-3:]
    assert [line.split(":")[0] for line in last[:2]] == ["not examined"] * 2
    assert f"{none}: {none} does not exist" in last[1]
    assert "2 of 4 scenes could not be examined" in last[2]
    found = run(*COMMAND, *given, "--output", output, "--json", "--resume", "--allow-failed")
    assert found.code == 0
    assert [each["scene"] for each in json.loads(found.out)["failed_scenes"]] == list(map(str, given[1:3]))


@pytest.mark.usefixtures("no_model")
def test_where_no_scene_can_be_opened_nothing_is_written(run, tmp_path):
    done = run(*COMMAND, tmp_path / "x.tif", tmp_path / "y.tif", "--output", tmp_path / "all.gpkg")
    assert (done.code, done.out) == (2, "")
    assert "x.tif does not exist" in done.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_failed_tiles_of_all_scenes_are_summed(run, scripted, two):
    calls = iter(range(50))
    scripted(lambda c: Reply("", "error", error="gone") if next(calls) in (3, 40) else find_squares(c))
    done = run(*COMMAND, *two)
    assert done.code == 1
    # Tile 3 of a and tile 15 of b; cores of 64 x 112 px and 112 x 64 px of twice 448 x 448 px.
    share = (64 * 112 + 112 * 64) / (2 * 448 * 448)
    assert f"2 of 50 tiles failed, {share:.1%} of the area not examined; tile 3: gone" in done.err


def test_a_scene_named_twice_is_examined_once(run, scripted, two):
    engine = scripted(find_squares)
    done = run(*COMMAND, two[0], two[0].parent / "." / "a.tif", two[0])
    assert sum(map(len, engine.batches)) == 25
    assert "named more than once are examined once: 1 of 3 are left" in done.err
