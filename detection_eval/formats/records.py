"""Collection: boxes of many images, as every reader returns and every writer takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.errors import FormatError, SettingError
from detection_eval.formats.image_ids import image_id
from detection_eval.geometry.quads import area
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.text.labels import spoken
from detection_eval.text.parsing import ParseReport
from detection_eval.words import counted

OTHER = "other-"


@dataclass(frozen=True, eq=False)
class ImageBoxes:
    """The boxes of one image, and what a file says about it. None stands for what it does not say.

    Attributes:
        detections: in pixels of the image.
        difficulty: (n,) int64: 0 ordinary, 1 difficult, 2 cut by the edge of a patch, ``CROWD``.
        size: width and height in pixels.
        file_name: image file name with its suffix.
        source: image source stated in DOTA's header.
        gsd_m: metres per pixel stated in DOTA's header.
        coco_id: the image's number in a COCO file.
        report: parse report, where the boxes were read from a model's text.
    """

    detections: Detections
    difficulty: NDArray[np.int64] | None = None
    size: tuple[int, int] | None = None
    file_name: str | None = None
    source: str | None = None
    gsd_m: float | None = None
    report: ParseReport | None = None
    coco_id: int | None = None

    def __post_init__(self) -> None:
        if self.difficulty is None:
            return
        difficulty = np.asarray(self.difficulty, dtype=np.int64).reshape(-1)
        if len(difficulty) != len(self.detections):
            raise ValueError(
                f"{len(difficulty)} difficulties for {len(self.detections)} boxes; give one each"
            )
        object.__setattr__(self, "difficulty", difficulty)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImageBoxes):
            return NotImplemented
        own, others = vars(self), vars(other)
        return all(
            np.array_equal(own[name], others[name]) if name == "difficulty" else own[name] == others[name]
            for name in own
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Collection:
    """The boxes of many images: a ground truth, or what a detector found.

    Attributes:
        images: by image id (see ``image_ids.image_id``), in the file's order. Images without boxes are in it
            where the format can tell.
        classes: the class names that all images share.
        truth: the ground truth, where a file of results holds that too.
        notes: omissions and assumptions of the reader, one line each.
        categories: the numbers of classes in a COCO data set, by name; empty for other formats.
    """

    images: Mapping[str, ImageBoxes]
    classes: tuple[str, ...]
    truth: Mapping[str, ImageBoxes] | None = None
    notes: tuple[str, ...] = ()
    categories: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def detections(self) -> dict[str, Detections]:
        """The boxes alone, by image id."""
        return {image: boxes.detections for image, boxes in self.images.items()}

    def ground_truth(self) -> dict[str, GroundTruth]:
        """The boxes as the objects that an evaluation looks for, by image id; scores are left out."""
        return {
            image: GroundTruth(replace(boxes.detections, scores=None), boxes.difficulty, size=boxes.size)
            for image, boxes in self.images.items()
        }

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and what an evaluation has to know of the boxes themselves, one line each."""
        flat = sum(int((area(boxes.polygons) == 0).sum()) for boxes in self.detections.values())
        if not flat:
            return self.notes
        told = counted(flat, "box has no area: it overlaps", "boxes have no area: they overlap")
        return (*self.notes, f"{told} nothing, and nothing finds {'it' if flat == 1 else 'them'}")

    @property
    def report(self) -> ParseReport | None:
        """Sum of the parse reports of all images, or None where no boxes were read from text."""
        reports = [boxes.report for boxes in self.images.values() if boxes.report is not None]
        return reduce(add, reports) if reports else None

    @property
    def scored(self) -> bool:
        """Whether there are boxes and all have scores."""
        filled = [boxes.detections for boxes in self.images.values() if len(boxes.detections)]
        return bool(filled) and all(boxes.scores is not None for boxes in filled)

    def with_truth_as_images(self) -> Collection:
        """The ground truth of a file of results.

        Raises:
            ValueError: the file holds none.
        """
        if self.truth is None:
            raise ValueError("these results hold no ground truth")
        return Collection(self.truth, self.classes, notes=self.notes)


def subset(collection: Collection, classes: Sequence[str]) -> Collection:
    """The boxes of some classes, by their names; a note says how many of which others are left out.

    Args:
        collection: the boxes.
        classes: names that count; case, hyphens and underscores apart.
    """
    index = ClassIndex(classes)
    left_out: Counter[str] = Counter()

    def reduced(boxes: ImageBoxes) -> ImageBoxes:
        found = boxes.detections
        place = np.array([-1 if (i := index.find(name)) is None else i for name in found.classes], np.int64)
        labels = place[found.labels] if len(found) else np.zeros(0, np.int64)
        kept = labels >= 0
        left_out.update(found.classes[label] for label in found.labels[~kept].tolist())
        scores = None if found.scores is None else found.scores[kept]
        chosen = Detections(found.polygons[kept], labels[kept], index.names, scores)
        return replace(
            boxes,
            detections=chosen,
            difficulty=None if boxes.difficulty is None else boxes.difficulty[kept],
        )

    images = {image: reduced(boxes) for image, boxes in collection.images.items()}
    truth = collection.truth and {image: reduced(boxes) for image, boxes in collection.truth.items()}
    notes = collection.notes
    if left_out:
        most = ", ".join(f"{name} ({count:,})" for name, count in left_out.most_common(5))
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        notes = (
            *notes,
            f"{left_out_boxes(left_out.total())}: {most}{more}",
        )
    return Collection(images, index.names, truth, notes, collection.categories)


class ClassIndex:
    """Finds the class of a name: as written, or else as spoken (case, hyphens and underscores apart).

    Args:
        names: the classes that count.
    """

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        self._exact = {name: index for index, name in enumerate(self.names)}
        self._spoken: dict[str, int] = {}
        for index, name in enumerate(self.names):
            self._spoken.setdefault(spoken(name), index)
        if len(self._exact) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise SettingError(f"class {twice!r} is listed twice among {', '.join(self.names)}")

    def find(self, name: str) -> int | None:
        """The index of the class, or None."""
        index = self._exact.get(name)
        return self._spoken.get(spoken(name)) if index is None else index

    def __call__(self, name: str, place: str) -> int:
        """The index of the class.

        Raises:
            FormatError: the value is not valid; the message starts with the place.
        """
        index = self.find(name)
        if index is None:
            raise FormatError(f"{place}: category {name!r:.100} is none of {', '.join(self.names)}")
        return index


def left_out_boxes(count: int) -> str:
    """The note about boxes of classes that do not count."""
    return counted(
        count,
        "box of a class that is not evaluated is left out",
        "boxes of classes that are not evaluated are left out",
    )


@dataclass
class Gathering:
    """Boxes read one by one, put together once all class names are known.

    FAIR1M's categories ``other-...`` are left out, with a note, where they are none of the classes given.

    Args:
        classes: the names that count; None takes those that were met, in alphabetical order.
    """

    classes: Sequence[str] | None
    _about: dict[str, dict[str, Any]] = field(default_factory=dict)
    _rows: dict[str, list[int]] = field(default_factory=dict)
    _corners: list[Sequence[float]] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _places: list[str] = field(default_factory=list)
    _scores: list[float | None] = field(default_factory=list)
    _difficulty: list[int | None] = field(default_factory=list)

    def image(self, image: str, place: str = "", **about: Any) -> None:
        """An image, with values for ``ImageBoxes``.

        Raises:
            FormatError: the image was there before.
        """
        image = image_id(image)
        if image in self._about:
            raise FormatError(f"{place}: image {image!r} is listed twice; ids are file names without suffix")
        self._about[image] = about
        self._rows[image] = []

    def box(
        self,
        image: str,
        corners: Sequence[float],
        name: str,
        place: str,
        score: float | None = None,
        difficulty: int | None = None,
    ) -> None:
        """A box of an image, (8,) numbers; the image need not have been named before."""
        image = image_id(image)
        if image not in self._rows:
            self.image(image)
        self._rows[image].append(len(self._corners))
        self._corners.append(corners)
        self._names.append(name)
        self._places.append(place)
        self._scores.append(score)
        self._difficulty.append(difficulty)

    def finish(self, notes: Sequence[str] = ()) -> Collection:
        """All images.

        Raises:
            FormatError: an unknown class name, or some boxes of an image have a score and others none.
        """
        met = sorted(set(self._names))
        index = ClassIndex(met if self.classes is None else self.classes)
        known = {name: index.find(name) for name in met}
        unknown = [row for row, name in enumerate(self._names) if known[name] is None]
        for row in unknown:
            if not self._names[row].startswith(OTHER):
                index(self._names[row], self._places[row])
        if unknown:
            notes = [
                *notes,
                counted(
                    len(unknown),
                    f"box of categories {OTHER}... is left out",
                    f"boxes of categories {OTHER}... are left out",
                ),
            ]
            out = set(unknown)
            for image, rows in self._rows.items():
                self._rows[image] = [row for row in rows if row not in out]
        quads = np.array(self._corners, dtype=np.float64).reshape(-1, 4, 2)
        labels = np.array([-1 if (label := known[name]) is None else label for name in self._names], np.int64)
        images = {
            image: self._finished(rows, quads, labels, index.names, self._about[image])
            for image, rows in self._rows.items()
        }
        return Collection(images, index.names, notes=tuple(notes))

    def _finished(
        self,
        rows: list[int],
        quads: NDArray[np.float64],
        labels: NDArray[np.int64],
        classes: tuple[str, ...],
        about: dict[str, Any],
    ) -> ImageBoxes:
        scores = [score for row in rows if (score := self._scores[row]) is not None]
        if scores and len(scores) < len(rows):
            first = next(row for row in rows if self._scores[row] is None)
            raise FormatError(
                f"{self._places[first]}: no score, but other boxes of the image have one; give all or none"
            )
        written = [self._difficulty[row] for row in rows]
        grades = (
            [0 if grade is None else grade for grade in written]
            if any(g is not None for g in written)
            else []
        )
        boxes = Detections(quads[rows], labels[rows], classes, np.array(scores) if scores else None)
        difficulty = np.array(grades) if grades else None
        return replace(ImageBoxes(boxes, difficulty), **about)
