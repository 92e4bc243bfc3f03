"""Processes that make data ahead of training: they end with their parent, and their deaths are explained."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from rscovlm.errors import DataError

if TYPE_CHECKING:
    from torch.utils.data import Dataset

_Key = TypeVar("_Key", contravariant=True)
_Item = TypeVar("_Item", covariant=True)
_K = TypeVar("_K")
_T = TypeVar("_T")

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_POLL_S = 1.0
_DEATH = re.compile(r"DataLoader worker \(pid(?:\(s\))? (?P<pids>[\d, ]+)\)(?P<how>.*)", re.DOTALL)
_SIGNAL = re.compile(r"killed by signal: (?P<name>[^.]+)\.")
_OUT_OF_MEMORY = (
    "which is what the system does when memory runs out; use fewer workers, smaller images "
    "(resolution.max_pixels) or smaller steps"
)
_SHARED_MEMORY = (
    "which happens where /dev/shm is too small; enlarge it (docker run --shm-size) or set workers to 0"
)


class Indexed(Protocol[_Key, _Item]):
    """Maker of the item for a key."""

    def __getitem__(self, key: _Key, /) -> _Item:
        """The item of a key."""
        ...


def made_ahead(
    dataset: Indexed[_K, _T], sampler: Iterable[_K], workers: int, prefetch: int, pinned: bool = False
) -> Iterator[_T]:
    """What a dataset gives for each key of a sampler, in order, made by processes of their own.

    Args:
        dataset: indexed by the sampler's keys; a copy lives in each process.
        sampler: keys, asked for in this process as late as possible.
        workers: processes; 0 makes everything in this one.
        prefetch: items that each process prepares ahead.
        pinned: whether tensors are moved to page-locked memory.

    Raises:
        DataError: a process died, with the signal and what may have caused it.
    """
    from torch import Generator
    from torch.utils.data import DataLoader

    loader: DataLoader[_T] = DataLoader(
        cast("Dataset[_T]", dataset),
        batch_size=None,
        sampler=sampler,
        num_workers=workers,
        prefetch_factor=prefetch if workers else None,
        pin_memory=pinned,
        worker_init_fn=partial(_end_with, os.getpid()),
        # A generator of its own, since the loader draws a seed even where nobody wants it.
        generator=Generator(),
    )
    with explained_deaths():
        yield from loader


@contextmanager
def explained_deaths() -> Iterator[None]:
    """Explain torch's error about a dead worker, which can surface anywhere in the main thread.

    Raises:
        DataError: in its place.
    """
    try:
        yield
    except RuntimeError as error:
        # Where a worker dies while its data are waited for, the cause alone names the signal.
        line = death_line(f"{error} {error.__cause__ or ''}")
        if line is None:
            raise
        raise DataError(line) from error


def death_line(message: str) -> str | None:
    """Fate of a data worker, from torch's message about it; None for a message of another kind."""
    found = _DEATH.search(message)
    if found is None:
        return None
    who = f"a data worker (process {found['pids'].strip()})"
    killed = _SIGNAL.search(found["how"])
    if killed is None:
        return f"{who} ended without a word; set workers to 0 to see why in this process"
    name = _signal_name(killed["name"].strip())
    told = f"{who} was killed by {name}"
    if name == "SIGKILL":
        return f"{told}, {_OUT_OF_MEMORY}"
    if name == "SIGBUS":
        return f"{told}, {_SHARED_MEMORY}"
    return f"{told}; set workers to 0 to see why in this process"


def _signal_name(described: str) -> str:
    """The name of a signal that the C library describes (``Killed``); the description where none fits."""
    for number in signal.valid_signals():
        text = signal.strsignal(number)
        if text and text.partition(":")[0] == described:
            return signal.Signals(number).name
    return described


def _end_with(parent: int, _: int) -> None:
    """End this worker when its parent ends in any way, ``kill -9`` included."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before the lines above
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os._exit(1)
