"""Journal: what a long run has finished, on disk line by line, so that it survives ``kill -9``.

A journal is a text file of JSON lines. The first line holds the facts that the results depend on (scene,
model, prompt, parameters) and their hash; each further line holds one finished piece of work under its key.
Lines are only ever appended, and are on the disk when :meth:`Journal.append` returns. A run that dies while
it writes leaves at most one line without its end, which the next run cuts off: that piece is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rscovlm.errors import UsageError

try:
    import fcntl
except ImportError:  # not on Windows, where nothing keeps two runs apart
    fcntl = None  # type: ignore[assignment]

SCHEMA = "rscovlm.journal/1"
SUFFIX = ".journal"

Facts = Mapping[str, Any]


class JournalError(UsageError):
    """A journal that cannot be continued as asked; the message says what would be right."""


def journal_path(output: str | Path) -> Path:
    """Where the journal of an output lies: beside it, ``objects.gpkg.journal``."""
    output = Path(output)
    return output.with_name(output.name + SUFFIX)


def facts_key(facts: Facts) -> str:
    """The hash that stands for all facts (SHA-256, hexadecimal); their order does not matter."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class Journal:
    """Finished pieces of one run; a context manager, closed but kept at its end.

    Args:
        path: of the file; created where missing.
        facts: all that the results depend on, of values that JSON can hold.
        resume: continue a journal that is there.
        overwrite: discard a journal that is there.

    Attributes:
        path: of the file.
        done: record by key of each finished piece, those of this run included.

    Raises:
        JournalError: where there is a journal that is neither to be continued nor discarded, one of other
            facts (the message names each that differs), a damaged one, or one that another run is writing.
        OSError: where the file cannot be written.
    """

    def __init__(self, path: str | Path, facts: Facts, *, resume: bool = False, overwrite: bool = False):
        self.path = Path(path)
        self.done: dict[str, Any] = {}
        # What JSON makes of the facts (tuples become lists) is what a later run is compared with.
        facts = json.loads(json.dumps(facts))
        # Never truncated on opening: another run may hold the lock.
        self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0)
        try:
            self._lock()
            lines = [] if overwrite else self._complete_lines()
            if len(lines) > 1 and not resume:
                raise JournalError(
                    f"{self.path} holds {len(lines) - 1} finished pieces of an earlier run; "
                    "go on with --resume, or start anew with --overwrite"
                )
            lines = lines if resume else []
            if lines:
                self._check(lines[0], facts)
                self.done = dict(self._record(number, line) for number, line in enumerate(lines[1:], start=2))
            self._file.seek(sum(map(len, lines)))
            self._file.truncate()
            if not lines:
                self._write([{"schema": SCHEMA, "key": facts_key(facts), "facts": facts}])
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, records: Mapping[str, Any]) -> None:
        """Add finished pieces by key; they are on the disk when this returns.

        Raises:
            ValueError: for a key that is there already.
            OSError: where the disk is full; what a later run finds incomplete counts as not done.
        """
        if twice := sorted(records.keys() & self.done.keys()):
            raise ValueError(f"{', '.join(twice)} is in {self.path} already; each piece is done once")
        self._write([{"key": key, "record": record} for key, record in records.items()])
        self.done.update(records)

    def close(self) -> None:
        """Close the file and leave it for a later run."""
        self._file.close()

    def remove(self) -> None:
        """Close and delete the file: to be called when the results are safe elsewhere."""
        # Deleted while it is locked, so that no other run can have begun to use it.
        self.path.unlink(missing_ok=True)
        self.close()

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(
                f"another run is writing {self.path}; wait for its end, or choose another --output"
            ) from None

    def _complete_lines(self) -> list[bytes]:
        """The lines that were written to their end."""
        lines = self._file.read().splitlines(keepends=True)
        return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]

    def _check(self, line: bytes, facts: Facts) -> None:
        """Make sure that the journal is of these facts."""
        try:
            header = json.loads(line)
            schema, known = header["schema"], dict(header["facts"])
        except (ValueError, KeyError, TypeError):
            raise self._damaged(1) from None
        if schema != SCHEMA:
            raise JournalError(
                f"{self.path} was written by another version ({schema}); start anew with --overwrite"
            )
        changed = sorted(name for name in known.keys() | facts.keys() if known.get(name) != facts.get(name))
        if changed:
            differences = "; ".join(
                f"{name} was {_short(known.get(name))}, is {_short(facts.get(name))}" for name in changed
            )
            raise JournalError(
                f"{self.path} is of a run with other settings ({differences}); "
                "go on with the same settings, or start anew with --overwrite"
            )

    def _record(self, number: int, line: bytes) -> tuple[str, Any]:
        try:
            entry = json.loads(line)
            return entry["key"], entry["record"]
        except (ValueError, KeyError, TypeError):
            raise self._damaged(number) from None

    def _damaged(self, number: int) -> JournalError:
        return JournalError(f"line {number} of {self.path} is damaged; start anew with --overwrite")

    def _write(self, entries: list[dict[str, Any]]) -> None:
        rest = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()
        while rest:
            # A nearly full disk takes a part and refuses the next.
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())


def _short(value: Any, most: int = 100) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 2 :]}"
