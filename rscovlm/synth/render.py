"""Render any window of a planned scene at any size, alone and without its neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rscovlm.synth.ground import render_ground
from rscovlm.synth.shapes import draw, shapes_of
from rscovlm.synth.world import Site, World
from tiling.view import Size, View, Window

_RIM = {
    "airport": (70, 70, 74),
    "harbour": (206, 200, 186),
    "tank farm": (110, 66, 48),
    "sports ground": (84, 150, 58),
}


def render(world: World, window: Window, size: Size, supersample: int = 2) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 image of a window of the scene.

    Args:
        world: the planned scene.
        window: in scene pixels.
        size: of the image.
        supersample: sub-pixels along each axis with which objects are drawn.
    """
    scale_x, scale_y = View(window, size).scale
    # One pixel more all around, cut off at the end: PIL draws the first row of a clipped polygon differently.
    outer = Window(
        window.x - scale_x, window.y - scale_y, window.width + 2 * scale_x, window.height + 2 * scale_y
    )
    rows, columns = size.height + 2, size.width + 2
    x = outer.x + (np.arange(columns, dtype=np.float64) + 0.5) * scale_x
    y = outer.y + (np.arange(rows, dtype=np.float64) + 0.5) * scale_y
    colours = render_ground(world.cover, world.patch, x, y, max(scale_x, scale_y), world.seed)
    ground = np.clip(colours, 0, 255).astype(np.uint8)
    sites = [site for site in world.sites if site.window.pad(site.side * 0.1).intersection(outer)]
    objects = world.objects_in(outer)
    if not sites and not objects:
        return ground[1:-1, 1:-1]
    canvas = Image.fromarray(ground.repeat(supersample, axis=0).repeat(supersample, axis=1))
    pen = ImageDraw.Draw(canvas)
    fine = View(outer, Size(rows * supersample, columns * supersample))
    for site in sites:
        _draw_site(pen, site, fine)
    to_canvas = _affine(fine)
    for item in objects:
        draw(pen, shapes_of(item.kind_of, item.kind, item.colour), _compose(to_canvas, item.frame))
    return np.asarray(canvas.reduce(supersample))[1:-1, 1:-1]


def _affine(view: View) -> NDArray[np.float64]:
    """(2, 3) affine from scene pixels to view pixels."""
    origin = view.from_scene([0.0, 0.0])
    unit_x, unit_y = view.from_scene([1.0, 0.0]) - origin, view.from_scene([0.0, 1.0]) - origin
    return np.stack([unit_x, unit_y, origin], axis=1)


def _compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = outer[:, :2] @ inner[:, :2]
    return np.concatenate([linear, (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]], axis=1)


def _draw_site(pen: ImageDraw.ImageDraw, site: Site, view: View) -> None:
    """The ground of a site with its rim, and a runway or canal where its kind has one."""
    c, s = np.cos(site.angle_rad) * site.side / 2, np.sin(site.angle_rad) * site.side / 2
    frame = np.array([[c, -s, site.x], [s, c, site.y]])
    rim = _RIM.get(site.kind.name, site.kind.ground)
    shapes = [
        ([(-1.06, -1.06), (1.06, -1.06), (1.06, 1.06), (-1.06, 1.06)], rim),
        ([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)], site.kind.ground),
    ]
    if site.kind.name == "canal":
        bank = (150, 146, 120)
        shapes = [
            ([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)], bank),
            ([(-0.42, -1.0), (0.42, -1.0), (0.42, 1.0), (-0.42, 1.0)], site.kind.ground),
        ]
    draw(pen, shapes, _compose(_affine(view), frame))
