"""The canonical sample: what is known about some images, before any wording, resolution or box format.

A sample on disk never holds rendered box text. It holds geometry in the pixels of the image file, and turns
with placeholders; size, format and wording are drawn anew at each visit (``rscovlm.data.rendering``).

Placeholders in turns:

- ``<image>``: the next image, in order of ``Sample.images``.
- ``<boxes>``: all boxes with their labels, in the format drawn for this visit.
- ``<box 2>``: box 2 (from 0) alone, without its label.
- ``<zoom 2>``: the model's call of its zoom tool on box 2.
- ``<crop 2>``: box 2 read from the file at the resolution that the budget allows, as an image.
- ``<gsd>``: metres per pixel of the image shown last, in words; "unknown" where it is.
- ``<value agb_mg_per_ha>``: a numeric target, written with the decimals drawn for this visit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Annotated, Any, Literal, NotRequired, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from detection_eval.geometry.quads import area, bounds
from detection_eval.words import counted
from rscovlm.errors import DataError

Task = Literal["detection", "grounding", "classification", "vqa", "caption", "zoom", "regression", "chat"]
TASKS: tuple[Task, ...] = get_args(Task)
Role = Literal["system", "user", "assistant"]

PLACEHOLDER = re.compile(r"<(image|boxes|gsd|(?:box|zoom|crop) \d+|value [A-Za-z_][A-Za-z0-9_]*)>")
"""Everything in a turn that is not plain words."""

_WRITES_ITSELF: tuple[Task, ...] = ("detection", "grounding", "classification")
_PLACES = ("x", "y", "width", "height")
_OF_IMAGE = ("boxes", "box", "zoom", "crop")


@dataclass(frozen=True)
class ImageRef:
    """An image, or a window of one.

    Attributes:
        path: of the file, relative to the folder of the sample file, or absolute.
        window: (x, y, width, height) in pixels of the file; None for all of it.
        size: (height, width) of the whole file in pixels, where known, so that lengths are known without
            opening it.
        gsd_m: ground sampling distance in metres, where it is known and differs from the sample's.
    """

    path: str
    window: tuple[float, float, float, float] | None = None
    size: tuple[int, int] | None = None
    gsd_m: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, what is unknown left out; sides and places by name."""
        record: dict[str, Any] = {"path": self.path}
        if self.window is not None:
            record["window"] = dict(zip(_PLACES, self.window, strict=True))
        if self.size is not None:
            record["size"] = {"width": self.size[1], "height": self.size[0]}
        if self.gsd_m is not None:
            record["gsd_m"] = self.gsd_m
        return record

    def problems(self) -> Iterator[str]:
        """One line for each thing that no image can have."""
        if not self.path.strip():
            yield "an image without a path"
        if self.size is not None and min(self.size) < 1:
            yield f"{self.path}: size {self.size[1]} x {self.size[0]} px is no size of an image"
        if self.window is not None and not (np.isfinite(self.window).all() and min(self.window[2:]) > 0):
            yield f"{self.path}: window {list(self.window)} has no area"


@dataclass(frozen=True, eq=False)
class Box:
    """One object or region.

    Attributes:
        polygon: (4, 2) float64 pixels of the image file (not of the window), clockwise from the topmost,
            then leftmost vertex.
        label: class name, or "" where a box has none.
        image: index into ``Sample.images``.
        horizontal: only its axis-aligned bounds are known, so that it must not be written as rotated.
        difficult: marked so by the annotators; left out of answers.
    """

    polygon: NDArray[np.float64]
    label: str = ""
    image: int = 0
    horizontal: bool = False
    difficult: bool = False

    def __post_init__(self) -> None:
        polygon = np.asarray(self.polygon, dtype=np.float64)
        if polygon.shape != (4, 2) or not np.isfinite(polygon).all():
            raise DataError(f"a box needs 4 finite points (x, y); got {polygon.tolist()}")
        object.__setattr__(self, "polygon", polygon)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and self.to_json() == other.to_json()

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; what has its default is left out."""
        record: dict[str, Any] = {"polygon": [round(float(v), 3) for v in self.polygon.ravel()]}
        for name, default in (("label", ""), ("image", 0), ("horizontal", False), ("difficult", False)):
            if (value := getattr(self, name)) != default:
                record[name] = value
        return record


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation, with placeholders."""

    role: Role
    text: str


@dataclass(frozen=True)
class Sample:
    """One thing to learn.

    Detection, grounding and classification write their own turns from templates when ``turns`` is empty.

    Attributes:
        id: unique within its source.
        task: what is learnt.
        images: in the order of their placeholders.
        turns: alternating user and assistant turns, after an optional system turn; ends with the assistant.
        boxes: objects and regions.
        classes: detection: the classes asked for, empty for open-ended; classification: the candidates.
        phrase: grounding: what is referred to; classification: unused.
        answer: classification: the class.
        targets: numeric targets by name, units in the name.
        gsd_m: ground sampling distance of the images in metres, or None.
        source: the data set that it comes from.
        attributes: whatever else is worth keeping (split, question type, date); never shown to a model.
    """

    id: str
    task: Task
    images: tuple[ImageRef, ...] = ()
    turns: tuple[Turn, ...] = ()
    boxes: tuple[Box, ...] = ()
    classes: tuple[str, ...] = ()
    phrase: str = ""
    answer: str = ""
    targets: Mapping[str, float] = field(default_factory=dict)
    gsd_m: float | None = None
    source: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise DataError(f"sample {self.id!r}: {problem}")

    def _problem(self) -> str | None:
        return next(
            chain(self._problems_of_task(), self._problems_of_boxes(), self._problems_of_turns()), None
        )

    def _problems_of_task(self) -> Iterator[str]:
        if self.task not in TASKS:
            yield f"task {self.task!r} is unknown; choose from {', '.join(TASKS)}"
        if not self.turns and self.task not in _WRITES_ITSELF:
            yield f"a {self.task} sample needs turns"
        if not self.turns and len(self.images) != 1:
            yield f"a {self.task} sample without turns needs exactly one image, not {len(self.images)}"
        if not self.turns and self.task == "classification" and not self.answer.strip():
            yield "a classification sample without turns needs an answer"
        if self.answer and self.classes and self.answer not in self.classes:
            yield f"its answer {self.answer!r} is not among its {counted(len(self.classes), 'class')}"
        if not self.turns and self.task == "grounding":
            if not (self.phrase.strip() and self.boxes):
                yield "a grounding sample without turns needs a phrase and a box"
            if all(box.difficult for box in self.boxes):
                yield "a grounding sample needs a box that is not difficult"
        for name, value in self.targets.items():
            if isinstance(value, bool) or not math.isfinite(value):
                yield f"target {name} is {value}, not a finite number"
        gsds = [self.gsd_m, *(image.gsd_m for image in self.images)]
        if any(gsd_m is not None and not 0 < gsd_m < math.inf for gsd_m in gsds):
            yield "gsd_m must be a positive number of metres"

    def _problems_of_boxes(self) -> Iterator[str]:
        for image in self.images:
            yield from image.problems()
        for number, box in enumerate(self.boxes):
            if not 0 <= box.image < max(1, len(self.images)):
                yield f"box {number} refers to image {box.image} of {len(self.images)}"
            if self.task == "detection" and not box.label.strip():
                yield f"box {number} of a detection sample has no label"
            if self.task == "detection" and self.classes and box.label not in self.classes:
                known = counted(len(self.classes), "class")
                yield f"box {number} is a {box.label!r}, which is not among its {known}"
        if self.boxes:
            areas = area(np.stack([box.polygon for box in self.boxes]))
            for number in np.flatnonzero(areas <= 0).tolist():
                yield f"box {number} has no area"
        for index, image in enumerate(self.images):
            if image.size is not None:
                yield from self.boxes_outside(index, image.size)

    def boxes_outside(self, image: int, size: tuple[int, int]) -> Iterator[str]:
        """One line for each box of an image of (height, width) of which nothing lies inside it."""
        numbers = [number for number, box in enumerate(self.boxes) if box.image == image]
        if not numbers:
            return
        x0, y0, x1, y1 = bounds(np.stack([self.boxes[number].polygon for number in numbers])).T
        out = (x1 <= 0) | (y1 <= 0) | (x0 >= size[1]) | (y0 >= size[0])
        for place in np.flatnonzero(out):
            yield f"box {numbers[place]} lies outside its image of {size[1]} x {size[0]} px"

    def _problems_of_turns(self) -> Iterator[str]:
        if not self.turns:
            return
        roles = [turn.role for turn in self.turns]
        spoken = roles[1:] if roles[0] == "system" else roles
        if spoken != ["user", "assistant"] * (len(spoken) // 2) or not spoken:
            yield f"turns go user, assistant, ..., assistant; these go {', '.join(roles)}"
        for number, turn in enumerate(self.turns):
            if not turn.text.strip():
                yield f"turn {number} ({turn.role}) is empty"
        marks = [mark for turn in self.turns for mark in PLACEHOLDER.findall(turn.text)]
        if (shown := marks.count("image")) != len(self.images):
            yield f"{shown} <image> placeholders for {counted(len(self.images), 'image')}"
        on = sorted({box.image for box in self.boxes})
        if "boxes" in marks and len(on) > 1:
            yield f"<boxes> lists the boxes of one image; these are on images {', '.join(map(str, on))}"
        for mark in marks:
            name, _, argument = mark.partition(" ")
            if name in _OF_IMAGE and not self.images:
                yield f"<{mark}> in a sample without images"
            if name in ("box", "zoom", "crop") and int(argument) >= len(self.boxes):
                yield f"<{mark}> in a sample of {counted(len(self.boxes), 'box')}"
            if name == "value" and argument not in self.targets:
                yield f"<{mark}> is not among the targets {sorted(self.targets)}"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, what is empty left out; ``Sample.from_json`` reads it back."""
        record: dict[str, Any] = {"id": self.id, "task": self.task}
        if self.images:
            record["images"] = [image.to_json() for image in self.images]
        if self.turns:
            record["turns"] = [[turn.role, turn.text] for turn in self.turns]
        if self.boxes:
            record["boxes"] = [box.to_json() for box in self.boxes]
        for name in ("classes", "phrase", "answer", "targets", "gsd_m", "source", "attributes"):
            value = getattr(self, name)
            if value is not None and len(value if hasattr(value, "__len__") else (1,)):
                record[name] = list(value) if name == "classes" else value
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Sample:
        """Read a JSON object.

        Raises:
            DataError: naming the sample and what is wrong with it.
        """
        try:
            fields: dict[str, Any] = dict(_adapter().validate_python(dict(record)))
        except ValidationError as error:
            raise DataError(f"sample {record.get('id', '?')!r}: {_told(error)}") from None
        try:
            fields["images"] = tuple(_image(image) for image in fields.get("images", ()))
            fields["turns"] = tuple(Turn(role, text) for role, text in fields.get("turns", ()))
            fields["boxes"] = tuple(_box(box) for box in fields.get("boxes", ()))
            fields["classes"] = tuple(fields.get("classes", ()))
            fields["targets"] = dict(record.get("targets", {}))  # whole numbers stay whole
            return cls(**fields)
        except DataError as error:
            named = str(error).startswith("sample ")
            raise DataError(str(error) if named else f"sample {fields['id']!r}: {error}") from error

    def to_line(self) -> str:
        """As one line of JSON, without the line break."""
        return json.dumps(self.to_json(), ensure_ascii=False)


# --- the JSON of a sample ---------------------------------------------------------------------------

_STRICT = ConfigDict(extra="forbid", strict=True)
_Side = Annotated[int, Field(ge=1)]


@with_config(_STRICT)
class _SizeJson(TypedDict):
    width: _Side
    height: _Side


@with_config(_STRICT)
class _WindowJson(TypedDict):
    x: FiniteFloat
    y: FiniteFloat
    width: FiniteFloat
    height: FiniteFloat


@with_config(_STRICT)
class _ImageJson(TypedDict):
    path: str
    window: NotRequired[_WindowJson | None]
    size: NotRequired[_SizeJson | None]
    gsd_m: NotRequired[FiniteFloat | None]


@with_config(_STRICT)
class _BoxJson(TypedDict):
    polygon: list[FiniteFloat] | list[list[FiniteFloat]]
    label: NotRequired[str]
    image: NotRequired[int]
    horizontal: NotRequired[bool]
    difficult: NotRequired[bool]


@with_config(_STRICT)
class _SampleJson(TypedDict):
    id: str
    task: str
    images: NotRequired[list[_ImageJson]]
    turns: NotRequired[list[Annotated[list[str], Field(min_length=2, max_length=2)]]]
    boxes: NotRequired[list[_BoxJson]]
    classes: NotRequired[list[str]]
    phrase: NotRequired[str]
    answer: NotRequired[str]
    targets: NotRequired[dict[str, FiniteFloat]]
    gsd_m: NotRequired[FiniteFloat | None]
    source: NotRequired[str]
    attributes: NotRequired[dict[str, Any]]


@cache
def _adapter() -> TypeAdapter[_SampleJson]:
    return TypeAdapter(_SampleJson)


def _told(error: ValidationError, most: int = 3) -> str:
    """Problems of a record as pydantic found them, the first few of many."""
    found: dict[str, str] = {}
    for entry in error.errors(include_url=False):
        # Each branch of a union has its own complaint, whose place ends in the name of the branch.
        place = ".".join(str(part) for part in entry["loc"] if not re.search(r"\W", str(part)))
        if entry["type"] == "extra_forbidden":
            found.setdefault(place, "unknown field")
        elif entry["type"] == "missing":
            found.setdefault(place, "missing")
        else:
            message = entry["msg"][:1].lower() + entry["msg"][1:]
            found.setdefault(place, f"{message}, not {entry['input']!r:.60}")
    lines = [f"{place}: {message}" for place, message in found.items()]
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return "; ".join(lines[:most]) + more


def _image(record: Mapping[str, Any]) -> ImageRef:
    fields = dict(record)
    if (window := fields.get("window")) is not None:
        fields["window"] = tuple(window[name] for name in _PLACES)
    if (size := fields.get("size")) is not None:
        fields["size"] = (size["height"], size["width"])
    return ImageRef(**fields)


def _box(record: Mapping[str, Any]) -> Box:
    fields = dict(record)
    written = fields.pop("polygon")
    numbers = list(chain.from_iterable(part if isinstance(part, list) else [part] for part in written))
    if len(numbers) != 8:
        raise DataError(f"a box needs 4 points (x, y), 8 numbers; got {len(numbers)}")
    return Box(np.reshape(np.asarray(numbers, dtype=np.float64), (4, 2)), **fields)
