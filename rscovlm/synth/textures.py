"""Periodic textures with mip-maps: pictures of grain and of tree crowns, averaged as a coarser pixel would.

They are made once in a process, from fixed seeds, and looked up by position in metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TEXEL_M = 0.3
"""Side of the finest texels."""


@dataclass(frozen=True)
class Texture:
    """A square picture that repeats, at sides halved again and again.

    Attributes:
        levels: (n, n) float32 each, finest first, down to one texel, which is the mean.
    """

    levels: tuple[Array, ...]

    def sample(self, x: NDArray[np.float64], y: NDArray[np.float64], pixel_m: float) -> Array:
        """(h, w) values at columns x (w,) and rows y (h,) in metres, for pixels of ``pixel_m``."""
        exact = float(np.log2(max(pixel_m, TEXEL_M) / TEXEL_M))
        level = min(int(exact + 0.5), len(self.levels) - 1)
        picture, texel = self.levels[level], TEXEL_M * 2**level
        rows = np.floor(y / texel).astype(np.intp) % len(picture)
        columns = np.floor(x / texel).astype(np.intp) % len(picture)
        return picture.take(rows, axis=0).take(columns, axis=1)


def _halved(picture: Array) -> Texture:
    levels = [picture.astype(np.float32)]
    while len(levels[-1]) > 1:
        fine = levels[-1]
        quarters = fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2]
        levels.append((quarters / 4).astype(np.float32))
    return Texture(tuple(levels))


@cache
def grain() -> Texture:
    """Uneven ground: noise of many wavelengths, of mean 0 and deviation 1 at the finest."""
    side = 512
    rng = np.random.default_rng(1)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.normal(size=(side, side))) / frequency**0.55
    spectrum[0, 0] = 0
    picture = np.fft.irfft2(spectrum, s=(side, side))
    return _halved((picture / picture.std()).astype(np.float32))


@dataclass(frozen=True)
class Crowns:
    """A closed canopy of trees.

    Attributes:
        slope_x, slope_y: of its surface, in units that light turns into brightness.
        tone: brightness of each crown, and the dark between crowns; mean 0.
    """

    slope_x: Texture
    slope_y: Texture
    tone: Texture


@cache
def crowns() -> Crowns:
    """Crowns of 4 to 10 m on a jittered lattice."""
    side, spacing = 1024, 19.0
    rng = np.random.default_rng(2)
    height = np.zeros((side, side), dtype=np.float32)
    tone = np.full((side, side), -0.55, dtype=np.float32)
    steps = round(side / spacing)
    order = rng.permutation(steps * steps)
    for row, column in zip(order // steps, order % steps):
        cx, cy = (np.array([column, row]) + rng.uniform(0.15, 0.85, 2)) * side / steps
        radius = float(rng.uniform(7, 16))
        reach = np.arange(-int(radius) - 1, int(radius) + 2)
        xs, ys = (int(cx) + reach) % side, (int(cy) + reach) % side
        away = np.hypot(reach[None, :] - cx % 1, reach[:, None] - cy % 1) / radius
        wobble = 1 + 0.12 * np.sin(5 * np.arctan2(reach[:, None], reach[None, :]) + column)
        crown = np.sqrt(np.maximum(0.0, 1 - (away * wobble) ** 2)) * radius * 0.9 + rng.uniform(6, 14)
        crown = np.where(away * wobble < 1, crown, 0).astype(np.float32)
        here = np.ix_(ys, xs)
        higher = crown > height[here]
        height[here] = np.where(higher, crown, height[here])
        tone[here] = np.where(higher, np.float32(rng.uniform(-0.22, 0.22)), tone[here])
    rough = grain().levels[0]
    height += 0.6 * np.tile(rough, (2, 2))
    slope_y = np.clip(np.roll(height, -1, 0) - np.roll(height, 1, 0), -3, 3) / 6
    slope_x = np.clip(np.roll(height, -1, 1) - np.roll(height, 1, 1), -3, 3) / 6
    return Crowns(_halved(slope_x), _halved(slope_y), _halved(tone - tone.mean()))
