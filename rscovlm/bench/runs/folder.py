"""The run folder: ``manifest.json``, what was asked of which weights, and ``samples.jsonl``, a line an item.

The log is a journal: lines are on the disk before the next batch is asked, a process that was killed leaves
at most a torn last line, and a log of another job is refused by naming what differs. Of an item that failed
and was asked again the last line counts.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from detection_eval.files import check_folder, write_json
from detection_eval.formats.lines import read_json
from rscovlm.bench.records import row_from_json, row_to_json
from rscovlm.bench.row import Row
from rscovlm.errors import DataError, UsageError
from rscovlm.journal import Journal, parameters_hash, read_journal

MANIFEST, SAMPLES, SCORES = "manifest.json", "samples.jsonl", "scores.json"
SCHEMA = "rscovlm.run/1"
LIBRARIES = ("numpy", "rasterio", "torch", "transformers", "tokenizers", "vllm")
"""Whose versions may change a reply."""


@dataclass(frozen=True)
class Run:
    """A run as its folder holds it.

    Attributes:
        path: of the folder.
        manifest: of the run.
        rows: the last of each item, in the order in which they were first asked.
    """

    path: Path
    manifest: Mapping[str, Any]
    rows: tuple[Row, ...]

    @property
    def benchmark(self) -> str:
        """Name of the benchmark."""
        return str(self.manifest["benchmark"]["name"])

    @property
    def label(self) -> str:
        """What tables call the run."""
        return str(self.manifest["label"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of its scores has to know, one line each."""
        return tuple(map(str, self.manifest.get("notes", ())))

    @property
    def asked(self) -> int:
        """Items that the run is about; more than there are rows where it was interrupted."""
        return int(self.manifest["benchmark"]["items"])


@contextmanager
def open_log(
    folder: Path, facts: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> Iterator[tuple[Journal, dict[str, Row]]]:
    """The log of a run and the rows that it holds, by key of the item.

    Args:
        folder: of the run; made where it is missing.
        facts: all that a reply depends on.
        resume: go on with a log that exists.
        overwrite: start anew where there is one.

    Raises:
        JournalError: where a log is in the way, of another job, in use or damaged.
        OSError: where it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / SAMPLES, facts, resume=resume, overwrite=overwrite, latest=True) as journal:
        (folder / SCORES).unlink(missing_ok=True)  # of fewer rows than there will be
        yield journal, {key: row_from_json(value) for key, value in journal.done.items()}


def refuse_what_is_there(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse to replace a run, before a model is loaded.

    Raises:
        UsageError: where there is one and neither option is given, or both are.
        NotADirectoryError, PermissionError: where the folder cannot be made.
    """
    if resume and overwrite:
        raise UsageError("--resume continues what --overwrite would replace; give one of them")
    if (folder / SAMPLES).exists() and not (resume or overwrite):
        raise UsageError(f"{folder} holds a run; continue it with --resume, or start anew with --overwrite")
    made = folder
    while not made.parent.exists():
        made = made.parent
    check_folder(folder / SAMPLES if folder.exists() else made)


def record(journal: Journal, rows: Iterable[Row]) -> None:
    """Add rows to a log and wait until they are on the disk.

    Raises:
        OSError: where they cannot be written.
    """
    journal.append({row.item.key: row_to_json(row) for row in rows})


def write_manifest(
    folder: Path, label: str, facts: Mapping[str, Any], benchmark: Mapping[str, Any], **more: Any
) -> None:
    """Write ``manifest.json``.

    Args:
        folder: of the run.
        label: what tables call it.
        facts: all that a reply depends on; their hash identifies the job.
        benchmark: name, split, number of items and of those published, files with their hashes, protocols.
        more: what else is known: the command, the device.
    """
    write_json(
        folder / MANIFEST,
        {
            "schema": SCHEMA,
            "label": label,
            "hash": parameters_hash(facts),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "benchmark": benchmark,
            "facts": facts,
            "commit": _commit(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            **more,
        },
        indent=1,
    )


def library_versions() -> dict[str, str]:
    """Versions of the libraries that replies depend on, of those that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of this package's checkout; None where it is installed from elsewhere."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def read_run(folder: Path) -> Run:
    """A run from its folder.

    Raises:
        DataError: where the folder holds no run, or one that cannot be read.
        JournalError: where the log is damaged.
    """
    if not (folder / MANIFEST).is_file() or not (folder / SAMPLES).is_file():
        raise DataError(f"{folder} holds no run: {MANIFEST} and {SAMPLES} are expected there")
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise DataError(f"{folder / MANIFEST} is no manifest of this version ({SCHEMA})")
    facts, entries = read_journal(folder / SAMPLES)
    if parameters_hash(facts) != manifest.get("hash"):
        raise DataError(f"{folder / SAMPLES} and {folder / MANIFEST} are of different jobs")
    records = dict(entries)
    rows = (row_from_json(value, f"{folder / SAMPLES}: {key}") for key, value in records.items())
    return Run(folder, manifest, tuple(rows))


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The run folders that some paths are or hold, at any depth, those of one path as they were begun.

    Raises:
        DataError: for a path that leads to none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path] if (path / MANIFEST).is_file() else _inside(path)
        if not inside:
            raise DataError(f"{path} neither is nor holds a run folder (with {MANIFEST})")
        found |= dict.fromkeys(inside)
    return list(found)


def _inside(path: Path) -> list[Path]:
    """Run folders below a path, the one that was begun first first."""
    manifests = sorted(path.rglob(MANIFEST), key=lambda file: (file.stat().st_mtime_ns, file))
    return [file.parent for file in manifests]
