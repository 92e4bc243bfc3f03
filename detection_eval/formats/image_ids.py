"""Ids of images: one rule for all formats, and the matching of results with a ground truth."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from detection_eval.errors import EvaluationError
from detection_eval.words import counted

if TYPE_CHECKING:
    from detection_eval.formats.records import Collection, ImageBoxes

# fmt: off
SUFFIXES = frozenset({
    "png", "jpg", "jpeg", "jpe", "jp2", "j2k", "tif", "tiff", "bmp", "gif", "webp", "img", "vrt", "ntf",
    "nitf", "ppm", "pgm", "npy", "hdf", "h5", "nc", "dat", "txt", "xml", "json",
})
# fmt: on
"""Suffixes of files of images and of labels, which are no part of an id. Whatever else follows a dot is."""

_SHOWN = 3


@lru_cache(maxsize=1 << 16)
def image_id(name: str) -> str:
    """The id of the image that a file name, a path or an id stands for.

    It is the name without folder (of either system) and without the suffixes of images and labels, in either
    case and however many, in Unicode's composed form. Other dots stay: ``P0706__0.5__824___0`` is an id. An
    id stands for itself.
    """
    name = unicodedata.normalize("NFC", name).strip()
    while True:
        parts = [part.strip() for part in name.replace("\\", "/").split("/")]
        base = next((part for part in reversed(parts) if part), name)
        stem, dot, suffix = base.rpartition(".")
        if dot and stem.strip() and suffix.lower() in SUFFIXES:
            base = stem.strip()
        if base == name:
            return name
        name = base


def match_images(found: Collection, truth: Collection) -> Collection:
    """Results by the ids of the ground truth, with notes on what did not match.

    Equal ids match. Whole numbers are COCO ids where the ground truth is a COCO data set that has them, or
    else names that were read as numbers, as Ultralytics does (12 for ``000012``). Images that match none keep
    their id; they count for nothing in an evaluation.

    Raises:
        EvaluationError: both have images and none matches; the message shows ids of both.
    """
    ids, notes = _numbered(found, truth)
    ids |= {image: image for image in found.images if image in truth.images and image not in ids}
    taken = set(ids.values())
    by_value = _by_value([image for image in truth.images if image not in taken])
    rest = [image for image in found.images if image not in ids]
    read = {image: by_value[int(image)] for image in rest if _is_number(image) and int(image) in by_value}
    if read:
        first = next(iter(read))
        notes.append(f"{counted(len(read), 'image')} matched by number: {first} is {read[first]}")
    ids |= read
    strange = [image for image in found.images if image not in ids]
    silent = [image for image in truth.images if image not in set(ids.values())]
    if found.images and truth.images and not ids:
        raise EvaluationError(
            f"no image of the results is in the ground truth: {_some(strange)} in the results, "
            f"{_some(silent)} in the ground truth; {_advice(strange, silent)}"
        )
    if strange:
        boxes = sum(len(found.images[image].detections) for image in strange)
        notes.append(
            f"{len(strange):,} of {counted(len(found.images), 'image')} are not in the "
            f"ground truth, and their "
            f"{counted(boxes, 'box counts', 'boxes count')} for nothing: {_some(strange)}"
        )
    if silent:
        notes.append(
            f"{len(silent):,} of {counted(len(truth.images), 'image')} of the ground truth "
            f"are not in the results, "
            f"which counts as nothing found: {_some(silent)}"
        )
    images = {ids.get(image, image): boxes for image, boxes in found.images.items()}
    return replace(found, images=images, notes=(*found.notes, *notes))


def _numbered(found: Collection, truth: Collection) -> tuple[dict[str, str], list[str]]:
    """Images whose ids are COCO's numbers, where more of them are known as such than as names."""
    numbers = {image: boxes.coco_id for image, boxes in found.images.items() if boxes.coco_id is not None}
    known = {boxes.coco_id: image for image, boxes in truth.images.items() if boxes.coco_id is not None}
    ids = {image: known[number] for image, number in numbers.items() if number in known}
    named = _by_value(list(truth.images))
    if not ids or len(ids) < sum(number in named for number in numbers.values()):
        return {}, []
    first = next(iter(ids))
    return ids, [f"{counted(len(ids), 'image')} matched by COCO id: {first} is {ids[first]}"]


def _by_value(names: Sequence[str]) -> dict[int, str]:
    """Names that are numbers by their value; values of several names match none."""
    values: dict[int, list[str]] = {}
    for name in names:
        if _is_number(name):
            values.setdefault(int(name), []).append(name)
    return {value: same[0] for value, same in values.items() if len(same) == 1}


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 20


def _some(images: Sequence[str]) -> str:
    return ", ".join(f"{image!r:.60}" for image in images[:_SHOWN]) + (
        ", ..." if len(images) > _SHOWN else ""
    )


def _advice(results: Sequence[str], truth: Sequence[str]) -> str:
    if {image.casefold() for image in results} & {image.casefold() for image in truth}:
        return "they differ in upper and lower case; rename one side"
    if all(map(_is_number, results)) and not any(map(_is_number, truth)):
        return "numbers are ids of a COCO data set; give that file as the ground truth"
    patches = [sum("___" in image for image in images) / len(images) > 0.5 for images in (results, truth)]
    if patches[0] != patches[1]:
        side = "the results" if patches[0] else "the ground truth"
        return f"{side} are patches and the other side are scenes; merge them: rscovlm bench convert --merge"
    return "ids are the images' file names without folder and suffix, which have to be the same on both sides"


def without_constant_scores(collection: Collection) -> Collection:
    """Results whose boxes all have one score as results without scores, since such a score ranks nothing."""
    filled = [boxes.detections for boxes in collection.images.values() if len(boxes.detections)]
    values = {score for boxes in filled if boxes.scores is not None for score in boxes.scores.tolist()}
    if len(values) != 1 or sum(map(len, filled)) < 2 or not collection.scored:
        return collection
    images: Mapping[str, ImageBoxes] = {
        image: replace(boxes, detections=replace(boxes.detections, scores=None))
        for image, boxes in collection.images.items()
    }
    note = (
        f"all boxes have the score {next(iter(values)):g}, which ranks nothing: evaluated as without scores"
    )
    return replace(collection, images=images, notes=(*collection.notes, note))
