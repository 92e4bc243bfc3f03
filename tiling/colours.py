"""Colours of classes: those of the overlay and of the styles of map layers are the same."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Iterable

from detection_eval.text.labels import spoken

_COLOURS = (
    *("#ff4b4b", "#35c4ff", "#ffd23f", "#6ee75a", "#ff8ad8", "#ff9640", "#b79bff", "#2ee6c3"),
    *("#ffffff", "#c8ff2e", "#ff2ea6", "#4f7dff", "#e8b48a", "#00b36b", "#a44bff", "#c96b2c"),
)


def numbered_colour(number: int) -> str:
    """A colour as ``#rrggbb``: sixteen that differ well, on images too, then ever finer steps of hue."""
    if number < len(_COLOURS):
        return _COLOURS[number]
    # Steps of the golden angle never repeat a hue.
    red, green, blue = colorsys.hsv_to_rgb((number * 0.381966) % 1, 0.65, 1.0)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def class_colours(names: Iterable[str]) -> dict[str, str]:
    """The colour of each class, as ``#rrggbb``, in the order given.

    A colour belongs to the name as it is spoken, so that a class looks the same in every scene and every
    choice of classes, unless two names of one choice fall on the same colour: then the second in the
    alphabet takes the next one that is free.
    """
    names = list(dict.fromkeys(names))
    words = sorted({spoken(name) for name in names})
    free = list(range(max(len(_COLOURS), len(words))))
    taken: dict[str, int] = {}
    for word in words:
        home = zlib.crc32(word.encode()) % len(_COLOURS)
        taken[word] = min(free, key=lambda number: (number - home) % (len(words) + len(_COLOURS)))
        free.remove(taken[word])
    return {name: numbered_colour(taken[spoken(name)]) for name in names}
