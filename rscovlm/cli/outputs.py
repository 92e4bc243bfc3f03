"""No output of a command may be one of its inputs, and none is replaced unless the user says so."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from rscovlm.errors import UsageError

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]


def check_outputs(
    outputs: Mapping[str, Path | None],
    inputs: Iterable[str | Path | None],
    *,
    overwrite: bool,
    resume: bool = False,
) -> None:
    """Refuse outputs that would destroy something, before anything is read or computed.

    Paths are the same where they lead to the same file: by another spelling, a link, or a hard link.

    Args:
        outputs: by the option that names them; None where an option is not given.
        inputs: everything that is read; what is not a path of this machine (a URL, a GDAL data set name)
            is passed over.
        overwrite: outputs that exist may be replaced.
        resume: so they may, since an unfinished run of the same command wrote them.

    Raises:
        UsageError: naming the option and what would be right.
    """
    given = {option: path for option, path in outputs.items() if path is not None}
    read = [Path(text) for text in inputs if text is not None]
    for option, path in given.items():
        for source in read:
            if _same(path, source):
                raise UsageError(f"{option} {path} is what is read; choose another file")
        for other, second in given.items():
            if other != option and _same(path, second):
                raise UsageError(f"{option} and {other} are both {path}; give each a file of its own")
    if overwrite or resume:
        return
    for option, path in given.items():
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            what = "exists" if path.is_file() else "is a folder with files in it"
            raise UsageError(f"{option} {path} {what}; add --overwrite to replace what it holds")


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same place; a name that the system cannot look up leads nowhere."""
    try:
        if one.exists() and other.exists():
            return os.path.samefile(one, other)
        return one.resolve() == other.resolve()
    except (OSError, ValueError):
        return False
