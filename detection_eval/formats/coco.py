"""COCO with segmentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from detection_eval.detections import Detections
from detection_eval.formats.lines import FormatError, finite_numbers, write_text
from detection_eval.geometry import area, bounds, canonical


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
            written = None if score is None else finite_numbers([score], place)[0]
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
        x, y, width, height = finite_numbers(annotation["bbox"], place)
        return [x, y, x + width, y, x + width, y + height, x, y + height]
    if not isinstance(rings, list) or not isinstance(rings[0], list) or len(rings[0]) != 8:
        raise FormatError(f"{place}: its segmentation is no ring of four vertices")
    return finite_numbers(rings[0], place)


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
    write_text(Path(path), json.dumps(content, allow_nan=False) + "\n")
