"""Learning rates by step, by hand."""

import pytest

from rscovlm.training.schedule import rate_share, warmup_steps
from rscovlm.training.settings import Schedule


def shares(steps, **settings):
    return [rate_share(Schedule(**settings), step, steps) for step in range(steps)]


def test_a_warm_up_in_steps_takes_the_place_of_its_share():
    assert shares(6, shape="constant", warmup=0.5, warmup_steps=2) == [0.5, 1, 1, 1, 1, 1]
    assert shares(4, shape="constant", warmup=0.5, warmup_steps=0) == [1, 1, 1, 1]


def test_a_share_of_steps_is_rounded_up_so_that_a_short_run_warms_up_too():
    assert warmup_steps(Schedule(warmup=0.05), 30) == 2
    assert warmup_steps(Schedule(warmup=0.05), 3) == 1
    assert warmup_steps(Schedule(warmup=0.0), 30) == 0


def test_a_fall_starts_at_the_peak_and_ends_a_step_before_its_floor():
    assert shares(5, shape="linear", warmup_steps=1) == [1, 1, 0.75, 0.5, 0.25]
    assert shares(5, shape="linear", warmup_steps=1, floor=0.2) == pytest.approx([1, 1, 0.8, 0.6, 0.4])
    assert rate_share(Schedule(shape="cosine", warmup_steps=0, floor=0.1), 8, 8) == pytest.approx(0.1)


def test_wsd_holds_the_peak_and_falls_over_its_last_part_alone():
    assert shares(10, shape="wsd", warmup_steps=2, decay=0.4) == [0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
