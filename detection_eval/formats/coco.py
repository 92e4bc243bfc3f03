"""COCO: data sets with quadrilaterals in ``segmentation``, and lists of results as detectors write them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, FormatError
from detection_eval.files import atomic_path, write_text
from detection_eval.formats.image_ids import image_id
from detection_eval.formats.lines import finite_numbers, read_json
from detection_eval.formats.records import ClassIndex, Collection, Gathering, ImageBoxes, left_out_boxes
from detection_eval.formats.segmentation import MASK, RING, outline
from detection_eval.geometry.quads import area, bounds
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.metrics.ground_truth import CROWD
from detection_eval.words import counted


class CocoImage(NamedTuple):
    """The objects of one image of a COCO file, with the image's size in pixels."""

    detections: Detections
    width: int
    height: int


def read_coco(path: str | Path) -> dict[str, CocoImage]:
    """Read a COCO data set whose ``segmentation`` holds quadrilaterals, by the images' file names.

    An object without segmentation is its ``bbox``. A ring that has not four vertices, and a mask, is its
    smallest rectangle; ``read_coco_collection`` notes how many. Objects keep their order; scores are read
    where every object of an image has one.

    Raises:
        FormatError: not JSON, or an object that is malformed, of an unknown image or an unknown category.
        OSError: the file cannot be read.
    """
    images = read_coco_collection(path).images.values()
    return {boxes.file_name or "": CocoImage(boxes.detections, *(boxes.size or (0, 0))) for boxes in images}


def read_coco_collection(path: str | Path, classes: Sequence[str] | None = None) -> Collection:
    """Read a COCO data set by image id; see ``read_coco``.

    ``iscrowd`` becomes the difficulty ``CROWD``. Without ``classes`` they are the file's categories by id.

    Raises:
        FormatError: as ``read_coco``; two images of one name in different folders.
        OSError: the file cannot be read.
    """
    path = Path(path)
    content = read_json(path)
    try:
        categories = sorted(content["categories"], key=lambda category: category["id"])
        names = _by_id(categories, "name", path)
        images = {image["id"]: image for image in content["images"]}
        _by_id(content["images"], "file_name", path)
        files = {key: str(image["file_name"]) for key, image in images.items()}
        sizes = {key: _size(image) for key, image in images.items()}
        annotations = list(content["annotations"])
        rows = [row for row in annotations if isinstance(row, dict)]
        graded = any("difficulty" in row or row.get("iscrowd") for row in rows)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: not a COCO data set ({_said(error)})") from error
    gathering = Gathering(tuple(names.values()) if classes is None else classes)
    for key, file_name in files.items():
        gathering.image(file_name, str(path), file_name=file_name, size=sizes[key], coco_id=_number(key))
    kinds: Counter[str] = Counter()
    for position, annotation in enumerate(annotations):
        place = f"{path}: annotation {position}"
        try:
            image = _known(files, annotation, "image_id", "images")
            name = _known(names, annotation, "category_id", "categories")
            score = annotation.get("score")
            written = None if score is None else finite_numbers([score], place)[0]
            grade = CROWD if annotation.get("iscrowd") else int(annotation.get("difficulty", 0))
            corners, kind = outline(annotation, place)
            kinds.update([kind] if kind else [])
            gathering.box(image, corners, name, place, written, grade if graded else None)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{place}: {_said(error)}") from error
    numbers = {name: _number(key) for key, name in names.items()}
    known = {name: number for name, number in numbers.items() if number is not None}
    return replace(gathering.finish(rectangle_notes(kinds)), categories=known)


def _by_id(rows: Iterable[Mapping[str, Any]], value: str, path: Path) -> dict[Any, str]:
    """A value of each category or image by its id.

    Raises:
        FormatError: for an id that two have.
        KeyError, TypeError, ValueError: for a row without them.
    """
    found: dict[Any, str] = {}
    for row in rows:
        if row[value] is None:
            raise ValueError(f"the {value} of id {row['id']!r} is null")
        key, text = row["id"], str(row[value])
        if found.setdefault(key, text) != text:
            raise FormatError(f"{path}: {found[key]!r} and {text!r} have the same id {key!r}")
    return found


def _number(key: Any) -> int | None:
    """An id as results write it: a number, which some tools write as a text; None for any other."""
    if isinstance(key, str):
        return int(key) if key.isdecimal() else None
    return key if type(key) is int else None


def _known(named: Mapping[Any, str], row: Mapping[str, Any], key: str, rows: str) -> str:
    if row[key] not in named:
        raise ValueError(f"{key} {row[key]!r} is none of the {rows}")
    return named[row[key]]


def _said(error: Exception) -> str:
    """Words for what a row or a file lacks; a KeyError's are the key alone."""
    return f"it has no {error}" if isinstance(error, KeyError) else f"malformed: {error}"


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height, or None where an image states neither."""
    if image.get("width") is None and image.get("height") is None:
        return None
    return int(image["width"]), int(image["height"])


def rectangle_notes(kinds: Mapping[str, int]) -> list[str]:
    """Notes on outlines that became rectangles, by kind."""
    return [
        f"{counted(count, _ONE[kind], kind)} taken by the smallest rectangle" for kind, count in kinds.items()
    ]


_ONE = {RING: "ring of other than 4 vertices", MASK: "mask"}


def write_coco(
    path: str | Path,
    images: Mapping[str, tuple[Detections, int, int]],
    *,
    info: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """Write a COCO data set with one ring of four vertices per object; ids count from 1.

    Args:
        path: the JSON file.
        images: (detections, width, height) by file name. The categories are the union of their classes, in
            the order of first appearance.
        info: content of the file's ``info``.
        attributes: by file name, for each box keys and values that its annotation has besides COCO's.

    Raises:
        OSError: the file cannot be written.
    """
    boxes = [
        ImageBoxes(detections, size=(width, height), file_name=name)
        for name, (detections, width, height) in images.items()
    ]
    names = dict.fromkeys(name for each in boxes for name in each.detections.classes)
    _write(Path(path), boxes, tuple(names), info, attributes or {})


def write_coco_collection(path: str | Path, collection: Collection) -> None:
    """Write a COCO data set; objects of the difficulty ``CROWD`` or above are ``iscrowd``.

    A key ``difficulty``, which COCO has not, keeps the others. Images keep the ids of a COCO file where all
    have one, and count from 1 else.

    Raises:
        CannotWrite: an image whose size is not known.
        OSError: the file cannot be written.
    """
    boxes = []
    for image, held in collection.images.items():
        if held.size is None:
            raise CannotWrite(
                f"{image}: COCO demands the image's size and it is not known; give the sizes", lacks="size"
            )
        boxes.append(replace(held, file_name=held.file_name or image))
    _write(Path(path), boxes, collection.classes)


def _write(
    path: Path,
    images: Sequence[ImageBoxes],
    classes: Sequence[str],
    info: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """Write the file one annotation a line, so that a large scene needs no memory for its text."""
    category = {name: number for number, name in enumerate(classes, start=1)}
    kept = [boxes.coco_id for boxes in images if boxes.coco_id is not None]
    ids = kept if len(set(kept)) == len(images) else list(range(1, len(images) + 1))
    listed = []
    for number, boxes in zip(ids, images):
        width, height = boxes.size or (0, 0)
        listed.append({"id": number, "file_name": boxes.file_name, "width": width, "height": height})
    categories = [{"id": number, "name": name, "supercategory": ""} for name, number in category.items()]
    rows = (
        row | dict(more)
        for number, boxes in zip(ids, images)
        for row, more in zip(
            _rows(number, boxes, category), (attributes or {}).get(boxes.file_name or "", repeat({}))
        )
    )
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"info": {_json(info or {})},\n"images": {_json(listed)},\n')
        file.write(f'"categories": {_json(categories)},\n"annotations": [')
        for number, row in enumerate(rows, start=1):
            file.write((",\n" if number > 1 else "\n") + _json({"id": number} | row))
        file.write("\n]}\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _rows(number: int, boxes: ImageBoxes, category: Mapping[str, int]) -> Iterable[dict[str, Any]]:
    found = boxes.detections
    for row, (polygon, name) in enumerate(zip(found.polygons, found.names)):
        x0, y0, x1, y1 = bounds(polygon).tolist()
        grade = 0 if boxes.difficulty is None else int(boxes.difficulty[row])
        annotation = {
            "image_id": number,
            "category_id": category[name],
            "segmentation": [polygon.ravel().tolist()],
            "bbox": [x0, y0, round(x1 - x0, 6), round(y1 - y0, 6)],
            "area": round(float(area(polygon)), 6),
            "iscrowd": int(grade >= CROWD),
        }
        if boxes.difficulty is not None and grade < CROWD:
            annotation["difficulty"] = grade
        if found.scores is not None:
            annotation["score"] = float(found.scores[row])
        yield annotation


# --- results --------------------------------------------------------------------------------------


def read_detection_list(
    path: str | Path,
    classes: Sequence[str],
    first_category: int = 0,
    categories: Mapping[str, int] | None = None,
) -> Collection:
    """Read a list of ``{"image_id", "category_id", "score", "bbox" or "poly"}``.

    Such lists are written by mmrotate 1.x (``*.bbox.json``, categories from 0, ``bbox`` of 5 or 8 numbers)
    and by Ultralytics (``predictions.json``, categories from 1, vertices in ``poly``). Results as COCO has
    them (``bbox`` of 4 numbers: left, top, width, height) count from 1 too.

    Args:
        path: the file.
        classes: names in the order of the config, since the file holds none.
        first_category: the number of the first class.
        categories: the numbers of classes by name, as a COCO ground truth states them, which may have gaps;
            None counts from ``first_category``. Boxes of classes that are not listed are left out.

    Raises:
        FormatError: not such a list, or a malformed entry.
        OSError: the file cannot be read.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, list):
        raise FormatError(f"{path}: no list of detections but a {type(content).__name__}")
    gathering = Gathering(classes)
    seen: set[str] = set()
    rectangles = others = 0
    numbered = dict(enumerate(classes, first_category))
    if categories is not None:
        index = ClassIndex(classes)
        places = {number: index.find(name) for name, number in categories.items()}
        numbered = {number: classes[place] for number, place in places.items() if place is not None}
    for position, row in enumerate(content):
        place = f"{path}: entry {position}"
        try:
            category = int(row["category_id"])
            numbers = finite_numbers(row["poly"] if "poly" in row else row["bbox"], place)
            (score,) = finite_numbers([row["score"]], place)
            named = row.get("file_name") or row["image_id"]
            image = image_id(str(named))
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{place}: {_said(error)}") from error
        if image not in seen:
            # Ultralytics makes numbers of names; all others take the number that COCO has for the image.
            seen.add(image)
            numbers_known = type(named) is int and not (first_category and "poly" in row)
            gathering.image(image, place, coco_id=named if numbers_known else None)
        if category not in numbered:
            if categories is not None and category in categories.values():
                others += 1
                continue
            known = (
                f"the ground truth numbers {counted(len(categories), 'class')} otherwise"
                if categories
                else ""
            )
            named = counted(len(classes), "class name is", "class names are")
            given = f"{named} given, counted from {first_category}"
            raise FormatError(f"{place}: category {row['category_id']}, but {known or given}")
        if len(numbers) == 4:
            rectangles += 1
            left, top, width, height = numbers
            numbers = [left, top, left + width, top, left + width, top + height, left, top + height]
        elif len(numbers) == 5:
            numbers = boxes_to_quads([numbers]).reshape(8).tolist()
        elif len(numbers) != 8:
            raise FormatError(
                f"{place}: a box of {counted(len(numbers), 'number')}; "
                "COCO's have 4, rotated ones 5, polygons 8"
            )
        gathering.box(image, numbers, numbered[category], place, score)
    notes = []
    if rectangles:
        first, last = (f"{number} {numbered[number]}" for number in (min(numbered), max(numbered)))
        how = "count from" if categories is None else "are those of the ground truth, from"
        notes.append(
            f"{counted(rectangles, 'horizontal box')} (COCO results), whose categories {how} {first} "
            f"to {last}"
        )
    if others:
        notes.append(left_out_boxes(others))
    return gathering.finish(notes)


def write_detection_list(
    path: str | Path,
    collection: Collection,
    *,
    constant_score: float | None = None,
    first_category: int = 0,
) -> None:
    """Write a list of detections; images without boxes have no place in it.

    The vertices stand in ``bbox`` as mmrotate has it, or in ``poly`` where categories count from 1.

    Raises:
        CannotWrite: no scores, and no constant one.
        OSError: the file cannot be written.
    """
    content = []
    for image, boxes in collection.images.items():
        found = boxes.detections
        if found.scores is None and constant_score is None and len(found):
            raise CannotWrite(
                f"{image}: the format demands scores and there are none; give a constant score", lacks="score"
            )
        for row, (polygon, label) in enumerate(zip(found.polygons, found.labels.tolist())):
            content.append(
                {
                    "image_id": image,
                    "poly" if first_category else "bbox": polygon.ravel().tolist(),
                    "score": constant_score if found.scores is None else float(found.scores[row]),
                    "category_id": label + first_category,
                }
            )
    write_text(Path(path), json.dumps(content, allow_nan=False) + "\n")
