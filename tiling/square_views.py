"""Views whose pixels are square on the ground, at sizes that a model takes."""

from __future__ import annotations

import math

from tiling.resolution import Resolution
from tiling.view import Orientation, Size, View, Window

SQUARE = 0.01
"""Relative difference of a pixel's two sides on the ground up to which it is shown as it is."""

MOST_STRETCHED = 32.0
"""Largest ratio of a pixel's two sides on the ground that is made up for; 88 degrees north in degrees."""

WIDEST_VIEW = 100
"""Largest aspect ratio of a view; rounding to a model's cells keeps it below 200."""


def stretch_to_square(gsd_xy_m: tuple[float, float] | None) -> tuple[float, float]:
    """How many times as wide and as tall pixels become to be square on the ground.

    One of the two is 1, so that no detail is lost. Both are where the ground sampling distance is unknown,
    and for a difference within 1 %, which the rounding to a model's cells exceeds.

    Args:
        gsd_xy_m: metres per pixel along x and y; None where unknown.
    """
    if gsd_xy_m is None or math.isclose(*gsd_xy_m, rel_tol=SQUARE):
        return 1.0, 1.0
    ratio = min(max(gsd_xy_m[0] / gsd_xy_m[1], 1 / MOST_STRETCHED), MOST_STRETCHED)
    return max(1.0, ratio), max(1.0, 1 / ratio)


def fitted_view(
    window: Window,
    stretch: tuple[float, float],
    orientation: Orientation,
    resolution: Resolution,
    reduction: float | None = None,
) -> View:
    """A window at the size that fits a model.

    A strip more than ``WIDEST_VIEW`` times as long as it is wide is widened, since no model takes it.

    Args:
        window: in scene pixels.
        stretch: how many times as wide and as tall pixels become; see ``stretch_to_square``.
        orientation: of the view.
        resolution: the sizes that the model accepts.
        reduction: scene pixels per view pixel (geometric mean) before the size is made to fit; None keeps
            all detail that the model's bounds allow.
    """
    wider, taller = stretch
    least = max(1.0, max(window.width * wider, window.height * taller) / WIDEST_VIEW)
    window = window.resized(max(window.width, least / wider), max(window.height, least / taller))
    shrink = 1.0 if reduction is None else reduction * math.sqrt(wider * taller)
    size = _rounded(window.width * wider / shrink, window.height * taller / shrink)
    return View(window, resolution.fit(*orientation.size(size)), orientation)


def scaled_view(window: Window, stretch: tuple[float, float], orientation: Orientation, scale: float) -> View:
    """A window at ``scale`` view pixels per scene pixel (geometric mean); see ``fitted_view``."""
    wider, taller = stretch
    share = scale / math.sqrt(wider * taller)
    size = _rounded(window.width * wider * share, window.height * taller * share)
    return View(window, orientation.size(size), orientation)


def _rounded(width: float, height: float) -> Size:
    return Size(max(1, round(height)), max(1, round(width)))
