"""Splits by tile, and what is refused as leakage."""

import pytest

from rscovlm.data.splits import SHARES, check_apart, check_split, split_of
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
