"""Telling the formats apart by their content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from detection_eval.formats.unpickling import load_pickle

_HEAD = 1 << 16
_DEEPEST = 3
"""Folders below the root of a data set in which its annotations lie: ``train/labels/part1`` is the third."""
_TAG = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")
_RECTANGLE = re.compile(r'"bbox"\s*:\s*\[(?:[^,\[\]]*,){3}[^,\[\]]*\]')
_EMPTY_LIST = re.compile(r"\[\s*\]\s*")
_FIRST = re.compile(rb"\x80.(?:\x95.{8})?\](?:q.|\x94)?\(?([}\]])", re.DOTALL)


def recognize(path: Path) -> str | None:
    """The name of the format of a file or folder, or None where it is not recognised.

    Raises:
        FormatError: a pickle that is refused.
        OSError: it cannot be read.
    """
    return _of_folder(path) if path.is_dir() else _of_file(path)


def is_empty_list(path: Path) -> bool:
    """Whether a file is an empty JSON list: results without boxes, in each format that is such a list.

    Raises:
        OSError: it cannot be read.
    """
    return path.is_file() and _EMPTY_LIST.fullmatch(_head(path)[1]) is not None


def _of_folder(folder: Path) -> str | None:
    found = _of_label_files(folder)
    if found is not None or annotations_below(folder):
        return found
    # Label files of images without objects are empty.
    return "dota" if any(each.suffix.lower() == ".txt" for each in folder.iterdir()) else None


def _of_label_files(folder: Path) -> str | None:
    """The format of the label files in a folder, as far as their content tells."""
    names = sorted(e.name for e in folder.iterdir() if e.is_file() and not e.name.startswith("._"))
    if any(name.startswith("Task1_") and name.endswith(".txt") for name in names):
        return "task1"
    for suffix in (".xml", ".txt"):
        candidates = [folder / name for name in names if name.lower().endswith(suffix)]
        if candidates:
            told = (_of_file(file) for file in candidates[:20])
            return next((name for name in told if name), None)
    return None


def annotations_below(root: Path) -> dict[Path, str]:
    """The annotations in the folders below the root of a data set, with the name of their format.

    Usual roots are ``labels/train``, ``train/labels``, ``train/labelTxt``, ``Annotations``, each beside
    images, and ``annotations/*.json``, which may also lie in ``root`` itself.

    Args:
        root: a folder whose own files are no annotations.

    Returns:
        Folders of label files, and files of whole data sets, in order of their names.

    Raises:
        OSError: a folder cannot be read.
    """
    return dict(sorted(_below(root, _DEEPEST)))


def _below(folder: Path, deeper: int) -> Iterator[tuple[Path, str]]:
    entries = [each for each in sorted(folder.iterdir()) if not each.name.startswith(".")]
    for file in entries:
        if file.suffix.lower() == ".json" and file.is_file() and (name := _of_file(file)):
            yield file, name
    for inside in filter(Path.is_dir, entries if deeper else ()):
        name = _of_label_files(inside)
        if name is not None:
            yield inside, name
        else:
            yield from _below(inside, deeper - 1)


def _of_file(path: Path) -> str | None:
    head, text = _head(path)
    if head[:1] == b"\x80" or path.suffix.lower() in (".pkl", ".pickle"):
        return _of_pickle(path, head)
    if text.startswith("<"):
        return _of_xml(text)
    if text.startswith(("{", "[")):
        return _of_json(text)
    return _of_lines(text)


def _head(path: Path) -> tuple[bytes, str]:
    """The first bytes of a file, and their text without a byte order mark and spaces in front."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head, head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")


def _of_pickle(path: Path, head: bytes) -> str:
    """A list of dicts is of 1.x, one of lists of 0.x; mostly the first instructions tell."""
    found = _FIRST.match(head)
    if found is not None:
        return "mmrotate-1.x" if found[1] == b"}" else "mmrotate-0.x"
    results = load_pickle(path.read_bytes(), str(path))
    first = results[0] if isinstance(results, list) and results else None
    return "mmrotate-1.x" if isinstance(first, dict) else "mmrotate-0.x"


def _of_xml(text: str) -> str | None:
    tags = set(_TAG.findall(text))
    if "HRSC_Image" in tags:
        return "hrsc2016"
    if tags & {"possibleresult", "objects"}:
        return "fair1m"
    return "dior-r" if "annotation" in tags else None


def _of_json(text: str) -> str | None:
    first, _, _ = text.partition("\n")
    if '"schema": "detection_eval.predictions/' in first:
        return "predictions"
    if text.startswith("["):
        if _EMPTY_LIST.fullmatch(text):
            return "mmrotate-json"  # results without boxes: all lists of detections read the same
        if all(f'"{key}"' in text for key in ("message", "img_path")) or '"resized_width"' in text:
            return "rscovlm"
        if '"category_id"' in text and '"score"' in text:
            counted_from_1 = '"poly"' in text or _RECTANGLE.search(text) is not None
            return "ultralytics-json" if counted_from_1 else "mmrotate-json"
        return None
    if '"<ROD>"' in text or "<loc_" in text:
        return "lmmrotate"
    return "coco" if any(f'"{key}"' in text for key in ("images", "annotations", "categories")) else None


def _of_lines(text: str) -> str | None:
    lines = [line.split() for line in text.splitlines()[:50] if line.strip()]
    lines = [line for line in lines if not line[0].startswith(("imagesource:", "gsd:"))]
    if not lines:
        return "dota" if text else None
    numbers = [_number(token) for token in lines[0]]
    if len(numbers) in (5, 6, 9, 10) and all(number is not None for number in numbers):
        parts = all(number is not None and -0.5 <= number <= 1.5 for number in numbers[1:])
        return "ultralytics" if parts and lines[0][0].isdecimal() else None
    corners = numbers[:8]
    return "dota" if len(numbers) >= 9 and all(number is not None for number in corners) else None


def _number(token: str) -> float | None:
    try:
        return float(token)
    except ValueError:
        return None
