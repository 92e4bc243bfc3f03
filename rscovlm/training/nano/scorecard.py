"""nano's score card: ``python -m rscovlm.training.nano.scorecard --model nano --output README.md``.

Everything goes through the package's own doors: scenes are GeoTIFFs on disk, questions go through the
Zoom-in Chain, detections through tiles and merging. Seeds are held out: training never sees them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import shapely

from detection_eval.detections import Detections

HELD_OUT_SEED = 1 << 40
"""Scenes of training have seeds below 2^31."""


@dataclass
class Score:
    """Right answers out of how many."""

    right: int = 0
    of: int = 0

    def add(self, correct: bool) -> None:
        """Count one answer."""
        self.right += bool(correct)
        self.of += 1

    def __str__(self) -> str:
        return f"{self.right / self.of:.1%} ({self.right}/{self.of})" if self.of else "none asked"


@dataclass
class ScoreCard:
    """What nano gets right on held-out scenes.

    Attributes:
        answers: by (topic, zoom mode).
        chance: by topic, of the most frequent answer.
        zoom_hits: chains whose last view holds the evidence at a readable size.
        zooms: how many zooms each chain took.
        scene_class: of the whole scene.
        found, missed, invented: detections at IoU 0.5, by class name.
    """

    answers: dict[tuple[str, str], Score] = field(default_factory=lambda: defaultdict(Score))
    truths: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    zoom_hits: Score = field(default_factory=Score)
    zooms: list[int] = field(default_factory=list)
    scene_class: Score = field(default_factory=Score)
    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    missed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    invented: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def matches(found: Detections, truth: Detections, iou: float = 0.5) -> tuple[set[int], set[int]]:
    """Indices of found boxes and of true boxes that pair one to one, best overlaps first, same class only."""
    boxes, targets = shapely.polygons(found.polygons), shapely.polygons(truth.polygons)
    if not len(found) or not len(truth):
        return set(), set()
    first, second = shapely.STRtree(targets).query(boxes, predicate="intersects")
    shared = shapely.area(shapely.intersection(boxes[first], targets[second]))
    overlap = shared / (shapely.area(boxes[first]) + shapely.area(targets[second]) - shared)
    names, true_names = np.array(found.names), np.array(truth.names)
    paired: set[int] = set()
    taken: set[int] = set()
    for k in np.argsort(-overlap, kind="stable"):
        i, j = int(first[k]), int(second[k])
        if overlap[k] < iou:
            break
        if names[i] == true_names[j] and i not in paired and j not in taken:
            paired.add(i)
            taken.add(j)
    return paired, taken


def same_answer(text: str, truth: str) -> bool:
    """Whether an answer says what is true, but for case, spaces and a final full stop."""
    return text.strip().rstrip(".").lower() == truth.lower()
