"""Progress on stderr: a bar on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from detection_eval.words import counted, plural

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_PLAIN_SECONDS = 10.0


class Progress:
    """Shows (done, total) with the rate and the time left; a context manager that is called with both.

    Args:
        verb: what is going on (``detecting``).
        unit: what is counted, one of them (``tile``).
        clock: seconds.
    """

    def __init__(self, verb: str, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.verb = verb
        self.unit = unit
        self._clock = clock
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._first: tuple[float, int] | None = None
        self._last_line = clock()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            rate = TextColumn("{task.fields[rate]}")
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate)
            self._bar = Bar(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr), transient=True)
            self._task = self._bar.add_task(f"{self.verb} {plural(self.unit)}", total=None, rate="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are finished."""
        now = self._clock()
        if self._first is None:
            # What a resumed run finds done tells nothing about the rate.
            self._first = (now, done)
        seconds, finished = now - self._first[0], done - self._first[1]
        rate = finished / seconds if finished > 0 and seconds > 0 else None
        if self._bar is not None and self._task is not None:
            text = f"{rate:.1f}/s" if rate else ""
            self._bar.update(self._task, completed=done, total=total, rate=text)
        elif now - self._last_line >= _PLAIN_SECONDS:
            self._last_line = now
            print(progress_line(self.verb, self.unit, done, total, rate), file=sys.stderr, flush=True)


def progress_line(verb: str, unit: str, done: int, total: int, rate: float | None) -> str:
    """For a log: ``detecting: 120 of 400 tiles, 3.1/s, 1:30 left``."""
    line = f"{verb}: {done:,} of {counted(total, unit)}"
    if rate is None:
        return line
    shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
    return f"{line}, {shown}/s, {clock_time((total - done) / rate)} left"


def clock_time(seconds: float) -> str:
    """Seconds as ``1:30`` or ``2:05:00``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def note(text: str) -> None:
    """A line on stderr, beside the result on stdout."""
    print(text, file=sys.stderr, flush=True)
