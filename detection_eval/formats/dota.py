"""DOTA: labelTxt ground truth and Task1 results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, FormatError
from detection_eval.files import write_text
from detection_eval.formats.image_ids import image_id
from detection_eval.formats.lines import (
    check_names,
    finite_numbers,
    numbered_lines,
    shortest,
    spaced,
    text_files,
)
from detection_eval.formats.records import ClassIndex, Collection, Gathering
from detection_eval.metrics.ground_truth import CROWD
from detection_eval.words import counted

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)

# --- DOTA labelTxt --------------------------------------------------------------------------------


@dataclass(frozen=True)
class DotaLabels:
    """One labelTxt file.

    Attributes:
        detections: the objects, in pixels of the image.
        difficulty: (n,) int64: 0, 1 (difficult) or 2 (cut by the edge of a patch).
        source: image source stated in the header, or None.
        gsd_m: metres per pixel stated in the header, or None.
        without_difficulty: objects whose line has no difficulty column; they count as 0.
    """

    detections: Detections
    difficulty: NDArray[np.int64]
    source: str | None = None
    gsd_m: float | None = None
    without_difficulty: int = 0


def read_dota_labels(path: str | Path, classes: Sequence[str] | None = None) -> DotaLabels:
    """Read a labelTxt file: ``x1 y1 x2 y2 x3 y3 x4 y4 category difficulty`` a line.

    The header (``imagesource:``, ``gsd:``) and the difficulty may be missing; categories may hold spaces.

    Args:
        path: the file.
        classes: the names that count; None takes those of the file, in alphabetical order.

    Raises:
        FormatError: a malformed line, or a category that is none of the classes.
        OSError: the file cannot be read.
    """
    path = Path(path)
    gathering = Gathering(classes)
    without = _gather_labels(path, gathering)
    boxes = next(iter(gathering.finish().images.values()))
    difficulty = np.zeros(0, np.int64) if boxes.difficulty is None else boxes.difficulty
    return DotaLabels(boxes.detections, difficulty, boxes.source, boxes.gsd_m, without)


def read_dota(path: str | Path, classes: Sequence[str] | None = None) -> Collection:
    """Read a labelTxt file, or all of a folder, by image id: the file's name without ``.txt``.

    Raises:
        FormatError: as ``read_dota_labels``.
        FileNotFoundError: the folder holds no text file.
        OSError: a file cannot be read.
    """
    gathering = Gathering(classes)
    files = text_files(Path(path))
    without = sum(_gather_labels(file, gathering) for file in files)
    notes = (
        [counted(without, "box without a difficulty counts as 0", "boxes without a difficulty count as 0")]
        if without
        else []
    )
    return gathering.finish(notes)


def _gather_labels(path: Path, gathering: Gathering) -> int:
    """Add the boxes of a labelTxt file; how many have no difficulty."""
    header: dict[str, Any] = {}
    rows, without = [], 0
    for number, line in numbered_lines(path):
        place = f"{path}:{number}"
        if line.startswith("imagesource:"):
            header["source"] = line.partition(":")[2]
        elif line.startswith("gsd:"):
            written = line.partition(":")[2].strip()
            header["gsd_m"] = None if written in ("", "null", "None") else finite_numbers([written], place)[0]
        else:
            tokens = line.split()
            if len(tokens) < 9:
                raise FormatError(
                    f"{place}: {counted(len(tokens), 'column')} in {line!r:.100}; "
                    "a label has 8 numbers and a category"
                )
            name, grade = _category(tokens[8:], gathering.classes or (), place)
            without += grade is None
            rows.append((finite_numbers(tokens[:8], place), name, place, None, grade or 0))
    gathering.image(path.stem, str(path), **header)
    for row in rows:
        gathering.box(path.stem, *row)
    return without


def _category(words: Sequence[str], classes: Sequence[str], place: str) -> tuple[str, int | None]:
    """The category and the difficulty, or None where there is no such column.

    A number belongs to a category only where a class is called so, such as ``Boeing 737``.

    Raises:
        FormatError: a difficulty that is none, or further columns.
    """
    if " ".join(words) in classes:
        return " ".join(words), None
    *rest, last = words
    if (rest and " ".join(rest) in classes) or not any(map(_NUMBER.fullmatch, rest)):
        if not rest or not _NUMBER.fullmatch(last):
            return " ".join(words), None
        value = float(last)
        if value not in range(CROWD + 1):
            raise FormatError(f"{place}: the difficulty {last} is no whole number from 0, such as 0, 1 or 2")
        return " ".join(rest), int(value)
    raise FormatError(
        f"{place}: {' '.join(words)!r:.60} is no category with one difficulty; if the number belongs to the "
        "category, give the classes"
    )


def write_dota_labels(
    path: str | Path,
    detections: Detections,
    *,
    difficulty: Sequence[int] | NDArray[np.int64] | None = None,
    source: str | None = None,
    gsd_m: float | None = None,
) -> None:
    """Write a labelTxt file; scores have no place in it.

    With a source the file has DOTA's two header lines, with ``gsd:null`` where the sampling distance is not
    known; without one only the distance is written, where it is known. A line break in the source is a space.

    Raises:
        CannotWrite: a class name that the format cannot hold.
        OSError: the file cannot be written.
    """
    rated = [0] * len(detections) if difficulty is None else [int(value) for value in difficulty]
    if len(rated) != len(detections):
        raise ValueError(f"{len(rated)} difficulties for {len(detections)} boxes; give one each")
    check_names(detections.classes)
    lines = [] if source is None else [f"imagesource:{' '.join(source.splitlines())}"]
    if source is not None or gsd_m is not None:
        lines.append(f"gsd:{'null' if gsd_m is None else repr(gsd_m)}")
    for polygon, name, grade in zip(detections.polygons, detections.names, rated):
        lines.append(f"{spaced(polygon)} {name} {grade}")
    write_text(Path(path), "".join(f"{line}\n" for line in lines))


def write_dota(folder: str | Path, collection: Collection) -> None:
    """Write a labelTxt file for each image.

    Raises:
        CannotWrite: a class or an image that the format cannot hold.
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    check_names(collection.images, file=True)
    check_names(collection.classes)
    folder.mkdir(exist_ok=True)
    for image, boxes in collection.images.items():
        write_dota_labels(
            folder / f"{image}.txt",
            boxes.detections,
            difficulty=boxes.difficulty,
            source=boxes.source,
            gsd_m=boxes.gsd_m,
        )


# --- DOTA Task1 -----------------------------------------------------------------------------------


def read_task1(folder: str | Path, classes: Sequence[str] | None = None) -> dict[str, Detections]:
    """Read results of the oriented task: ``Task1_{class}.txt`` with ``image score x1 y1 ... x4 y4`` a line.

    Args:
        folder: holds the files. An empty file is a class that was not found anywhere.
        classes: the names that count; None takes those of the files, in alphabetical order.

    Returns:
        Detections with scores, by image id, in the order of classes, then lines.

    Raises:
        FormatError: a malformed line, or a file whose class is none of the classes.
        FileNotFoundError: the folder holds no Task1 file.
    """
    folder = Path(folder)
    files = {path.stem.removeprefix("Task1_"): path for path in sorted(folder.glob("Task1_*.txt"))}
    if not files:
        raise FileNotFoundError(f"{folder} holds no Task1_<class>.txt")
    index = ClassIndex(sorted(files) if classes is None else classes)
    for name in files:
        if index.find(name) is None:
            raise FormatError(f"{files[name]}: class {name!r} is none of {', '.join(index.names)}")
    labels = {name: index(name, str(files[name])) for name in files}
    rows: dict[str, list[tuple[list[float], int, float]]] = {}
    names = index.names
    for name, label in sorted(labels.items(), key=lambda item: item[1]):
        for number, line in numbered_lines(files[name]):
            tokens = line.split()
            place = f"{files[name]}:{number}"
            if len(tokens) != 10:
                raise FormatError(
                    f"{place}: {counted(len(tokens), 'column')} in {line!r:.100}; "
                    "an image, a score, 8 numbers"
                )
            score, *corners = finite_numbers(tokens[1:], place)
            rows.setdefault(image_id(tokens[0]), []).append((corners, label, score))
    return {
        image: Detections(
            np.array([corners for corners, _, _ in found]),
            np.array([label for _, label, _ in found]),
            names,
            np.array([score for _, _, score in found]),
        )
        for image, found in rows.items()
    }


def write_task1(
    folder: str | Path, images: Mapping[str, Detections], *, constant_score: float | None = None
) -> None:
    """Write results of the oriented task, one file per class, empty ones included.

    Args:
        folder: made if missing.
        images: detections by image id, all of the same classes.
        constant_score: stands in the score column of detections without scores, which the format demands.

    Raises:
        CannotWrite: several class lists, a name or id that the format cannot hold, or no score to write.
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    lists = {detections.classes for detections in images.values()}
    if len(lists) > 1:
        raise CannotWrite(f"images have {len(lists)} different class lists; Task1 files need one")
    classes = next(iter(lists), ())
    check_names(classes, file=True)
    check_names(images, spaces=False)
    lines: dict[str, list[str]] = {name: [] for name in classes}
    for image, detections in images.items():
        scores = detections.scores
        if scores is None:
            if constant_score is None and len(detections):
                raise CannotWrite(
                    f"{image}: Task1 demands scores and there are none; give a constant score", lacks="score"
                )
            scores = np.full(len(detections), np.nan if constant_score is None else constant_score)
        for polygon, name, score in zip(detections.polygons, detections.names, scores):
            lines[name].append(f"{image} {shortest(score)} {spaced(polygon)}\n")
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in lines.items():
        write_text(folder / f"Task1_{name}.txt", "".join(rows))
