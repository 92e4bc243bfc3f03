"""Windows of synthetic scenes: what to look at, what is seen there, and where to look next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.quads import min_area_rectangle
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

    An object whose centre is outside is left to the neighbouring tile; one that the edge cuts is the
    minimum-area rectangle of its visible part, clipped to the view.

    Args:
        world: the planned scene.
        window: the part that is shown, in scene pixels.
        size: of the view.
    """
    view = View(window, size)
    limits = np.array([view.size.width, view.size.height], dtype=np.float64)
    polygons, objects = [], []
    for item in world.objects_in(window):
        corners = view.from_scene(item.polygon)
        centre = corners.mean(axis=0)
        if (centre < 0).any() or (centre > limits).any():
            continue
        if (corners < 0).any() or (corners > limits).any():
            corners = np.clip(min_area_rectangle(_clipped(corners, limits)), 0, limits)
        polygons.append(corners)
        objects.append(item)
    return np.array(polygons).reshape(-1, 4, 2), objects


def _clipped(corners: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a convex polygon (n, 2) inside a view from (0, 0) to ``limits``."""
    for axis in (0, 1):
        for limit, sign in ((0.0, 1.0), (float(limits[axis]), -1.0)):
            following = np.roll(corners, -1, axis=0)
            inside = sign * (corners[:, axis] - limit) >= 0
            kept: list[NDArray[np.float64]] = []
            for here, ahead, in_here, in_ahead in zip(corners, following, inside, np.roll(inside, -1)):
                if in_here:
                    kept.append(here)
                if in_here != in_ahead:
                    kept.append(here + (ahead - here) * ((limit - here[axis]) / (ahead[axis] - here[axis])))
            corners = np.array(kept).reshape(-1, 2)
    return corners


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
    x, y = evidence.center
    x0 = min(max(x - side / 2, view.x), view.x + view.width - side)
    y0 = min(max(y - side / 2, view.y), view.y + view.height - side)
    return Window(x0, y0, side, side)


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
