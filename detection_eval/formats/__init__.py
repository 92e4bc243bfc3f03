"""Ground truth and results on disk, each format in a module of its own.

``read`` and ``write`` take any of ``FORMATS``, ``convert`` does both. All readers give a ``Collection``.
Numbers are written in the shortest form that reads back to the same float64, so round trips are exact
wherever a format does not round by itself.
"""

from detection_eval.errors import FormatError
from detection_eval.formats.catalogue import FORMATS, Format, ReadOptions, WriteOptions, split_format
from detection_eval.formats.coco import CocoImage, read_coco, write_coco
from detection_eval.formats.conversion import Conversion, convert, detect_format, losses, read, write
from detection_eval.formats.dota import (
    DotaLabels,
    read_dota_labels,
    read_task1,
    write_dota_labels,
    write_task1,
)
from detection_eval.formats.patches import Merged, merge_patches
from detection_eval.formats.records import Collection, ImageBoxes

__all__ = [
    "FORMATS",
    "CocoImage",
    "Collection",
    "Conversion",
    "DotaLabels",
    "Format",
    "FormatError",
    "ImageBoxes",
    "Merged",
    "ReadOptions",
    "WriteOptions",
    "convert",
    "detect_format",
    "losses",
    "merge_patches",
    "read",
    "read_coco",
    "read_dota_labels",
    "read_task1",
    "split_format",
    "write",
    "write_coco",
    "write_dota_labels",
    "write_task1",
]
