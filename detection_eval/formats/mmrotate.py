"""MMRotate's ``results.pkl`` of 0.x and 1.x, read and written without torch.

| | 0.x | 1.x |
|---|---|---|
| content | list of images, each a list of classes, each (n, 6): cx, cy, w, h, angle, score | list of dicts |
| image ids | none; the order of the data set, which is that of the file system | ``img_path``, ``img_id`` |
| class names | none; the order of the config | none; the order of the config |
| ground truth | none | ``gt_instances`` and ``ignored_instances``, unless mmdet's dumper wrote it |

Angles are radians, clockwise on the image; under which convention does not matter to the polygons. Boxes of
eight numbers are the vertices. LMMRotate's ``output.pkl`` and RSCoVLM's ``pickle_results.pkl`` are 1.x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, FormatError
from detection_eval.files import write_bytes
from detection_eval.formats.image_ids import image_id
from detection_eval.formats.pickling import dump_pickle
from detection_eval.formats.records import Collection, ImageBoxes
from detection_eval.formats.unpickling import EXPANSION, LEAST_ALLOWANCE, load_pickle
from detection_eval.geometry.quads import Floats, canonical
from detection_eval.geometry.rotated import LE90, AngleConvention, boxes_to_quads, quads_to_boxes
from detection_eval.metrics.ground_truth import CROWD
from detection_eval.words import counted

Boxes = Literal["rbox", "qbox"]

_Part = tuple[Floats, NDArray[Any], "NDArray[Any] | None"]  # numbers (n, 5 or 8), labels, scores


def read_results(
    path: str | Path,
    classes: Sequence[str],
    images: Sequence[str] | None = None,
    *,
    version: Literal["0.x", "1.x"] | None = None,
) -> Collection:
    """Read a ``results.pkl``.

    Args:
        path: the file. It is not trusted: see ``unpickling``.
        classes: names in the order of the config, since the file holds none.
        images: ids in the order of the data set, which files of 0.x need; with those of 1.x they are
            compared in number only where images have no name.
        version: required version; None takes either.

    Raises:
        FormatError: no such file, something in it that is not loaded, or a number of classes or images that
            does not fit.
        OSError: the file cannot be read.
    """
    path = Path(path)
    results = load_pickle(path.read_bytes(), str(path))
    if type(results) is not list or not results:
        raise FormatError(f"{path}: a {type(results).__name__} of no images; results are a list of images")
    _check_volume(path, results)
    found = "1.x" if type(results[0]) is dict else "0.x"
    if version is not None and version != found:
        raise FormatError(f"{path}: results of mmrotate {found}, not {version}")
    if images is not None and len(images) != len(results):
        raise FormatError(
            f"{path}: {counted(len(results), 'image')}, but {len(images)} ids are given; give one each"
        )
    if found == "1.x":
        return _read_1(path, results, tuple(classes), images)
    if images is None:
        raise FormatError(
            f"{path}: results of mmrotate 0.x name no images; give the ids in the order of the data set, one "
            "a line (--images FILE)"
        )
    return _read_0(path, results, tuple(classes), images)


def _check_volume(path: Path, results: list[Any]) -> None:
    """Refuse a file in which few arrays stand for very many: it says the same boxes over and over."""
    volume = 0
    for image in results:
        if type(image) is dict:
            groups = [image.get(name) for name in ("pred_instances", "gt_instances", "ignored_instances")]
            arrays = [group.get("bboxes") for group in groups if type(group) is dict]
        else:
            arrays = image if type(image) in (list, tuple) else []
        volume += sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
    limit = max(EXPANSION * path.stat().st_size, LEAST_ALLOWANCE)
    if volume > limit:
        raise FormatError(
            f"{path}: boxes of {counted(volume, 'byte')}, far more than the file has; they repeat"
        )


# --- 0.x ------------------------------------------------------------------------------------------


def _read_0(path: Path, results: list[Any], classes: tuple[str, ...], images: Sequence[str]) -> Collection:
    parts: list[_Part] = []
    for position, lists in enumerate(results):
        place = f"{path}: image {position}"
        if type(lists) not in (list, tuple):
            raise FormatError(f"{place}: expected a list of classes, not {type(lists).__name__}")
        if len(lists) != len(classes):
            raise FormatError(
                f"{place}: {counted(len(lists), 'class')}, but "
                f"{counted(len(classes), 'name is', 'names are')} given"
            )
        arrays = [_numbers(array, (6,), f"{place}, class {label}") for label, array in enumerate(lists)]
        rows = np.concatenate(arrays) if arrays else np.zeros((0, 6))
        labels = np.repeat(np.arange(len(arrays)), [len(array) for array in arrays])
        parts.append((rows[:, :5], labels, rows[:, 5]))
    return Collection(_images(path, [image_id(image) for image in images], parts, classes), classes)


# --- 1.x ------------------------------------------------------------------------------------------


def _read_1(
    path: Path, results: list[Any], classes: tuple[str, ...], images: Sequence[str] | None
) -> Collection:
    ids, sizes, names, numbers = [], [], [], []
    found: list[_Part] = []
    truth: list[_Part] = []
    ignored: list[_Part] = []
    for position, record in enumerate(results):
        place = f"{path}: image {position}"
        if type(record) is not dict or type(record.get("pred_instances")) is not dict:
            raise FormatError(f"{place}: no dict with pred_instances; is this a results.pkl of mmrotate 1.x?")
        ids.append(_name(record, None if images is None else images[position], place))
        numbers.append(record["img_id"] if type(record.get("img_id")) is int else None)
        names.append(_file_name(record))
        sizes.append(_size(record))
        found.append(_instances(record["pred_instances"], len(classes), place, scored=True))
        if "gt_instances" in record:
            truth.append(_instances(record["gt_instances"], len(classes), place))
            ignored.append(_instances(record.get("ignored_instances", {}), len(classes), place))
    about = {
        image: {"size": size, "file_name": name, "coco_id": number}
        for image, size, name, number in zip(ids, sizes, names, numbers)
    }
    objects = None
    if len(truth) == len(results):
        pairs = list(zip(truth, ignored))
        difficulty = [np.repeat([0, CROWD], [len(own[1]), len(other[1])]) for own, other in pairs]
        whole = [_joined(own, other) for own, other in pairs]
        objects = _images(path, ids, whole, classes, about, difficulty)
    return Collection(_images(path, ids, found, classes, about), classes, objects)


def instances_of_images(
    path: Path, ids: Sequence[str], records: Sequence[Mapping[str, Any]], classes: tuple[str, ...]
) -> dict[str, ImageBoxes]:
    """The ground truth that records of 1.x hold, also where a JSON file made lists of the tensors.

    Raises:
        FormatError: boxes or labels that do not fit.
    """
    pairs = []
    for position, record in enumerate(records):
        place = f"{path}: record {position}"
        groups = (record.get(name, {}) for name in ("gt_instances", "ignored_instances"))
        pairs.append([_instances(_as_arrays(group, place), len(classes), place) for group in groups])
    difficulty = [np.repeat([0, CROWD], [len(own[1]), len(other[1])]) for own, other in pairs]
    return _images(path, ids, [_joined(*pair) for pair in pairs], classes, difficulty=difficulty)


def _as_arrays(group: Any, place: str) -> Any:
    if not isinstance(group, dict):
        return group
    try:
        return {
            name: np.array(values, dtype=np.float64 if name == "bboxes" else np.int64)
            if isinstance(values, list)
            else values
            for name, values in group.items()
        }
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{place}: expected a table of numbers as ground truth ({error})") from error


def _name(record: dict[str, Any], given: str | None, place: str) -> str:
    """The name of the file rather than the id, which is a number where the data set was in COCO's format."""
    for key in ("img_path", "file_name", "img_id"):
        if type(record.get(key)) is str and record[key]:
            return image_id(record[key])
    if given is not None:
        return image_id(given)
    if type(record.get("img_id")) is int:
        return str(record["img_id"])
    raise FormatError(f"{place}: neither img_path nor img_id; give the images' ids in the data set's order")


def _file_name(record: dict[str, Any]) -> str | None:
    for key in ("file_name", "img_path"):
        name = record.get(key)
        if type(name) is str:
            return name.replace("\\", "/").rpartition("/")[2]
    return None


def _size(record: dict[str, Any]) -> tuple[int, int] | None:
    shape: Any = record.get("ori_shape")
    if type(shape) in (tuple, list) and len(shape) >= 2 and all(type(side) is int for side in shape[:2]):
        return shape[1], shape[0]
    return None


def _instances(held: Any, classes: int, place: str, *, scored: bool = False) -> _Part:
    """Boxes, labels and scores of a group of instances; one without ``bboxes`` is empty."""
    if type(held) is not dict or "bboxes" not in held:
        if scored:
            raise FormatError(f"{place}: its pred_instances hold no bboxes")
        return np.zeros((0, 5)), np.zeros(0, np.int64), None
    boxes = _numbers(held["bboxes"], (5, 8), place)
    labels, scores = held.get("labels"), held.get("scores")
    for name, column in (("labels", labels), ("scores", scores)):
        if column is None and (name == "labels" or scored):
            raise FormatError(f"{place}: boxes without {name}")
        if column is not None and np.shape(column) != (len(boxes),):
            raise FormatError(f"{place}: {np.shape(column)} {name} for {counted(len(boxes), 'box')}")
    labels = np.asarray(labels).astype(np.int64)
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        wrong = labels.max() if labels.max() >= classes else labels.min()
        raise FormatError(f"{place}: label {wrong}, but {classes} class names are given")
    return boxes, labels, None if scores is None else np.asarray(scores, dtype=np.float64)


def _joined(first: _Part, second: _Part) -> _Part:
    boxes, others = first[0], second[0]
    if not len(others):
        return first
    if len(boxes) and boxes.shape[1] != others.shape[1]:
        boxes, others = (_quads(part).reshape(-1, 8) for part in (boxes, others))
    boxes = others if not len(boxes) else np.concatenate([boxes, others])
    return boxes, np.concatenate([first[1], second[1]]), None


# --- shared ---------------------------------------------------------------------------------------


def _numbers(array: Any, widths: tuple[int, ...], place: str) -> Floats:
    """(n, width) as float64; empty arrays may have any shape."""
    if type(array) is list and not array:
        array = np.zeros((0, widths[0]))
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise FormatError(f"{place}: expected an array of boxes, not {type(array).__name__}")
    if array.size == 0:
        width = array.shape[1] if array.ndim == 2 and array.shape[1] in widths else widths[0]
        return np.zeros((0, width))
    if array.ndim != 2 or array.shape[1] not in widths:
        wanted = " or ".join(map(str, widths))
        raise FormatError(f"{place}: expected boxes of shape (n, {wanted}), not {array.shape}")
    if not np.isfinite(array).all():
        raise FormatError(f"{place}: a box with a number that is not finite")
    return array.astype(np.float64)


def _quads(numbers: Floats) -> Floats:
    return canonical(numbers if numbers.shape[1] == 8 else boxes_to_quads(numbers))


def _images(
    path: Path,
    ids: Sequence[str],
    parts: Sequence[_Part],
    classes: tuple[str, ...],
    about: Mapping[str, Mapping[str, Any]] | None = None,
    difficulty: Sequence[NDArray[np.int64]] | None = None,
) -> dict[str, ImageBoxes]:
    """Boxes of all images turned to polygons at once."""
    images: dict[str, ImageBoxes] = {}
    polygons = _all_quads([numbers for numbers, _, _ in parts])
    for row, (image, quads, (_, labels, scores)) in enumerate(zip(ids, polygons, parts)):
        if image in images:
            raise FormatError(f"{path}: image {row}: {image!r} is listed twice")
        images[image] = ImageBoxes(
            Detections(quads, labels, classes, scores),
            None if difficulty is None else difficulty[row],
            **({} if about is None else about[image]),
        )
    return images


def _all_quads(groups: Sequence[Floats]) -> list[Floats]:
    """Boxes of all images turned to polygons in two strokes, one per kind of box."""
    quads: list[Floats] = [np.zeros((0, 4, 2))] * len(groups)
    for width in (5, 8):
        rows = [row for row, numbers in enumerate(groups) if numbers.shape[1] == width and len(numbers)]
        if rows:
            turned = _quads(np.concatenate([groups[row] for row in rows]))
            stops = np.cumsum([len(groups[row]) for row in rows])
            for row, part in zip(rows, np.split(turned, stops[:-1])):
                quads[row] = part
    return quads


def write_results_0(
    path: str | Path,
    results: Collection,
    *,
    constant_score: float | None = None,
    angle: AngleConvention = LE90,
) -> tuple[str, ...]:
    """Write a ``results.pkl`` of 0.x: float32 rectangles around the polygons, images in the order given.

    Args:
        path: the file.
        results: detections to write.
        constant_score: score written for boxes that have none; the format demands one.
        angle: the convention of the config.

    Returns:
        The image ids in the order written, which the file has no place for.

    Raises:
        CannotWrite: no scores.
        OSError: the file cannot be written.
    """
    content = []
    for image, boxes in results.images.items():
        found = boxes.detections
        scores = _scores(image, found, constant_score)
        rows = np.column_stack([quads_to_boxes(found.polygons, angle), scores]).astype(np.float32)
        content.append([rows[found.labels == label] for label in range(len(results.classes))])
    write_bytes(Path(path), dump_pickle(content, tensors=False))
    return tuple(results.images)


def write_results_1(
    path: str | Path,
    results: Collection,
    *,
    constant_score: float | None = None,
    boxes: Boxes = "rbox",
    angle: AngleConvention = LE90,
) -> None:
    """Write a ``results.pkl`` of 1.x, with the ground truth where ``results`` has it.

    Args:
        path: the file.
        results: detections to write.
        constant_score: score written for boxes that have none; the format demands one.
        boxes: float32 rectangles around the polygons, or their vertices in float32.
        angle: the convention of rectangles.

    Raises:
        CannotWrite: no scores.
        OSError: the file cannot be written.
    """
    content = []
    for image, held in results.images.items():
        record: dict[str, Any] = {"img_id": image, "img_path": held.file_name or image}
        if held.size is not None:
            record["ori_shape"] = (held.size[1], held.size[0])
        scores = _scores(image, held.detections, constant_score).astype(np.float32)
        record["pred_instances"] = _group(held.detections, boxes, angle) | {"scores": scores}
        if results.truth is not None:
            record |= _truth_groups(results.truth[image], boxes, angle)
        content.append(record)
    write_bytes(Path(path), dump_pickle(content, tensors=True))


def _truth_groups(truth: ImageBoxes, boxes: Boxes, angle: AngleConvention) -> dict[str, Any]:
    objects = truth.detections
    ignored = np.zeros(len(objects), bool) if truth.difficulty is None else truth.difficulty >= CROWD
    return {
        "gt_instances": _group(objects.select(~ignored), boxes, angle),
        "ignored_instances": _group(objects.select(ignored), boxes, angle),
    }


def _group(found: Detections, boxes: Boxes, angle: AngleConvention) -> dict[str, Any]:
    quads = found.polygons
    numbers = quads.reshape(len(quads), 8) if boxes == "qbox" else quads_to_boxes(quads, angle)
    return {"bboxes": numbers.astype(np.float32), "labels": found.labels}


def _scores(image: str, found: Detections, constant: float | None) -> Floats:
    if found.scores is not None:
        return found.scores
    if constant is None and len(found):
        raise CannotWrite(
            f"{image}: MMRotate results need scores and there are none; give a constant score", lacks="score"
        )
    return np.full(len(found), 0.0 if constant is None else constant)
