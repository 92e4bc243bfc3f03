"""Putting tiles to a model: replies and keys as a journal keeps them, and reading ahead."""

from __future__ import annotations

import json
import threading
import time

import pytest

from rscovlm.errors import JournalError
from rscovlm.journal import Journal, results_in
from rscovlm.tasks import asking
from rscovlm.tasks.asking import TileReply, ask_tiles, read_ahead, tile_key
from rscovlm.tasks.detect import detect_scene
from rscovlm.tasks.detection_run import plan_detection
from rscovlm.tasks.tiles import plan_tiles
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from tiling.grid import Tile
from tiling.scene import Scene
from tiling.view import Window
from zoom_chain.chat import Reply


def test_a_reply_about_a_tile_is_the_same_after_the_journal():
    for reply in (TileReply.of(Reply("1 2", "length")), TileReply.of(Reply("", "error", error="gone"))):
        assert TileReply.from_json(json.loads(json.dumps(reply.to_json()))) == reply
    with pytest.raises(JournalError, match="not the reply about a tile: 7"):
        TileReply.from_json(7)


def test_tiles_at_one_place_but_of_other_sizes_are_recorded_apart():
    sizes = [(100, 100), (100, 90), (90, 100)]
    keys = {tile_key(Tile(0, 0, 0, Window(5, 7, *size), Window(5, 7, *size))) for size in sizes}
    assert keys == {"5,7,100,100", "5,7,100,90", "5,7,90,100"}


def test_a_tile_of_two_passes_is_recorded_once_for_each():
    tile = Tile(0, 0, 0, Window(5, 7, 9, 9), Window(5, 7, 9, 9))
    assert [tile_key(tile, scale) for scale in (None, 2.0, 4.00158)] == [
        "5,7,9,9",
        "5,7,9,9@2",
        "5,7,9,9@4.00158",
    ]


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


class Serving(ScriptedEngine):
    """A scripted engine that takes four requests at once, one by one."""

    in_flight = 4


def scene_of_tiles(tmp_path, side=400):
    return Scene(write_raster(tmp_path / "scene.tif", side, side))


def run_of(scene, engine):
    plan = plan_tiles(scene, engine.family, tile=96, overlap=16)
    return plan_detection(scene, engine.family, ("plane",), plans=[plan])


def test_a_slow_tile_of_a_server_holds_up_no_other(tmp_path):
    """The first tile is answered only when all others are."""
    others = threading.Event()

    def script(conversation):
        with lock:
            asked.append(1)
            first = len(asked) == 1
        if first:
            assert others.wait(60)
        return "[]"

    lock, asked = threading.Lock(), []
    engine = Serving(script)
    with scene_of_tiles(tmp_path) as scene:
        run = run_of(scene, engine)
        count = len(run.looks)
        done = []
        for replies in ask_tiles(scene, engine, run.questions, {}, readers=1):
            done += replies
            if len(done) == count - 1:
                others.set()
    assert count > 16
    assert sorted(done) == sorted(look.key for look in run.looks)
    assert run.looks[0].key == done[-1]


def test_a_reply_is_in_the_journal_while_the_next_tile_is_still_being_read(tmp_path, monkeypatch):
    path = tmp_path / "j"
    read = asking.image_of
    waited = []

    def read_when_the_first_reply_is_kept(scene, view, gsd):
        if reads.acquire(blocking=False):
            return read(scene, view, gsd)
        waited.append(wait_until(lambda: results_in(path) == 1))
        reads.release(1000)
        return read(scene, view, gsd)

    reads = threading.Semaphore(1)
    monkeypatch.setattr(asking, "image_of", read_when_the_first_reply_is_kept)
    with scene_of_tiles(tmp_path) as scene, Journal(path, {}) as journal:
        engine = Serving(lambda conversation: "[]")
        detect_scene(scene, engine, run_of(scene, engine), journal=journal, readers=1)
    assert waited == [True]


def wait_until(true, seconds=20):
    """Whether something becomes true in time."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.005)
    return found


def test_a_server_is_asked_again_about_the_failed_tiles_alone(tmp_path):
    replies = iter(["[]"] * 5 + [""] * 4 + ["[]"] * 1000)
    engine = Serving(lambda conversation: next(replies))
    with scene_of_tiles(tmp_path) as scene:
        run = run_of(scene, engine)
        with Journal(tmp_path / "j", {}) as journal:
            first = detect_scene(scene, engine, run, journal=journal)
        asked = len(engine.batches)
        with Journal(tmp_path / "j", {}, resume=True) as journal:
            second = detect_scene(scene, engine, run, journal=journal)
    assert (len(first.failures), len(second.failures)) == (4, 0)
    assert (asked, len(engine.batches) - asked) == (len(run.looks), 4)
    assert {len(batch) for batch in engine.batches} == {1}
