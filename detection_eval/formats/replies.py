"""Results of vision-language models as their evaluation scripts leave them, parsed anew from the raw text.

RSCoVLM's ``inference_results.json`` is a list with the text of each image in ``output``. LMMRotate's
``parsed_answers_*.json`` holds polygons, the text being lost; where its values are text, they are parsed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, FormatError, SettingError
from detection_eval.files import write_text
from detection_eval.formats.image_ids import image_id
from detection_eval.formats.lines import finite_numbers, read_json
from detection_eval.formats.mmrotate import instances_of_images
from detection_eval.formats.records import Collection, ImageBoxes
from detection_eval.formats.ultralytics import Sizes, size_of
from detection_eval.text.aliases import aliases_for
from detection_eval.text.contract import Contract
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.labels import LabelMatcher, by_spoken_name
from detection_eval.text.parsing import ParsedResponse, ParseReport, parse_response
from detection_eval.text.writing import render_response
from detection_eval.words import counted

_SIZES = ("original_width", "original_height", "resized_width", "resized_height")


def contract_of(name: str | Contract) -> Contract:
    """A contract by its name.

    Raises:
        SettingError: no contract has this name.
    """
    if isinstance(name, Contract):
        return name
    if name not in CONTRACTS:
        raise SettingError(f"unknown contract {name!r}; choose {', '.join(CONTRACTS)}")
    return CONTRACTS[name]


def parse_reply(
    text: str,
    contract: Contract,
    classes: Sequence[str] | None,
    shown: tuple[int, int],
    size: tuple[int, int],
    aliases: Mapping[str, str] | None = None,
) -> ParsedResponse:
    """The boxes of a reply about an image that was shown at another size, in pixels of the image itself."""
    words = None if aliases is None or classes is None else aliases_for(aliases, classes)[0]
    parsed = parse_response(text, contract, classes, *shown, aliases=words)
    scale = np.array(size, dtype=np.float64) / np.array(shown)
    return replace(parsed, detections=parsed.detections.with_polygons(parsed.detections.polygons * scale))


def read_rscovlm(
    path: str | Path,
    classes: Sequence[str] | None = None,
    contract: str | Contract | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Collection:
    """Read RSCoVLM's ``inference_results.json``.

    Args:
        path: the file.
        classes: names that count; None takes every label as it comes. The ground truth, which is numbered in
            the order of the config, is read with a class list only.
        contract: how the model wrote; by default what its prompt in ``message`` asks for: JSON or lines.
        aliases: other words for the classes, {word: class}.

    Raises:
        FormatError: not such a file.
        OSError: the file cannot be read.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, list) or not all(isinstance(record, dict) for record in content):
        raise FormatError(f"{path}: expected a list of records, each with the output for an image")
    replies: dict[str, ImageBoxes] = {}
    records = []
    for position, record in enumerate(content):
        place = f"{path}: record {position}"
        if not isinstance(record.get("output"), str):
            continue
        chosen = contract_of(contract or _asked(record))
        image, boxes = _reply(record, chosen, classes, aliases, place)
        if image in replies:
            raise FormatError(f"{place}: image {image!r} is listed twice")
        replies[image] = boxes
        records.append(record)
    if content and not replies:
        raise FormatError(f"{path}: no record holds an output")
    silent = len(content) - len(replies)
    notes = (
        [f"{silent} of {counted(len(content), 'record')} hold no output; their images have no boxes"]
        if silent
        else []
    )
    shared = _same_classes(replies, classes)
    truth = None
    if classes is not None and records and all("gt_instances" in record for record in records):
        truth = instances_of_images(path, list(shared), records, tuple(classes))
    return Collection(shared, _classes_of(shared, classes), truth, tuple(notes))


def _asked(record: dict[str, Any]) -> str:
    """The contract that the prompt of a record declares."""
    return "rscovlm-json-quad" if "JSON format" in str(record.get("message"))[:4000] else "rscovlm-quad"


def _reply(
    record: dict[str, Any],
    contract: Contract,
    classes: Sequence[str] | None,
    aliases: Mapping[str, str] | None,
    place: str,
) -> tuple[str, ImageBoxes]:
    file_name = record.get("file_name") or record.get("img_path")
    if not isinstance(file_name, str):
        raise FormatError(f"{place}: neither file_name nor img_path")
    missing = [key for key in _SIZES if key not in record]
    if missing:
        raise FormatError(f"{place}: no {', '.join(missing)}; the text's coordinates need them")
    width, height, shown_width, shown_height = finite_numbers((record[key] for key in _SIZES), place)
    if min(width, height, shown_width, shown_height) <= 0:
        raise FormatError(f"{place}: an image without a size")
    size = int(width), int(height)
    shown = int(shown_width), int(shown_height)
    parsed = parse_reply(record["output"], contract, classes, shown, size, aliases)
    name = file_name.replace("\\", "/").rpartition("/")[2]
    return image_id(file_name), ImageBoxes(parsed.detections, size=size, file_name=name, report=parsed.report)


def write_rscovlm(
    path: str | Path, collection: Collection, contract: str | Contract = "rscovlm-quad"
) -> None:
    """Write replies as the model would write them: coordinates rounded as the contract says, no scores.

    Raises:
        CannotWrite: an image whose size is not known.
        OSError: the file cannot be written.
    """
    chosen = contract_of(contract)
    content = []
    for image, boxes in collection.images.items():
        if boxes.size is None:
            raise CannotWrite(
                f"{image}: a reply is about an image of known size, and it is not known; give it"
            )
        width, height = boxes.size
        record: dict[str, Any] = {
            "file_name": boxes.file_name or image,
            "output": render_response(boxes.detections, chosen, width, height),
        }
        asked = "JSON format" if chosen.name.startswith("rscovlm-json") else "plain text format"
        record["message"] = [
            {"role": "system", "content": chosen.system or asked},
            {"role": "user", "content": asked},
        ]
        content.append(record | dict(zip(_SIZES, (width, height, width, height))))
    write_text(Path(path), json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_lmmrotate(
    path: str | Path,
    classes: Sequence[str] | None = None,
    sizes: Sizes | None = None,
    contract: str | Contract = "lmmrotate",
    aliases: Mapping[str, str] | None = None,
) -> Collection:
    """Read LMMRotate's ``parsed_answers_*.json``: {file name: {"<ROD>": {"polygons", "labels"}}} in pixels.

    Polygons are cut into eights as LMMRotate does. Where a value is text it is parsed under the contract,
    which takes the image's size.

    Raises:
        FormatError: not such a file, or text about an image whose size is not given.
        OSError: the file cannot be read.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, dict):
        raise FormatError(f"{path}: no answers by file name but a {type(content).__name__}")
    images: dict[str, ImageBoxes] = {}
    for file_name, answer in content.items():
        place = f"{path}: {file_name}"
        image = image_id(file_name)
        if image in images:
            raise FormatError(f"{place}: image {image!r} is listed twice")
        inner = answer.get("<ROD>") if isinstance(answer, dict) else answer
        size = size_of(image, sizes)
        if isinstance(inner, str):
            if size is None:
                raise FormatError(
                    f"{place}: location tokens are parts of the image's size, which is not given"
                )
            parsed = parse_reply(inner, contract_of(contract), classes, size, size, aliases)
            images[image] = ImageBoxes(parsed.detections, None, size, file_name, report=parsed.report)
        else:
            found, report = _answer(inner, classes, aliases, place)
            images[image] = ImageBoxes(found, None, size, file_name, report=report)
    shared = _same_classes(images, classes)
    return Collection(shared, _classes_of(shared, classes))


def _answer(
    answer: Any, classes: Sequence[str] | None, aliases: Mapping[str, str] | None, place: str
) -> tuple[Detections, ParseReport]:
    """Boxes of an answer that LMMRotate has parsed, with what had to be left out."""
    try:
        groups = list(zip(answer["polygons"], [str(label) for label in answer["labels"]], strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{place}: no polygons and labels, as many of each ({error!r})") from error
    names = by_spoken_name({label for _, label in groups if label.strip()}) if classes is None else classes
    match = LabelMatcher(names, aliases_for(aliases or {}, names)[0])
    corners: list[list[float]] = []
    labels: list[int] = []
    unknown: dict[str, int] = {}
    odd = 0
    for polygons, written in groups:
        found = match(written)
        for polygon in polygons if isinstance(polygons, list) else []:
            numbers = finite_numbers(polygon if isinstance(polygon, list) else [polygon], place)
            odd += bool(len(numbers) % 8)
            boxes = [numbers[at : at + 8] for at in range(0, len(numbers) - 7, 8)]
            if found is None:
                unknown[written[:80]] = unknown.get(written[:80], 0) + len(boxes)
            else:
                corners += boxes
                labels += [found.label] * len(boxes)
    quads = np.array(corners, dtype=np.float64).reshape(-1, 4, 2)
    report = ParseReport(
        responses=1,
        boxes=len(quads),
        ok=len(quads),
        dropped={"too few numbers": odd} if odd else {},
        unknown_labels=unknown,
        declared_empty=int(not groups),
    )
    return Detections(quads, np.array(labels, dtype=np.int64), tuple(names)), report


def write_lmmrotate(path: str | Path, collection: Collection) -> None:
    """Write answers as LMMRotate parses them; images without boxes have empty lists, scores no place.

    Raises:
        OSError: the file cannot be written.
    """
    content = {}
    for image, boxes in collection.images.items():
        found = boxes.detections
        present = list(dict.fromkeys(found.labels.tolist()))
        polygons = [found.polygons[found.labels == label].reshape(-1, 8).tolist() for label in present]
        labels = [found.classes[label] for label in present]
        content[boxes.file_name or image] = {"<ROD>": {"polygons": polygons, "labels": labels}}
    write_text(Path(path), json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def _classes_of(images: Mapping[str, ImageBoxes], classes: Sequence[str] | None) -> tuple[str, ...]:
    if classes is not None:
        return tuple(classes)
    return next((boxes.detections.classes for boxes in images.values()), ())


def _same_classes(images: Mapping[str, ImageBoxes], classes: Sequence[str] | None) -> dict[str, ImageBoxes]:
    """The same boxes with one class list: that given, or all labels that were read anywhere."""
    if classes is not None:
        return dict(images)
    names = by_spoken_name({name for boxes in images.values() for name in boxes.detections.classes})
    place = {name: index for index, name in enumerate(names)}
    shared = {}
    for image, boxes in images.items():
        found = boxes.detections
        labels = np.array([place[name] for name in found.names], dtype=np.int64)
        shared[image] = replace(
            boxes, detections=Detections(found.polygons, labels, tuple(names), found.scores)
        )
    return shared
