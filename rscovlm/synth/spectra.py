"""What other sensors would see of a scene: reflectance in Sentinel-2's bands, and radar backscatter.

Both follow from the same plan as the colours: a map of what the surface is made of, reflectance and
backscatter by surface, shadows for the former, speckle and double bounce for the latter. The figures are
typical ones, good for telling surfaces apart, not for retrieval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rscovlm.synth.paint import Material, Polygons, paint
from rscovlm.synth.render import canvas_frame, compose
from rscovlm.synth.terrain import Cover
from rscovlm.synth.world import World
from tiling.view import Size, View, Window

SENTINEL_2_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
POLARISATIONS = ("HH", "HV")

_REFLECTANCE = np.array(
    [
        # B01  B02   B03   B04   B05   B06   B07   B08   B8A   B09   B11   B12
        [0.06, 0.05, 0.05, 0.03, 0.02, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01, 0.01],  # water
        [0.03, 0.03, 0.05, 0.03, 0.08, 0.22, 0.28, 0.30, 0.32, 0.31, 0.15, 0.07],  # forest
        [0.05, 0.06, 0.09, 0.08, 0.14, 0.30, 0.36, 0.38, 0.40, 0.39, 0.24, 0.14],  # farmland
        [0.04, 0.05, 0.09, 0.06, 0.13, 0.33, 0.41, 0.43, 0.45, 0.44, 0.23, 0.11],  # meadow
        [0.09, 0.10, 0.12, 0.13, 0.16, 0.22, 0.25, 0.26, 0.27, 0.27, 0.24, 0.20],  # urban
        [0.15, 0.17, 0.19, 0.20, 0.21, 0.22, 0.23, 0.24, 0.25, 0.25, 0.26, 0.24],  # industrial
        [0.14, 0.18, 0.26, 0.34, 0.37, 0.39, 0.41, 0.43, 0.44, 0.44, 0.52, 0.46],  # desert
        [0.04, 0.05, 0.09, 0.06, 0.13, 0.33, 0.41, 0.43, 0.45, 0.44, 0.23, 0.11],  # unpaved ground of places
        [0.08, 0.09, 0.10, 0.11, 0.11, 0.12, 0.12, 0.13, 0.13, 0.13, 0.15, 0.14],  # asphalt
        [0.18, 0.21, 0.24, 0.26, 0.27, 0.28, 0.29, 0.30, 0.30, 0.30, 0.32, 0.30],  # concrete
        [0.08, 0.09, 0.12, 0.20, 0.22, 0.24, 0.25, 0.26, 0.27, 0.27, 0.32, 0.28],  # roof
        [0.28, 0.30, 0.31, 0.32, 0.32, 0.33, 0.33, 0.33, 0.33, 0.33, 0.30, 0.27],  # metal
        [0.04, 0.05, 0.09, 0.06, 0.13, 0.33, 0.41, 0.43, 0.45, 0.44, 0.23, 0.11],  # grass
        [0.03, 0.03, 0.05, 0.03, 0.08, 0.22, 0.28, 0.30, 0.32, 0.31, 0.15, 0.07],  # tree
        [0.06, 0.07, 0.08, 0.05, 0.03, 0.02, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01],  # shallow water
        [0.07, 0.09, 0.13, 0.18, 0.21, 0.24, 0.26, 0.28, 0.29, 0.29, 0.36, 0.32],  # soil
        [0.20, 0.24, 0.28, 0.30, 0.31, 0.32, 0.32, 0.33, 0.33, 0.33, 0.31, 0.28],  # paint
    ],
    dtype=np.float32,
)

_BACKSCATTER_DB = np.array(
    [
        # HH     HV
        [-20.0, -29.0],  # water
        [-7.5, -13.0],  # forest
        [-11.0, -18.0],  # farmland
        [-12.5, -20.0],  # meadow
        [-8.0, -16.0],  # urban
        [-10.0, -18.0],  # industrial
        [-17.0, -26.0],  # desert
        [-13.0, -20.5],  # unpaved ground of places
        [-19.0, -27.0],  # asphalt
        [-16.0, -25.0],  # concrete
        [-4.0, -13.0],  # roof
        [3.0, -9.0],  # metal
        [-13.0, -20.5],  # grass
        [-7.0, -12.5],  # tree
        [-20.0, -29.0],  # shallow water
        [-14.0, -22.0],  # soil
        [-17.0, -25.0],  # paint
    ],
    dtype=np.float32,
)

_FIRST_MATERIAL = len(Cover)
_DOUBLE_BOUNCE_DB = np.array([12.0, 4.0], dtype=np.float32)
_SUNLESS = np.float32(0.45)
"""Of the light of the sun and the sky: what a shadow leaves."""


def surfaces(world: World, window: Window, size: Size) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """What each pixel of a view mostly shows at its middle, and whether it lies in a shadow.

    Returns:
        (height, width) codes: ``Cover`` of bare ground, else 8 + ``Material``; and (height, width) shadows.
    """
    view = View(window, size)
    scale_x, scale_y = view.scale
    x = (window.x + (np.arange(size.width, dtype=np.float64) + 0.5) * scale_x) * world.gsd_m
    y = (window.y + (np.arange(size.height, dtype=np.float64) + 0.5) * scale_y) * world.gsd_m
    codes = world.terrain.cover_at(*np.meshgrid(x, y))
    streets = world.terrain.asphalt_raster(x, y) & (codes != Cover.WATER)
    codes[streets] = _FIRST_MATERIAL + Material.ASPHALT
    flat, shadows, tall = compose(world, window, max(scale_x, scale_y) * world.gsd_m)
    frame, canvas = canvas_frame(window, size, 1), (size.width, size.height)
    image = Image.fromarray(codes)
    _paint_materials(image, flat, frame)
    mask = Image.new("1", canvas)
    paint(ImageDraw.Draw(mask), shadows, frame, canvas, ink=1)
    _paint_materials(image, tall, frame)
    raised = Image.new("1", canvas)
    paint(ImageDraw.Draw(raised), tall, frame, canvas, ink=1)
    return np.asarray(image), np.asarray(mask) & ~np.asarray(raised)


def _paint_materials(image: Image.Image, polygons: Polygons, frame: NDArray[np.float64]) -> None:
    codes = polygons.materials.astype(np.int64) + _FIRST_MATERIAL
    inked = Polygons(polygons.points, polygons.counts, codes, polygons.materials)
    paint(ImageDraw.Draw(image), inked, frame, image.size)


def multispectral(world: World, window: Window, size: Size) -> NDArray[np.float32]:
    """(12, height, width) surface reflectance, 0-1, in SENTINEL_2_BANDS.

    Args:
        world: the planned scene.
        window: in scene pixels.
        size: of the image.
    """
    codes, dark = surfaces(world, window, size)
    reflectance = _REFLECTANCE.T[:, codes]
    return np.where(dark, reflectance * _SUNLESS, reflectance)


def backscatter(world: World, window: Window, size: Size, looks: int = 4) -> NDArray[np.float32]:
    """(2, height, width) radar backscatter in dB, HH and HV, with speckle.

    Walls that face the sensor, in the west, return much more by double bounce, as do ships on water. Speckle
    is drawn for the view as a whole: the same window and size give the same picture.

    Args:
        world: the planned scene.
        window: in scene pixels.
        size: of the image.
        looks: that are averaged; the speckle of intensity is gamma-distributed with that shape.
    """
    codes, _ = surfaces(world, window, size)
    decibel = _BACKSCATTER_DB.T[:, codes].copy()
    high = (codes == _FIRST_MATERIAL + Material.ROOF) | (codes == _FIRST_MATERIAL + Material.METAL)
    facing = np.zeros_like(high)
    facing[:, 1:] = high[:, 1:] & ~high[:, :-1]
    decibel += facing * _DOUBLE_BOUNCE_DB[:, None, None]
    key = [world.seed, 2, *(round(edge * 16) & 0xFFFFFFFF for edge in window.bounds)]
    speckle = np.random.default_rng(key).gamma(looks, 1 / looks, decibel.shape)
    return (decibel + 10 * np.log10(np.maximum(speckle, 1e-6))).astype(np.float32)
