"""Detection over tiles: each object once, whatever the tiles, batches, failures and interruptions."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from detection_eval.text.contracts import CONTRACTS
from rscovlm.errors import JournalError, UsageError
from rscovlm.journal import Journal
from rscovlm.models.families import FAMILIES
from rscovlm.tasks.detect import (
    Detection,
    TileReply,
    detect_scene,
    plan_detection,
    read_ahead,
    tile_key,
    wanted_classes,
)
from rscovlm.tasks.task import score_reply
from rscovlm.tasks.tiles import plan_tiles
from tests.rscovlm.painted import FAMILY, SIDE, SQUARE, TRUTH, find_squares, paint
from tests.rscovlm.scripted import ScriptedEngine
from tests.rscovlm.tasks.replies import QUAD, SIZE, listed
from tiling.errors import SceneUnreadable
from tiling.grid import Tile
from tiling.scene import Scene
from tiling.view import Window
from zoom_chain.chat import Generation, Reply

STEP = 128 / 1000
"""Scene px between two coordinates that the model can write about a tile at full resolution."""


@pytest.fixture
def scene(tmp_path):
    with Scene(paint(tmp_path / "squares.tif")) as opened:
        yield opened


def ordered(polygons: np.ndarray) -> np.ndarray:
    """Boxes by their rounded top-left corners."""
    keys = polygons.min(axis=1).round()
    return polygons[np.lexsort(keys.T)]


def same(first, second) -> bool:
    return first.detections == second.detections and first.failures == second.failures


def test_every_object_is_found_once_at_its_place(scene):
    found = detect_scene(scene, ScriptedEngine(find_squares)).detections
    assert len(found) == len(TRUTH)
    assert np.abs(ordered(found.polygons) - ordered(TRUTH)).max() <= STEP
    assert set(found.names) == {"ship"}
    assert found.scores is None


@pytest.mark.parametrize(("tile", "overlap"), [(128, 24), (128, 64), (96, 48)])
def test_every_object_is_found_once_for_any_overlap_larger_than_it(scene, tile, overlap):
    plan = plan_tiles(scene, FAMILY, tile=tile, overlap=overlap)
    found = detect_scene(scene, ScriptedEngine(find_squares), plan_detection(scene, FAMILY, plan=plan))
    assert len(found.detections) == len(TRUTH)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_batch_size_changes_nothing_but_the_batches(scene, size):
    engine = ScriptedEngine(find_squares)
    run = plan_detection(scene, FAMILY, batch_size=size)
    found = detect_scene(scene, engine, run)
    assert same(found, detect_scene(scene, ScriptedEngine(find_squares)))
    tiles = len(run.plan.tiles)
    assert [len(batch) for batch in engine.batches] == [min(size, tiles - i) for i in range(0, tiles, size)]


def test_progress_counts_tiles(scene):
    seen = []
    run = plan_detection(scene, FAMILY, batch_size=10)
    detect_scene(scene, ScriptedEngine(find_squares), run, progress=lambda *step: seen.append(step))
    tiles = len(run.plan.tiles)
    assert seen == [(0, tiles), (10, tiles), (20, tiles), (tiles, tiles)]


def on_tile(number: int, special: Reply):
    """Find squares, but on the tile that comes as ``number`` reply otherwise."""
    calls = iter(range(10_000))
    return lambda conversation: special if next(calls) == number else find_squares(conversation)


@pytest.mark.parametrize(
    ("special", "reason"),
    [
        (Reply("", "error", error="server gone"), "server gone"),
        (Reply("", "error"), "without saying why"),
        (Reply(" \n"), "replied nothing"),
        (Reply("1 1 2", "length"), "cut off"),
        (Reply("I see some ships at 3:30."), "cannot be read"),
        (Reply("I cannot help with that request."), "declined"),
        (
            Reply('[{"label": "ship", "bbox_2d": [1, 2, 3, 4]}, {"label": "ship", "bbox_2d": [1'),
            "after 1 boxes",
        ),
    ],
)
def test_a_tile_without_a_usable_reply_is_listed_while_the_others_go_on(scene, special, reason):
    found = detect_scene(scene, ScriptedEngine(on_tile(0, special)))
    [failed] = found.failures
    assert failed.tile.index == 0
    assert reason in failed.reason
    assert found.unexamined_px == failed.tile.core.area
    # What lies in another tile's core is found all the same.
    _, _, right, bottom = failed.tile.core.bounds
    elsewhere = (TRUTH[:, 0] >= (right, bottom)).any(axis=1)
    assert len(found.detections) >= elsewhere.sum()


def test_a_tile_that_cannot_be_read_is_listed_while_the_others_go_on(scene, monkeypatch):
    usual = scene.read

    def corrupt(view):
        if view.window.x == view.window.y == 0:
            raise SceneUnreadable("block 0 is corrupt")
        return usual(view)

    monkeypatch.setattr(scene, "read", corrupt)
    engine = ScriptedEngine(find_squares)
    found = detect_scene(scene, engine)
    [failed] = found.failures
    assert (failed.tile.index, failed.reason) == (0, "block 0 is corrupt")
    assert sum(map(len, engine.batches)) == len(found.plan.tiles) - 1


def test_what_can_be_read_of_a_reply_that_was_cut_off_is_kept(scene):
    def cut(conversation):
        return Reply(find_squares(conversation), "length")

    found = detect_scene(scene, ScriptedEngine(cut))
    assert len(found.detections) == len(TRUTH)
    assert len(found.failures) == len(found.plan.tiles)
    assert found.unexamined_px == SIDE * SIDE


def test_a_scene_with_nothing_to_find_is_a_complete_result(scene):
    found = detect_scene(scene, ScriptedEngine(lambda conversation: CONTRACTS["nano"].empty))
    assert len(found.detections) == 0
    assert found.failures == ()


class Stopped(Exception):
    """Stands for an interruption."""


@pytest.mark.parametrize("after", [0, 4, 11, 24])
def test_an_interrupted_run_continues_with_nothing_lost_or_asked_twice(scene, tmp_path, after):
    whole = detect_scene(scene, ScriptedEngine(find_squares), plan_detection(scene, FAMILY, batch_size=4))
    calls = iter(range(10_000))

    def stopping(conversation):
        if next(calls) == after:
            raise Stopped
        return find_squares(conversation)

    run = plan_detection(scene, FAMILY, batch_size=4)
    facts = run.facts(scene, "model")
    path = tmp_path / "journal"
    with Journal(path, facts) as journal, pytest.raises(Stopped):
        detect_scene(scene, ScriptedEngine(stopping), run, journal=journal)
    engine = ScriptedEngine(find_squares)
    with Journal(path, facts, resume=True) as journal:
        assert len(journal.done) == after // 4 * 4
        assert same(detect_scene(scene, engine, run, journal=journal), whole)
    assert sum(map(len, engine.batches)) == len(run.plan.tiles) - after // 4 * 4
    with Journal(path, facts, resume=True) as journal:
        # All is there: the model is not asked at all.
        assert same(detect_scene(scene, ScriptedEngine(lambda _: 1 / 0), run, journal=journal), whole)


def test_a_resumed_run_records_no_reply_twice(scene, tmp_path):
    """Batches are asked whole, in the words of an uninterrupted run, also where some replies are known."""
    run = plan_detection(scene, FAMILY, batch_size=4)
    path, facts = tmp_path / "journal", run.facts(scene, "model")
    with Journal(path, facts) as journal:
        detect_scene(
            scene, ScriptedEngine(on_tile(5, Reply("", "error", error="gone"))), run, journal=journal
        )
    before = path.read_text().splitlines()
    engine = ScriptedEngine(find_squares)
    with Journal(path, facts, resume=True) as journal:
        detect_scene(scene, engine, run, journal=journal)
    assert [len(batch) for batch in engine.batches] == [4], "the batch of the tile that failed"
    assert len(path.read_text().splitlines()) == len(before) + 1
    keys = [json.loads(line)["key"] for line in path.read_text().splitlines()[1:]]
    assert len(keys) == len(set(keys)) == len(run.plan.tiles)


@pytest.mark.parametrize(
    "special", [Reply("", "error", error="server gone"), Reply("1 2", "error"), Reply("")]
)
def test_a_resumed_run_asks_again_where_there_was_no_usable_reply(scene, tmp_path, special):
    run = plan_detection(scene, FAMILY)
    path, facts = tmp_path / "journal", run.facts(scene, "model")
    failing = ScriptedEngine(on_tile(7, special))
    with Journal(path, facts) as journal:
        assert len(detect_scene(scene, failing, run, journal=journal).failures) == 1
    with Journal(path, facts, resume=True) as journal:
        found = detect_scene(scene, ScriptedEngine(find_squares), run, journal=journal)
    assert found.failures == ()
    assert len(found.detections) == len(TRUTH)
    with Journal(path, facts, resume=True) as journal:
        # What came second is what was kept: the model is not asked a third time.
        assert same(detect_scene(scene, ScriptedEngine(lambda _: 1 / 0), run, journal=journal), found)


def test_a_resumed_run_asks_in_the_batches_of_an_uninterrupted_one_and_keeps_its_first_replies(
    scene, tmp_path
):
    run = plan_detection(scene, FAMILY, batch_size=4)
    path, facts = tmp_path / "journal", run.facts(scene, "model")
    whole = ScriptedEngine(find_squares)
    expected = detect_scene(scene, whole, run)
    with Journal(path, facts) as journal:
        failing = on_tile(6, Reply("", "error", error="server gone"))
        detect_scene(scene, ScriptedEngine(failing), run, journal=journal)

    # Tile 6 is in the second batch of four, whose other tiles find nothing when they are asked again.
    numbers = iter(range(4))
    again = ScriptedEngine(lambda shown: find_squares(shown) if next(numbers) == 2 else "There are none.")
    with Journal(path, facts, resume=True) as journal:
        assert same(detect_scene(scene, again, run, journal=journal), expected)
    assert [[pixels(shown) for shown in batch] for batch in again.batches] == [
        [pixels(shown) for shown in whole.batches[1]]
    ]


def pixels(conversation) -> bytes:
    return conversation.messages[-1].images[0].pixels.tobytes()


def test_the_words_of_the_contract_reach_the_model(scene):
    contract = CONTRACTS["rscovlm-quad"]
    engine = ScriptedEngine(lambda _: contract.empty)
    detect_scene(scene, engine, plan_detection(scene, FAMILY, ["ship"], contract=contract))
    system, user = engine.batches[0][0].messages
    assert (system.role, system.text) == ("system", contract.system)
    assert (user.role, user.text) == ("user", "find the ship")


def test_a_reply_about_a_tile_is_the_same_after_the_journal():
    for reply in (TileReply.of(Reply("1 2", "length")), TileReply.of(Reply("", "error", error="gone"))):
        assert TileReply.from_json(json.loads(json.dumps(reply.to_json()))) == reply
    with pytest.raises(JournalError, match="not the reply about a tile: 7"):
        TileReply.from_json(7)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"classes": ["ship"]}, "classes"),
        ({"options": Generation(max_new_tokens=5)}, "generation"),
        ({"batch_size": 2}, "batch size"),
    ],
)
def test_the_facts_of_a_run_name_what_its_replies_depend_on(scene, change, name):
    usual = plan_detection(scene, FAMILY).facts(scene, "model")
    other = plan_detection(scene, FAMILY, **change).facts(scene, "model")
    assert name in {key for key in usual if usual[key] != other[key]}
    assert plan_detection(scene, FAMILY).facts(scene, "other")["model"] != usual["model"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"overlap": SQUARE}, {"overlap"}),
        ({"tile": 256}, {"tile", "overlap"}),
        ({"region": Window(0, 0, 200, 200)}, {"window"}),
    ],
)
def test_the_facts_of_a_run_tell_grids_apart(scene, change, names):
    usual = plan_detection(scene, FAMILY).facts(scene, "model")
    plan = plan_tiles(scene, FAMILY, **{"tile": 128, **change})
    other = plan_detection(scene, FAMILY, plan=plan).facts(scene, "model")
    assert {key for key in usual if usual[key] != other.get(key)} == names


def test_the_facts_of_a_run_name_the_sizes_that_tiles_are_shown_at(scene):
    larger = replace(FAMILY, resolution=replace(FAMILY.resolution, min_pixels=FAMILY.resolution.max_pixels))
    usual, other = (
        plan_detection(scene, family, plan=plan_tiles(scene, family, tile=128)).facts(scene, "model")
        for family in (FAMILY, larger)
    )
    assert {key for key in usual if usual[key] != other[key]} == {"resolution"}


def test_tiles_at_one_place_but_of_other_sizes_are_recorded_apart():
    sizes = [(100, 100), (100, 90), (90, 100)]
    keys = {tile_key(Tile(0, 0, 0, Window(5, 7, *size), Window(5, 7, *size))) for size in sizes}
    assert keys == {"5,7,100,100", "5,7,100,90", "5,7,90,100"}


def test_classes_are_those_given_or_the_familys_own_or_those_of_dota():
    assert wanted_classes(FAMILY, None) == FAMILY.classes
    assert len(wanted_classes(FAMILIES["qwen3-vl"], None)) == 15
    assert wanted_classes(FAMILIES["qwen3-vl"], ["unicorn"]) == ("unicorn",)
    assert wanted_classes(FAMILY, ["plane", "ship"]) == ("plane", "ship")
    with pytest.raises(UsageError, match=r"unicorn.*choose from bridge"):
        wanted_classes(FAMILY, ["ship", "unicorn"])


def test_reading_ahead_keeps_the_order_and_is_bounded():
    started, lock = [], threading.Lock()

    def read(item):
        with lock:
            started.append(item)
        return item * 10

    taken = []
    for value in read_ahead(range(50), read, readers=3, ahead=5):
        taken.append(value)
        # The one in hand, and no more than five behind it.
        assert len(started) <= len(taken) + 5
    assert taken == [item * 10 for item in range(50)]


def test_an_error_while_reading_ahead_reaches_the_caller_and_stops_the_reading():
    started = []

    def read(item):
        started.append(item)
        if item == 3:
            raise OSError("corrupt")
        return item

    with pytest.raises(OSError, match="corrupt"):
        list(read_ahead(range(1000), read, readers=2, ahead=4))
    assert len(started) < 20


DETECTION = Detection(QUAD)


def test_detections_pair_one_to_one_and_only_with_their_class():
    truth = listed(((10, 10, 50, 50), "plane"), ((100, 10, 140, 50), "ship"))
    reply = listed(((10, 10, 50, 50), "plane"), ((12, 10, 52, 50), "plane"), ((100, 10, 140, 50), "plane"))
    # Three found, two true, one of them right.
    assert DETECTION.aggregate(score_reply(DETECTION, reply, truth, SIZE)) == {
        "f1@0.5": 2 / 5,
        "precision@0.5": 1 / 3,
        "recall@0.5": 1 / 2,
    }


def test_nothing_found_where_nothing_is_is_perfect():
    nothing = score_reply(DETECTION, "There are none.", "There are none.", SIZE)
    assert DETECTION.aggregate(nothing) == {"f1@0.5": 1.0}
    missed = score_reply(DETECTION, "There are none.", listed(((10, 10, 50, 50), "plane")), SIZE)
    assert DETECTION.aggregate(missed) == {"f1@0.5": 0.0, "recall@0.5": 0.0}
