"""Samples for the page: which items are shown, with their picture, what was replied, and the boxes in it."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detection_eval.text.contracts import CONTRACTS
from rscovlm.bench.item import Item
from rscovlm.bench.prompts import task_of
from rscovlm.bench.protocol import Protocol, Verdict
from rscovlm.bench.row import Row
from rscovlm.tasks.detection import Detection
from rscovlm.tasks.ground import Grounding
from tiling.errors import SceneError
from tiling.resolution import Resolution
from tiling.scene import Scene
from tiling.view import View

SIDE = 320
"""Longer side of a picture on the page, about, in px."""

_RIGHT = 0.5  # a score from which a reply counts as right when two are told apart
_QUALITY = 82  # of JPEG


@dataclass(frozen=True)
class Replied:
    """What one run made of an item.

    Attributes:
        run: index of the run.
        row: of the item.
        verdict: under the protocol of the page.
        others: score by short name under each protocol that judges otherwise.
    """

    run: int
    row: Row
    verdict: Verdict
    others: Mapping[str, float | None]

    @property
    def right(self) -> bool:
        """Whether it counts as right."""
        return (self.verdict.score or 0.0) >= _RIGHT


@dataclass(frozen=True)
class Sample:
    """An item with what the runs replied.

    Attributes:
        item: that was asked.
        replies: of the runs that have it.
    """

    item: Item
    replies: tuple[Replied, ...]

    @property
    def runs_differ(self) -> bool:
        """Whether one run is right and another is not."""
        return len({reply.right for reply in self.replies}) > 1

    @property
    def protocols_differ(self) -> bool:
        """Whether protocols disagree about a reply."""
        return any(reply.others for reply in self.replies)

    @property
    def marks(self) -> tuple[str, ...]:
        """What the sample can be filtered by."""
        found = {
            "right": all(reply.right for reply in self.replies),
            "wrong": not any(reply.right for reply in self.replies),
            "differ": self.runs_differ,
            "protocols": self.protocols_differ,
            "unread": any(reply.verdict.status in ("unread", "refused") for reply in self.replies),
            "failed": any(reply.verdict.status == "failed" for reply in self.replies),
        }
        return tuple(name for name, holds in found.items() if holds)


def samples_of(
    runs: Sequence[Sequence[Row]], protocol: Protocol, protocols: Mapping[str, Protocol], most: int
) -> list[Sample]:
    """Items to be shown: those about which runs disagree first, then wrong ones, then the rest, each from
    all categories in turn.

    Args:
        runs: rows of each.
        protocol: of the page.
        protocols: all by short name, whose disagreement is shown.
        most: samples.
    """
    by_key: dict[str, list[Replied]] = {}
    for index, rows in enumerate(runs):
        for row in rows:
            verdict = protocol.judge(row)
            by_key.setdefault(row.item.key, []).append(
                Replied(index, row, verdict, _disagreeing(row, verdict, protocols))
            )
    samples = [Sample(replies[0].row.item, tuple(replies)) for replies in by_key.values()]
    ranks: list[list[Sample]] = [[], [], []]
    for sample in samples:
        rank = 0 if sample.runs_differ or sample.protocols_differ else 1 if "right" not in sample.marks else 2
        ranks[rank].append(sample)
    chosen = [sample for rank in ranks for sample in _in_turn(rank)][:most]
    order = {key: place for place, key in enumerate(by_key)}
    return sorted(chosen, key=lambda sample: order[sample.item.key])


def _disagreeing(row: Row, verdict: Verdict, protocols: Mapping[str, Protocol]) -> dict[str, float | None]:
    """Scores under protocols that hold a reply for right where the page's does not, or the other way."""
    own = (verdict.score or 0.0) >= _RIGHT
    found = {name: protocol.judge(row).score for name, protocol in protocols.items()}
    return {name: score for name, score in found.items() if ((score or 0.0) >= _RIGHT) != own}


def _in_turn(samples: Sequence[Sample]) -> Iterator[Sample]:
    """One of each category, then the next of each."""
    parts: dict[str, list[Sample]] = {}
    for sample in samples:
        parts.setdefault(category_of(sample.item), []).append(sample)
    queues = [iter(part) for part in parts.values()]
    while queues:
        left = []
        for queue in queues:
            for sample in queue:
                left.append(queue)
                yield sample
                break
        queues = left


def category_of(item: Item) -> str:
    """What an item is filtered by on the page: its category, else its first group, else its kind."""
    return item.groups.get("category") or next(iter(item.groups.values()), item.kind)


@dataclass(frozen=True)
class Picture:
    """An image of an item, small.

    Attributes:
        view: of the whole image.
        url: a JPEG inside a URL.
    """

    view: View
    url: str


def pictures(sources: Iterable[str]) -> dict[str, Picture]:
    """A picture of each image that can be read; the others are left out."""
    found = {}
    for source in dict.fromkeys(sources):
        try:
            with Scene(source) as scene:
                view = scene.view(scene.window, Resolution(1, 1, SIDE * SIDE))
                pixels = scene.read(view).pixels
        except SceneError:
            continue
        found[source] = Picture(view, _jpeg(pixels.astype(np.uint8)))
    return found


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + b64encode(file.getvalue()).decode("ascii")


def boxes_in(row: Row) -> NDArray[np.float64]:
    """(n, 4, 2) the boxes of a reply in pixels of the image; none of a task that is answered in words."""
    none = np.zeros((0, 4, 2))
    if row.item.kind not in ("ground", "detect") or row.error is not None:
        return none
    if row.found is not None:
        return row.found.polygons
    task = task_of(row.item, CONTRACTS.get(row.contract))
    if isinstance(task, Grounding):
        box = task.parse(row.text, row.view.size)
        return none if box is None else row.view.to_scene(box)
    if isinstance(task, Detection):
        return row.view.to_scene(task.parse(row.text, row.view.size).polygons)
    return none
