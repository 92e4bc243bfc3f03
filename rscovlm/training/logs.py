"""Logs of a run: JSON lines, TensorBoard, and a line of progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from detection_eval.files import write_text
from detection_eval.formats.lines import json_lines

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG = "log.jsonl"
TENSORBOARD = "tensorboard"


class Logs:
    """Takes the numbers of steps and evaluations; a context manager.

    Only the first rank writes; on others every call does nothing.

    Args:
        run: folder of the run.
        active: whether this process writes.
        tensorboard: whether to write for TensorBoard, too.
        step: a resumed run goes on there; what a killed run logged beyond it is removed, since these steps
            are taken again.
        progress: shown the steps done and their number.
    """

    def __init__(
        self,
        run: Path,
        *,
        active: bool,
        tensorboard: bool,
        step: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._file: TextIO | None = None
        self._board: SummaryWriter | None = None
        self._progress = progress
        self.active = active
        if not active:
            return
        path = run / LOG
        keep = [line for line in read_log(path) if (line["step"] or 0) <= step] if step else []
        text = "".join(json.dumps(line) + "\n" for line in keep)
        write_text(path, text)
        self._file = path.open("a", encoding="utf-8")
        if tensorboard:
            self._board = _board(run / TENSORBOARD, step)

    def __enter__(self) -> Logs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Note the numbers of a step, by name (``loss/source/dota``)."""
        if self._file is None:
            return
        finite = {name: _json_number(value) for name, value in numbers.items()}
        self._file.write(json.dumps({"step": step, **finite}) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)

    def progress(self, done: int, steps: int) -> None:
        """Show how far the run is."""
        if self.active and self._progress is not None:
            self._progress(done, steps)

    def say(self, line: str) -> None:
        """Tell the user something, on stderr."""
        if self.active:
            print(line, file=sys.stderr, flush=True)


def read_log(path: Path) -> list[dict[str, float | None]]:
    """The lines of a log; one that a killed run left torn at the end is left out."""
    if not path.is_file():
        return []
    return [line for _, line in json_lines(path, may_be_torn=True)]


def _board(folder: Path, step: int) -> SummaryWriter | None:
    """TensorBoard's writer, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)


def _json_number(value: float) -> float | None:
    """JSON has no infinities."""
    return float(f"{value:.8g}") if math.isfinite(value) else None
