"""The canonical sample: what is known about some images, before any wording, resolution or box format.

A sample on disk never holds rendered box text. It holds geometry in the pixels of the image file, and turns
with placeholders; size, format and wording are drawn anew at each visit (``rscovlm.data.rendering``).

Placeholders in turns:

- ``<image>``: the next image, in order of ``Sample.images``.
- ``<boxes>``: all boxes with their labels, in the format drawn for this visit.
- ``<box 2>``: box 2 (from 0) alone, without its label.
- ``<zoom 2>``: the model's call of its zoom tool on box 2.
- ``<crop 2>``: box 2 read from the file at the resolution that the budget allows, as an image.
- ``<value agb_mg_per_ha>``: a numeric target, written with the decimals drawn for this visit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import DataError

Task = Literal["detection", "grounding", "classification", "vqa", "caption", "zoom", "regression", "chat"]
TASKS: tuple[Task, ...] = get_args(Task)
Role = Literal["system", "user", "assistant"]

PLACEHOLDER = re.compile(r"<(image|boxes|(?:box|zoom|crop) \d+|value [A-Za-z_][A-Za-z0-9_]*)>")
"""Everything in a turn that is not plain words."""

_WRITES_ITSELF: tuple[Task, ...] = ("detection", "grounding", "classification")


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
        if self.task not in TASKS:
            return f"task {self.task!r} is unknown; choose from {', '.join(TASKS)}"
        if not self.turns and self.task not in _WRITES_ITSELF:
            return f"a {self.task} sample needs turns"
        if not self.turns and len(self.images) != 1:
            return f"a {self.task} sample without turns needs exactly one image, not {len(self.images)}"
        if not self.turns and self.task == "classification" and not self.answer:
            return "a classification sample without turns needs an answer"
        if not self.turns and self.task == "grounding" and not (self.phrase and len(self.boxes) >= 1):
            return "a grounding sample without turns needs a phrase and a box"
        for box in self.boxes:
            if not 0 <= box.image < max(1, len(self.images)):
                return f"a box refers to image {box.image} of {len(self.images)}"
        return self._problem_of_turns()

    def _problem_of_turns(self) -> str | None:
        if not self.turns:
            return None
        roles = [turn.role for turn in self.turns]
        spoken = roles[1:] if roles[0] == "system" else roles
        if spoken != ["user", "assistant"] * (len(spoken) // 2) or not spoken:
            return f"turns go user, assistant, ..., assistant; these go {', '.join(roles)}"
        marks = [mark for turn in self.turns for mark in PLACEHOLDER.findall(turn.text)]
        if (shown := marks.count("image")) != len(self.images):
            return f"{shown} <image> placeholders for {len(self.images)} images"
        for mark in marks:
            name, _, argument = mark.partition(" ")
            if name in ("box", "zoom", "crop") and int(argument) >= len(self.boxes):
                return f"<{mark}> in a sample of {len(self.boxes)} boxes"
            if name == "value" and argument not in self.targets:
                return f"<{mark}> is not among the targets {sorted(self.targets)}"
        return None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, what is empty left out; ``Sample.from_json`` reads it back."""
        record: dict[str, Any] = {"id": self.id, "task": self.task}
        if self.images:
            record["images"] = [
                {k: v for k, v in vars(image).items() if v is not None} for image in self.images
            ]
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
        name = record.get("id", "?")
        unknown = set(record) - set(cls.__dataclass_fields__)
        if unknown:
            raise DataError(f"sample {name!r}: unknown fields {', '.join(sorted(unknown))}")
        try:
            fields = dict(record)
            fields["images"] = tuple(_image(image) for image in record.get("images", ()))
            fields["turns"] = tuple(Turn(role, text) for role, text in record.get("turns", ()))
            fields["boxes"] = tuple(_box(box) for box in record.get("boxes", ()))
            fields["classes"] = tuple(record.get("classes", ()))
            return cls(**fields)
        except (TypeError, ValueError, KeyError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"sample {name!r}: {error}") from error

    def to_line(self) -> str:
        """As one line of JSON, without the line break."""
        return json.dumps(self.to_json(), ensure_ascii=False)


def _image(record: Mapping[str, Any]) -> ImageRef:
    fields = dict(record)
    for name in ("window", "size"):
        if fields.get(name) is not None:
            fields[name] = tuple(fields[name])
    return ImageRef(**fields)


def _box(record: Mapping[str, Any]) -> Box:
    fields = dict(record)
    return Box(np.reshape(np.asarray(fields.pop("polygon"), dtype=np.float64), (-1, 2)), **fields)
