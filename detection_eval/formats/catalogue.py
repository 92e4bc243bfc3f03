"""Registry of file formats: reader, writer, required options and what each can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from detection_eval.errors import FormatError, SettingError
from detection_eval.formats.coco import (
    read_coco_collection,
    read_detection_list,
    write_coco_collection,
    write_detection_list,
)
from detection_eval.formats.dota import read_dota, read_task1, write_dota, write_task1
from detection_eval.formats.markup import (
    read_dior,
    read_fair1m,
    read_hrsc,
    write_dior,
    write_fair1m,
    write_hrsc,
)
from detection_eval.formats.mmrotate import Boxes, read_results, write_results_0, write_results_1
from detection_eval.formats.predictions import read_predictions, write_predictions
from detection_eval.formats.recognition import is_empty_list
from detection_eval.formats.records import Collection, ImageBoxes
from detection_eval.formats.replies import read_lmmrotate, read_rscovlm, write_lmmrotate, write_rscovlm
from detection_eval.formats.ultralytics import Sizes, read_ultralytics, write_ultralytics
from detection_eval.text.contract import Contract


@dataclass(frozen=True)
class ReadOptions:
    """Information that a file itself may lack.

    Attributes:
        classes: names that count, in the order of the data set's config where the file holds numbers.
        images: ids in the order of the data set, for results of mmrotate 0.x.
        sizes: width and height of each image by id, or of all.
        contract: how a model wrote its replies.
        aliases: other words for classes in replies, {word: class}.
        categories: numbers of classes by name in the COCO data set that results are of.
    """

    classes: Sequence[str] | None = None
    images: Sequence[str] | None = None
    sizes: Sizes | None = None
    contract: str | Contract | None = None
    aliases: Mapping[str, str] | None = None
    categories: Mapping[str, int] | None = None

    def class_list(self, path: Path) -> Sequence[str]:
        """The class names, where a format cannot do without.

        Raises:
            FormatError: no class names are given.
        """
        if self.classes is None:
            above = (folder / "data.yaml" for folder in (path, *path.parents[:3]))
            names = next((f", such as {file}" for file in above if file.is_file()), "")
            raise FormatError(
                f"{path}: holds numbers of classes and no names; give the class list, in order{names}",
                lacks="classes",
            )
        return self.classes


@dataclass(frozen=True)
class WriteOptions:
    """Options for writing a format.

    Attributes:
        constant_score: score written for boxes that have none, in formats that demand one.
        boxes: geometry in results of mmrotate 1.x: rectangles or vertices.
        contract: output contract in which replies are written.
    """

    constant_score: float | None = None
    boxes: Boxes = "rbox"
    contract: str | Contract | None = None


class Format(NamedTuple):
    """One format.

    Attributes:
        name: format name, as in ``PATH:FORMAT``.
        what: short description.
        read: the reader.
        write: the writer.
        keeps: what a file of it holds, among names of classes, scores (and whether they are demanded),
            difficulty, size, header, empty images, ids, order, file names and COCO ids of images, and exact
            numbers.
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
        raise FormatError(f"{path}: coordinates are parts of the images' sizes; give the sizes", lacks="size")
    return read_ultralytics(path, options.class_list(path), options.sizes)


def _read_list(
    path: Path, options: ReadOptions, first_category: int = 0, categories: Mapping[str, int] | None = None
) -> Collection:
    """A list of detections; an empty one has no number that a class list would name."""
    classes = () if is_empty_list(path) and options.classes is None else options.class_list(path)
    return read_detection_list(path, classes, first_category, categories)


def _keeps(*what: str) -> frozenset[str]:
    return frozenset(what)


_COCO_KEEPS = _keeps(
    "names", "scores", "difficulty", "size", "empty", "exact", "file names", "coco ids", "ids", "order"
)

_ALL = (
    Format(
        "predictions",
        "this project's own JSON lines",
        lambda path, options: read_predictions(path, options.classes, options.aliases),
        lambda path, boxes, _: write_predictions(path, boxes),
        _keeps(
            "names",
            "scores",
            "difficulty",
            "size",
            "empty",
            "exact",
            "truth",
            "report",
            "header",
            "file names",
            "coco ids",
            "ids",
            "order",
        ),
    ),
    Format(
        "dota",
        "labelTxt, a file or a folder of them",
        lambda path, options: read_dota(path, options.classes),
        lambda path, boxes, _: write_dota(path, boxes),
        _keeps("names", "difficulty", "empty", "exact", "header", "ids"),
    ),
    Format(
        "task1",
        "a folder of Task1_<class>.txt",
        _read_task1,
        _write_task1,
        _keeps("names", "scores", "exact", "ids", "scores demanded"),
    ),
    Format(
        "coco",
        "a COCO data set with polygons in segmentation",
        lambda path, options: read_coco_collection(path, options.classes),
        lambda path, boxes, _: write_coco_collection(path, boxes),
        _COCO_KEEPS,
    ),
    Format(
        "mmrotate-0.x",
        "results.pkl of mmrotate 0.x",
        lambda path, options: read_results(path, options.class_list(path), options.images, version="0.x"),
        lambda path, boxes, options: write_results_0(path, boxes, constant_score=options.constant_score),
        _keeps("scores", "empty", "order", "scores demanded"),
    ),
    Format(
        "mmrotate-1.x",
        "results.pkl of mmrotate 1.x",
        lambda path, options: read_results(path, options.class_list(path), options.images, version="1.x"),
        lambda path, boxes, options: write_results_1(
            path, boxes, constant_score=options.constant_score, boxes=options.boxes
        ),
        _keeps("scores", "size", "empty", "truth", "file names", "ids", "order", "scores demanded"),
    ),
    Format(
        "mmrotate-json",
        "a list of detections of mmrotate 1.x (*.bbox.json)",
        lambda path, options: _read_list(path, options),
        lambda path, boxes, options: write_detection_list(path, boxes, constant_score=options.constant_score),
        _keeps("scores", "exact", "ids", "order", "scores demanded"),
    ),
    Format(
        "ultralytics-json",
        "a list of detections of Ultralytics (predictions.json)",
        lambda path, options: _read_list(path, options, 1, options.categories),
        lambda path, boxes, options: write_detection_list(
            path, boxes, constant_score=options.constant_score, first_category=1
        ),
        _keeps("scores", "exact", "ids", "order", "scores demanded"),
    ),
    Format(
        "ultralytics",
        "OBB labels of Ultralytics, a file or a folder of them",
        _read_ultralytics,
        lambda path, boxes, _: write_ultralytics(path, boxes),
        _keeps("scores", "empty", "exact", "ids"),
    ),
    Format(
        "dior-r",
        "XML of DIOR-R, a file or a folder of them",
        lambda path, options: read_dior(path, options.classes),
        lambda path, boxes, _: write_dior(path, boxes),
        _keeps("names", "difficulty", "size", "empty", "exact", "file names", "ids"),
        "dior-r",
    ),
    Format(
        "fair1m",
        "XML of FAIR1M, a file or a folder of them",
        lambda path, options: read_fair1m(path, options.classes),
        lambda path, boxes, _: write_fair1m(path, boxes),
        _keeps("names", "scores", "size", "empty", "exact", "file names", "ids"),
        "fair1m",
    ),
    Format(
        "hrsc2016",
        "XML of HRSC2016, a file or a folder of them",
        lambda path, options: read_hrsc(path, options.classes),
        lambda path, boxes, _: write_hrsc(path, boxes),
        _keeps("difficulty", "size", "empty", "file names", "ids"),
        "hrsc2016",
    ),
    Format(
        "srsdd",
        "SRSDD: COCO with its class list",
        lambda path, options: read_coco_collection(path, options.classes),
        lambda path, boxes, _: write_coco_collection(path, boxes),
        _COCO_KEEPS,
        "srsdd",
    ),
    Format(
        "rsar",
        "RSAR: labelTxt with its class list",
        lambda path, options: read_dota(path, options.classes),
        lambda path, boxes, _: write_dota(path, boxes),
        _keeps("names", "difficulty", "empty", "exact", "header", "ids"),
        "rsar",
    ),
    Format(
        "rscovlm",
        "inference_results.json of RSCoVLM, parsed from the text",
        lambda path, options: read_rscovlm(path, options.classes, options.contract, options.aliases),
        lambda path, boxes, options: write_rscovlm(path, boxes, options.contract or "rscovlm-quad"),
        _keeps("size", "empty", "file names", "ids", "order"),
    ),
    Format(
        "lmmrotate",
        "parsed_answers_*.json of LMMRotate",
        lambda path, options: read_lmmrotate(
            path, options.classes, options.sizes, options.contract or "lmmrotate", options.aliases
        ),
        lambda path, boxes, _: write_lmmrotate(path, boxes),
        _keeps("empty", "exact", "file names", "ids", "order"),
    ),
)

FORMATS: dict[str, Format] = {known.name: known for known in _ALL}
"""The formats by name."""

NUMBERED = frozenset({"mmrotate-0.x", "mmrotate-1.x", "mmrotate-json", "ultralytics", "ultralytics-json"})
"""Formats that hold numbers of classes and no names, so that the order of the class list matters."""

UNORDERED = frozenset({"dota", "task1", "rscovlm", "lmmrotate"})
"""Formats whose class list is what names were met, and so in no order that numbers could mean."""


UNSIZED = frozenset({"ultralytics", "lmmrotate"})
"""Formats that may hold coordinates as parts of the sides of images, whose sizes they do not hold."""


def format_named(name: str) -> Format:
    """A format.

    Raises:
        SettingError: none has this name.
    """
    if name not in FORMATS:
        raise SettingError(f"unknown format {name!r}; choose {', '.join(FORMATS)}")
    return FORMATS[name]


def split_format(spec: str, known: Sequence[str] = tuple(FORMATS)) -> tuple[Path, str | None]:
    """Split ``PATH`` or ``PATH:FORMAT`` into the path and the name of the format, None where it is not given.

    Colons that are part of a path (``C:\\x``, ``s3://x``) stay in it.

    Args:
        spec: as a user writes it.
        known: names of the formats.

    Raises:
        SettingError: the path is empty, or an unknown format follows the colon and no file has that name.
    """
    path, colon, name = spec.rpartition(":")
    if colon and name in known:
        if not path:
            raise SettingError(f"{spec!r} names a format and no path; give PATH:{name}")
        return Path(path), name
    if not spec:
        raise SettingError("an empty path; give PATH or PATH:FORMAT")
    if colon and path and not set(name) & set("/\\.") and not Path(spec).exists():
        raise SettingError(f"{spec!r}: unknown format {name!r}; choose {', '.join(known)}")
    return Path(spec), None
