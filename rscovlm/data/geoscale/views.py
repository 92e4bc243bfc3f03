"""Views at many scales: of annotated images, by reduction of their pixels, and of synthetic scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.annotations import Annotated, Thing
from rscovlm.data.geoscale.tiers import TIERS, Tier
from rscovlm.data.randomness import generator
from rscovlm.data.synthetic import Photo
from rscovlm.synth.objects import SceneObject
from rscovlm.synth.views import GSD_M, single_site
from rscovlm.synth.world import World, plan_world
from tiling.scene import Scene
from tiling.view import Size, View, Window

if TYPE_CHECKING:
    from pathlib import Path

FINEST_M, COARSEST_M = 0.1, 30.0
"""Ground sampling distances of synthetic views, metres per pixel."""

_WORLD_PX = 4096


class Pixels(Protocol):
    """A picture that is read when it is needed."""

    def read(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8."""
        ...


@dataclass(frozen=True)
class Reduced:
    """A window of an image file at a size."""

    path: Path
    view: View

    def read(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8.

        Raises:
            SceneError: the file cannot be read.
        """
        with Scene(self.path, north_up=False) as scene:
            return scene.read(self.view).pixels


@dataclass(frozen=True, eq=False)
class ScaleView:
    """A square view and what is known to be in it.

    Attributes:
        id: unique, fit for a file's name.
        image: the image or scene that it is of.
        picture: to read.
        side: in pixels.
        gsd_m: metres per pixel.
        tier: of that scale.
        things: objects, polygons in pixels of the view.
        source: the data set.
    """

    id: str
    image: str
    picture: Pixels
    side: int
    gsd_m: float
    tier: Tier
    things: tuple[Thing, ...]
    source: str

    @property
    def width_m(self) -> float:
        """Metres from edge to edge."""
        return self.side * self.gsd_m


def annotated_views(
    images: Sequence[Annotated], side: int, per_tier: int, seed: int, left_out: Counter[str]
) -> Iterator[ScaleView]:
    """Views of images of known scale, in each tier that their pixels and size allow.

    Pixels are only ever reduced: what was not recorded cannot be shown.

    Args:
        images: annotated images.
        side: of views, px.
        per_tier: views of each image and tier.
        seed: of windows and scales.
        left_out: counts what cannot be shown, by reason.
    """
    for image in images:
        if image.gsd_m is None:
            left_out["image of unknown scale"] += 1
            continue
        coarsest = image.gsd_m * min(image.width, image.height) / side
        for tier in TIERS:
            low, high = max(tier.low_m, image.gsd_m), min(tier.high_m, coarsest)
            if low > high or low >= tier.high_m:
                left_out[f"image too small or too coarse for {tier.name}"] += 1
                continue
            for number in range(per_tier):
                rng = generator(seed, "scale view", image.id, tier.name, number)
                yield _reduced(image, tier, _between(rng, low, high), side, number, rng)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _reduced(
    image: Annotated, tier: Tier, gsd_m: float, side: int, number: int, rng: np.random.Generator
) -> ScaleView:
    assert image.gsd_m is not None
    reach = min(side * gsd_m / image.gsd_m, image.width, image.height)
    center = rng.uniform(0, (image.width, image.height))
    if image.things and rng.random() < 0.7:
        center = image.things[int(rng.integers(len(image.things)))].center
    window = Window(float(center[0] - reach / 2), float(center[1] - reach / 2), reach, reach)
    view = View(window.moved_inside(image.window), Size(side, side))
    things = tuple(
        Thing(thing.name, view.from_scene(thing.polygon), thing.attributes, thing.difficult)
        for thing in image.things
        if thing.window.intersection(view.window) is not None
    )
    name = f"{image.id}-{tier.name.replace(' ', '-')}-{number}"
    shown_m = image.gsd_m * reach / side
    return ScaleView(name, image.id, Reduced(image.path, view), side, shown_m, tier, things, image.source)


def synthetic_views(count: int, side: int, seed: int) -> Iterator[ScaleView]:
    """Views of synthetic scenes, the tiers in turn, from ``FINEST_M`` to ``COARSEST_M``.

    Args:
        count: of views.
        side: of views, px.
        seed: of scenes and windows; each view is a function of it and its number.
    """
    for number in range(count):
        tier, rng = TIERS[number % len(TIERS)], generator(seed, "synthetic scale view", number)
        gsd_m = _within(tier, rng)
        world, x, y = _world(rng, side * gsd_m)
        reach = side * gsd_m / world.gsd_m
        window = Window(x - reach / 2, y - reach / 2, reach, reach)
        photo = Photo(world, window, Size(side, side), int(rng.integers(1 << 62)))
        view = View(window, photo.size)
        things = tuple(  # as long as they are, and not as they are cut at the edge
            Thing(item.kind_of.name, view.from_scene(item.polygon), {"color": item.colour, "kind": item.kind})
            for item in world.objects_in(window)
        )
        name = f"synthetic-{seed}-{number}"
        yield ScaleView(name, name, photo, side, photo.gsd_m, tier, things, "synthetic")


def at_any_scale(views: Iterable[ScaleView], seed: int) -> Iterator[ScaleView]:
    """The same pictures at scales drawn anew, as of a world whose things may be of any size.

    Their pixels tell nothing of their scale, so that only who is told it can know it.

    Args:
        views: whose pictures are shown.
        seed: of the scales; each is a function of it and the view's id.
    """
    for view in views:
        rng = generator(seed, "any scale", view.id)
        tier = TIERS[int(rng.integers(len(TIERS)))]
        yield replace(view, gsd_m=_within(tier, rng), tier=tier)


def drawn_scales(count: int, seed: int) -> list[float]:
    """Metres per pixel as synthetic views have them, the tiers in turn."""
    rng = generator(seed, "scales alone")
    return [_within(TIERS[number % len(TIERS)], rng) for number in range(count)]


def _within(tier: Tier, rng: np.random.Generator) -> float:
    """Metres per pixel of a synthetic view in a tier."""
    return _between(rng, max(tier.low_m, FINEST_M), min(tier.high_m, COARSEST_M))


def _world(rng: np.random.Generator, reach_m: float) -> tuple[World, float, float]:
    """A world and where to look in it: at one object close by, anywhere in a whole scene from afar."""
    if reach_m < _WORLD_PX * GSD_M / 4:
        world, objects = _inhabited(rng)
        item = objects[int(rng.integers(len(objects)))]
        x, y = (item.x, item.y) + rng.uniform(-0.2, 0.2, 2) * reach_m / world.gsd_m
        return world, float(x), float(y)
    reach = reach_m / GSD_M
    side = max(_WORLD_PX, round(1.2 * reach))
    world = plan_world(int(rng.integers(1 << 31)), side, side, GSD_M)
    x, y = rng.uniform(reach / 2, side - reach / 2, 2)
    return world, float(x), float(y)


def _inhabited(rng: np.random.Generator) -> tuple[World, Sequence[SceneObject]]:
    """A place at which something stands."""
    while True:
        world, site = single_site(rng)
        if site.objects:
            return world, site.objects
