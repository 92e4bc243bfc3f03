"""Row: an item with what a model replied, a line of a run's log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rscovlm.bench.item import Item, Polygons
from zoom_chain.trace import JsonView


@dataclass(frozen=True)
class TileRow:
    """Reply about one tile of an image.

    Attributes:
        view: of the tile.
        text: the reply, unmodified.
        stop_reason: why it ended.
        error: one line where it is not usable, else None.
    """

    view: JsonView
    text: str
    stop_reason: str
    error: str | None = None


@dataclass(frozen=True)
class Found:
    """Boxes that were found in an image, each object once.

    Attributes:
        polygons: (n, 4, 2) corners in pixels of the image as stored.
        labels: class of each.
    """

    polygons: Polygons
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """Request and reply about one item.

    Attributes:
        item: the question and its truth.
        text: the reply, unmodified; the last one where a chain had several.
        view: the part of the scene, and the size, that coordinates in the reply refer to.
        stop_reason: why the reply ended, as ``zoom_chain`` names it.
        error: one line where there is no usable reply, else None.
        system, user: words of the request.
        prompt_tokens, visual_tokens, reply_tokens: over all turns; None where the engine does not say.
        seconds: its share of the wall-clock time of the batch that it was asked in, so that sums are the time
            of a run.
        contract: how boxes were asked for, a name in ``detection_eval.text.contracts.CONTRACTS``; empty
            where the reply holds none.
        views: all that was shown of the first image, in order; empty where the model was shown no image.
        trace: of a zoom chain, as ``zoom_chain.trace`` writes it, without pictures; None without one.
        tiles: of an image that was examined tile by tile, in whose place ``text`` and ``views`` are empty.
        found: what detection made of the replies, rectangles as ``rscovlm detect`` writes them; None where
            boxes are to be read from ``text``.
        numbers: of a head that answered in place of words: ``target``, ``mean``, and where it states a spread
            ``deviation`` and ``quantiles`` at ``rscovlm.scoring.predictions.LEVELS``, and ``knowledge`` where
            the model was asked for some first; None for words.
    """

    item: Item
    text: str
    view: JsonView
    stop_reason: str
    error: str | None = None
    system: str | None = None
    user: str = ""
    prompt_tokens: int | None = None
    visual_tokens: int | None = None
    reply_tokens: int | None = None
    seconds: float = 0.0
    contract: str = ""
    views: tuple[JsonView, ...] = ()
    trace: Mapping[str, Any] | None = None
    tiles: tuple[TileRow, ...] = ()
    found: Found | None = None
    numbers: Mapping[str, Any] | None = None

    @property
    def said(self) -> str:
        """All that was replied: of tiles a line each."""
        return self.text or "\n".join(tile.text for tile in self.tiles)
