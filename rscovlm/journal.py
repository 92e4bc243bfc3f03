"""A journal of finished work: an append-only file of JSON lines that survives ``kill -9``.

The first line holds the parameters of the work and their hash, each other line one finished item under its
key. Lines are flushed to the disk after each batch, so that at most the batch at hand is lost; several
threads may append. A process that dies while it writes leaves a torn last line, which is cut off when the
journal is opened again; damage anywhere else is an error, since something else must have written there. A
lock keeps a second process out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from detection_eval.closing import Closing
from detection_eval.files import InUse, locked, naming
from rscovlm.errors import JournalError

SCHEMA = "rscovlm.journal/1"
_FINGERPRINTS = re.compile(r"(?:[0-9a-f]{16}|[0-9a-f]{64}) (?:[0-9a-f]{16}|[0-9a-f]{64})")


class Journal(Closing):
    """Finished items of one piece of work; a context manager that closes the file and keeps it.

    Args:
        path: of the file.
        parameters: all that the results depend on, of values that JSON can hold.
        resume: go on with a journal that exists; without it one that holds results is refused.
        overwrite: start anew where one holds results.
        latest: the last record of a key counts, not the first: for work of which a part is done again.

    Attributes:
        path: of the file.
        done: what is recorded, by key; the first record of a key counts, or the last where ``latest``.

    Raises:
        JournalError: where a journal holds results and neither ``resume`` nor ``overwrite`` is set, where its
            parameters differ (all that differ are named), where another process holds it, or where it is
            damaged.
        OSError: where the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        parameters: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
        latest: bool = False,
    ) -> None:
        self.path = path
        self._latest = latest
        self.done: dict[str, Any] = {}
        self._writing = threading.Lock()
        # As JSON gives them back: lists for tuples.
        self._parameters: dict[str, Any] = json.loads(json.dumps(parameters, allow_nan=False))
        self._held = ExitStack()
        try:
            self._held.enter_context(locked(path))
            self._file = self._held.enter_context(self._open(resume, overwrite))
        except InUse as error:
            raise JournalError(str(error)) from None
        except BaseException:
            self._held.close()
            raise

    def _open(self, resume: bool, overwrite: bool) -> BinaryIO:
        file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
        try:
            recorded = file.read()
            if _results(recorded) and not (resume or overwrite):
                raise JournalError(
                    f"{self.path} holds the results of an unfinished run; "
                    "continue it with --resume, or start anew with --overwrite"
                )
            whole = self._load(recorded) if resume else 0
            file.truncate(whole)
            file.seek(whole)
            if not whole:
                with naming(self.path):
                    _write(file, [self._header()])
                    os.fsync(file.fileno())
        except BaseException:
            file.close()
            raise
        return file

    def _header(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "hash": parameters_hash(self._parameters),
            "parameters": self._parameters,
        }

    def _load(self, recorded: bytes) -> int:
        """Take over the records; the length in bytes of the lines that are whole."""
        header, entries, whole = _read(recorded, self.path)
        if header is not None:
            self._check_header(header)
        for key, value in entries:
            self._take(key, value)
        return whole

    def _take(self, key: str, value: Any) -> None:
        if self._latest:
            self.done[key] = value
        else:
            self.done.setdefault(key, value)

    def _check_header(self, header: dict[str, Any]) -> None:
        if header.get("schema") != SCHEMA:
            raise JournalError(
                f"{self.path} is no journal of this version ({header.get('schema')!r}, expected {SCHEMA!r}); "
                "start anew with --overwrite"
            )
        recorded = header.get("parameters")
        if not isinstance(recorded, dict) or header.get("hash") != parameters_hash(recorded):
            raise _damaged(self.path, 1)
        if changes := differences(recorded, self._parameters).values():
            raise JournalError(
                f"{self.path} is of a run with other parameters: {'; '.join(changes)}. "
                "Use the same ones to resume, or start anew with --overwrite"
            )

    def append(self, items: Mapping[str, Any]) -> None:
        """Record finished items by key and wait until they are on the disk.

        Raises:
            OSError: where they cannot be written.
        """
        with naming(self.path):
            with self._writing:
                _write(self._file, [{"key": key, "value": value} for key, value in items.items()])
                for key, value in items.items():
                    self._take(key, value)
            # What is written outlives this process; no thread waits for the disk of another's line.
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; what is recorded stays."""
        self._held.close()

    def remove(self) -> None:
        """Close and delete the file: the work is done and its result is safe."""
        self.path.unlink(missing_ok=True)
        self.close()


def journal_path(output: Path) -> Path:
    """Where the journal of work that ends in ``output`` lies: beside it, ``out.gpkg.journal.jsonl``."""
    return output.with_name(f"{output.name}.journal.jsonl")


def results_in(path: Path) -> int:
    """How many results a journal holds, without opening it for work; 0 where there is none.

    Raises:
        OSError: where it cannot be read.
    """
    return _results(path.read_bytes()) if path.is_file() else 0


def _results(recorded: bytes) -> int:
    """Whole lines after the header."""
    return max(0, recorded.count(b"\n") - 1)


def parameters_hash(parameters: Mapping[str, Any]) -> str:
    """SHA-256 of the parameters, whatever their order."""
    text = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _write(file: BinaryIO, records: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
    file.write(lines.encode())
    file.flush()


def read_journal(path: Path) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """The parameters of a journal and its records in order, a torn last line left out; nothing is locked.

    Raises:
        JournalError: where it is no journal, or damaged.
        OSError: where it cannot be read.
    """
    header, entries, _ = _read(path.read_bytes(), path)
    parameters = (header or {}).get("parameters")
    if not isinstance(parameters, dict):
        raise _damaged(path, 1)
    return parameters, entries


def _read(recorded: bytes, path: Path) -> tuple[dict[str, Any] | None, list[tuple[str, Any]], int]:
    """The header, the records and the length in bytes of the lines that are whole; None for no header yet."""
    whole = recorded.rfind(b"\n") + 1
    lines = recorded[:whole].split(b"\n")[:-1]
    if not lines:
        return None, [], 0
    entries = []
    for number, line in enumerate(lines[1:], start=2):
        record = _parse(line, path, number)
        if "key" not in record or "value" not in record:
            raise _damaged(path, number)
        entries.append((record["key"], record["value"]))
    return _parse(lines[0], path, 1), entries, whole


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        raise _damaged(path, number) from None
    if not isinstance(record, dict):
        raise _damaged(path, number)
    return record


def _damaged(path: Path, number: int) -> JournalError:
    return JournalError(f"{path} is damaged at line {number}; start anew with --overwrite")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """The values of two JSON objects that differ: ``a.b`` of one inside another, with ``a.b was 1, now 2``.

    Of fingerprints no more is said than that they differ.
    """
    return dict(_differences(before, now, ""))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], inside: str) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | now.keys()):
        key, first, second = inside + name, before.get(name), now.get(name)
        if first == second:
            continue
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            yield from _differences(first, second, f"{key}.")
        elif _FINGERPRINTS.fullmatch(f"{first} {second}"):
            yield key, f"{key}: other content"
        else:
            yield key, "{} was {}, now {}".format(key, *_apart(first, second))


def _apart(one: Any, other: Any, limit: int = 60) -> tuple[str, str]:
    """Two values in few words; of long ones the part from shortly before where they begin to differ."""
    texts = [json.dumps(value, ensure_ascii=False) for value in (one, other)]
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts)))
    start = 0 if same < limit - 20 else same - 10
    first, second = (_cut(text, start, limit) for text in texts)
    return first, second


def _cut(text: str, start: int, limit: int) -> str:
    before = "..." if start else ""
    rest = text[start:]
    return before + (rest if len(rest) <= limit else f"{rest[: limit - 3]}...")
