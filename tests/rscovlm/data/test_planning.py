"""Packs, steps and ranks: planned from lengths and costs alone."""

from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.data.planning import Batching, deal, fill, fit, imbalance, steps_of_windows

lengths_lists = st.lists(st.integers(1, 500), max_size=60)


@given(lengths_lists)
def test_every_sample_is_in_one_pack_and_no_pack_is_over_full(lengths):
    packs = fit(lengths, 500)
    assert sorted(index for pack in packs for index in pack) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in pack) <= 500 for pack in packs)


@given(lengths_lists)
def test_no_two_packs_could_be_one(lengths):
    totals = sorted(sum(lengths[index] for index in pack) for pack in fit(lengths, 500))
    assert len(totals) < 2 or totals[0] + totals[1] > 500


def test_a_sample_longer_than_a_pack_is_refused():
    with pytest.raises(ValueError, match="501 tokens does not fit into 500"):
        fit([3, 501], 500)


@given(st.lists(st.floats(0.1, 100), max_size=40), st.integers(1, 9))
def test_every_pack_is_dealt_once_and_no_rank_makes_more_micro_steps(costs, world):
    ranks = deal(costs, world)
    assert sorted(pack for packs in ranks for pack in packs) == list(range(len(costs)))
    assert max(map(len, ranks)) <= ceil(len(costs) / world)
    assert all(costs[a] >= costs[b] for packs in ranks for a, b in pairwise(packs))


def test_costs_are_balanced_by_taking_the_costliest_first():
    # First come, first served: 7 + 1 + 1 against 5 + 5 + 5. Costliest first: 7 + 5 against 5 + 5 + 1 + 1 is
    # barred by the equal number of micro-steps, so 7 + 5 + 1 against 5 + 5 + 1.
    ranks = deal([7, 5, 1, 5, 1, 5], 2)
    assert sorted(sum([7, 5, 1, 5, 1, 5][i] for i in packs) for packs in ranks) == [11, 13]


@given(st.lists(st.integers(0, 300), max_size=200), st.integers(1, 5), st.integers(1, 60), st.integers(0, 2))
def test_steps_of_windows_hold_each_sample_once_in_steps_of_equal_packs(lengths, packs, window, epoch):
    batching = Batching(packs=packs, max_tokens=300, window=window)
    steps = steps_of_windows(np.array(lengths, dtype=np.int64), batching, 0, epoch)
    found = sorted(index for step in steps for pack in step for index in pack)
    assert found == [index for index, length in enumerate(lengths) if length]
    assert all(len(step) == packs for step in steps[:-1])
    assert all(0 < len(step) <= packs for step in steps)


def test_steps_of_windows_draw_long_and_short_samples_alike():
    lengths = paper_lengths(8192)
    steps = steps_of_windows(lengths, Batching(packs=16, max_tokens=6144), 0, 0)
    means = [np.mean([lengths[index] for pack in step for index in pack]) for step in steps[:-1]]
    halves = np.mean(means[: len(means) // 2]), np.mean(means[len(means) // 2 :])
    assert halves[0] == pytest.approx(halves[1], rel=0.1)


def test_packs_are_drawn_in_another_order_in_each_window_epoch_and_run():
    """Eight samples fill a pack each, so that a window's order is that of its packs."""
    lengths, batching = np.full(16, 100), Batching(packs=8, max_tokens=100, window=8)

    def orders(seed, epoch):
        steps = steps_of_windows(lengths, batching, seed, epoch)
        return [tuple(pack[0] % 8 for pack in step) for step in steps]

    first, second = orders(0, 0)
    assert len({first, second, *orders(0, 1), *orders(1, 0)}) == 6
    assert orders(0, 0) == [first, second]
    assert sorted(first) == list(range(8))


def paper_lengths(n):
    """Tokens with the paper's spread: an image of 64 to 1296 visual tokens and an answer of 3, 60 or 1500."""
    rng = np.random.default_rng(0)
    answers = rng.choice([3, 60, 1500], n, p=[0.6, 0.25, 0.15])
    return rng.integers(64, 1297, n) + 40 + answers


def test_packs_are_fuller_and_ranks_more_even_than_first_come():
    lengths = paper_lengths(4096)
    costs = lengths.astype(float) + lengths.astype(float) ** 2 / 8000
    batching = Batching(packs=32, max_tokens=6144)
    steps = steps_of_windows(lengths, batching, 0, 0)
    first_come = first_come_packs(lengths, 6144)
    ours = fill(lengths, [pack for step in steps for pack in step], 6144)
    assert fill(lengths, first_come, 6144) < 0.9
    assert ours > 0.97
    naive, planned = [], []
    for at, step in enumerate(steps[:-1]):
        packs = first_come[32 * at : 32 * at + 32]
        naive.append(imbalance([costs[p].sum() for p in packs], [range(r, 32, 8) for r in range(8)]))
        loads = [costs[pack].sum() for pack in step]
        planned.append(imbalance(loads, deal(loads, 8)))
    assert np.mean(naive) > 1.03
    assert np.mean(planned) < 1.01


def first_come_packs(lengths, max_tokens):
    """What a naive loader does: fill a pack until the next sample does not fit."""
    packs, used = [[]], 0
    for index, length in enumerate(lengths):
        if used + length > max_tokens:
            packs.append([])
            used = 0
        packs[-1].append(index)
        used += length
    return packs


def test_everything_that_contradicts_itself_in_a_batching_is_said_at_once():
    with pytest.raises(ValueError, match=r"either .*; .*needs packing.*; max_tokens is 0"):
        Batching(samples=4, packs=2, packed=False, max_tokens=0)
