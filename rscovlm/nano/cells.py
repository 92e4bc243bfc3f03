"""Cell labels of visual tokens: dense supervision for a vision tower that starts from nothing.

A model of this size learns to see only slowly from answers alone, because one word says little about where it
came from. So what the middle of the language model knows at each visual token is also asked, during training
only, to name what the token shows and to outline it. The layers above can then look it up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detection_eval.geometry.quads import canonical
from rscovlm.nano.model import TOKEN_SIDE, VIEW_SIDE
from rscovlm.synth.world import World
from tiling.view import Size, View, Window

CELLS = VIEW_SIDE // TOKEN_SIDE
"""Visual tokens along a side."""

FINE = 8
"""Parts along the side of a cell on the map that decides what it shows."""

_OBJECT_SHARE, _SITE_SHARE = 0.12, 0.12
_NO_TRAITS = ("", "")


@dataclass(frozen=True)
class CellTruth:
    """What the cells of one image show, in reading order.

    Attributes:
        words: (CELLS * CELLS) names: an object's class, else a place, else a land cover.
        outlines: (CELLS * CELLS, 8) float32 corners of that object or place as parts of the image's side,
            clockwise from the topmost, clipped to the image; NaN for land cover.
        shares: (CELLS * CELLS,) float32: 1 over how many cells show the same thing, 0 for land cover; with
            them as weights a place that fills the view does not outweigh everything else.
        masks: (CELLS * CELLS, FINE * FINE) bool: which parts of a cell, in reading order, show an object.
        traits: (CELLS * CELLS) pairs of that object's sub-type and colour; empty words where there is none.
    """

    words: tuple[str, ...]
    outlines: NDArray[np.float32]
    shares: NDArray[np.float32]
    masks: NDArray[np.bool_]
    traits: tuple[tuple[str, str], ...]


def cell_truth(world: World, window: Window) -> CellTruth:
    """What a square view of a window shows, cell by cell."""
    side = CELLS * FINE
    view = View(window, Size(side, side))
    scale = max(view.scale)
    sites = [site for site in world.sites if site.window.intersection(window)]
    objects = [o for o in world.objects_in(window, 2 * scale * world.gsd_m) if o.length > 2 * scale]
    outlines = [view.from_scene(site.corners) for site in sites]
    outlines += [view.from_scene(item.polygon) for item in objects]
    canvas = Image.new("I", (side, side))
    pen = ImageDraw.Draw(canvas)
    for number, corners in enumerate(outlines, start=1):
        pen.polygon([(float(x), float(y)) for x, y in corners], fill=number)
    names = [site.kind.name for site in sites] + [item.kind_of.name for item in objects]
    traits = [_NO_TRAITS] * len(sites) + [(item.kind, item.colour) for item in objects]
    things = _Things(tuple(names), tuple(traits), tuple(outlines), len(sites))
    return _by_cell(np.asarray(canvas), things, _covers(world, view))


def _covers(world: World, view: View) -> list[str]:
    """The land cover at the middle of each cell; the scene class where a place has its own ground."""
    steps = (np.arange(CELLS) + 0.5) / CELLS
    x, y = np.meshgrid(view.window.x + steps * view.window.width, view.window.y + steps * view.window.height)
    return [cover or world.cover for cover in world.covers_at(x, y)]


@dataclass(frozen=True)
class _Things:
    """What is drawn, places before objects: names, traits, outlines, and how many are places."""

    names: tuple[str, ...]
    traits: tuple[tuple[str, str], ...]
    outlines: tuple[NDArray[np.float64], ...]
    sites: int


def _by_cell(drawn: NDArray[np.integer], things: _Things, covers: list[str]) -> CellTruth:
    names, sites = things.names, things.sites
    cells = drawn.reshape(CELLS, FINE, CELLS, FINE).swapaxes(1, 2).reshape(CELLS * CELLS, -1)
    words, corners = [], np.full((CELLS * CELLS, 8), np.nan, dtype=np.float32)
    shown = np.full(CELLS * CELLS, -1)
    side = CELLS * FINE
    for index, cell in enumerate(cells):
        share = np.bincount(cell, minlength=len(names) + 1)[1:] / cell.size
        places, objects = share[:sites], share[sites:]
        if len(objects) and objects.max() > _OBJECT_SHARE:
            number = sites + int(objects.argmax())
        elif len(places) and places.max() > _SITE_SHARE:
            number = int(places.argmax())
        else:
            words.append(covers[index])
            continue
        words.append(names[number])
        shown[index] = number
        corners[index] = canonical(np.clip(things.outlines[number] / side, 0, 1)[None])[0].ravel()
    same = np.bincount(shown[shown >= 0], minlength=len(names) + 1)
    shares = np.where(shown >= 0, 1 / np.maximum(1, same[shown]), 0)
    traits = tuple(things.traits[number] if number >= 0 else _NO_TRAITS for number in shown.tolist())
    return CellTruth(tuple(words), corners, shares.astype(np.float32), cells > sites, traits)
