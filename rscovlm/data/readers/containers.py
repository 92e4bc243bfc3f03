"""Records from whatever they come in: JSON, CSV, Parquet and Arrow tables, tar and zip archives.

Images inside a table or an archive are written to a folder, and records name the files: ``{"bytes", "path"}``
of Hugging Face, plain bytes, ``data:`` addresses, and members of WebDataset shards and of zip files. A file
written is named by its content, so that equal images are written once and a second run finds them there.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import csv
import hashlib
import io
import itertools
import json
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from detection_eval.files import atomic_path
from detection_eval.words import counted
from rscovlm.data.readers.tables import row_count, table_rows
from rscovlm.errors import DataError

Record = Mapping[str, Any]

TABLES = (".parquet", ".arrow")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
SPREADSHEETS = (".csv", ".tsv")
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*")

_KINDS = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
    b"II+\x00": ".tif",
    b"MM\x00+": ".tif",
    b"BM": ".bmp",
    b"GIF8": ".gif",
    b"RIFF": ".webp",
}
_TEXTS = {".txt": "text", ".cls": "label", ".caption": "caption"}
NAMED = "image"
"""In a record that is only looked at: a picture inside a table, whose bytes are not read."""


class Extracted:
    """The folder that images inside tables and archives are written to.

    Args:
        folder: made when the first image is written; None refuses images inside.
        names_only: images are not written but named, to look at records alone.
    """

    def __init__(self, folder: Path | None = None, names_only: bool = False) -> None:
        self.folder, self.names_only = folder, names_only

    def write(self, content: bytes, place: str) -> str:
        """Write an image and return its absolute path.

        Raises:
            DataError: it is no image of a kind that is known, or there is no folder.
        """
        suffix = next((kind for start, kind in _KINDS.items() if content.startswith(start)), None)
        if suffix is None:
            raise DataError(f"{place}: an image of unknown kind; its first bytes are {content[:8]!r}")
        if self.names_only:
            return f"image{suffix}"
        if self.folder is None:
            raise DataError(f"{place}: an image inside the file, and no folder to write it to")
        path = self.folder.resolve() / f"{hashlib.sha256(content).hexdigest()[:24]}{suffix}"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as partial:
                partial.write_bytes(content)
        return str(path)


def kind_of_container(path: Path) -> str | None:
    """``table``, ``archive`` or ``spreadsheet``; None of anything else, such as JSON."""
    name = path.name.lower()
    if path.is_dir():
        return "table" if table_files(path) else None
    for kind, suffixes in (("table", TABLES), ("archive", ARCHIVES), ("spreadsheet", SPREADSHEETS)):
        if name.endswith(suffixes):
            return kind
    return None


def table_files(folder: Path) -> list[Path]:
    """The shards of a folder of Parquet or Arrow, as ``save_to_disk`` or a download leaves them, in order.

    Raises:
        DataError: it holds several splits, of which one is to be named.
    """
    splits = [entry for entry in sorted(folder.iterdir()) if entry.is_dir() and _shards(entry)]
    here = _shards(folder)
    if here or not splits:
        return here
    if len(splits) > 1:
        names = ", ".join(str(split) for split in splits)
        raise DataError(f"{folder} holds {len(splits)} splits; name one of {names}")
    return _shards(splits[0])


def _shards(folder: Path) -> list[Path]:
    state = folder / "state.json"
    if state.is_file():  # the order of shards is stated, and caches of other tables may lie beside them
        try:
            files = [folder / part["filename"] for part in json.loads(state.read_bytes())["_data_files"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{state} lists no data files ({error!r})") from error
        return files
    return sorted(entry for entry in folder.iterdir() if entry.suffix.lower() in TABLES)


def contained(
    path: Path,
    extracted: Extracted,
    read_text: Callable[[Path], Iterator[Any]],
    rows: Sequence[int] | None = None,
) -> Iterator[Any]:
    """The records of a table, an archive or a spreadsheet, each with its place.

    Args:
        path: see ``kind_of_container``.
        extracted: where images inside are written.
        read_text: reads a file of JSON that an archive holds.
        rows: of a table, counted from 0 over its shards and rising: those that are read; None for all.

    Raises:
        DataError: nothing in it holds records.
    """
    kind = kind_of_container(path)
    if kind == "table":
        yield from _rows(table_files(path) if path.is_dir() else [path], extracted, rows)
    elif kind == "spreadsheet":
        yield from _lines(path)
    else:
        yield from _members(path, extracted, read_text)


# --- tables ---------------------------------------------------------------------------------------


def _rows(
    files: Sequence[Path], extracted: Extracted, wanted: Sequence[int] | None
) -> Iterator[tuple[str, Record]]:
    """The rows of shards, those of them that are wanted by their numbers in all of the table."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise DataError(f"{files[0]}: Parquet and Arrow need pyarrow; install rscovlm[train]") from error
    before = 0
    for path in files:
        try:
            inside = None
            if wanted is not None:
                count = row_count(path)
                inside = [number - before for number in wanted if before <= number < before + count]
                before += count
            for number, row in table_rows(path, inside, pictures=not extracted.names_only):
                place = f"{path}: row {number + 1}"
                yield place, {name: _without_bytes(value, extracted, place) for name, value in row.items()}
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise DataError(f"{path}: no table that can be read ({error})") from error


def _without_bytes(value: Any, extracted: Extracted, place: str) -> Any:
    """A value with images written to files and named."""
    if extracted.names_only and (
        isinstance(value, bytes) or (isinstance(value, dict) and set(value) == {"path"})
    ):
        return NAMED
    if isinstance(value, (bytes, bytearray)):
        return extracted.write(bytes(value), place)
    if isinstance(value, dict) and set(value) == {"bytes", "path"}:
        return extracted.write(value["bytes"], place) if value["bytes"] else value["path"]
    if isinstance(value, list):
        return [_without_bytes(part, extracted, place) for part in value]
    if isinstance(value, dict):
        return {name: _without_bytes(part, extracted, place) for name, part in value.items()}
    return value


def from_address(address: str, extracted: Extracted, place: str) -> str:
    """The file of an image's address: ``file://`` or ``data:``, or a name as it is.

    Raises:
        DataError: an address on the network, which is never fetched, or no base64.
    """
    if address.startswith("file://"):
        return address.removeprefix("file://")
    if address.startswith("data:"):
        try:
            content = base64.b64decode(address.partition(",")[2], validate=True)
        except binascii.Error as error:
            raise DataError(f"{place}: an image whose base64 cannot be read ({error})") from error
        return extracted.write(content, place)
    if "://" in address:
        raise DataError(f"{place}: {address:.80} is an address on the network; download it first")
    return address


def _lines(path: Path) -> Iterator[tuple[str, Record]]:
    """Rows of CSV or TSV: in UTF-8 or UTF-16, separated by commas, semicolons or tabs, after lines of ``#``.

    Where semicolons separate, numbers have decimal commas, which become points.
    """
    with path.open("rb") as opened:
        wide = opened.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    try:
        with path.open(encoding="utf-16" if wide else "utf-8-sig", newline="") as file:
            yield from _separated(path, file)
    except UnicodeError as error:
        raise DataError(f"{path} is not UTF-8: {error}; save it as UTF-8") from None


def _separated(path: Path, file: TextIO) -> Iterator[tuple[str, Record]]:
    before, head = 0, file.readline()
    while head.startswith("#"):
        before, head = before + 1, file.readline()
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=head.count)
    reader = csv.DictReader(itertools.chain([head], file), delimiter=delimiter)
    names = reader.fieldnames or ()
    twice = [name for name, times in Counter(names).items() if times > 1 and name]
    if twice:
        raise DataError(f"{path}: the column {twice[0]!r} stands twice in the header; rename one of them")
    for row in reader:
        place = f"{path}:{before + reader.line_num}"
        if None in row or None in row.values():
            raise DataError(f"{place}: it has not as many columns as the header")
        if delimiter == ";":
            row = {name: _pointed(value) for name, value in row.items()}
        yield place, row


def _pointed(value: str) -> str:
    return value.replace(",", ".") if _DECIMAL_COMMA.fullmatch(value) else value


# --- archives -------------------------------------------------------------------------------------


def _members(path: Path, extracted: Extracted, read_text: Callable[[Path], Iterator[Any]]) -> Iterator[Any]:
    groups: dict[str, dict[str, Any]] = {}
    for name, content in _contents(path):
        member = PurePosixPath(name)
        if member.name.startswith(".") or "__MACOSX" in member.parts:
            continue
        stem, suffix = member.name.partition(".")[0], f".{member.name.partition('.')[2].lower()}"
        parts = groups.setdefault(str(member.with_name(stem)), {})
        parts[suffix] = content
        parts.setdefault("name", name)
    lists = {key: parts for key, parts in groups.items() if _is_list(parts)}
    if not lists:
        yield from _webdataset(path, groups, extracted)
        return
    if len(lists) > 1:
        names = ", ".join(parts["name"] for parts in lists.values())
        raise DataError(
            f"{path} holds {counted(len(lists), 'list')} of records ({names}); unpack it, and name one"
        )
    images = {}
    for parts in groups.values():
        for suffix, content in parts.items():
            if suffix != "name" and any(content.startswith(start) for start in _KINDS):
                images[parts["name"]] = extracted.write(content, f"{path}: {parts['name']}")
    (parts,) = lists.values()
    yield from _listed(path, parts, images, extracted, read_text)


def _is_list(parts: Mapping[str, Any]) -> bool:
    """Whether a member stands alone and holds records, where a WebDataset's JSON stands beside an image."""
    kinds = set(parts) - {"name"}
    return len(kinds) == 1 and bool(kinds & {".json", ".jsonl", ".csv", ".parquet"})


def _listed(
    path: Path,
    parts: Mapping[str, Any],
    images: Mapping[str, str],
    extracted: Extracted,
    read_text: Callable[[Path], Iterator[Any]],
) -> Iterator[tuple[str, Record]]:
    """The records of the one list in an archive, image names replaced by the files written."""
    import tempfile

    member = PurePosixPath(parts["name"])
    known = dict(images)
    for name, file in images.items():
        known.setdefault(PurePosixPath(name).name, file)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / member.name
        copy.write_bytes(next(value for key, value in parts.items() if key != "name"))
        inner = read_text(copy) if kind_of_container(copy) is None else contained(copy, extracted, read_text)
        for place, record in inner:
            yield place.replace(str(copy), f"{path}/{member}"), _renamed(record, known)


def _renamed(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return known.get(value) or known.get(value.removeprefix("./"), value)
    if isinstance(value, list):
        return [_renamed(part, known) for part in value]
    if isinstance(value, dict):
        return {name: _renamed(part, known) for name, part in value.items()}
    return value


def _webdataset(path: Path, groups: Mapping[str, Mapping[str, Any]], extracted: Extracted) -> Iterator[Any]:
    """A record for each key: the fields of its JSON, its texts by suffix, and its images in ``image``."""
    for key, parts in groups.items():
        place = f"{path}: {key}"
        record: dict[str, Any] = {"id": key}
        images = []
        for suffix, content in parts.items():
            if suffix == "name":
                continue
            if suffix.endswith(".json"):
                try:
                    inner = json.loads(content)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{place}{suffix}: not JSON ({error})") from error
                record |= inner if isinstance(inner, dict) else {"json": inner}
            elif suffix in _TEXTS:
                record[_TEXTS[suffix]] = content.decode("utf-8", "replace").strip()
            elif any(content.startswith(start) for start in _KINDS):
                images.append(extracted.write(content, f"{place}{suffix}"))
        if images:
            record |= {"image": images[0]} if len(images) == 1 else {"images": images}
            record.pop("images" if len(images) == 1 else "image", None)
        yield place, record


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the plain files of an archive, in its order."""
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        yield info.filename, archive.read(info)
            return
        with tarfile.open(path, "r:*") as shards:
            for member in shards:
                file = shards.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield member.name, file.read()
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, io.UnsupportedOperation) as error:
        raise DataError(f"{path}: no archive that can be read ({error})") from error
