"""Putting tiles to a model: replies and keys as a journal keeps them, and reading ahead."""

from __future__ import annotations

import json
import threading

import pytest

from rscovlm.errors import JournalError
from rscovlm.tasks.asking import TileReply, read_ahead, tile_key
from tiling.grid import Tile
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
