"""Item: one question of a benchmark, with its truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator

Kind = Literal["classify", "open", "choice", "number", "count", "ground", "detect", "caption"]
"""The task that an item belongs to; each is a ``Task`` of ``rscovlm.tasks``."""


Polygons = Annotated[
    NDArray[np.float64],
    PlainValidator(lambda value: np.asarray(value, dtype=np.float64).reshape(-1, 4, 2)),
    PlainSerializer(lambda value: value.tolist()),
]
"""(n, 4, 2) corners, as nested lists in JSON."""
Marks = Annotated[
    NDArray[np.bool_],
    PlainValidator(lambda value: np.asarray(value, dtype=bool).reshape(-1)),
    PlainSerializer(lambda value: value.tolist()),
]
"""(n,) bool, as a list in JSON."""


@dataclass(frozen=True)
class Truth:
    """The right answer to an item.

    Attributes:
        answers: in words. Any one of them is right; for ``choice`` they are the letters that are right
            together, for ``caption`` the references.
        polygons: (n, 4, 2) corners of the right boxes in pixels of the image as stored; None where the answer
            is in words.
        labels: class of each polygon, or the phrase that it answers to.
        ignored: polygons that are neither right nor wrong to find, (n,) bool; None for none.
    """

    answers: tuple[str, ...] = ()
    polygons: Polygons | None = None
    labels: tuple[str, ...] = ()
    ignored: Marks | None = None


@dataclass(frozen=True)
class Item:
    """One question of a benchmark.

    Attributes:
        key: unique in the benchmark and the same in each reading of the same files.
        images: what it is about, as GDAL reads it; most have one.
        kind: of task.
        subject: what differs from item to item: the question, the phrase to find; empty where the task
            alone says it.
        truth: the right answer.
        options: of a choice, A first; class names of a classification or detection.
        groups: columns that scores are shown by, such as ``category``, ``source``, ``type``, ``size``.
        evidence: (x0, y0, x1, y1) in image pixels of what has to be seen to answer; None where unknown.
        extra: what a protocol needs beside, as JSON can hold it.
    """

    key: str
    images: tuple[str, ...]
    kind: Kind
    subject: str
    truth: Truth
    options: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[float, float, float, float] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
