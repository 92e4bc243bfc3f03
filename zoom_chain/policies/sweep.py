"""Sweep: the model lists the objects of each tile, and an answer is what the ledger of all of them says.

For questions of how many there are, whether there are any, and which. Each object that is counted has a place
on the map and is owned by one tile, so that none is counted twice: tiles overlap, their cores partition the
scene, and boxes of neighbours are merged as in detection (``tiling.merging``).
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field, replace

from detection_eval.detections import Detections
from detection_eval.text.contract import detection_prompt
from detection_eval.text.parsing import parse_response
from detection_eval.text.patterns import reply_pattern
from detection_eval.words import counted
from tiling.errors import NotGeoreferenced
from tiling.grid import Tile, TileGrid
from tiling.merging import merge_tiles
from tiling.view import View
from zoom_chain.answers import spoken_text
from zoom_chain.chat import Conversation
from zoom_chain.effects import Ask, Effect, Look, Outcome, Result, Said, Showing, Sight, Steps, StopReason
from zoom_chain.looks import coarseness
from zoom_chain.policies.chain import chain
from zoom_chain.session import Listing, Session, failure_of
from zoom_chain.sought import Sought, sought_by
from zoom_chain.trace import EvidenceRecord

WAVE = 8
"""Tiles that are read and asked about together; no more of them are in memory."""

OVERLAP = 0.25
"""Overlap of neighbouring tiles, as a share of their side."""

THUMBNAIL_SIDE = 256
_NAMED = 20


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep looks for, and where.

    Attributes:
        sought: by the question.
        label: the class in the words of the model.
        listing: how the model lists objects.
        grid: the tiles.
        views: of the tiles, in order.
        coarser: how many times coarser they are than objects want to be seen; 1 where the budget allows it.
    """

    sought: Sought
    label: str
    listing: Listing
    grid: TileGrid
    views: tuple[View, ...]
    coarser: float


def plan_sweep(session: Session) -> SweepPlan | str:
    """The sweep that answers a question, or why none does."""
    sought, listing = sought_by(session.question), session.listing
    if sought is None:
        return "the question does not ask, in English, how many, whether any, or which objects there are"
    if not sought.whole:
        return f"the question is about some of the {sought.what} alone, not about all in the scene"
    if listing is None:
        return "the model does not list objects"
    label = sought.label(listing.classes)
    if label is None:
        return f"the model does not know {sought.what!r}; it finds {', '.join(listing.classes or ())}"
    grid, views, coarser = _tiles(session, listing)
    return SweepPlan(sought, label, listing, grid, views, coarser)


def _tiles(session: Session, listing: Listing) -> tuple[TileGrid, tuple[View, ...], float]:
    """Tiles at the scale at which objects want to be seen, or at the finest that the budget allows."""
    scene, bounds = session.scene, session.resolution
    side = math.isqrt(bounds.max_pixels) // bounds.factor * bounds.factor
    wanted = 1.0
    if listing.gsd_m is not None and scene.gsd_m is not None:
        wanted = max(1.0, listing.gsd_m / scene.gsd_m)
    most = session.budget.max_tiles
    reduction = wanted
    while True:
        tile = max(side, round(side * reduction))
        factor = bounds.factor if reduction == 1.0 else 1
        grid = TileGrid(scene.width, scene.height, tile, round(tile * OVERLAP), factor, None, scene.square_xy)
        if len(grid) <= most:
            views = tuple(scene.view(tile.window, bounds, reduction) for tile in grid)
            if sum(view.size.height * view.size.width for view in views) <= session.pixels_left:
                return grid, views, reduction / wanted
        if len(grid) == 1:
            return (
                grid,
                tuple(scene.view(tile.window, bounds, reduction) for tile in grid),
                reduction / wanted,
            )
        reduction *= 1.1


@dataclass
class _Ledger:
    """What was found in which tile, why tiles were not examined, and of how many of these nothing replied."""

    found: list[tuple[Tile, Detections]] = field(default_factory=list)
    shown_in: dict[int, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    unasked: int = 0
    examined: int = 0

    @property
    def any_found(self) -> bool:
        return any(len(boxes) for _, boxes in self.found)

    def fail(self, reason: str) -> None:
        """Enter a tile about which there is no reply."""
        self.failed.append(reason)
        self.unasked += 1


def sweep(session: Session) -> Steps:
    """Look at each tile and say what all of them hold; another question is answered by the chain."""
    plan = plan_sweep(session)
    if isinstance(plan, str):
        session.chosen = ("chain", plan)
        return (yield from chain()(session))
    return (yield from sweep_tiles(session, plan))


def sweep_tiles(session: Session, plan: SweepPlan) -> Steps:
    """Carry out a sweep."""
    # The overview shows the reader where the tiles lie; the model is not shown it.
    whole = session.scene.overview(session.resolution)
    yield Look((Showing(whole),), overview=True, unseen=True)
    ledger, tiles = _Ledger(), list(plan.grid)
    if plan.coarser > 1:
        session.notes.append(
            f"the budget allows for {counted(len(tiles), 'tile')}, in which the scene is seen "
            f"{plan.coarser:.1f} times "
            "coarser than objects want to be seen"
        )
    left = 0
    for start in range(0, len(tiles), WAVE):
        if session.time_is_up:
            left = len(tiles) - start
            break
        yield from _wave(session, plan, tiles[start : start + WAVE], ledger)
        if plan.sought.kind == "presence" and ledger.any_found:
            break
    _enter(session, plan, ledger)
    return _outcome(session, plan, ledger, left)


def _wave(
    session: Session, plan: SweepPlan, tiles: list[Tile], ledger: _Ledger
) -> Generator[Effect, Result, None]:
    """Look at a few tiles and ask about those that hold data."""
    overview = session.shown[0]
    showings = tuple(
        Showing(plan.views[tile.index], coarseness(overview) / coarseness(plan.views[tile.index]), parent=0)
        for tile in tiles
    )
    seen = yield Look(showings, thumbnail_side=THUMBNAIL_SIDE)
    system, words = detection_prompt(plan.listing.contract, [plan.label])
    opening = Conversation() if system is None else Conversation().say("system", system)
    shown: list[tuple[Tile, int, Conversation]] = []
    for tile, sight in zip(tiles, seen, strict=True):
        assert isinstance(sight, Sight)
        if sight.error is not None:
            ledger.fail(sight.error)
        elif sight.index is not None and sight.image is not None:
            shown.append((tile, sight.index, opening.say("user", sight.image, words)))
    if not shown:
        return
    options = plan.listing.options
    if session.structured:
        options = replace(options, pattern=reply_pattern(plan.listing.contract, [plan.label]))
    replies = yield Ask(tuple(conversation for _, _, conversation in shown), options)
    for (tile, index, conversation), said in zip(shown, replies, strict=True):
        assert isinstance(said, Said)
        session.record(said, conversation, about=(index,))
        _read(session, plan, ledger, tile, index, said)


def _read(session: Session, plan: SweepPlan, ledger: _Ledger, tile: Tile, index: int, said: Said) -> None:
    """Enter the boxes of a reply in the ledger, and say what is wrong with it."""
    ledger.shown_in[tile.index] = index
    if failure := failure_of(said.reply):
        session.amend_turn(refusal=failure)
        ledger.fail(failure)
        return
    view = plan.views[tile.index]
    parsed = parse_response(
        spoken_text(said.reply.text), plan.listing.contract, [plan.label], view.size.width, view.size.height
    )
    boxes = parsed.detections
    ledger.found.append((tile, boxes.with_polygons(view.to_scene(boxes.polygons))))
    reason = parsed.shortfall(said.reply.text, at_limit=said.reply.stop_reason == "length")
    if reason is None:
        ledger.examined += 1
    else:
        session.amend_turn(refusal=reason)
        ledger.failed.append(reason)


def _enter(session: Session, plan: SweepPlan, ledger: _Ledger) -> None:
    """Each object once, in the view of the tile that owns it."""
    merged = merge_tiles(ledger.found, plan.grid)
    boxes = merged.detections
    for polygon, name, tile in zip(boxes.polygons, boxes.names, merged.tile.tolist(), strict=True):
        session.evidence.append(
            EvidenceRecord(
                name,
                tuple((float(x), float(y)) for x, y in polygon),
                ledger.shown_in[tile],
                _lonlat(session, *polygon.mean(axis=0).tolist()),
            )
        )


def _lonlat(session: Session, x: float, y: float) -> tuple[float, float] | None:
    if not session.scene.georeferenced:
        return None
    try:
        lon, lat = session.scene.to_lonlat([(x, y)])[0].tolist()
    except NotGeoreferenced:
        return None
    return (lon, lat) if math.isfinite(lon) and math.isfinite(lat) else None


def _outcome(session: Session, plan: SweepPlan, ledger: _Ledger, left: int) -> Outcome:
    """The answer that the ledger gives, and whether all of the scene stands behind it."""
    count = len(session.evidence)
    if left:
        session.notes.append(
            f"{left} of {counted(len(plan.grid), 'tile')} were not looked at: the time was used up"
        )
    if ledger.failed:
        session.notes.append(
            f"{counted(len(ledger.failed), 'tile was', 'tiles were')} not examined: {ledger.failed[0]}"
        )
        if not ledger.examined:
            return Outcome("error", error=ledger.failed[0])
    certain = plan.sought.kind == "presence" and count > 0
    reason: StopReason = "answered" if certain or not (left or ledger.failed) else "partial"
    error = session.notes[-1] if ledger.unasked and not certain else None
    return Outcome(reason, _answer(session, plan), error)


def _answer(session: Session, plan: SweepPlan) -> str:
    """The answer in words: a number, yes or no, or a number with the places."""
    count = len(session.evidence)
    if plan.sought.kind == "count":
        return str(count)
    if plan.sought.kind == "presence":
        return "yes" if count else "no"
    centres = [
        tuple(round(sum(values) / len(values)) for values in zip(*record.polygon))
        for record in session.evidence
    ]
    named = ", ".join(str(centre) for centre in centres[:_NAMED])
    more = f" and {counted(count - _NAMED, 'other')}" if count > _NAMED else ""
    return f"{count} {plan.label}" + (f" at {named}{more} px" if count else "")
