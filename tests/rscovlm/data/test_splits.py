"""Splits by tile, and what is refused as leakage."""

import os
import pickle

import numpy as np
import pytest

from rscovlm.data.splits import OFFICIAL, SHARES, check_apart, check_split, split_of, splits_of, splitter
from rscovlm.errors import DataError


def test_a_tile_is_in_one_split_by_its_name_and_splits_have_their_shares():
    found = [split_of(f"{zone:02d}{letter}AB") for zone in range(1, 61) for letter in "CDEFGHJKLMNPQRSTUVWX"]
    for split, share in SHARES.items():
        assert found.count(split) / len(found) == pytest.approx(share, abs=0.03)
    assert split_of("10SEG") == split_of("10SEG")


def test_splits_that_share_a_tile_are_refused_with_some_of_them():
    check_apart({"train": ["a", "b"], "val": ["c"], "test": ["d"]})
    with pytest.raises(DataError, match="test and train share the tiles a, b, c and 1 more"):
        check_apart({"train": list("abcd"), "val": ["x"], "test": list("abcdz")})


def test_an_unknown_split_is_refused():
    assert check_split("val") == "val"
    with pytest.raises(DataError, match="split 'dev' is unknown; choose from train, val, test, all"):
        check_split("dev")


@pytest.mark.parametrize("kind", [list, np.array, tuple])
def test_agbds_own_split_counts_where_its_file_stands_beside_the_plots(tmp_path, kind):
    assert splitter(tmp_path)("10SEG") == split_of("10SEG")
    stated = {"train": kind(["10SEG", "31TCJ"]), "val": kind(["32TLT"]), "test": kind(["55HBU"])}
    (tmp_path / OFFICIAL).write_bytes(pickle.dumps(stated))
    by_tile = splitter(tmp_path)
    assert [by_tile(tile) for tile in ("31TCJ", "32TLT", "55HBU", "10TXX")] == ["train", "val", "test", ""]


def test_a_files_split_is_in_its_name_or_its_folders_then_in_its_rows_then_in_their_tiles(tmp_path):
    tiles, stated = np.array(["10SEG", "31TCJ", "55HBU"]), np.array(["validation", "", "test"])
    by_tile = [split_of(tile) for tile in tiles.tolist()]
    named, inside = tmp_path / "train-00000-of-00002.parquet", tmp_path / "test" / "0000.parquet"
    assert splits_of(named, tiles, stated).tolist() == ["train"] * 3
    assert splits_of(inside, tiles, stated).tolist() == ["test"] * 3
    assert splits_of(tmp_path / "test data" / "a.h5", tiles, None).tolist() == by_tile
    assert splits_of(tmp_path / "a.h5", tiles, stated).tolist() == ["val", by_tile[1], "test"]


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"train": ["a"], "val": ["b"]}, "lists of tiles under train, val, test are needed"),
        (["a"], "lists of tiles under train, val, test are needed"),
        ({"train": ["a"], "val": ["b"], "test": ["a"]}, "test and train share the tiles a"),
        (Harmful(), "system"),
    ],
)
def test_a_split_that_is_none_is_refused_and_runs_nothing(tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / OFFICIAL).write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=words):
        splitter(tmp_path)
    assert not (tmp_path / "harmed").exists()
