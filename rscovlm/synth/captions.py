"""Captions of synthetic scenes and views: one or two plain sentences that follow from the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from rscovlm.synth.catalogue import OBJECT_CLASSES
from rscovlm.synth.questions import PARTS
from rscovlm.synth.views import visible_polygons
from rscovlm.synth.world import Site, World
from tiling.view import Size, View, Window

_OPENINGS = {
    "coast": "a coast",
    "desert": "a desert",
    "farmland": "farmland",
    "forest": "a forest",
    "industrial": "an industrial area",
    "urban": "an urban area",
    "water": "open water",
    "meadow": "a meadow",
}
_PLURALS = {kind.name: kind.plural for kind in OBJECT_CLASSES}
_NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def scene_caption(world: World) -> str:
    """What a whole scene shows: its class, then its named places and where they are."""
    text = f"An aerial image of {_OPENINGS[world.cover]}"
    if world.terrain.river is not None:
        text += " with a river"
    places = [f"{_article(site.kind.name)} in the {_part(site, world)}" for site in world.sites]
    return text + (f". There is {_listed(places)}." if places else ".")


def view_caption(world: World, window: Window, size: Size) -> str:
    """What a view shows: place or land cover, then the objects that are large enough to be seen.

    Args:
        world: the planned scene.
        window: in scene pixels.
        size: of the view; objects shorter than 5 of its pixels are not counted.
    """
    _, objects = visible_polygons(world, window, size)
    scale = max(View(window, size).scale)
    counts = Counter(item.kind_of.name for item in objects if item.length / scale >= 5)
    sites = [site for site in world.sites if _covered(site, window) > 0.3]
    if sites:
        text = f"An aerial image of {_listed([_article(site.kind.name) for site in sites])}"
    else:
        shares = world.cover_shares(window, 24)
        main = max(shares, key=lambda word: shares[word]) if shares else world.cover
        text = f"An aerial image of {_OPENINGS[main]}"
    seen = [_counted(name, counts[name]) for name in sorted(counts, key=lambda name: (-counts[name], name))]
    return text + (f" with {_listed(seen)}." if seen else ".")


def _covered(site: Site, window: Window) -> float:
    """Share of a view that a place takes, or of the place that the view shows, whichever is more."""
    common = site.window.intersection(window)
    return 0.0 if common is None else common.area / min(site.window.area, window.area)


def _counted(name: str, count: int) -> str:
    if count == 1:
        return _article(name)
    return f"{_NUMBERS[count] if count < len(_NUMBERS) else 'many'} {_PLURALS[name]}"


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _part(site: Site, world: World) -> str:
    row, column = (np.clip(int(3 * share), 0, 2) for share in (site.y / world.height, site.x / world.width))
    return PARTS[int(row)][int(column)]


def _listed(items: Iterable[str]) -> str:
    *first, last = list(items)
    return f"{', '.join(first)} and {last}" if first else last
