"""Curricula: easy samples first, all of them seen, the same for the same seed."""

from types import SimpleNamespace

import numpy as np
import pytest

from configs import ConfigError
from rscovlm.data.curriculum import Curriculum, hardness
from rscovlm.data.mix import Mix


def source(values=None, in_order=False):
    made = SimpleNamespace(in_order=in_order)
    if values is not None:
        made.values = lambda name: np.array(values, float) if name == "agbd_se" else None
    return made


def by(**more) -> Curriculum:
    return Curriculum(by="agbd_se", **more)


def test_a_rank_is_the_share_of_all_samples_that_are_easier():
    ranks = hardness({"a": source([1, 5, 3]), "b": source([2, 4])}, by())
    assert ranks["a"].tolist() == pytest.approx([0.1, 0.9, 0.5])
    assert ranks["b"].tolist() == pytest.approx([0.3, 0.7])


def test_the_other_end_may_be_easy_and_what_is_unknown_is_in_the_middle():
    ranks = hardness({"a": source([1, 9, np.nan])}, by(easy="high"))
    assert ranks["a"].tolist() == [0.75, 0.25, 0.5]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (source([1], in_order=True), "source a comes in an order of its own"),
        (source(), "source a has no number agbd_se"),
        (source([np.nan, np.nan]), "source a has no number agbd_se"),
    ],
)
def test_what_has_no_difficulty_is_told(made, words):
    with pytest.raises(ConfigError, match=words):
        hardness({"a": made}, by())


class Hard:
    """A source whose i-th sample is the i-th hardest."""

    in_order = False

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def values(self, name):
        return np.arange(self.size, dtype=float)


def orders(curriculum, epochs=3, size=200, seed=1):
    mix = Mix({"plots": Hard(size)}, {"plots": size}, seed, curriculum=curriculum)
    return [[key.index for key in mix.order(epoch)] for epoch in range(epochs)]


def steadiness(order):
    """Correlation of place and difficulty."""
    return np.corrcoef(np.arange(len(order)), order)[0, 1]


def test_the_first_epoch_goes_from_easy_to_hard_and_the_order_fades():
    first, second, third = orders(by(epochs=2))
    assert first == list(range(200))
    assert 0.3 < steadiness(second) < 0.95
    assert abs(steadiness(third)) < 0.3


def test_every_sample_is_seen_once_in_each_epoch():
    for order in orders(by(strength=0.6, epochs=2)):
        assert sorted(order) == list(range(200))


def test_the_order_is_a_function_of_the_seed():
    assert orders(by(strength=0.5)) == orders(by(strength=0.5))
    assert orders(by(strength=0.5))[0] != orders(by(strength=0.5), seed=2)[0]


def test_without_a_curriculum_nothing_has_changed():
    faded = orders(by(epochs=1), epochs=2)[1]
    assert faded == orders(None, epochs=2)[1]
