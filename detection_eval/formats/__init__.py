"""Ground truth and results on disk, each format in a module of its own.

Numbers are written in the shortest form that reads back to the same float64, so round trips are exact.
"""

from detection_eval.formats.coco import CocoImage, read_coco, write_coco
from detection_eval.formats.dota import (
    DotaLabels,
    read_dota_labels,
    read_task1,
    write_dota_labels,
    write_task1,
)
from detection_eval.formats.lines import FormatError

__all__ = [
    "CocoImage",
    "DotaLabels",
    "FormatError",
    "read_coco",
    "read_dota_labels",
    "read_task1",
    "write_coco",
    "write_dota_labels",
    "write_task1",
]
