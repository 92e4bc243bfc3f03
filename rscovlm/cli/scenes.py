"""Scenes as a command line names them: files, patterns, folders and lists of files, in one place for all."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rscovlm.errors import UsageError

Scenes = Annotated[
    list[str],
    typer.Argument(
        help="Anything that GDAL reads; also folders, 'patterns*.tif', and @FILE with one a line.",
        metavar="SCENE",
    ),
]
"""Argument of every command that looks at several scenes."""

_PRODUCTS = ("manifest.safe", "MTD_*.xml")
"""Files by which GDAL opens a folder's satellite product as a whole."""
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class GivenScenes:
    """What a command line asks to look at.

    Attributes:
        sources: of the scenes, in order, as often as they are named.
        several: whether there may be more than one; a single file that is named itself is not.
        lists: the files that name some of them.
    """

    sources: tuple[str, ...]
    several: bool
    lists: tuple[Path, ...] = ()


def read_scenes(given: Sequence[str]) -> GivenScenes:
    """The scenes that arguments stand for.

    A pattern stands for the files that match it, in the order of their names; a folder for the rasters
    right inside it, unless it is a satellite product; ``@FILE`` for the lines of a file, each of which may
    be any of these; anything else for itself. Relative paths in a list are from the working folder.

    Raises:
        UsageError: for a pattern or list that names nothing.
        FormatError: for a list that is not UTF-8.
        OSError: for a list that cannot be read.
    """
    lists = tuple(Path(text[1:]) for text in given if _is_list(text))
    sources = tuple(source for text in given for source in _expanded(text))
    return GivenScenes(sources, len(sources) > 1 or tuple(given) != sources, lists)


def _is_list(text: str) -> bool:
    return text.startswith("@") and len(text) > 1 and not Path(text).exists()


def _expanded(text: str) -> Iterator[str]:
    if _is_list(text):
        yield from (source for line in _lines(Path(text[1:])) for source in _found(line))
    else:
        yield from _found(text)


def _lines(path: Path) -> Iterator[str]:
    from detection_eval.formats.lines import numbered_lines

    lines = [line for _, line in numbered_lines(path) if not line.startswith("#")]
    if not lines:
        raise UsageError(f"@{path} names no scenes; write one a line")
    yield from lines


def _found(text: str) -> Iterator[str]:
    """The files that a pattern or a folder stands for; else the text itself."""
    if "://" in text or text.startswith("/vsi") or "\0" in text:
        yield text
        return
    path = Path(text)
    if glob.has_magic(text) and not os.path.exists(text):
        matches = sorted(match for match in glob.glob(text, recursive=True) if Path(match).is_file())
        if not matches:
            raise UsageError(f"no file matches {text!r}")
        yield from matches
    elif os.path.isdir(text) and not any(next(path.glob(product), None) for product in _PRODUCTS):
        from tiling.containers import RASTERS

        inside = sorted(str(file) for file in path.iterdir() if file.suffix.lower() in RASTERS)
        # One without rasters may be a format of its own; opening it tells.
        yield from inside or [text]
    else:
        yield text


def distinct(sources: Sequence[str]) -> tuple[str, ...]:
    """Each scene once, however it is spelt, in the order of first mention."""
    first: dict[str, str] = {}
    for source in sources:
        first.setdefault(os.path.realpath(source) if os.path.exists(source) else source, source)
    return tuple(first.values())


def scene_names(sources: Sequence[str]) -> dict[str, str]:
    """A name for each of some distinct scenes that no other has and that a file may have.

    The name of its file without suffix; where several share one, as much of their folders before it as tells
    them apart, else a number behind it.
    """
    parts = {source: _parts(source) for source in sources}
    names = {source: _joined(parts[source], 1) for source in sources}
    for depth in range(2, max(map(len, parts.values()), default=0) + 1):
        shared = _repeated(names.values())
        names |= {source: _joined(parts[source], depth) for source, name in names.items() if name in shared}
    taken: set[str] = set()
    for source, name in names.items():
        number, free = 2, name
        while free in taken:
            number, free = number + 1, f"{name}_{number}"
        names[source] = free
        taken.add(free)
    return names


def _parts(source: str) -> list[str]:
    """Folders and the name without suffix, of a path, a URL or a name of GDAL's."""
    *folders, last = [part for part in re.split(r"[/\\]+", source.split("?")[0]) if part] or [source]
    stem = Path(last).stem if ":" not in last else last.replace('"', "")
    return [*folders, stem]


def _joined(parts: Sequence[str], depth: int) -> str:
    return _NOT_IN_NAMES.sub("_", "_".join(parts[-depth:])).strip("._") or "scene"


def _repeated(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}
