"""Draws: even, in order, of a known number, without holding what is not drawn."""

import gc
import weakref
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rscovlm.bench.suites.drawing import draw


@given(st.integers(0, 60), st.integers(1, 70), st.integers(0, 5))
def test_so_many_in_their_order_and_the_number_of_all(count, limit, seed):
    values, of = draw(iter(range(count)), limit, seed)
    assert of == count
    assert values == sorted(set(values))
    assert len(values) == min(limit, count)
    assert draw(range(count), limit, seed) == (values, of)


def test_each_value_is_as_likely():
    times = Counter(value for seed in range(2000) for value in draw(range(10), 3, seed)[0])
    # 600 times each is expected, with a standard deviation of 20.5
    assert all(abs(times[value] - 600) < 5 * 20.5 for value in range(10))


def test_no_more_than_the_draw_is_held():
    class Value:
        pass

    alive = []

    def values():
        for _ in range(1000):
            value = Value()
            alive.append(weakref.ref(value))
            yield value
            del value
            assert sum(ref() is not None for ref in alive[-50:]) <= 5 + 2

    assert draw(values(), 5, 0)[1] == 1000
    gc.collect()
    assert all(ref() is None for ref in alive)
