"""Progress on stderr."""

from __future__ import annotations

import pytest

from rscovlm.progress import Progress, clock_time, progress_line


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (90, "1:30"), (3599, "59:59"), (7500, "2:05:00")]
)
def test_times_read_as_on_a_clock(seconds, text):
    assert clock_time(seconds) == text


def test_a_line_tells_rate_and_time_left():
    # 280 tiles at 3.1 a second take 90 s.
    assert (
        progress_line("detecting", "tile", 120, 400, 3.1) == "detecting: 120 of 400 tiles, 3.1/s, 1:30 left"
    )


def test_a_log_gets_a_line_at_most_every_ten_seconds_and_rates_ignore_what_was_resumed(capsys):
    clock = [0.0]
    with Progress("detecting", "tile", clock=lambda: clock[0]) as progress:
        progress(100, 140)  # found done at the start
        for clock[0], done in ((4.0, 104), (10.0, 110), (12.0, 112), (20.0, 120)):
            progress(done, 140)
    lines = capsys.readouterr().err.splitlines()
    # One tile a second since the start, whatever was done before: 30 and 20 s left.
    assert lines == [
        "detecting: 110 of 140 tiles, 1/s, 0:30 left",
        "detecting: 120 of 140 tiles, 1/s, 0:20 left",
    ]


@pytest.mark.parametrize(
    ("rate", "text"), [(2000, "2,000/s"), (111.1, "111/s"), (9.96, "10/s"), (0.05, "0.05/s")]
)
def test_rates_are_written_without_exponents(rate, text):
    assert f"1,000 of 4,000 tiles, {text}," in progress_line("detecting", "tile", 1000, 4000, rate)
