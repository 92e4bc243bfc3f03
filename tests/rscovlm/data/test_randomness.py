"""Choices are pure functions of what they are for."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from rscovlm.data.randomness import generator


def drawn(*arguments):
    return generator(*arguments).integers(1 << 62)


def test_the_same_purpose_gives_the_same_numbers_on_every_machine():
    assert drawn(3, "dota", 7, 0, "size") == drawn(3, "dota", 7, 0, "size")
    # The first half of the SHA-256 of all names with their types is the seed.
    seed = int.from_bytes(hashlib.sha256(b"int:3\x1fstr:dota\x1fint:7").digest()[:16])
    assert drawn(3, "dota", 7) == np.random.default_rng(seed).integers(1 << 62)


@pytest.mark.parametrize(
    "other",
    [
        (4, "dota", 7, 0),
        (3, "dior", 7, 0),
        (3, "dota", 0, 7),
        (3, "dota", 70),
        (3, "dota", "7", 0),
        (3, "dota7", 0),
    ],
)
def test_any_other_purpose_gives_others(other):
    assert drawn(*other) != drawn(3, "dota", 7, 0)


def test_neighbouring_indices_have_nothing_in_common():
    # The mean of 4000 uniform numbers is 0.5 with a standard deviation of 0.0046.
    numbers = [generator(0, "a", index).random() for index in range(4000)]
    assert abs(sum(numbers) / 4000 - 0.5) < 0.02
    assert sum(a < b for a, b in pairwise(numbers)) / 3999 == pytest.approx(0.5, abs=0.03)
