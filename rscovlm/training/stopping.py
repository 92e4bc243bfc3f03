"""Saving and stopping: decided by one rank, known to all before they act."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TypeAlias

from rscovlm.training.settings import Checkpoints

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


class Interruption:
    """Remembers a signal to stop, so that the step at hand is finished and saved; a context manager.

    SIGINT is Ctrl-C, SIGTERM what schedulers send before they kill, SIGUSR1 what Slurm sends ahead of the
    time limit when asked to (``--signal=USR1@120``). A second signal of the same kind acts at once.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._before: dict[int, _Handler] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        signal.signal(number, self._before[number])


class SaveClock:
    """Whether a checkpoint is due: by steps, by minutes, whichever is first."""

    def __init__(self, settings: Checkpoints) -> None:
        self._settings = settings
        self._saved = time.monotonic()

    def by_time(self) -> bool:
        """Whether the minutes are over; clocks differ, so the first rank's counts for all."""
        minutes = self._settings.minutes
        return minutes is not None and time.monotonic() - self._saved >= 60 * minutes

    def by_steps(self, done: int) -> bool:
        """Whether a checkpoint is due after so many steps."""
        return self._settings.steps is not None and done % self._settings.steps == 0

    def saved(self) -> None:
        """A checkpoint was written just now."""
        self._saved = time.monotonic()
