"""Windows of synthetic scenes: what to look at, what is seen there, and where to look next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.clipping import visible_quads
from rscovlm.synth.catalogue import LAND_COVERS, SITES
from rscovlm.synth.world import SceneObject, Site, World, make_object, make_site
from tiling.view import Size, View, Window

GSD_M = 0.3
"""Metres per pixel of scenes unless said otherwise."""

MIDDLE = 4000.0
"""Where the one site of ``single_site`` stands, and ``loose_objects`` lie around, in scene pixels."""


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


def single_site(rng: np.random.Generator) -> tuple[World, Site]:
    """A world around one site, without the planning of a whole scene."""
    cover, patch = (str(c) for c in rng.choice(LAND_COVERS, 2))
    gsd_m = GSD_M * float(rng.uniform(0.9, 1.1))
    site = make_site(rng, SITES[int(rng.integers(len(SITES)))], MIDDLE, MIDDLE, gsd_m)
    return World(int(rng.integers(1 << 31)), 8000, 8000, gsd_m, cover, patch, (site,), ()), site


def loose_objects(rng: np.random.Generator, side: float, few: float) -> list[SceneObject]:
    """Up to five objects of any class that do not touch, in a square of ``side`` px about ``MIDDLE``.

    Args:
        rng: the source of randomness.
        side: of the square in scene pixels.
        few: how often there are at most two.
    """
    kinds = [site.objects for site in SITES]
    most = 2 if rng.random() < few else 5
    objects: list[SceneObject] = []
    for _ in range(int(rng.integers(1, most + 1)) if rng.random() < 0.85 else 0):
        kind_of = kinds[int(rng.integers(len(kinds)))]
        x, y = MIDDLE + rng.uniform(-0.5, 0.5, 2) * side
        item = make_object(rng, kind_of, float(x), float(y), GSD_M)
        if all(np.hypot(x - o.x, y - o.y) > (item.length + o.length) * 0.55 for o in objects):
            objects.append(item)
    return objects
