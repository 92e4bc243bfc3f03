"""The plan of a synthetic scene: what stands where, before any pixel is drawn.

A plan holds the land, the roads and where the places are. What stands in a place or in a block of a town is
worked out when it is asked for, from the seed alone, so that a view of a large scene costs no more than one
of a small scene.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth.catalogue import LAND_COVERS, SITES, SiteKind
from rscovlm.synth.ground import grass_of
from rscovlm.synth.land import draw_terrain
from rscovlm.synth.layout import Contents, Layout, Room
from rscovlm.synth.light import Light, draw_light
from rscovlm.synth.objects import SceneObject, corners, make_object
from rscovlm.synth.places import lay_out
from rscovlm.synth.planning import Spot, plan_places
from rscovlm.synth.streets import fill_blocks
from rscovlm.synth.terrain import Cover, Terrain
from rscovlm.synth.waters import bridges_of, ships_between
from tiling.view import Window

__all__ = ["SceneObject", "Site", "World", "make_object", "plan_world"]

_ATTEMPTS = 12
_LEAST_WITH_PLACES_M = 200.0  # side of scenes in which there may be room for one
_EMPTY = 0.15
"""How often a place holds no object."""

_CROSSING_M = 190.0
"""How far bridges of one crossing lie from its middle."""

SHADOW_M = 26.0
"""How far outside of a window things are looked for that throw a shadow or a wake into it."""

_KERB_M = 8.0
"""How far what belongs to a block reaches out of it: crowns of trees, not their shadows."""

_STREETS_M = 38.0
"""Length that nothing in ordinary blocks exceeds: a tennis court in a park."""

_TOGETHER = 24
"""Blocks along each side that are filled at once, which bounds the memory for large scenes."""


@dataclass(frozen=True)
class Site:
    """A named place with what stands on it.

    Attributes:
        kind: of place.
        x, y: its centre in scene pixels.
        length, width: sides of its ground in scene pixels, along and across its heading.
        angle_rad: its heading, clockwise on the image from +x.
        gsd_m: metres per scene pixel.
        room: what shall stand there.
        seed: of how it is laid out.
        given: its objects, where it has no ground of its own.
        grass: colour of what is not paved.
    """

    kind: SiteKind
    x: float
    y: float
    length: float
    width: float
    angle_rad: float
    gsd_m: float
    room: Room
    seed: int
    given: tuple[SceneObject, ...] | None = None
    grass: tuple[int, int, int] = (116, 142, 76)

    @cached_property
    def contents(self) -> Contents:
        """Objects, paint, buildings and trees."""
        rng = np.random.default_rng([self.seed, 7])
        layout = Layout(self.x, self.y, self.angle_rad, self.gsd_m, rng, self.grass)
        if self.given is None:
            lay_out(self.kind.name, layout, self.room)
        else:
            layout.objects += self.given
        return layout.contents()

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """All objects that stand there."""
        return self.contents.objects

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2) corners of its ground in scene pixels."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        half = np.array([self.length, self.width]) / 2
        unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        return unit @ np.array([[c, s], [-s, c]]) + (self.x, self.y)

    @property
    def window(self) -> Window:
        """The axis-aligned bounds of its ground in scene pixels."""
        return Window.around(self.corners)

    @property
    def focus(self) -> Window:
        """The part that shows its objects with some ground about them; all of it where there are none."""
        if not self.objects:
            return self.window
        around = Window.around(corners(self.objects).reshape(-1, 2)).pad(8 / self.gsd_m)
        side = 60 / self.gsd_m
        around = around.resized(max(around.width, side), max(around.height, side))
        inside = around.intersection(self.window)
        return around if inside is None or self.given is not None else inside


@dataclass(frozen=True)
class World:
    """A whole synthetic scene as a plan.

    Attributes:
        seed: the seed it was drawn from; same seed and size, same scene.
        width, height: scene pixels.
        gsd_m: metres per scene pixel.
        cover: the scene class.
        terrain: of the ground.
        light: that it is seen in.
        sites: named places, each kind at most once.
        scattered: single objects outside the sites, besides those of streets and waters.
        populated: whether streets and waters hold objects.
        omitted: objects that are left out, as if they were not there.
    """

    seed: int
    width: int
    height: int
    gsd_m: float
    cover: str
    terrain: Terrain
    light: Light
    sites: tuple[Site, ...] = ()
    scattered: tuple[SceneObject, ...] = ()
    populated: bool = True
    omitted: frozenset[SceneObject] = frozenset()

    @property
    def whole(self) -> Window:
        """All of the scene."""
        return Window(0, 0, self.width, self.height)

    def without(self, *objects: SceneObject) -> World:
        """The same scene with some objects left out."""
        return replace(self, omitted=self.omitted | set(objects))

    @cached_property
    def objects(self) -> tuple[SceneObject, ...]:
        """All objects whose centre lies in the scene, those of sites first."""
        found = self.objects_in(self.whole)
        return tuple(o for o in found if 0 <= o.x < self.width and 0 <= o.y < self.height)

    def objects_in(self, window: Window, least_m: float = 0.0, reach_m: float = 0.0) -> list[SceneObject]:
        """Objects whose bounds touch a window.

        Args:
            window: in scene pixels.
            least_m: objects shorter than this may be missing, which spares the streets where it exceeds them.
            reach_m: how far outside of the window objects are taken too, up to the length of shadows.
        """
        wide = window.pad(reach_m / self.gsd_m)
        found = [item for site in self.sites_in(wide) for item in site.objects]
        found += self.scattered
        if self.populated:
            x, y = self._metres(wide)
            found += ships_between(self.terrain, self.gsd_m, x, y)
            if least_m < _STREETS_M:
                found += (item for contents in self.contents_in(window) for item in contents.objects)
        if self.omitted:
            found = [item for item in found if item not in self.omitted]
        if not found:
            return []
        polygons = corners(found)
        low, high = polygons.min(axis=1), polygons.max(axis=1)
        x0, y0, x1, y1 = wide.bounds
        touching = (low < (x1, y1)).all(axis=1) & (high > (x0, y0)).all(axis=1)
        return [found[row] for row in np.flatnonzero(touching)]

    def sites_in(self, window: Window) -> list[Site]:
        """Sites whose ground, or what stands at its edge, may touch a window."""
        reach = 40 / self.gsd_m
        return [site for site in self.sites if site.window.pad(reach).intersection(window) is not None]

    def contents_in(self, window: Window) -> list[Contents]:
        """What fills the blocks that may reach into a window, or throw a shadow there."""
        if not self.populated:
            return []
        grid = self.terrain.grid
        x, y = self._metres(window.pad((_KERB_M + SHADOW_M) / self.gsd_m))
        u0, v0, u1, v1 = grid.window(np.array(x), np.array(y))
        i0, i1 = grid.u.cell(np.array([u0, u1])).tolist()
        j0, j1 = grid.v.cell(np.array([v0, v1])).tolist()
        return [
            fill_blocks(
                self.terrain, self.gsd_m, i, j, min(i + _TOGETHER, i1 + 1), min(j + _TOGETHER, j1 + 1)
            )
            for j in range(j0, j1 + 1, _TOGETHER)
            for i in range(i0, i1 + 1, _TOGETHER)
        ]

    def _metres(self, window: Window) -> tuple[tuple[float, float], tuple[float, float]]:
        x0, y0, x1, y1 = (edge * self.gsd_m for edge in window.bounds)
        return (x0, x1), (y0, y1)

    # --- the ground -------------------------------------------------------------------------------

    def covers_at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[str | None]:
        """Land covers at points in scene pixels, of GROUND_COVERS; None where a named place is."""
        codes = self.terrain.cover_at(np.asarray(x) * self.gsd_m, np.asarray(y) * self.gsd_m)
        return [None if code == Cover.PLACE else Cover(int(code)).word for code in codes.ravel()]

    def cover_shares(self, window: Window, side: int = 48) -> dict[str, float]:
        """Share of each land cover in a window, places left out, on a lattice of ``side`` points each way."""
        steps = (np.arange(side) + 0.5) / side
        x, y = np.meshgrid(window.x + steps * window.width, window.y + steps * window.height)
        words = self.covers_at(x, y)
        return {word: words.count(word) / len(words) for word in sorted({w for w in words if w})}


def plan_world(
    seed: int,
    width: int = 8192,
    height: int = 8192,
    gsd_m: float = 0.3,
    cover: str | None = None,
    sites: int | None = None,
    first: str | None = None,
) -> World:
    """Plan a scene.

    Small scenes are planned again until one has room for a place, a few times at most.

    Args:
        seed: decides everything that is not given.
        width, height: scene pixels.
        gsd_m: metres per pixel.
        cover: scene class, one of LAND_COVERS; random when None.
        sites: number of named sites, at most one of each kind; as many as fit when None.
        first: name of the kind of site to find room for first; with one site, the only one that is tried.
    """
    cover = cover or str(np.random.default_rng([seed, width, height]).choice(LAND_COVERS))
    start = [seed, width, height, LAND_COVERS.index(cover)]
    again = sites is None and min(width, height) * gsd_m > _LEAST_WITH_PLACES_M
    for attempt in range(_ATTEMPTS if again else 1):
        rng = np.random.default_rng([*start, attempt] if attempt else start)
        world = _planned(rng, seed, width, height, gsd_m, cover, sites, first)
        if world.sites:
            break
    return world


def _planned(
    rng: np.random.Generator,
    seed: int,
    width: int,
    height: int,
    gsd_m: float,
    cover: str,
    sites: int | None,
    first: str | None,
) -> World:
    terrain = draw_terrain(rng, cover, width * gsd_m, height * gsd_m)
    light = draw_light(rng, cover)
    names = [SITES[int(row)].name for row in rng.permutation(len(SITES))]
    if first is not None:
        names = [first] if sites == 1 else [first, *(name for name in names if name != first)]
    terrain, spots = plan_places(rng, terrain, names, len(SITES) if sites is None else sites)
    grass = grass_of(terrain, light)
    places = [_site(rng, spot, gsd_m, terrain, grass) for spot in spots]
    colour = str(rng.choice(("gray", "white", "red")))
    placed = tuple(site for site in places if site is not None)
    given = {(item.x, item.y) for site in placed for item in site.given or ()}
    bridges = tuple(o for o in bridges_of(terrain, gsd_m, colour, terrain.roads_u) if (o.x, o.y) not in given)
    return World(seed, width, height, gsd_m, cover, terrain, light, placed, bridges)


def _site(
    rng: np.random.Generator, spot: Spot, gsd_m: float, terrain: Terrain, grass: tuple[int, int, int]
) -> Site | None:
    kind = next(kind for kind in SITES if kind.name == spot.name)
    most = int(rng.integers(kind.count[0], kind.count[1] + 1))
    count = 0 if rng.random() < _EMPTY else int(rng.integers(kind.count[0], most + 1))
    room = Room(
        spot.length_m,
        spot.width_m,
        count,
        str(rng.choice(kind.objects.kinds)),
        str(rng.choice(kind.objects.colours)),
    )
    seed = int(rng.integers(1 << 31))
    if spot.lines:
        return _crossing(spot, kind, room, seed, gsd_m, terrain)
    return Site(
        kind,
        spot.x_m / gsd_m,
        spot.y_m / gsd_m,
        spot.length_m / gsd_m,
        spot.width_m / gsd_m,
        spot.angle_rad,
        gsd_m,
        room,
        seed,
        None,
        grass,
    )


def _crossing(
    spot: Spot, kind: SiteKind, room: Room, seed: int, gsd_m: float, terrain: Terrain
) -> Site | None:
    """The bridges near a river crossing; None where none can be built."""
    bridges = bridges_of(terrain, gsd_m, room.colour, spot.lines)
    near = [o for o in bridges if np.hypot(o.x * gsd_m - spot.x_m, o.y * gsd_m - spot.y_m) < _CROSSING_M]
    if not near:
        return None
    ground = Window.around(corners(near).reshape(-1, 2)).pad(15 / gsd_m)
    x, y = ground.center
    return Site(kind, x, y, ground.width, ground.height, 0.0, gsd_m, room, seed, tuple(near))
