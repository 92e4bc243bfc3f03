"""ms-swift: ``messages`` and ``images``, and ``objects`` that ``<ref-object>`` and ``<bbox>`` stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detection_eval.words import counted
from rscovlm.data.readers.common import (
    ImageFolder,
    LeftOut,
    Options,
    Record,
    box_of,
    each,
    id_of,
    outside,
    read_records,
)
from rscovlm.data.readers.conversations import dialogue, untagged
from rscovlm.data.sample import Box, ImageRef, Sample, Turn

_MARK = re.compile(r"<(ref-object|bbox)>")
_EXTENT = {"real": None, "norm1": 1.0, "norm1000": 1000.0}


def read_swift(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """ms-swift's JSON lines. ``<ref-object>`` becomes the words of ``objects.ref``, ``<bbox>`` a box.

    Boxes are ``objects.bbox``, in pixels of the image (``bbox_type: real``) or in parts of its sides (norm1),
    on the image that ``objects.image_id`` names, or the first.
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        said = dialogue(record, folder, options, place)
        objects = record.get("objects") or {}
        if not isinstance(objects, dict):
            raise LeftOut("a field is malformed", f"objects is {objects!r:.60}")
        boxes, names = _boxes(objects, said.images, options), _listed(objects, "ref")
        turns, used = _filled(untagged(said.turns), names, len(boxes))
        labels = names if len(names) == len(boxes) else [""] * len(boxes)
        kept = tuple(
            Box(box.polygon, str(label), box.image, box.horizontal) for box, label in zip(boxes, labels)
        )
        grounded = used and any("<box " in turn.text for turn in turns if turn.role == "assistant")
        task = options.task or ("grounding" if grounded else "vqa" if said.images else "chat")
        yield Sample(id_of(record, place), task, said.images, tuple(turns), kept)

    yield from each(read_records(path, options), options, read)


def _listed(objects: Record, name: str) -> list[Any]:
    found = objects.get(name) or []
    if not isinstance(found, list):
        raise LeftOut("a field is malformed", f"objects.{name} is {found!r:.60}")
    return found


def _boxes(objects: Record, images: tuple[ImageRef, ...], options: Options) -> list[Box]:
    written, on = _listed(objects, "bbox"), _listed(objects, "image_id")
    kind = objects.get("bbox_type") or "real"
    if kind not in _EXTENT:
        raise LeftOut("its bbox_type is unknown", f"{kind!r}; known are {', '.join(_EXTENT)}")
    boxes = []
    for number, corners in enumerate(written):
        index = on[number] if number < len(on) else 0
        if not (isinstance(index, int) and 0 <= index < len(images)):
            raise LeftOut("its box is of an image that it does not show", f"image {index!r} of {len(images)}")
        size = images[index].size
        assert size is not None
        extent = _EXTENT[kind]
        box = box_of(_scaled(corners, size, extent) if extent else corners, options.geometry, image=index)
        if outside(box, size):
            raise LeftOut("its box lies outside its image", f"{corners!r:.80}")
        boxes.append(box)
    return boxes


def _scaled(corners: Any, size: tuple[int, int], extent: float) -> list[float]:
    try:
        numbers = [float(number) for number in corners]
    except (TypeError, ValueError):
        raise LeftOut("its box is malformed", f"{corners!r:.80}") from None
    return [number / extent * size[1 - place % 2] for place, number in enumerate(numbers)]


def _filled(turns: list[Turn], names: list[Any], boxes: int) -> tuple[list[Turn], int]:
    """The turns with words and boxes in place of their marks, in order; how many boxes they mention."""
    next_name, next_box = 0, 0

    def fill(match: re.Match[str]) -> str:
        nonlocal next_name, next_box
        if match[1] == "ref-object":
            if next_name >= len(names):
                raise LeftOut(
                    "its placeholders do not fit its objects", f"{counted(len(names), 'name')} in objects.ref"
                )
            next_name += 1
            return str(names[next_name - 1])
        if next_box >= boxes:
            raise LeftOut(
                "its placeholders do not fit its objects", f"{counted(boxes, 'box')} in objects.bbox"
            )
        next_box += 1
        return f"<box {next_box - 1}>"

    filled = [Turn(turn.role, _MARK.sub(fill, turn.text)) for turn in turns]
    if next_box != boxes:
        raise LeftOut(
            "its placeholders do not fit its objects",
            f"{next_box} <bbox> for {counted(boxes, 'box')} in objects.bbox",
        )
    return filled, next_box
