"""Ground truth and results on disk: DOTA labelTxt, DOTA Task1, COCO with segmentation.

Numbers are written in the shortest form that reads back to the same float64, so round trips are exact.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry import area, bounds, canonical


class FormatError(ValueError):
    """A file does not hold what its format says; the message starts with ``file:line`` or ``file: place``."""


# --- DOTA labelTxt --------------------------------------------------------------------------------


@dataclass(frozen=True)
class DotaLabels:
    """One labelTxt file.

    Attributes:
        detections: the objects, in pixels of the image.
        difficulty: (n,) int64: 0, 1 (difficult) or 2 (cut by the edge of a patch).
        source: of the header, or None.
        gsd_m: of the header, or None.
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
    source, gsd_m, without = None, None, 0
    polygons, names, difficulty, places = [], [], [], []
    for number, line in _lines(path):
        place = f"{path}:{number}"
        if line.startswith("imagesource:"):
            source = line.partition(":")[2]
        elif line.startswith("gsd:"):
            written = line.partition(":")[2].strip()
            gsd_m = None if written in ("", "null", "None") else _numbers([written], place)[0]
        else:
            tokens = line.split()
            if len(tokens) < 9:
                raise FormatError(
                    f"{place}: {len(tokens)} columns in {line!r}; a label has 8 numbers and a category"
                )
            polygons.append(_numbers(tokens[:8], place))
            rated = len(tokens) > 9 and tokens[-1].isdecimal()
            without += not rated
            difficulty.append(int(tokens[-1]) if rated else 0)
            names.append(" ".join(tokens[8 : -1 if rated else None]))
            places.append(place)
    detections = _detections(polygons, names, classes, places)
    return DotaLabels(detections, np.array(difficulty, dtype=np.int64), source, gsd_m, without)


def write_dota_labels(
    path: str | Path,
    detections: Detections,
    *,
    difficulty: Sequence[int] | NDArray[np.int64] | None = None,
    source: str | None = None,
    gsd_m: float | None = None,
) -> None:
    """Write a labelTxt file; header lines stand there where their value is known. Scores have no place in it.

    Raises:
        ValueError: not one difficulty per box, or a class name that the format cannot hold.
        OSError: the file cannot be written.
    """
    rated = [0] * len(detections) if difficulty is None else [int(value) for value in difficulty]
    if len(rated) != len(detections):
        raise ValueError(f"{len(rated)} difficulties for {len(detections)} boxes; give one each")
    _check_names(detections.classes)
    lines = [] if source is None else [f"imagesource:{source}"]
    lines += [] if gsd_m is None else [f"gsd:{gsd_m!r}"]
    for polygon, name, grade in zip(detections.polygons, detections.names, rated):
        lines.append(f"{_spaced(polygon)} {name} {grade}")
    _write(Path(path), "".join(f"{line}\n" for line in lines))


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
    names = tuple(sorted(files) if classes is None else classes)
    if unknown := sorted(set(files) - set(names)):
        raise FormatError(f"{files[unknown[0]]}: class {unknown[0]!r} is none of {', '.join(names)}")
    rows: dict[str, list[tuple[list[float], int, float]]] = {}
    for label, name in enumerate(names):
        for number, line in _lines(files[name]) if name in files else ():
            tokens = line.split()
            place = f"{files[name]}:{number}"
            if len(tokens) != 10:
                raise FormatError(
                    f"{place}: {len(tokens)} columns in {line!r}; a result has an image, a score, 8 numbers"
                )
            score, *corners = _numbers(tokens[1:], place)
            rows.setdefault(tokens[0], []).append((corners, label, score))
    return {
        image: Detections(
            canonical(np.array([corners for corners, _, _ in found])),
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
        ValueError: several class lists, a name or id that the format cannot hold, or no score to write.
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    lists = {detections.classes for detections in images.values()}
    if len(lists) > 1:
        raise ValueError(f"images have {len(lists)} different class lists; Task1 files need one")
    classes = next(iter(lists), ())
    _check_names(classes, spaces=False)
    _check_names(images, spaces=False)
    lines: dict[str, list[str]] = {name: [] for name in classes}
    for image, detections in images.items():
        scores = detections.scores
        if scores is None:
            if constant_score is None:
                raise ValueError(f"{image}: Task1 demands scores and there are none; give a constant_score")
            scores = np.full(len(detections), constant_score)
        for polygon, name, score in zip(detections.polygons, detections.names, scores):
            lines[name].append(f"{image} {_shortest(score)} {_spaced(polygon)}\n")
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in lines.items():
        _write(folder / f"Task1_{name}.txt", "".join(rows))


# --- COCO -----------------------------------------------------------------------------------------


class CocoImage(NamedTuple):
    """The objects of one image of a COCO file, with the image's size in pixels."""

    detections: Detections
    width: int
    height: int


def read_coco(path: str | Path) -> dict[str, CocoImage]:
    """Read a COCO data set whose ``segmentation`` holds quadrilaterals, by the images' file names.

    An object without segmentation is its ``bbox``. A ring that has not four vertices is an error:
    no rectangle is invented for it. Objects keep their order; scores are read where every object of an image
    has one.

    Raises:
        FormatError: not JSON, or an object that is malformed, of an unknown image or an unknown category.
        OSError: the file cannot be read.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise FormatError(f"{path}:{line}: not JSON ({error})") from error
    try:
        categories = sorted(content["categories"], key=lambda category: category["id"])
        index = {category["id"]: label for label, category in enumerate(categories)}
        classes = tuple(str(category["name"]) for category in categories)
        images = {image["id"]: image for image in content["images"]}
        sizes = {key: (str(v["file_name"]), int(v["width"]), int(v["height"])) for key, v in images.items()}
        annotations = list(content["annotations"])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: not a COCO data set ({error!r})") from error
    rows: dict[Any, list[_CocoRow]] = {key: [] for key in sizes}
    for position, annotation in enumerate(annotations):
        place = f"{path}: annotation {position}"
        try:
            label, image = index[annotation["category_id"]], rows[annotation["image_id"]]
            score = annotation.get("score")
            written = None if score is None else _numbers([score], place)[0]
            image.append((_coco_corners(annotation, place), label, written))
        except FormatError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{place}: missing, unknown or malformed value ({error})") from error
    return {
        name: CocoImage(_coco_detections(rows[key], classes), width, height)
        for key, (name, width, height) in sizes.items()
    }


_CocoRow = tuple[list[float], int, float | None]  # corners, label, score


def _coco_corners(annotation: dict[str, Any], place: str) -> list[float]:
    rings = annotation.get("segmentation")
    if not rings:
        x, y, width, height = _numbers(annotation["bbox"], place)
        return [x, y, x + width, y, x + width, y + height, x, y + height]
    if not isinstance(rings, list) or not isinstance(rings[0], list) or len(rings[0]) != 8:
        raise FormatError(f"{place}: its segmentation is no ring of four vertices")
    return _numbers(rings[0], place)


def _coco_detections(
    rows: list[tuple[list[float], int, float | None]], classes: tuple[str, ...]
) -> Detections:
    if not rows:
        return Detections.empty(classes)
    scores = [score for _, _, score in rows if score is not None]
    return Detections(
        canonical(np.array([corners for corners, _, _ in rows])),
        np.array([label for _, label, _ in rows]),
        classes,
        np.array(scores) if len(scores) == len(rows) else None,
    )


def write_coco(
    path: str | Path,
    images: Mapping[str, tuple[Detections, int, int]],
    *,
    info: Mapping[str, Any] | None = None,
) -> None:
    """Write a COCO data set with one ring of four vertices per object; ids count from 1.

    Args:
        path: the JSON file.
        images: (detections, width, height) by file name. The categories are the union of their classes, in
            the order in which they first stand there.
        info: goes into the file's ``info``.

    Raises:
        OSError: the file cannot be written.
    """
    names = list(dict.fromkeys(name for detections, _, _ in images.values() for name in detections.classes))
    category = {name: number for number, name in enumerate(names, start=1)}
    annotations: list[dict[str, Any]] = []
    for image_id, (detections, _, _) in enumerate(images.values(), start=1):
        for row, name in enumerate(detections.names):
            polygon = detections.polygons[row]
            x0, y0, x1, y1 = bounds(polygon).tolist()
            annotation = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": category[name],
                "segmentation": [polygon.ravel().tolist()],
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": float(area(polygon)),
                "iscrowd": 0,
            }
            if detections.scores is not None:
                annotation["score"] = float(detections.scores[row])
            annotations.append(annotation)
    content = {
        "info": dict(info or {}),
        "images": [
            {"id": image_id, "file_name": name, "width": width, "height": height}
            for image_id, (name, (_, width, height)) in enumerate(images.items(), start=1)
        ],
        "categories": [{"id": number, "name": name} for name, number in category.items()],
        "annotations": annotations,
    }
    _write(Path(path), json.dumps(content, allow_nan=False) + "\n")


# --- shared ---------------------------------------------------------------------------------------


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that hold something, stripped, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not UTF-8 text (byte {error.start})") from error
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _numbers(written: Iterable[Any], place: str) -> list[float]:
    values = []
    for item in written:
        try:
            value = float(item)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise FormatError(f"{place}: {item!r} is no finite number")
        values.append(value)
    return values


def _detections(
    polygons: list[list[float]], names: list[str], classes: Sequence[str] | None, places: list[str]
) -> Detections:
    known = tuple(sorted(set(names)) if classes is None else classes)
    for name, place in zip(names, places):
        if name not in known:
            raise FormatError(f"{place}: category {name!r} is none of {', '.join(known)}")
    labels = np.array([known.index(name) for name in names], dtype=np.int64)
    return Detections(canonical(np.array(polygons).reshape(-1, 4, 2)), labels, known)


def _check_names(names: Iterable[str], *, spaces: bool = True) -> None:
    for name in names:
        if (
            not name.strip()
            or name != " ".join(name.split())
            or (not spaces and (" " in name or "/" in name))
        ):
            raise ValueError(
                f"the name {name!r} cannot stand in a column of text; use a hyphen for white space"
            )


def _shortest(value: float) -> str:
    """The shortest text that reads back to the same number; whole numbers without a point."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _spaced(polygon: NDArray[np.float64]) -> str:
    return " ".join(_shortest(value) for value in polygon.ravel())


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
