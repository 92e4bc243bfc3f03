"""The ground of a synthetic scene: land covers with textures, rendered at any reduction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth import noise
from rscovlm.synth.catalogue import LAND_COVERS

_BASE = {
    "water": (34, 72, 122),
    "forest": (38, 78, 40),
    "farmland": (136, 138, 74),
    "urban": (134, 130, 126),
    "desert": (204, 176, 128),
}
_FIELDS = np.array([(154, 148, 76), (104, 136, 62), (176, 158, 102), (122, 104, 66)], dtype=np.float32)
_ROOFS = np.array([(150, 96, 84), (168, 164, 160), (112, 112, 118), (186, 174, 150)], dtype=np.float32)

_FIELD_PX, _CITY_BLOCK_PX = 420.0, 150.0
_PATCH_PX = 2600.0
_PATCH_LEVEL = 0.66


def _texture(
    cover: str, x: NDArray[np.float64], y: NDArray[np.float64], pixel: float, seed: int
) -> NDArray[np.float32]:
    """(h, w, 3) float32 colours of one land cover; see ``render_ground`` for the arguments."""
    colour = np.empty((len(y), len(x), 3), dtype=np.float32)
    colour[:] = _BASE[cover]
    grain = {"water": 6.0, "forest": 30.0, "farmland": 10.0, "urban": 12.0, "desert": 10.0}[cover]
    shade = (noise.smooth(x, y, 900.0, seed + 1) - 0.5) * 2 * grain * 0.7
    for wavelength, share in ((38.0, 1.0), (9.0, 0.7), (2.5, 0.5)):
        contrast = noise.visible(wavelength, pixel) * share * grain
        if contrast:
            shade = shade + (noise.smooth(x, y, wavelength, seed + int(wavelength)) - 0.5) * 2 * contrast
    if cover == "farmland":
        _blend_cells(colour, _FIELDS, x, y, _FIELD_PX, pixel, seed)
    elif cover == "urban":
        _blend_cells(colour, _ROOFS, x, y, _CITY_BLOCK_PX, pixel, seed)
        street = np.maximum(*np.meshgrid(x % _CITY_BLOCK_PX < 26, y % _CITY_BLOCK_PX < 26)).astype(np.float32)
        strength = noise.visible(_CITY_BLOCK_PX, pixel)
        colour += (street * strength)[..., None] * (np.float32(74) - colour)
    elif cover == "desert":
        ripple = np.sin((x[None, :] + 0.6 * y[:, None]) / 42.0 + 5 * noise.smooth(x, y, 700.0, seed + 7))
        shade = shade + ripple.astype(np.float32) * 11 * noise.visible(264.0, pixel)
    return colour + shade[..., None]


def _blend_cells(
    colour: NDArray[np.float32],
    palette: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    side: float,
    pixel: float,
    seed: int,
) -> None:
    choice = (noise.cells(x, y, side, seed + 3) * len(palette)).astype(np.intp)
    strength = np.float32(noise.visible(side, pixel))
    colour += strength * (palette[choice] - colour)


def render_ground(
    cover: str, patch: str, x: NDArray[np.float64], y: NDArray[np.float64], pixel: float, seed: int
) -> NDArray[np.float32]:
    """(h, w, 3) float32: ``cover`` over most of the ground, with patches of a second cover.

    Args:
        cover: the scene's class, one of LAND_COVERS.
        patch: the second cover; the same as ``cover`` for none.
        x: (w,) scene pixels of the columns' centres.
        y: (h,) scene pixels of the rows' centres.
        pixel: scene pixels per view pixel.
        seed: of the scene.
    """
    if cover not in LAND_COVERS or patch not in LAND_COVERS:
        raise ValueError(f"unknown land cover {cover!r} or {patch!r}; choose from {', '.join(LAND_COVERS)}")
    ground = _texture(cover, x, y, pixel, seed)
    if patch != cover:
        edge = patch_share(x, y, pixel, seed)[..., None]
        if edge.any():
            ground += edge * (_texture(patch, x, y, pixel, seed + 101) - ground)
    return ground


def patch_share(
    x: NDArray[np.float64], y: NDArray[np.float64], pixel: float, seed: int
) -> NDArray[np.float32]:
    """(h, w) how much of the ground at columns ``x`` and rows ``y`` is the second cover, 0-1."""
    level = noise.smooth(x, y, _PATCH_PX, seed + 11)
    return np.clip((level - _PATCH_LEVEL) * (_PATCH_PX / max(12.0, pixel)) / 4 + 0.5, 0, 1)
