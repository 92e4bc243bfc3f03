"""All formats by name: told apart by content, read into a ``Collection``, written from one, converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from detection_eval.class_lists import CLASS_LISTS
from detection_eval.contracts import Contract
from detection_eval.formats.coco import (
    read_coco_collection,
    read_detection_list,
    write_coco_collection,
    write_detection_list,
)
from detection_eval.formats.dota import read_dota, read_task1, write_dota, write_task1
from detection_eval.formats.lines import FormatError
from detection_eval.formats.markup import (
    read_dior,
    read_fair1m,
    read_hrsc,
    write_dior,
    write_fair1m,
    write_hrsc,
)
from detection_eval.formats.mmrotate import Boxes, read_results, write_results_0, write_results_1
from detection_eval.formats.patches import Naming, merge_patches
from detection_eval.formats.predictions import read_predictions, write_predictions
from detection_eval.formats.recognition import recognize
from detection_eval.formats.records import Collection, ImageBoxes
from detection_eval.formats.replies import read_lmmrotate, read_rscovlm, write_lmmrotate, write_rscovlm
from detection_eval.formats.ultralytics import Sizes, read_ultralytics, size_of, write_ultralytics


@dataclass(frozen=True)
class ReadOptions:
    """What a file may not say itself.

    Attributes:
        classes: names that count, in the order of the data set's config where the file holds numbers.
        images: ids in the order of the data set, for results of mmrotate 0.x.
        sizes: width and height of each image by id, or of all.
        contract: how a model wrote its replies.
    """

    classes: Sequence[str] | None = None
    images: Sequence[str] | None = None
    sizes: Sizes | None = None
    contract: str | Contract | None = None

    def class_list(self, path: Path) -> Sequence[str]:
        """The class names, where a format cannot do without.

        Raises:
            FormatError: they are not given.
        """
        if self.classes is None:
            raise FormatError(f"{path}: holds numbers of classes and no names; give the class list, in order")
        return self.classes


@dataclass(frozen=True)
class WriteOptions:
    """How a format is written.

    Attributes:
        constant_score: for boxes without scores, in formats that demand them.
        boxes: what results of mmrotate 1.x hold: rectangles or vertices.
        contract: how replies are written.
    """

    constant_score: float | None = None
    boxes: Boxes = "rbox"
    contract: str | Contract | None = None


class Format(NamedTuple):
    """One format.

    Attributes:
        name: as in ``PATH:FORMAT``.
        what: it is, in a few words.
        read: the reader.
        write: the writer.
        keeps: which of scores, difficulty, size, empty images and exact numbers a file of it holds.
        classes: the class list that goes with it, where it is made for one data set.
    """

    name: str
    what: str
    read: Callable[[Path, ReadOptions], Collection]
    write: Callable[[Path, Collection, WriteOptions], object]
    keeps: frozenset[str]
    classes: str | None = None


def _read_task1(path: Path, options: ReadOptions) -> Collection:
    found = read_task1(path, options.classes)
    classes = next(iter(found.values())).classes if found else tuple(options.classes or ())
    return Collection({image: ImageBoxes(boxes) for image, boxes in found.items()}, classes)


def _write_task1(path: Path, collection: Collection, options: WriteOptions) -> None:
    boxes = collection.detections
    filled = {image: found for image, found in boxes.items() if len(found)}
    write_task1(path, filled or boxes, constant_score=options.constant_score)


def _read_ultralytics(path: Path, options: ReadOptions) -> Collection:
    if options.sizes is None:
        raise FormatError(f"{path}: coordinates are parts of the images' sizes; give the sizes")
    return read_ultralytics(path, options.class_list(path), options.sizes)


def _keeps(*what: str) -> frozenset[str]:
    return frozenset(what)


_ALL = (
    Format(
        "predictions",
        "this project's own JSON lines",
        lambda path, options: read_predictions(path, options.classes),
        lambda path, boxes, _: write_predictions(path, boxes),
        _keeps("scores", "difficulty", "size", "empty", "exact", "truth", "report", "header"),
    ),
    Format(
        "dota",
        "labelTxt, a file or a folder of them",
        lambda path, options: read_dota(path, options.classes),
        lambda path, boxes, _: write_dota(path, boxes),
        _keeps("difficulty", "empty", "exact", "header"),
    ),
    Format("task1", "a folder of Task1_<class>.txt", _read_task1, _write_task1, _keeps("scores", "exact")),
    Format(
        "coco",
        "a COCO data set with polygons in segmentation",
        lambda path, options: read_coco_collection(path, options.classes),
        lambda path, boxes, _: write_coco_collection(path, boxes),
        _keeps("scores", "difficulty", "size", "empty", "exact"),
    ),
    Format(
        "mmrotate-0.x",
        "results.pkl of mmrotate 0.x",
        lambda path, options: read_results(path, options.class_list(path), options.images, version="0.x"),
        lambda path, boxes, options: write_results_0(path, boxes, constant_score=options.constant_score),
        _keeps("scores", "empty"),
    ),
    Format(
        "mmrotate-1.x",
        "results.pkl of mmrotate 1.x",
        lambda path, options: read_results(path, options.class_list(path), options.images, version="1.x"),
        lambda path, boxes, options: write_results_1(
            path, boxes, constant_score=options.constant_score, boxes=options.boxes
        ),
        _keeps("scores", "size", "empty", "truth"),
    ),
    Format(
        "mmrotate-json",
        "a list of detections of mmrotate 1.x (*.bbox.json)",
        lambda path, options: read_detection_list(path, options.class_list(path)),
        lambda path, boxes, options: write_detection_list(path, boxes, constant_score=options.constant_score),
        _keeps("scores", "exact"),
    ),
    Format(
        "ultralytics-json",
        "a list of detections of Ultralytics (predictions.json)",
        lambda path, options: read_detection_list(path, options.class_list(path), 1),
        lambda path, boxes, options: write_detection_list(
            path, boxes, constant_score=options.constant_score, first_category=1
        ),
        _keeps("scores", "exact"),
    ),
    Format(
        "ultralytics",
        "OBB labels of Ultralytics, a file or a folder of them",
        _read_ultralytics,
        lambda path, boxes, _: write_ultralytics(path, boxes),
        _keeps("scores", "empty", "exact"),
    ),
    Format(
        "dior-r",
        "XML of DIOR-R, a file or a folder of them",
        lambda path, options: read_dior(path, options.classes),
        lambda path, boxes, _: write_dior(path, boxes),
        _keeps("difficulty", "size", "empty", "exact"),
        "dior-r",
    ),
    Format(
        "fair1m",
        "XML of FAIR1M, a file or a folder of them",
        lambda path, options: read_fair1m(path, options.classes),
        lambda path, boxes, _: write_fair1m(path, boxes),
        _keeps("scores", "size", "empty", "exact"),
        "fair1m",
    ),
    Format(
        "hrsc2016",
        "XML of HRSC2016, a file or a folder of them",
        lambda path, options: read_hrsc(path, options.classes),
        lambda path, boxes, _: write_hrsc(path, boxes),
        _keeps("difficulty", "size", "empty"),
        "hrsc2016",
    ),
    Format(
        "srsdd",
        "SRSDD: COCO with its class list",
        lambda path, options: read_coco_collection(path, options.classes),
        lambda path, boxes, _: write_coco_collection(path, boxes),
        _keeps("scores", "difficulty", "size", "empty", "exact"),
        "srsdd",
    ),
    Format(
        "rsar",
        "RSAR: labelTxt with its class list",
        lambda path, options: read_dota(path, options.classes),
        lambda path, boxes, _: write_dota(path, boxes),
        _keeps("difficulty", "empty", "exact", "header"),
        "rsar",
    ),
    Format(
        "rscovlm",
        "inference_results.json of RSCoVLM, parsed from the text",
        lambda path, options: read_rscovlm(path, options.classes, options.contract),
        lambda path, boxes, options: write_rscovlm(path, boxes, options.contract or "rscovlm-quad"),
        _keeps("size", "empty"),
    ),
    Format(
        "lmmrotate",
        "parsed_answers_*.json of LMMRotate",
        lambda path, options: read_lmmrotate(
            path, options.classes, options.sizes, options.contract or "lmmrotate"
        ),
        lambda path, boxes, _: write_lmmrotate(path, boxes),
        _keeps("empty", "exact"),
    ),
)

FORMATS: dict[str, Format] = {known.name: known for known in _ALL}
"""The formats by name."""


def format_named(name: str) -> Format:
    """A format.

    Raises:
        ValueError: none has this name.
    """
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}; choose {', '.join(FORMATS)}")
    return FORMATS[name]


def split_format(spec: str) -> tuple[Path, str | None]:
    """``PATH`` or ``PATH:FORMAT``; what stands after the last colon counts where it is a format's name.

    Raises:
        ValueError: no path, or there is something after a colon that is no format, and no such file.
    """
    path, colon, name = spec.rpartition(":")
    if colon and name in FORMATS:
        if not path:
            raise ValueError(f"{spec!r} names a format and no path; give PATH:{name}")
        return Path(path), name
    if not spec:
        raise ValueError("an empty path; give PATH or PATH:FORMAT")
    if colon and path and not set(name) & set("/\\.") and not Path(spec).exists():
        raise ValueError(f"{spec!r}: unknown format {name!r}; choose {', '.join(FORMATS)}")
    return Path(spec), None


# --- reading, writing, converting -----------------------------------------------------------------


def detect_format(path: str | Path) -> str:
    """The name of a file's or folder's format, by its content.

    Raises:
        FormatError: it is none of those known; the message says how to name it.
        OSError: it cannot be read.
    """
    found = recognize(Path(path))
    if found is None:
        choices = ", ".join(FORMATS)
        raise FormatError(f"{path}: its format cannot be told; name it: {path}:FORMAT with {choices}")
    return found


def read(
    path: str | Path,
    format: str | None = None,
    classes: Sequence[str] | None = None,
    *,
    images: Sequence[str] | None = None,
    sizes: Sizes | None = None,
    contract: str | Contract | None = None,
) -> Collection:
    """Read boxes in any of the formats.

    Args:
        path: a file or a folder.
        format: its name; None tells it by the content.
        classes: names that count, in the order of the data set's config where the file holds numbers. None
            takes the list of the data set where the format is made for one, or else the file's own.
        images: ids in the order of the data set, for results of mmrotate 0.x.
        sizes: of the images, where the file lacks them and needs them; they fill in what it does not say.
        contract: how a model wrote its replies.

    Raises:
        FormatError: the content is malformed, or something has to be given that is not.
        ValueError: unknown format or contract.
        OSError: something cannot be read.
    """
    path = Path(path)
    known = format_named(format or detect_format(path))
    if classes is None and known.classes is not None:
        classes = CLASS_LISTS[known.classes]
    collection = known.read(path, ReadOptions(classes, images, sizes, contract))
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
        constant_score: for boxes without scores, in formats that demand them; none is invented.
        boxes: for results of mmrotate 1.x: rectangles or vertices.
        contract: for replies.

    Raises:
        ValueError: unknown format or contract, or something that the format demands is not known.
        OSError: something cannot be written.
    """
    format_named(format).write(Path(path), collection, WriteOptions(constant_score, boxes, contract))


def losses(collection: Collection, format: str) -> list[str]:
    """What a format cannot hold of a collection, in words."""
    keeps = format_named(format).keeps
    images = collection.images.values()
    empty = sum(not len(boxes.detections) for boxes in images)
    graded = sum(boxes.difficulty is not None and bool(boxes.difficulty.any()) for boxes in images)
    lost = {
        "scores": "the scores" if collection.scored else "",
        "difficulty": f"the difficulty of objects in {graded} images" if graded else "",
        "empty": f"{empty} images without boxes" if empty else "",
        "truth": "the ground truth beside the results" if collection.truth is not None else "",
        "report": "the parse reports" if collection.report is not None else "",
        "exact": "digits: it holds rounded numbers or rectangles" if any(map(_filled, images)) else "",
    }
    return [words for what, words in lost.items() if words and what not in keeps]


def _filled(boxes: ImageBoxes) -> bool:
    return len(boxes.detections) > 0


class Conversion(NamedTuple):
    """What a conversion did.

    Attributes:
        source: the format read.
        target: the format written.
        images: how many images were written.
        boxes: how many boxes.
        lost: what the target cannot hold, in words.
        notes: what reading and merging remarked, in words.
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
        options: what the source may not say.
        writing: how the target is written.
        patches: merge patches into scenes; the meaning of the first number of their names.
        nms: the overlap above which merging suppresses, or None.

    Raises:
        FormatError: the source is malformed, or something has to be given that is not.
        ValueError: unknown format, or something that the target demands is not known.
        OSError: something cannot be read or written.
    """
    options, writing = options or ReadOptions(), writing or WriteOptions()
    known = source_format or detect_format(source)
    collection = read(source, known, **vars(options))
    notes = list(collection.notes)
    if patches is not None:
        merged = merge_patches(collection, patches, nms)
        collection = merged.scenes
        notes.append(merged.line)
    aim = target_format or _by_suffix(Path(target), collection)
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
        raise ValueError(f"{path}: no format goes by {suffix}; name it: {path}:FORMAT with {choices}")
    return suffixes[suffix]
