"""Detection: DOTA, DIOR-R, FAIR1M, HRSC2016, COCO and their kin, through ``detection_eval.formats``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from detection_eval.errors import FormatError
from detection_eval.formats import Collection, ImageBoxes, read
from detection_eval.formats.image_ids import image_id
from detection_eval.formats.lines import read_json
from detection_eval.formats.records import Gathering
from detection_eval.formats.segmentation import outline
from detection_eval.geometry.quads import bounds, box_quads
from detection_eval.metrics.ground_truth import CROWD
from rscovlm.data.readers.common import ImageFolder, LeftOut, Options, box_inside
from rscovlm.data.sample import Sample

FORMATS = ("dota", "dior-r", "fair1m", "hrsc2016", "coco", "srsdd", "rsar")
"""Formats of ``detection_eval.formats`` that hold ground truth of images by name."""

_MAY_HOLD_BOUNDS = ("dior-r", "coco", "srsdd")


def reader(format: str) -> Callable[[Path, Path, Options], Iterator[Sample]]:
    """The adapter of one format: a sample for each image, images without objects included.

    Where a format can hold bounds alone and each box of a data set is upright, its boxes are horizontal;
    ``options.geometry`` says otherwise. Boxes of any difficulty above 0, crowds included, are flagged
    difficult.
    """

    def read_detection(path: Path, images: Path, options: Options) -> Iterator[Sample]:
        folder = ImageFolder(images)
        if format == "coco":
            collection = _coco(path, options)
        else:
            collection = read(path, format, options.classes)
        for note in collection.notes:
            options.account.changed[note] += 1
        flat = format in _MAY_HOLD_BOUNDS and _all_upright(collection)
        for name, boxes in collection.images.items():
            try:
                yield _sample(name, boxes, collection.classes, flat, folder, options)
            except LeftOut as error:
                options.account.leave_out(error, f"{path}: image {name}")

    return read_detection


def _all_upright(collection: Collection) -> bool:
    """Whether each box of a data set equals its own bounds, and there are boxes at all."""
    every = [boxes.detections.polygons for boxes in collection.images.values() if len(boxes.detections)]
    if not every:
        return False
    quads = np.concatenate(every)
    return bool(np.array_equal(quads, box_quads(bounds(quads))))


def _sample(
    name: str,
    held: ImageBoxes,
    classes: tuple[str, ...],
    flat: bool,
    folder: ImageFolder,
    options: Options,
) -> Sample:
    size = held.size and (held.size[1], held.size[0])
    image = folder.ref(held.file_name or name, size if size and min(size) > 0 else None)
    assert image.size is not None
    boxes = []
    for row, (polygon, label) in enumerate(zip(held.detections.polygons, held.detections.names)):
        difficult = held.difficulty is not None and bool(held.difficulty[row] > 0)
        horizontal = flat and options.geometry == "auto"
        box = box_inside(
            polygon, image.size, options, label=label, difficult=difficult, horizontal=horizontal
        )
        boxes += [] if box is None else [box]
    attributes = {} if held.source is None else {"taken_by": held.source}
    return Sample(
        name, "detection", (image,), (), tuple(boxes), classes, gsd_m=held.gsd_m, attributes=attributes
    )


def _coco(path: Path, options: Options) -> Collection:
    """A COCO data set: rings of four vertices as they are, the smallest rectangle around others.

    Masks are their smallest rectangle too. Boxes without either, and all boxes where bounds alone are
    wanted, are their ``bbox``.

    Raises:
        FormatError: no COCO data set.
    """
    content = read_json(path)
    try:
        names = {row["id"]: str(row["name"]) for row in content["categories"]}
        rows = list(content["annotations"])
        gathering = Gathering(tuple(names.values()) if options.classes is None else options.classes)
        ids = {}
        for row in content["images"]:
            ids[row["id"]] = image_id(str(row["file_name"]))
            gathering.image(
                ids[row["id"]], str(path), file_name=str(row["file_name"]), size=(row["width"], row["height"])
            )
        for position, row in enumerate(rows):
            corners = _coco_corners(row, f"{path}: annotation {position}", options)
            grade = CROWD if row.get("iscrowd") else int(row.get("difficulty", 0))
            place = f"{path}: annotation {position}"
            gathering.box(ids[row["image_id"]], corners, names[row["category_id"]], place, None, grade)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: not a COCO data set ({error!r})") from error
    return gathering.finish()


def _coco_corners(row: Mapping[str, Any], place: str, options: Options) -> list[float]:
    """The four corners of an annotation, as eight numbers."""
    corners, kind = outline(row if options.geometry != "hbb" else {"bbox": row["bbox"]}, place)
    if kind is not None:
        options.account.changed[f"{kind} taken by their smallest rectangle"] += 1
    return corners
