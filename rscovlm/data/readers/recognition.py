"""Recognition of the reader for a file by its content; a wrong reader is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from detection_eval.errors import FormatError
from rscovlm.data.readers.common import Options, read_records
from rscovlm.data.readers.containers import kind_of_container
from rscovlm.errors import DataError

_TALKS = ("llava", "geochat", "teochat", "vhm", "vrsbench", "reo-instruct", "chat")
_GEOCHAT_BOX = re.compile(r"\{<\d+><\d+>")
_BOX = re.compile(r"\[\s*\d[\d.]*\s*(?:,\s*\d[\d.]*\s*){3}\]")
_FIRST = 20


def recognise(path: Path) -> tuple[str, ...]:
    """The readers that a file or folder may be for, the right one first; () where nothing tells.

    Raises:
        DataError, FormatError, OSError: it cannot be read at all.
    """
    if path.is_dir() and kind_of_container(path) is None:
        return _of_folder(path)
    if path.suffix.lower() == ".txt":
        return _of_label_file(path)
    if path.suffix.lower() in (".xml", ".yaml", ".yml"):
        return ("yolo-obb",) if path.suffix.lower() != ".xml" else ()
    records = [record for _, record in islice(_records(path), _FIRST)]
    return _of_records(records) if records else ()


def _records(path: Path) -> Any:
    """Records without the images inside, which are for a conversion to write."""
    return read_records(path, Options(peek=True))


def _of_folder(path: Path) -> tuple[str, ...]:
    entries = sorted(path.iterdir())
    if any(entry.name in ("data.yaml", "classes.txt") for entry in entries):
        return ("yolo-obb",)
    texts = [entry for entry in entries if entry.suffix.lower() == ".txt" and entry.stat().st_size]
    return _of_label_file(texts[0]) if texts else ()


def _of_label_file(path: Path) -> tuple[str, ...]:
    """DOTA's columns are pixels and end in a class name; those of YOLO start with a number of a class."""
    with path.open(encoding="utf-8", errors="replace") as file:
        rows = [line.split() for line in islice(file, _FIRST) if line.strip()]
    if rows and all(len(row) in (5, 6, 9, 10) and _is_yolo(row) for row in rows):
        return ("yolo-obb",)
    if any(len(row) in (9, 10) and not _number(row[8]) and all(map(_number, row[:8])) for row in rows):
        return ("dota", "rsar")
    return ()


def _number(word: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", word))


def _is_yolo(row: list[str]) -> bool:
    return row[0].isdecimal() and all(map(_number, row)) and all(-0.5 <= float(n) <= 1.5 for n in row[1:9])


def _of_records(records: list[Mapping[str, Any]]) -> tuple[str, ...]:
    fields = set(records[0])
    if {"images", "annotations", "categories"} <= fields:
        return ("coco", "srsdd")
    if fields & {"bbox_info", "crop_hbox"}:
        return ("lrs-vqa-zoom",)
    if "multi-choice options" in fields:
        return ("xlrs-bench",)
    if {"Text", "Ground truth"} <= fields:
        return ("mme-realworld",)
    if "sentences" in fields and "filename" in fields:
        return ("rsitmd",)
    if any(isinstance(record.get("objects"), dict) and "messages" in record for record in records):
        return ("ms-swift",)
    if fields & {"conversations", "messages", "conversation"}:
        return _of_talk(records)
    if {"instruction", "output"} <= fields:
        return ("chat",)
    if {"text", "ground_truth"} <= fields and "question" not in fields:
        return ("lrs-vqa",)
    if {"image_id", "question", "ground_truth"} <= fields:
        return ("vrsbench",)
    if fields & {"bbox", "poly"} and fields & {"question", "expression", "phrase", "description"}:
        return ("refgeo",)
    return ()


def _of_talk(records: list[Mapping[str, Any]]) -> tuple[str, ...]:
    text = repr(records)
    shows = any(record.get(name) for record in records for name in ("image", "images", "video"))
    shows = shows or "'type': 'image" in text
    if not shows:
        return ("chat", *_TALKS)
    if _GEOCHAT_BOX.search(text):
        return ("geochat", *_TALKS)
    if any(record.get("video") for record in records):
        return ("teochat", *_TALKS)
    # Boxes in brackets may be in any of five units, which nothing tells.
    return _TALKS[1:] if _BOX.search(text) else _TALKS


def reader_for(path: Path) -> str:
    """The reader of a file whose format is not stated.

    Raises:
        DataError: nothing tells, or several formats look like this.
    """
    found = recognise(path)
    if not found or found == _TALKS[1:]:
        which = f"several look like it: {', '.join(found)}" if found else "none is known by its content"
        raise DataError(f"{path}: format not recognised, {which}; give --from FORMAT")
    return found[0]


def check_reader(name: str, path: Path) -> None:
    """Make sure that a file is not plainly for another reader.

    Raises:
        DataError: naming the reader to use.
    """
    if name == "fields":
        return
    try:
        found = recognise(path)
    except (DataError, FormatError, OSError, UnicodeError):
        return  # the reader itself says what is wrong, and where
    if found and name not in found:
        raise DataError(f"{path} does not hold what --from {name} reads; use --from {found[0]}")
