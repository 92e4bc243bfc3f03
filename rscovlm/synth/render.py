"""Render any window of a planned scene at any size, alone and without its neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rscovlm.synth.ground import HOUSES_BELOW_M, render_ground
from rscovlm.synth.layout import Buildings
from rscovlm.synth.light import Light
from rscovlm.synth.objects import SceneObject, frames
from rscovlm.synth.paint import Material, Polygons, Sheet, paint, rectangles, swept
from rscovlm.synth.shapes import circle, shapes_of
from rscovlm.synth.terrain import Cover
from rscovlm.synth.world import SHADOW_M, World
from tiling.view import Size, View, Window

_SHADE, _SKY = 0.46, (14, 18, 34)
"""How much of the light a shadow takes, and the colour that is left of the sky's."""

_SHADED = [int(level * (1 - _SHADE) + _SHADE * sky) for sky in _SKY for level in range(256)]

_DETAIL = 0.12
"""Of an object's length: pixels above which only its outline is painted."""


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
    x = (outer.x + (np.arange(columns, dtype=np.float64) + 0.5) * scale_x) * world.gsd_m
    y = (outer.y + (np.arange(rows, dtype=np.float64) + 0.5) * scale_y) * world.gsd_m
    pixel_m = max(scale_x, scale_y) * world.gsd_m
    colours = render_ground(world.terrain, world.light, x, y, pixel_m)
    ground = np.clip(colours, 0, 255).astype(np.uint8)
    scene = compose(world, outer, pixel_m)
    if any(len(layer) for layer in scene):
        fine = (columns * supersample, rows * supersample)
        canvas = Image.fromarray(ground).resize(fine, Image.Resampling.NEAREST)
        frame = canvas_frame(outer, Size(rows, columns), supersample)
        flat, shadows, tall = scene
        pen = ImageDraw.Draw(canvas)
        paint(pen, flat, frame, fine)
        if len(shadows):
            mask = Image.new("1", fine)
            paint(ImageDraw.Draw(mask), shadows, frame, fine, ink=1)
            canvas.paste(canvas.point(_SHADED), mask=mask)
        paint(pen, tall, frame, fine)
        image = canvas.reduce(supersample)
    else:
        image = Image.fromarray(ground)
    seen = np.asarray(image.point(world.light.curve()))
    return world.light.veil(seen, x, y, pixel_m, world.gsd_m)[1:-1, 1:-1]


def canvas_frame(window: Window, size: Size, supersample: int) -> NDArray[np.float64]:
    """(2, 3) affine from scene pixels to those of a canvas that shows a window."""
    across, down = supersample * size.width / window.width, supersample * size.height / window.height
    return np.array([[across, 0, -window.x * across], [0, down, -window.y * down]])


def compose(world: World, window: Window, pixel_m: float) -> tuple[Polygons, Polygons, Polygons]:
    """What is painted over the ground of a window: flat things, shadows, and what stands above them."""
    flat, shadows, tall = Sheet(), Sheet(), Sheet()
    contents = [site.contents for site in world.sites_in(window)]
    if pixel_m < HOUSES_BELOW_M:
        contents += world.contents_in(window)
    flat.extend(part.flat for part in contents)
    objects = [
        item
        for item in world.objects_in(window, 6 * pixel_m, SHADOW_M)
        if item.length * world.gsd_m > 0.9 * pixel_m
    ]
    _add_wakes(objects, flat, world.gsd_m)
    _add_objects(objects, flat, shadows, tall, world, pixel_m)
    _add_buildings(Buildings.joined([part.buildings for part in contents]), shadows, tall, world, pixel_m)
    trees = [part.trees for part in contents if len(part.trees)]
    if trees:
        _add_trees(np.concatenate(trees), shadows, tall, world, pixel_m)
    return flat.polygons(), shadows.polygons(), tall.polygons()


# --- objects --------------------------------------------------------------------------------------

_FLAT = frozenset({"tennis court", "soccer ball field", "swimming pool", "bridge"})


def _add_objects(
    objects: Sequence[SceneObject], flat: Sheet, shadows: Sheet, tall: Sheet, world: World, pixel_m: float
) -> None:
    """Paint alike objects together: their first shapes, then their second ones."""
    groups: dict[tuple[str, str, str], list[SceneObject]] = defaultdict(list)
    for item in objects:
        groups[item.kind_of.name, item.kind, item.colour].append(item)
    cast = world.light.cast / world.gsd_m
    for (name, kind, colour), members in groups.items():
        found = frames(members)
        lengths = np.array([item.length for item in members]) * world.gsd_m
        detailed = lengths * _DETAIL > pixel_m
        height = members[0].kind_of.kind(kind).height_m
        sheet = flat if name in _FLAT else tall
        for number, shape in enumerate(shapes_of(name, kind, colour)):
            rows = found if number == 0 or shape.casts else found[detailed]
            if not len(rows):
                continue
            corners = np.einsum("kc,nrc->nkr", shape.points, rows[:, :, :2]) + rows[:, None, :, 2]
            sheet.add(corners, shape.colour, _material(name))
            if shape.casts and height and pixel_m < 1.2 * height:
                lift = height if name != "ship" else height * 0.5
                if name == "storage tank":
                    shadows.add(swept(corners, cast * lift), (0, 0, 0), Material.CONCRETE)
                else:
                    shadows.add(corners + cast * lift * 0.7, (0, 0, 0), Material.CONCRETE)


def _material(name: str) -> Material:
    return {
        "tennis court": Material.PAINT,
        "soccer ball field": Material.GRASS,
        "swimming pool": Material.WATER,
        "bridge": Material.CONCRETE,
    }.get(name, Material.METAL)


def _add_wakes(objects: Sequence[SceneObject], flat: Sheet, gsd_m: float) -> None:
    """Foam behind ships that are under way."""
    ships = [item for item in objects if item.moving and item.kind_of.name == "ship"]
    if not ships:
        return
    found = frames(ships)
    stern = [(-0.9, 0.6), (-2.5, 1.15), (-2.5, 0.85), (-1.0, 0.2)]
    for points, colour in (
        ([(-0.95, 0.6), (-1.8, 0.42), (-1.8, -0.42), (-0.95, -0.6)], (112, 138, 148)),
        (stern, (74, 104, 120)),
        ([(a, -b) for a, b in reversed(stern)], (74, 104, 120)),
    ):
        corners = np.einsum("kc,nrc->nkr", np.array(points), found[:, :, :2]) + found[:, None, :, 2]
        flat.add(corners, colour, Material.WATER)


# --- buildings and trees --------------------------------------------------------------------------


def _add_buildings(buildings: Buildings, shadows: Sheet, tall: Sheet, world: World, pixel_m: float) -> None:
    if not len(buildings.poses):
        return
    light, (x, y, length, width, angle, height) = world.light, buildings.poses.T
    footprint = rectangles(x, y, length, width, angle)
    if pixel_m < 2.5:
        shift = light.cast / world.gsd_m * height[:, None]
        shadows.add(swept(footprint, shift), (0, 0, 0), Material.CONCRETE)
    tall.add(footprint, _lit(buildings, light, -1.0), Material.ROOF)
    if pixel_m > 1.6:
        return
    rows = np.flatnonzero(buildings.gabled)
    if len(rows):
        c, s = np.cos(angle[rows]), np.sin(angle[rows])
        w = width[rows] / 4
        half = rectangles(x[rows] - s * w, y[rows] + c * w, length[rows], width[rows] / 2, angle[rows])
        tall.add(half, _lit(buildings, light, 1.0)[rows], Material.ROOF)
    rows = np.flatnonzero(~buildings.gabled & (width > 6 / world.gsd_m))
    if len(rows) and pixel_m < 1.0:
        edge = 1.2 / world.gsd_m
        inner = rectangles(x[rows], y[rows], length[rows] - edge, width[rows] - edge, angle[rows])
        tall.add(inner, buildings.colours[rows] * 0.93, Material.ROOF)
        c, s = np.cos(angle[rows]), np.sin(angle[rows])
        for along, across, size in ((0.22, 0.15, 0.3), (-0.3, -0.2, 0.2)):
            dx, dy = along * length[rows], across * width[rows]
            box = rectangles(
                x[rows] + c * dx - s * dy,
                y[rows] + s * dx + c * dy,
                size * width[rows],
                size * width[rows],
                angle[rows],
            )
            tall.add(box, buildings.colours[rows] * 0.7, Material.METAL)


def _lit(buildings: Buildings, light: Light, side: float) -> NDArray[np.float64]:
    """(n, 3) colours of the roof half that falls off to one side of the ridge; flat roofs as they are."""
    angle = buildings.poses[:, 4]
    towards = -(np.cos(light.sun_rad) * -np.sin(angle) + np.sin(light.sun_rad) * np.cos(angle)) * side
    factor = np.where(buildings.gabled, 1 + 0.24 * towards, 1.0)
    return np.asarray(buildings.colours * factor[:, None])


def _add_trees(trees: NDArray[np.float64], shadows: Sheet, tall: Sheet, world: World, pixel_m: float) -> None:
    trees = trees[trees[:, 2] * world.gsd_m > 0.7 * pixel_m]
    if not len(trees):
        return
    x, y, radius, tone = trees.T
    cast = world.light.cast / max(world.light.shadow, 1e-6)
    unit = np.array(circle(1.0, 9 if pixel_m < 0.6 else 6))
    crown = unit[None] * radius[:, None, None] + np.stack([x, y], 1)[:, None]
    long = min(2.2, world.light.shadow * 1.5)
    if pixel_m < 1.5:
        shadows.add(crown + (cast * long)[None, None] * radius[:, None, None], (0, 0, 0), Material.TREE)
    base = np.array(world.light.ground(Cover.FOREST)) * (0.75 + 0.6 * tone[:, None])
    tall.add(crown, base * 0.85, Material.TREE)
    if pixel_m < 0.8:
        high = unit[None] * (radius * 0.62)[:, None, None] + np.stack([x, y], 1)[:, None]
        high = high - (cast * 0.26)[None, None] * radius[:, None, None]
        tall.add(high, base * 1.22, Material.TREE)
