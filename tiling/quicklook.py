"""A map of numbers as a picture: each band in colours, with a bar that says which colour is which value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rasterio.enums import Resampling

from detection_eval.files import atomic_path
from tiling.unwarned import unwarned
from tiling.view import Size

# Anchors of viridis (van der Walt and Smith, CC0): its brightness rises evenly.
_ANCHORS = (
    *("440154", "482878", "3e4a89", "31688e", "26828e", "1f9e89", "35b779", "6dcd59", "b4de2c", "fde725"),
)
_VIRIDIS = np.array([[int(text[place : place + 2], 16) for place in (0, 2, 4)] for text in _ANCHORS])
_BACKGROUND, _WORDS, _NOTHING = "#ffffff", "#20252c", (214, 217, 222)
_MOST_SIDE, _LEAST_SIDE = 900, 360


def coloured(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """(height, width, 3) colours of values between two ends; grey where they are not numbers."""
    share = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    known = np.isfinite(share)
    place = np.where(known, share, 0) * (len(_VIRIDIS) - 1)
    below = np.minimum(place.astype(int), len(_VIRIDIS) - 2)
    part = (place - below)[..., None]
    colours = np.rint(_VIRIDIS[below] * (1 - part) + _VIRIDIS[below + 1] * part)
    return np.where(known[..., None], colours, _NOTHING).astype(np.uint8)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values between two ends: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(step for factor in (1, 2, 5, 10) if (high - low) / (step := factor * power) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def write_quicklook(path: Path, source: Path, bands: Sequence[str], title: str) -> None:
    """Write a PNG of bands of a map side by side, each with a bar of its colours; of any size of map.

    Args:
        path: of the picture.
        source: map, whose bands have names and units.
        bands: names.
        title: above the picture.

    Raises:
        OSError: where it cannot be written.
    """
    with unwarned(), rasterio.open(source) as dataset:
        scale = max(dataset.height, dataset.width) / _MOST_SIDE
        size = Size(*(max(1, round(side / max(scale, 1.0))) for side in (dataset.height, dataset.width)))
        names = list(dataset.descriptions)
        panels = []
        for name in bands:
            number = names.index(name) + 1
            values = dataset.read(number, out_shape=tuple(size), resampling=Resampling.average)
            panels.append(_panel(values, name, dataset.units[number - 1] or "", dataset.tags(number)))
    font = ImageFont.load_default(18)
    width, height = sum(panel.width for panel in panels), max(panel.height for panel in panels)
    width = max(width, round(font.getlength(title)) + 32)
    picture = Image.new("RGB", (width, height + 44), _BACKGROUND)
    ImageDraw.Draw(picture).text((16, 24), title, font=font, fill=_WORDS, anchor="lm")
    left = 0
    for panel in panels:
        picture.paste(panel, (left, 44))
        left += panel.width
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")


def _panel(values: NDArray[np.floating], name: str, unit: str, tags: dict[str, str]) -> Image.Image:
    known = values[np.isfinite(values)]
    low, high = (float(end) for end in np.percentile(known, (2, 98))) if len(known) else (0.0, 1.0)
    shown = Image.fromarray(coloured(values, low, high))
    times = max(1, round(_LEAST_SIDE / max(shown.size)))
    shown = shown.resize((shown.width * times, shown.height * times), Image.Resampling.NEAREST)
    font = ImageFont.load_default(14)
    bar = max(shown.height, 160)
    words = f"{tags.get('long_name', name)}, {unit}"
    width = max(16 + shown.width + 110, round(font.getlength(words)) + 32)
    panel = Image.new("RGB", (width, bar + 64), _BACKGROUND)
    draw = ImageDraw.Draw(panel)
    draw.text((16, 14), words, font=font, fill=_WORDS, anchor="lm")
    panel.paste(shown, (16, 32))
    left = 16 + shown.width + 16
    fall = coloured(np.linspace(high, low, bar)[:, None].repeat(18, axis=1), low, high)
    panel.paste(Image.fromarray(fall), (left, 32))
    for value in ticks(low, high):
        y = 32 + (high - value) / max(high - low, 1e-12) * (bar - 1)
        draw.line((left + 18, y, left + 23, y), fill=_WORDS)
        draw.text((left + 27, y), f"{value:g}", font=font, fill=_WORDS, anchor="lm")
    return panel
