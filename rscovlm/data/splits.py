"""Splits by tile: plots of one tile are alike, so that a tile belongs to one split alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from detection_eval.errors import FormatError
from detection_eval.formats.unpickling import load_pickle
from rscovlm.errors import DataError

Split = Literal["train", "val", "test", "all"]
SPLITS: tuple[Split, ...] = get_args(Split)

SHARES = {"train": 0.64, "val": 0.14, "test": 0.22}
"""Shares of tiles, as AGBD has them (306, 67 and 106)."""


def split_of(tile: str) -> Split:
    """The split of a tile by its name alone, so that it is the same in every file and on every machine."""
    digest = hashlib.sha256(tile.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < SHARES["train"]:
        return "train"
    return "val" if place < SHARES["train"] + SHARES["val"] else "test"


OFFICIAL = "biomes_splits_to_name.pkl"
"""AGBD's own split, beside its files: tile names by ``train``, ``val`` and ``test``."""


def splitter(folder: Path) -> Callable[[str], str]:
    """What gives the split of a tile: AGBD's own where its file stands in a folder, else ``split_of``.

    A tile that AGBD's file does not name is in no split (an empty name). The pickle is read by a machine
    that knows values alone, and can run no code.

    Raises:
        DataError: the file cannot be read, or is of another layout.
    """
    path = folder / OFFICIAL
    if not path.is_file():
        return split_of
    try:
        stated = load_pickle(path.read_bytes(), str(path))
        named = {split: [str(tile) for tile in stated[split]] for split in SHARES}
    except (OSError, FormatError) as error:
        raise DataError(str(error)) from None
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(f"{path}: lists of tiles under {', '.join(SHARES)} are needed: {error!r}") from None
    check_apart(named)
    by_tile = {tile: split for split, tiles in named.items() for tile in tiles}
    return lambda tile: by_tile.get(tile, "")


_NAMED = re.compile(r"(?<![a-z])(train|val|valid|validation|test)(?![a-z])", re.IGNORECASE)


def split_in_name(name: str) -> str:
    """The split that the name of a file says, such as ``test`` in ``AGBD-Lite_test.h5``; empty for none."""
    found = _NAMED.search(name.replace("_", " "))
    if found is None:
        return ""
    said = found[1].lower()
    return "val" if said.startswith("val") else said


def split_of_file(path: Path) -> str:
    """The split that the name of a file says, else that of its folder where it is one; empty for none."""
    return split_in_name(path.name) or (path.parent.name and _whole(path.parent.name))


def _whole(name: str) -> str:
    return split_in_name(name) if _NAMED.fullmatch(name) else ""


def splits_of(path: Path, tiles: NDArray[np.str_], stated: NDArray[np.str_] | None) -> NDArray[np.str_]:
    """(n,) split of each plot of a file: the file's, else that stated of the plot, else that of its tile.

    Args:
        path: of the file.
        tiles: (n,) of its plots.
        stated: (n,) by the file, empty where it states none; None for none.

    Raises:
        DataError: AGBD's own split beside the file cannot be read.
    """
    if said := split_of_file(path):
        return np.full(len(tiles), said)
    by_tile = splitter(path.parent)
    own = {tile: by_tile(tile) for tile in np.unique(tiles).tolist()}
    made = np.array([own[tile] for tile in tiles.tolist()], np.str_)
    if stated is None:
        return made
    known = {name: split_in_name(name) for name in np.unique(stated).tolist()}
    return np.array(
        [known[said] or other for said, other in zip(stated.tolist(), made.tolist(), strict=True)], np.str_
    )


def check_split(split: str) -> Split:
    """A split by name.

    Raises:
        DataError: for one that does not exist.
    """
    if split not in SPLITS:
        raise DataError(f"split {split!r} is unknown; choose from {', '.join(SPLITS)}")
    return split


def check_apart(tiles: Mapping[str, Iterable[str]]) -> None:
    """Refuse splits that share a tile: scores would tell how well it is remembered.

    Args:
        tiles: of each split, by its name.

    Raises:
        DataError: naming the splits and some of the tiles that they share.
    """
    seen: dict[str, str] = {}
    for split, own in tiles.items():
        shared = sorted({tile for tile in own if seen.get(tile, split) != split})
        if shared:
            more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
            other = seen[shared[0]]
            raise DataError(
                f"{split} and {other} share the tiles {', '.join(shared[:3])}{more}; "
                "plots of one tile are alike, so leave them out of one of both"
            )
        seen |= dict.fromkeys(own, split)
