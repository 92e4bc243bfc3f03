"""Windows of synthetic scenes: what to look at, what is seen there, and where to look next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.clipping import visible_quads
from rscovlm.synth.catalogue import LAND_COVERS, SITES
from rscovlm.synth.world import SceneObject, Site, World, plan_world
from tiling.view import Size, View, Window

GSD_M = 0.3
"""Metres per pixel of scenes unless said otherwise."""

NEIGHBOURHOOD = 4096
"""Side of the scenes of ``single_site`` and ``neighbourhood`` in scene pixels."""

_COVERS = {
    "harbour": ("coast", "water", "coast", "farmland"),
    "river crossing": ("farmland", "forest", "urban", "industrial"),
}
"""Scene classes in which places stand that need water."""


def visible_polygons(
    world: World, window: Window, size: Size
) -> tuple[NDArray[np.float64], list[SceneObject]]:
    """Objects of a view as polygons (n, 4, 2) in view pixels.

    Each belongs to one of two neighbouring views, see
    :func:`detection_eval.geometry.clipping.visible_quads`.

    Args:
        world: the planned scene.
        window: the part that is shown, in scene pixels.
        size: of the view.
    """
    view = View(window, size)
    objects = world.objects_in(window)
    corners = view.from_scene(np.reshape([item.polygon for item in objects], (-1, 4, 2)))
    polygons, rows = visible_quads(corners, view.size.width, view.size.height)
    return polygons, [objects[row] for row in rows]


def next_window(view: Window, evidence: Window) -> Window | None:
    """Where a careful observer zooms next from ``view`` to see ``evidence``, or None when it can be read.

    A place that fills nearly half the view can be read; one that is clearly visible is framed; a speck
    is approached by a quarter of the view around it.
    """
    apparent = max(evidence.width / view.width, evidence.height / view.height)
    if apparent >= 0.45:
        return None
    if apparent >= 0.2:
        side = max(evidence.width, evidence.height) * 1.2
    else:
        side = max(view.width, view.height) / 4
    return evidence.resized(side, side).moved_inside(view)


def around(rng: np.random.Generator, evidence: Window, farthest: float) -> Window:
    """A square window that holds the evidence off centre, up to ``farthest`` times its side."""
    least = max(evidence.width, evidence.height)
    side = least * float(np.exp(rng.uniform(0, np.log(farthest))))
    x, y = evidence.center
    shift_x, shift_y = rng.uniform(-1, 1, 2) * (side - least) / 2
    return Window(x - side / 2 + shift_x, y - side / 2 + shift_y, side, side)


def single_site(rng: np.random.Generator, name: str | None = None) -> tuple[World, Site]:
    """A scene no larger than a place needs, and that place: as whole scenes show it, at less cost.

    Args:
        rng: the source of randomness.
        name: of the kind of place; any when None.
    """
    while True:
        gsd_m = GSD_M * float(rng.uniform(0.9, 1.1))
        seed = int(rng.integers(1 << 31))
        wanted = name or SITES[int(rng.integers(len(SITES)))].name
        cover = str(rng.choice(_COVERS.get(wanted, LAND_COVERS)))
        world = plan_world(seed, NEIGHBOURHOOD, NEIGHBOURHOOD, gsd_m, cover, sites=1, first=wanted)
        found = [site for site in world.sites if site.kind.name == wanted]
        if found:
            return world, found[0]


def neighbourhood(rng: np.random.Generator) -> World:
    """A small scene without places: streets, fields, woods and waters with what is on them."""
    return plan_world(int(rng.integers(1 << 31)), NEIGHBOURHOOD, NEIGHBOURHOOD, GSD_M, sites=0)
