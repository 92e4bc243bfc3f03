"""Processes that make data: how their deaths are told."""

import os
import signal

import pytest

from rscovlm.data.workers import death_line, explained_deaths, made_ahead
from rscovlm.errors import DataError


class Numbers:
    """Squares; the process that is asked for a 3 ends in some way."""

    def __init__(self, end):
        self.end = end

    def __getitem__(self, number):
        if number == 3:
            self.end()
        return number**2


def test_squares_come_in_order_from_any_number_of_workers():
    for workers in (0, 1, 3):
        assert list(made_ahead(Numbers(None), [1, 2, 4, 5], workers, prefetch=1)) == [1, 4, 16, 25]


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            r"worker \(process \d+\) was killed by SIGKILL, which is what .* memory runs out",
        ),
        (lambda: os.kill(os.getpid(), signal.SIGBUS), r"was killed by SIGBUS, .* /dev/shm is too small"),
        (lambda: os._exit(3), r"worker \(process \d+\) ended without a word; set workers to 0"),
    ],
)
def test_a_worker_that_dies_is_one_line_with_its_signal_and_what_may_help(end, line):
    with pytest.raises(DataError, match=line), explained_deaths():
        list(made_ahead(Numbers(end), [1, 3, 4], 1, prefetch=1))


def test_other_errors_are_left_as_they_are():
    assert death_line("CUDA error: device-side assert triggered") is None
    with pytest.raises(RuntimeError, match="a bug"), explained_deaths():
        raise RuntimeError("a bug")
