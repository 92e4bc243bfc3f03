"""Facts about the samples of a regression data set, whatever it is stored as: labels, places, dates, words.

| stored as | read |
|---|---|
| AGBD and AGBD-Lite, HDF5 | all numbers of GEDI, tiles, dates, land cover of evenly spaced plots |
| ``AGBD_raw`` and other tables, Parquet | the label, and the numbers of the struct ``metadata`` |
| REO-Instruct, JSON, JSON lines, CSV | questions, answers and the targets that are in them |

Pixels are read of few samples alone (``pixels``), so that a file of any size is looked at in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.agbd import GEDI_BEGAN, NO_CLASS, AgbdFile, degrees
from rscovlm.data.agbd_raw import read_columns, tiles_of
from rscovlm.data.plot_files import HDF5, TABLES
from rscovlm.data.readers.common import LeftOut, Options, read_records
from rscovlm.data.readers.regression import Said, said_in
from rscovlm.data.splits import OFFICIAL, split_in_name, split_of_file, splitter
from rscovlm.data.table_blocks import Blocks
from rscovlm.errors import DataError
from rscovlm.synth.forest import LAND_COVERS

Floats = NDArray[np.float64]
Stored = Literal["AGBD", "AGBD-Lite", "table", "conversations"]

AGB = "agb_mg_per_ha"
NAMES: Mapping[str, str] = {
    "agbd": AGB,
    "agb": AGB,
    "label": AGB,
    "agbd_se": "agbd_se",
    "rh98": "canopy_height_m",
    "patch_count": "patch_count",
    "region_cla": "region",
    "pft_class": "pft",
}
"""Names of numbers here by those in files."""

_COVERS = 2000  # plots whose land cover is read
_TALKS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".zip", ".tar", ".tgz", ".gz", ".arrow")
_DAYS = {
    "image_day": ("s2_num_days", "S2_date", "image_day"),
    "label_day": ("gedi_num_days", "date", "label_day"),
}


@dataclass(frozen=True, eq=False)
class Facts:
    """Facts about N samples.

    Attributes:
        stored: the layout.
        files: that were read.
        key, split, tile, cover: (N,) text; empty where unknown.
        lat, lon: (N,) degrees; NaN where unknown.
        image_day, label_day: (N,) days since ``GEDI_BEGAN``; NaN where unknown.
        numbers: (N,) by name, NaN where a sample has none.
        texts: (N,) question and answer; empty where there are no words.
    """

    stored: Stored
    files: tuple[Path, ...]
    key: NDArray[np.str_]
    split: NDArray[np.str_]
    tile: NDArray[np.str_]
    cover: NDArray[np.str_]
    lat: Floats
    lon: Floats
    image_day: Floats
    label_day: Floats
    numbers: Mapping[str, Floats] = field(default_factory=dict)
    texts: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.key)

    @property
    def label(self) -> Floats:
        """(N,) above-ground biomass in Mg/ha; NaN where unknown."""
        return self.numbers.get(AGB, np.full(len(self), np.nan))


def read_facts(paths: Sequence[Path], splits: Mapping[str, str] | None = None) -> Facts:
    """The facts of one or several files of a data set.

    Args:
        paths: files, or folders that hold some.
        splits: split by path as given; of others it is taken from the file's name, such as ``train-00.h5``,
            or by tile from AGBD's own split beside the file.

    Raises:
        DataError: a file cannot be read, or files are stored in different ways.
    """
    stated = splits or {}
    parts = []
    for path in paths:
        for file in files_of(path):
            found = _reader(file)(file)
            own = stated.get(str(path)) or split_of_file(file)
            if own:
                found = replace(found, split=np.full(len(found), own))
            elif (file.parent / OFFICIAL).is_file():
                by_tile = splitter(file.parent)
                found = replace(found, split=np.array([by_tile(str(tile)) for tile in found.tile]))
            parts.append(found)
    kinds = list(dict.fromkeys(part.stored for part in parts))
    if len(kinds) > 1:
        raise DataError(f"files are stored as {' and '.join(kinds)}; give those of one data set")
    return _joined(parts)


def files_of(path: Path) -> list[Path]:
    """A file, or those of a folder that are of a known kind, by name.

    Raises:
        DataError: there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path} does not exist; give an HDF5, Parquet, JSON or CSV file, or a folder")
    for suffixes in (HDF5, TABLES, (".json", ".jsonl", ".csv")):
        found = sorted(each for each in path.rglob("*") if each.suffix.lower() in suffixes)
        if found:
            return found
    raise DataError(f"{path} holds no HDF5, Parquet, JSON or CSV file")


def _reader(path: Path) -> Callable[[Path], Facts]:
    suffix = path.suffix.lower()
    if suffix in HDF5:
        return _of_hdf5
    if suffix in TABLES:
        return _of_table
    if suffix not in _TALKS:
        raise DataError(f"{path} is no data set of plots; give HDF5, Parquet, JSON, JSON lines or CSV")
    return _of_conversations


def _joined(parts: Sequence[Facts]) -> Facts:
    if not parts:
        raise DataError("no files were given")
    names = dict.fromkeys(name for part in parts for name in part.numbers)
    numbers = {
        name: np.concatenate([part.numbers.get(name, np.full(len(part), np.nan)) for part in parts])
        for name in names
    }
    columns: dict[str, Any] = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts])
        for each in fields(Facts)
        if each.name not in ("stored", "files", "numbers", "texts")
    }
    texts = tuple(text for part in parts for text in part.texts)
    files = tuple(file for part in parts for file in part.files)
    return Facts(parts[0].stored, files, numbers=numbers, texts=texts, **columns)


def unknown(count: int) -> Floats:
    """(count,) NaN."""
    return np.full(count, np.nan)


# --- HDF5 -----------------------------------------------------------------------------------------


def _of_hdf5(path: Path) -> Facts:
    with AgbdFile(path) as opened:
        columns: dict[str, list[NDArray[Any]]] = {"tile": [], "key": []}
        for name, tiles, numbers in opened.columns():
            count = len(tiles)
            columns["tile"].append(tiles)
            columns["key"].append(np.array([f"{path.stem}/{tile}/{row}" for row, tile in enumerate(tiles)]))
            for own, values in _understood(numbers).items():
                columns.setdefault(own, []).append(values)
            columns.setdefault("cover", []).append(_covers(opened, name, count))
        whole = {name: np.concatenate(values) for name, values in columns.items()}
        stored: Stored = "AGBD-Lite" if opened.lite else "AGBD"
    count = len(whole["tile"])
    words = {name: whole.pop(name) for name in ("key", "tile", "cover")}
    return _made(stored, path, whole, words | {"split": np.full(count, "")})


def _made(
    stored: Stored, path: Path, numbers: dict[str, Floats], words: Mapping[str, NDArray[np.str_]]
) -> Facts:
    count = len(words["key"])
    return Facts(
        stored,
        (path,),
        words["key"],
        words["split"],
        words["tile"],
        words["cover"],
        numbers.pop("lat", unknown(count)),
        numbers.pop("lon", unknown(count)),
        numbers.pop("image_day", unknown(count)),
        numbers.pop("label_day", unknown(count)),
        numbers,
    )


def _covers(opened: AgbdFile, name: str, count: int) -> NDArray[np.str_]:
    """Land cover of evenly spaced plots of a group: to read all of them takes long."""
    found = np.full(count, "", dtype="<U40")
    share = min(1.0, _COVERS / max(len(opened), 1))
    for row in np.unique(np.linspace(0, count - 1, max(1, round(share * count))).round().astype(int)):
        code = opened.cover(name, int(row)) if count else None
        if code is not None and code != NO_CLASS:
            found[row] = LAND_COVERS.get(code, f"class {code}")
    return found


def _understood(numbers: Mapping[str, Floats]) -> dict[str, Floats]:
    """Numbers by the names of ``Facts``; places from their two parts."""
    found = {NAMES.get(name, name): values for name, values in numbers.items()}
    for axis in ("lat", "lon"):
        if f"{axis}_offset" in found and f"{axis}_decimal" in found:
            offset, decimal = found.pop(f"{axis}_offset"), found.pop(f"{axis}_decimal")
            found[axis] = np.array([degrees(*pair) for pair in zip(offset, decimal, strict=True)])
    for own, names in _DAYS.items():
        stated = next((found.pop(name) for name in names if name in found), None)
        if stated is not None:
            found[own] = stated
    return found


# --- tables ---------------------------------------------------------------------------------------


def _of_table(path: Path) -> Facts:
    table = Blocks(path)
    numbers, words = read_columns(table.file)
    table.close()
    tiles = tiles_of(numbers, words)
    found = _understood(numbers)
    if AGB not in found:
        told = ", ".join([*numbers, *words]) or "none"
        raise DataError(f"{path} has no label: a column label, agb or agbd is due, and there are {told}")
    count = len(found[AGB])
    tile = np.full(count, "") if tiles is None else tiles
    keys = [f"{path.stem}/{each}/{row}" if each else f"{path.stem}/{row}" for row, each in enumerate(tile)]
    split = np.array([split_in_name(each) for each in words.get("split", np.full(count, ""))], np.str_)
    given = {"key": words.get("key", np.array(keys, np.str_)), "tile": tile, "split": split}
    return _made("table", path, found, given | {"cover": words.get("cover", np.full(count, ""))})


# --- conversations --------------------------------------------------------------------------------


def _of_conversations(path: Path) -> Facts:
    rows = list(_talks(path))
    if not rows:
        raise DataError(f"{path} holds no conversation: a question and its answer in each record are due")
    names = dict.fromkeys(name for _, said, _ in rows for name in said.targets)
    numbers = {name: np.array([said.targets.get(name, np.nan) for _, said, _ in rows]) for name in names}

    def column(*names: str) -> list[Any]:
        return [next((record[n] for n in names if record.get(n) is not None), None) for *_, record in rows]

    def words(*names: str) -> NDArray[np.str_]:
        return np.array(["" if value is None else str(value) for value in column(*names)], dtype=np.str_)

    return Facts(
        "conversations",
        (path,),
        np.array([key for key, *_ in rows], dtype=np.str_),
        words("split"),
        words("tile", "mgrs_tile"),
        words("land_cover", "cover"),
        np.array([_float(value) for value in column("lat", "latitude")]),
        np.array([_float(value) for value in column("lon", "longitude")]),
        np.array([_day(value) for value in column("date", "image_date")]),
        np.array([_day(value) for value in column("gedi_date", "label_date")]),
        numbers,
        tuple((said.question, said.answer) for _, said, _ in rows),
    )


def _talks(path: Path) -> Iterator[tuple[str, Said, Mapping[str, Any]]]:
    options = Options(peek=True)
    for place, record in read_records(path, options):
        try:
            says = said_in(record, options)
        except LeftOut:
            continue
        key = str(record.get("id", Path(place).name))
        for number, said in enumerate(says):
            yield key if len(says) == 1 else f"{key}/{number}", said, record


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _day(value: Any) -> float:
    """Days since ``GEDI_BEGAN`` of an ISO date, or of a number of days."""
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float((np.datetime64(str(value)[:10]) - GEDI_BEGAN) / np.timedelta64(1, "D"))
    except ValueError:
        return float("nan")
