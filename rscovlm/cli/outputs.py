"""No output of a command may be one of its inputs, and none is replaced unless the user says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from rscovlm.errors import UsageError

Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where an interrupted run with this --output ended.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]


def check_outputs(
    outputs: Mapping[str, Path | None],
    inputs: Iterable[str | Path | None],
    *,
    overwrite: bool,
    resume: bool = False,
    replaceable: Callable[[Path], bool] | None = None,
) -> None:
    """Refuse outputs that would destroy something, before anything is read or computed.

    Paths are the same where they lead to the same file: by another spelling, a link, or a hard link.

    Args:
        outputs: by the option that names them; None where an option is not given.
        inputs: everything that is read; what is not a path of this machine (a URL, a GDAL data set name)
            is passed over.
        overwrite: outputs that exist may be replaced.
        resume: so they may, since an unfinished run of the same command wrote them.
        replaceable: tells of a file that exists whether nothing is lost by replacing it; None for never.

    Raises:
        UsageError: naming the option and what would be right.
    """
    given = {option: path for option, path in outputs.items() if path is not None}
    read = {_identity(Path(text)) for text in inputs if text is not None} - {None}
    written: dict[object, str] = {}
    for option, path in given.items():
        place = _identity(path)
        if place in read:
            raise UsageError(f"{option} {path} is what is read; choose another file")
        if place in written:
            raise UsageError(f"{written[place]} and {option} are both {path}; give each a file of its own")
        if place is not None:
            written[place] = option
    if overwrite or resume:
        return
    for option, path in given.items():
        if replaceable is not None and replaceable(path):
            continue
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            what = "exists" if path.is_file() else "is a folder with files in it"
            raise UsageError(f"{option} {path} {what}; add --overwrite to replace what it holds")


def check_file(path: Path | None, option: str, suffixes: tuple[str, ...]) -> None:
    """Make sure that a file can be written, before long work starts.

    Raises:
        UsageError: for another suffix than those supported, or a folder in its place.
        OSError: where the folder is missing or cannot be written.
    """
    from detection_eval.files import check_folder

    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} {path.name} has an unknown suffix; choose {' or '.join(suffixes)}")
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder; give the name of a file")
    check_folder(path)


def _identity(path: Path) -> object:
    """The same for two paths that lead to the same place; None for a name that the system cannot look up."""
    try:
        if path.exists():
            facts = path.stat()
            return facts.st_dev, facts.st_ino
        return path.resolve()
    except (OSError, ValueError):
        return None
