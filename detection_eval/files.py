"""Files that are written whole or not at all, folders that are checked before long work, locks.

Every writer of the project goes through here. A file is written beside its destination, on the same file
system, and moved there when it is complete: a full disk, an interruption or a defect leaves what was there.
"""

from __future__ import annotations

import errno
import glob
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock

_AT_WORK = "writing"
"""Name of the lock in a temporary folder."""

_FULL_BYTES = 1 << 20
"""What is left on a disk that is full to a library which writes in blocks."""


class InUse(OSError):
    """Another process works on the same thing; the message names it."""


def check_folder(path: Path) -> None:
    """Make sure that the folder of a path exists and can be written.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: with one clear line.
    """
    folder = path.parent
    if not folder.exists():
        raise FileNotFoundError(f"folder {folder} of output {path.name} does not exist; create it first")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, so it cannot hold output {path.name}")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"folder {folder} of output {path.name} cannot be written")


@contextmanager
def atomic_path(destination: Path) -> Iterator[Path]:
    """A path to write to, which becomes the destination when the block ends without an error.

    It lies in a temporary folder beside the destination: on the same file system, so that the move is
    atomic, and apart, so that journals of a database vanish with it. A folder replaces the files of the
    same names in an existing folder, one by one, and leaves the others.

    Raises:
        OSError: as :func:`check_folder`, and where the move fails.
    """
    check_folder(destination)
    _sweep(destination)
    workspace = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    try:
        temporary = workspace / destination.name
        with naming(destination), locked(workspace / _AT_WORK):
            yield temporary
        if temporary.is_dir() and destination.is_dir():
            for file in sorted(temporary.iterdir()):
                os.replace(file, destination / file.name)
        else:
            os.replace(temporary, destination)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _sweep(destination: Path) -> None:
    """Remove what processes left beside a destination that were killed while they wrote it."""
    for left in destination.parent.glob(f".{glob.escape(destination.name)}.*"):
        lock = left / f".{_AT_WORK}.lock"
        # The lock of a process that is gone is free; one without a lock belongs to somebody else.
        if lock.is_file():
            with suppress(OSError):
                with locked(left / _AT_WORK):
                    pass
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add to the error of a full disk or a limit, which names no file, which one could not be written.

    GDAL says of a full disk only what it could not do next, and rasterio that there was an exception before.
    """
    try:
        yield
    except InUse:
        raise
    except OSError as error:
        if error.errno is None and shutil.disk_usage(path.parent).free < _FULL_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        if error.errno is None and error.__cause__ is not None and "previous exception" in str(error):
            raise OSError(f"cannot write {path.name}: {error.__cause__}") from error
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 text."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Write a file of JSON: UTF-8, a newline at the end, no NaN.

    Raises:
        ValueError: for a number that JSON does not have.
        TypeError: for a value that JSON does not have.
        OSError: where the file cannot be written.
    """
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent) + "\n")


def without_nan(value: Any) -> Any:
    """A value of lists and dictionaries in which numbers that JSON does not have are None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    return [without_nan(each) for each in value] if isinstance(value, (list, tuple)) else value


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file of bytes."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def commit_folder(partial: Path, final: Path) -> None:
    """Bring a complete folder to the disk, then give it its name; one that had the name is replaced.

    A crash at any point leaves the old folder or the new one under the name, or the old one aside under
    ``.partial-old-<name>``; never half of one.
    """
    for path in [*partial.rglob("*"), partial]:
        _sync(path)
    # A folder cannot replace one that holds files, so the old one steps aside first.
    old = final.with_name(f".partial-old-{final.name}")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    partial.rename(final)
    _sync(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder until the block ends; children of the process do not inherit it.

    The lock is a file ``.<name>.lock`` beside the path, which goes with the lock.

    Raises:
        InUse: another process holds it.
    """
    file = path.with_name(f".{path.name}.lock")
    lock = filelock.FileLock(file)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise InUse(f"{path} is in use by another run; wait for it or choose another output") from None
    try:
        yield
    finally:
        # Removed while it is held: whoever waits finds the file gone and makes a new one.
        file.unlink(missing_ok=True)
        lock.release()
