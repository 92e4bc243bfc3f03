"""Reading, writing and converting any of the formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from detection_eval.errors import FormatError, SettingError
from detection_eval.formats.catalogue import FORMATS, NUMBERED, ReadOptions, WriteOptions, format_named
from detection_eval.formats.class_lists import CLASS_LISTS
from detection_eval.formats.mmrotate import Boxes
from detection_eval.formats.patches import Naming, merge_patches
from detection_eval.formats.recognition import annotations_below, recognize
from detection_eval.formats.records import Collection, ImageBoxes, subset
from detection_eval.formats.ultralytics import Sizes, size_of
from detection_eval.text.contract import Contract
from detection_eval.words import counted

_LISTED = 6
"""Places of annotations below a folder that a message names."""
_MAP_LAYERS = (".geojson", ".gpkg", ".fgb", ".parquet", ".kml", ".shp")


def detect_format(path: str | Path) -> str:
    """The name of a file's or folder's format, by its content.

    Raises:
        FormatError: the format is not recognised; the message lists the names.
        OSError: the file cannot be read.
    """
    found = recognize(Path(path))
    if found is None:
        raise FormatError(f"{path}: {_unrecognised(Path(path))}")
    return found


def _unrecognised(path: Path) -> str:
    if path.is_dir() and not any(path.iterdir()):
        return "an empty folder; give one with the files of a format"
    if path.is_dir() and (below := annotations_below(path)):
        listed = [f"{place} ({name})" for place, name in below.items()]
        more = f" or {counted(len(listed) - _LISTED, 'other')}" if len(listed) > _LISTED else ""
        return f"the annotations are in its folders; give {' or '.join(listed[:_LISTED])}{more}"
    if path.suffix.lower() in _MAP_LAYERS:
        return "a map layer holds no pixels of images; have boxes written as .json (COCO) or .txt (DOTA)"
    return f"format not recognised; give {path}:FORMAT with {', '.join(FORMATS)}"


def read(
    path: str | Path,
    format: str | None = None,
    classes: Sequence[str] | None = None,
    *,
    images: Sequence[str] | None = None,
    sizes: Sizes | None = None,
    contract: str | Contract | None = None,
    others: Literal["refuse", "leave out"] = "refuse",
    aliases: Mapping[str, str] | None = None,
    categories: Mapping[str, int] | None = None,
) -> Collection:
    """Read boxes in any of the formats.

    Args:
        path: a file or a folder.
        format: its name; None tells it by the content.
        classes: names that count, in the order of the data set's config where the file holds numbers. None
            takes the list of the data set where the format is made for one, or else the file's own.
        images: ids in the order of the data set, for results of mmrotate 0.x.
        sizes: image sizes, where the file lacks them.
        contract: how a model wrote its replies.
        others: treatment of boxes of other classes, in files that hold names: an error, or left out with a
            note.
        aliases: other words for classes in replies, {word: class}; see ``text.aliases``.
        categories: numbers of classes by name in the COCO data set that a list of results is of.

    Raises:
        FormatError: the content is malformed, or something has to be given that is not.
        SettingError: unknown format or contract.
        OSError: something cannot be read.
    """
    path = Path(path)
    known = format_named(format or detect_format(path))
    listed = None if known.classes is None else CLASS_LISTS[known.classes]
    if classes is not None and others == "leave out" and "names" in known.keeps:
        collection = subset(
            known.read(path, ReadOptions(listed, images, sizes, contract, aliases, categories)), classes
        )
    else:
        wanted = listed if classes is None else classes
        collection = known.read(path, ReadOptions(wanted, images, sizes, contract, aliases, categories))
    if sizes is None:
        return collection
    filled = {
        image: replace(boxes, size=boxes.size or size_of(image, sizes))
        for image, boxes in collection.images.items()
    }
    return replace(collection, images=filled)


def write(
    path: str | Path,
    collection: Collection,
    format: str,
    *,
    constant_score: float | None = None,
    boxes: Boxes = "rbox",
    contract: str | Contract | None = None,
) -> None:
    """Write boxes in any of the formats. ``losses`` says what a format cannot hold.

    Args:
        path: a file, or for formats of several files a folder.
        collection: the boxes.
        format: its name.
        constant_score: score written for boxes that have none, in formats that demand one; none is invented.
        boxes: geometry in results of mmrotate 1.x: rectangles or vertices.
        contract: output contract in which replies are written.

    Raises:
        SettingError: unknown format or contract.
        CannotWrite: something that the format demands is not known.
        OSError: something cannot be written.
    """
    format_named(format).write(Path(path), collection, WriteOptions(constant_score, boxes, contract))


def losses(collection: Collection, format: str) -> list[str]:
    """Properties of a collection that a format cannot hold, in words."""
    known = format_named(format)
    lost = _lost(collection, _ALL - known.keeps)
    if format in NUMBERED:
        lost.append(f"the names of classes, counted as {', '.join(collection.classes)}")
    return lost


_ALL = {
    *("scores", "difficulty", "empty", "size", "header", "file names", "coco ids", "ids", "order", "truth"),
    *("report", "exact"),
}


def _lost(collection: Collection, what: Set[str]) -> list[str]:
    """Number and kinds of some things in a collection, in words."""
    images = collection.images.values()
    sized = sum(boxes.size is not None for boxes in images)
    headed = sum(boxes.source is not None or boxes.gsd_m is not None for boxes in images)
    named = sum(image != boxes.file_name is not None for image, boxes in collection.images.items())
    numbered = sum(boxes.coco_id is not None for boxes in images)
    empty = sum(not len(boxes.detections) for boxes in images)
    graded = sum(boxes.difficulty is not None and bool(boxes.difficulty.any()) for boxes in images)
    lost = {
        "scores": "the scores" if collection.scored else "",
        "difficulty": f"the difficulty of objects in {counted(graded, 'image')}" if graded else "",
        "empty": f"{counted(empty, 'image')} without boxes" if empty else "",
        "size": f"the size of {counted(sized, 'image')}" if sized else "",
        "header": f"the header (source, GSD) of {counted(headed, 'image')}" if headed else "",
        "file names": f"the suffix of the file names of {counted(named, 'image')}" if named else "",
        "coco ids": f"the COCO ids of {counted(numbered, 'image')}" if numbered else "",
        "ids": "the ids of images, whose order is that of --images when it is read",
        "order": "the order of the images" if list(collection.images) != sorted(collection.images) else "",
        "truth": "the ground truth beside the results" if collection.truth is not None else "",
        "report": "the parse reports" if collection.report is not None else "",
        "exact": "digits: it holds rounded numbers or rectangles" if any(map(_filled, images)) else "",
    }
    return [words for name, words in lost.items() if words and name in what]


def unused(collection: Collection, format: str, writing: WriteOptions) -> list[str]:
    """Options that the output format has no use for, in words."""
    lines = []
    if writing.constant_score is not None and "scores demanded" not in format_named(format).keeps:
        lines.append(f"--score {writing.constant_score:g} is not used: {format} demands no scores")
    elif writing.constant_score is not None and collection.scored:
        lines.append(f"--score {writing.constant_score:g} is not used: the boxes have scores")
    if writing.boxes == "qbox" and format != "mmrotate-1.x":
        lines.append(f"--vertices is not used: it is for mmrotate-1.x, not {format}")
    return lines


def _filled(boxes: ImageBoxes) -> bool:
    return len(boxes.detections) > 0


class Conversion(NamedTuple):
    """Result of a conversion.

    Attributes:
        source: the format read.
        target: the format written.
        images: how many images were written.
        boxes: how many boxes.
        lost: properties that the target cannot hold, in words.
        notes: remarks of reading, parsing and merging.
    """

    source: str
    target: str
    images: int
    boxes: int
    lost: tuple[str, ...]
    notes: tuple[str, ...]


def convert(
    source: str | Path,
    target: str | Path,
    source_format: str | None = None,
    target_format: str | None = None,
    *,
    options: ReadOptions | None = None,
    writing: WriteOptions | None = None,
    patches: Naming | None = None,
    nms: float | None = 0.1,
) -> Conversion:
    """Read one format and write another.

    Args:
        source: a file or folder.
        target: a file or folder.
        source_format: None tells it by the content.
        target_format: None tells it by the name: ``.jsonl`` is ``predictions``, ``.pkl`` is ``mmrotate-1.x``,
            ``.json`` is ``coco``, and no suffix is ``task1`` for results and ``dota`` for ground truth.
        options: information that the source may lack.
        writing: how the target is written.
        patches: merge patches into scenes; the meaning of the first number of their names.
        nms: the overlap above which merging suppresses, or None.

    Raises:
        FormatError: the source is malformed, or something has to be given that is not.
        SettingError: unknown format.
        CannotWrite: something that the target demands is not known.
        OSError: something cannot be read or written.
    """
    options, writing = options or ReadOptions(), writing or WriteOptions()
    known = source_format or detect_format(source)
    collection = read(source, known, **vars(options))
    notes = list(collection.remarks)
    if collection.report is not None:
        notes += collection.report.losses()
    if patches is not None:
        merged = merge_patches(collection, patches, nms)
        notes.append(merged.line)
        notes += [
            f"merging of patches loses {what}"
            for what in _lost(collection, {"difficulty", "header", "truth"})
        ]
        collection = merged.scenes
    aim = target_format or _by_suffix(Path(target), collection)
    notes += unused(collection, aim, writing)
    write(target, collection, aim, **vars(writing))
    boxes = sum(map(len, collection.detections.values()))
    lost = tuple(losses(collection, aim))
    return Conversion(known, aim, len(collection.images), boxes, lost, tuple(notes))


def _by_suffix(path: Path, collection: Collection) -> str:
    suffixes: Mapping[str, str] = {".jsonl": "predictions", ".pkl": "mmrotate-1.x", ".json": "coco"}
    suffix = path.suffix.lower()
    if suffix == "":
        return "task1" if collection.scored else "dota"
    if suffix not in suffixes:
        choices = ", ".join(FORMATS)
        raise SettingError(f"{path}: no format for suffix {suffix}; give {path}:FORMAT with {choices}")
    return suffixes[suffix]
