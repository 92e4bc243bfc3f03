"""This project's own predictions: JSON lines that hold everything a ``Collection`` does.

The first line is ``{"schema": "detection_eval.predictions/1", "classes": [...], "notes": [...]}``, each other
one an image::

    {"image": "P0001", "file_name": "P0001.png", "size": {"width": 1024, "height": 768},
     "boxes": {"polygons": [[x1, y1, ..., x4, y4]], "labels": ["ship"], "scores": [0.5], "difficulty": [0]},
     "truth": {"polygons": [...], "labels": [...]}, "parse": {...}}

All but ``image`` may be missing. Instead of ``boxes`` there may be a model's reply, which is then parsed:
``"reply": "...", "contract": "rscovlm-quad", "shown": {"width": 1036, "height": 784}``, where ``shown``
is the size at which the model saw it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detection_eval.errors import FormatError, SettingError
from detection_eval.files import write_text
from detection_eval.formats.lines import finite_numbers, json_lines
from detection_eval.formats.records import Collection, Gathering, ImageBoxes
from detection_eval.formats.replies import contract_of, parse_reply
from detection_eval.text.parsing import LabelGuess, ParseReport

SCHEMA = "detection_eval.predictions/1"


def read_predictions(
    path: str | Path, classes: Sequence[str] | None = None, aliases: Mapping[str, str] | None = None
) -> Collection:
    """Read this project's predictions.

    Args:
        path: the file.
        classes: names that count; None takes those of the file's first line.
        aliases: other words for the classes in replies, {word: class}.

    Raises:
        FormatError: with the line.
        OSError: the file cannot be read.
    """
    path = Path(path)
    records = [(place, _object(value, place)) for place, value in json_lines(path)]
    if not records or records[0][1].get("schema") != SCHEMA:
        raise FormatError(f"{path}:1: no predictions; the first line has to state the schema {SCHEMA!r}")
    head = records[0][1]
    listed = head.get("classes")
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise FormatError(f"{records[0][0]}: no list of classes")
    names = listed if classes is None else classes
    found, truth, held = Gathering(names), Gathering(names), 0
    for place, record in records[1:]:
        image = record.get("image")
        if not isinstance(image, str):
            raise FormatError(f"{place}: no image")
        about = _about(record, place)
        if "reply" in record:
            _gather_reply(record, image, about, found, listed, aliases, place)
        else:
            if "parse" in record:
                about["report"] = _report(record["parse"], place)
            found.image(image, place, **about)
            _gather(record.get("boxes", {}), image, found, place)
        about.pop("report", None)
        if "truth" in record:
            held += 1
            truth.image(image, place, **about)
            _gather(record["truth"], image, truth, place)
    collection = found.finish(head.get("notes", []))
    objects = truth.finish().images if held else None
    return Collection(collection.images, collection.classes, objects, collection.notes)


def _object(record: Any, place: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise FormatError(f"{place}: expected a JSON object, not {type(record).__name__}")
    return record


def _about(record: dict[str, Any], place: str) -> dict[str, Any]:
    about: dict[str, Any] = {name: record[name] for name in ("file_name", "source") if name in record}
    if not all(isinstance(text, str) for text in about.values()):
        raise FormatError(f"{place}: file_name and source are text")
    if "gsd_m" in record:
        (about["gsd_m"],) = finite_numbers([record["gsd_m"]], place)
    if "coco_id" in record:
        if type(record["coco_id"]) is not int:
            raise FormatError(f"{place}: coco_id is a whole number")
        about["coco_id"] = record["coco_id"]
    if "size" in record:
        about["size"] = _size(record["size"], place)
    return about


def _size(written: Any, place: str) -> tuple[int, int]:
    width, height = (written.get(name) if isinstance(written, dict) else 0 for name in ("width", "height"))
    if type(width) is int and type(height) is int and min(width, height) > 0:
        return width, height
    raise FormatError(f'{place}: the size {written!r:.40} is no {{"width": 1024, "height": 768}} in pixels')


def _gather(boxes: Any, image: str, gathering: Gathering, place: str) -> None:
    columns = boxes if isinstance(boxes, dict) else {}
    polygons, labels = columns.get("polygons", []), columns.get("labels", [])
    count = len(polygons) if isinstance(polygons, list) else -1
    scores = columns.get("scores", [None] * count)
    difficulty = columns.get("difficulty", [None] * count)
    if not isinstance(boxes, dict) or not all(
        isinstance(column, list) and len(column) == count for column in (labels, scores, difficulty)
    ):
        raise FormatError(
            f"{place}: boxes need polygons and labels, scores and difficulties, as many of each"
        )
    for polygon, name, score, grade in zip(polygons, labels, scores, difficulty):
        if not isinstance(polygon, list) or len(polygon) != 8 or not isinstance(name, str):
            raise FormatError(f"{place}: a box is not 8 numbers with a label")
        if grade is not None and type(grade) is not int:
            raise FormatError(f"{place}: difficulty {grade!r:.40} is not a whole number")
        value = None if score is None else finite_numbers([score], place)[0]
        gathering.box(image, finite_numbers(polygon, place), name, place, value, grade)


def _gather_reply(
    record: dict[str, Any],
    image: str,
    about: dict[str, Any],
    gathering: Gathering,
    listed: Sequence[str],
    aliases: Mapping[str, str] | None,
    place: str,
) -> None:
    try:
        contract = contract_of(record.get("contract", ""))
    except (SettingError, TypeError) as error:
        raise FormatError(f"{place}: {error}") from error
    if not isinstance(record["reply"], str) or not ("size" in about or "shown" in record):
        raise FormatError(f"{place}: a reply is text about an image with a size")
    shown = _size(record["shown"], place) if "shown" in record else about["size"]
    names = tuple(gathering.classes or listed)
    parsed = parse_reply(record["reply"], contract, names, shown, about.get("size", shown), aliases)
    about["report"] = parsed.report
    gathering.image(image, place, **about)
    for polygon, name in zip(parsed.detections.polygons, parsed.detections.names):
        gathering.box(image, polygon.ravel().tolist(), name, place)


def _report(written: Any, place: str) -> ParseReport:
    try:
        guesses = tuple(LabelGuess(**guess) for guess in written["guesses"])
        return ParseReport(**{**written, "guesses": guesses})
    except (KeyError, TypeError) as error:
        raise FormatError(f"{place}: 'parse' is not a parse report ({error})") from error


def write_predictions(path: str | Path, collection: Collection) -> None:
    """Write this project's predictions; nothing of the collection is lost.

    Raises:
        OSError: the file cannot be written.
    """
    head: dict[str, Any] = {"schema": SCHEMA, "classes": list(collection.classes)}
    if collection.notes:
        head["notes"] = list(collection.notes)
    records = [head]
    for image, boxes in collection.images.items():
        record: dict[str, Any] = {"image": image}
        for name in ("file_name", "source", "gsd_m", "coco_id"):
            if (value := getattr(boxes, name)) is not None:
                record[name] = value
        if boxes.size is not None:
            record["size"] = {"width": boxes.size[0], "height": boxes.size[1]}
        record["boxes"] = _columns(boxes)
        if collection.truth is not None and image in collection.truth:
            record["truth"] = _columns(collection.truth[image])
        if boxes.report is not None:
            record["parse"] = boxes.report.to_json()
        records.append(record)
    lines = [json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records]
    write_text(Path(path), "".join(lines))


def _columns(boxes: ImageBoxes) -> dict[str, Any]:
    found = boxes.detections
    columns: dict[str, Any] = {"polygons": found.polygons.reshape(-1, 8).tolist(), "labels": found.names}
    if found.scores is not None:
        columns["scores"] = found.scores.tolist()
    if boxes.difficulty is not None:
        columns["difficulty"] = boxes.difficulty.tolist()
    return columns
