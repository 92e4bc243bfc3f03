"""Resolution at which a model sees a scene: Qwen's ``smart_resize`` and the choices around it.

A vision-language model of the Qwen family cuts its input into square cells of ``factor`` pixels (28 for
Qwen2.5-VL: patch 14, 2 x 2 patches merged; 32 for Qwen3-VL: patch 16), one visual token each, and takes any
size whose sides are multiples of the factor and whose area lies between two bounds. An image that already
has such a size passes ``smart_resize`` unchanged, in process or on a server, so that coordinates on it can
be trusted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tiling.errors import ResolutionError
from tiling.view import Size

MAX_ASPECT = 200
"""The longest side over the shortest that ``smart_resize`` accepts."""

SMALL_TOKENS = 144
"""Visual tokens of the ``small`` policy: 12 x 12 cells, 336 x 336 px at factor 28."""

PolicyName = Literal["native", "max", "min", "small"]
SIZE_POLICIES: tuple[PolicyName, ...] = ("native", "max", "min", "small")


def fit_size(height: int, width: int, factor: int, min_pixels: int, max_pixels: int) -> Size:
    """The size at which a model of the Qwen family sees an image; the same as ``smart_resize``.

    Both sides become multiples of ``factor``, the area falls within ``[min_pixels, max_pixels]`` and the
    aspect changes as little as that allows. Two failures of the original are made plain: it may return a
    side of 0 for an image thinner than half a factor when ``min_pixels`` is 0 (here: one factor, as in
    ``qwen_vl_utils``), and it ignores contradictory bounds.

    Args:
        height: rows of the image in px, at least 1.
        width: columns of the image in px, at least 1.
        factor: side of the cell of one visual token in px.
        min_pixels: smallest area in px.
        max_pixels: largest area in px. An area of one factor squared is never undercut.

    Raises:
        ResolutionError: for an empty image, one side over 200 times the other, or bounds that cannot be met.

    Source: transformers, ``models/qwen2_vl/image_processing_qwen2_vl.py``.
    """
    if height < 1 or width < 1:
        raise ResolutionError(f"image of {width} x {height} px is empty; both sides must be at least 1 px")
    if factor < 1:
        raise ResolutionError(f"factor {factor} px is not positive; give 28 (Qwen2.5-VL) or 32 (Qwen3-VL)")
    if min_pixels > max_pixels:
        raise ResolutionError(f"min_pixels {min_pixels} is above max_pixels {max_pixels}; swap them")
    if max(height, width) / min(height, width) > MAX_ASPECT:
        raise ResolutionError(
            f"an image of {width} x {height} px is more than {MAX_ASPECT} times as long as it is wide; "
            "cut it into shorter pieces or pad its short side"
        )
    # Python's round (half to even) and these very operations in this order: each rounding decides a size.
    rows = round(height / factor) * factor
    columns = round(width / factor) * factor
    if rows * columns > max_pixels:
        shrink = math.sqrt((height * width) / max_pixels)
        rows = math.floor(height / shrink / factor) * factor
        columns = math.floor(width / shrink / factor) * factor
    elif rows * columns < min_pixels:
        enlarge = math.sqrt(min_pixels / (height * width))
        rows = math.ceil(height * enlarge / factor) * factor
        columns = math.ceil(width * enlarge / factor) * factor
    return Size(max(factor, rows), max(factor, columns))


@dataclass(frozen=True)
class Resolution:
    """The sizes that a model accepts, and the area that images are brought to within them.

    Attributes:
        factor: side of the cell of one visual token in px.
        min_pixels: smallest area in px.
        max_pixels: largest area in px.
        target_pixels: area in px that each image is brought to; None keeps its own where the bounds allow.
    """

    factor: int
    min_pixels: int
    max_pixels: int
    target_pixels: int | None = None

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ResolutionError(
                f"factor {self.factor} px is not positive; 28 (Qwen2.5-VL) and 32 (Qwen3-VL) are usual"
            )
        if not 0 <= self.min_pixels <= self.max_pixels:
            raise ResolutionError(
                f"min_pixels {self.min_pixels} and max_pixels {self.max_pixels} do not make a range; "
                "0 <= min_pixels <= max_pixels is needed"
            )
        if self.max_pixels < self.factor**2:
            raise ResolutionError(
                f"max_pixels {self.max_pixels} is less than one visual token; "
                f"give at least {self.factor**2} ({self.factor} x {self.factor} px)"
            )
        if self.target_pixels is not None and not self.min_pixels <= self.target_pixels <= self.max_pixels:
            raise ResolutionError(
                f"target_pixels {self.target_pixels} lies outside {self.min_pixels} to {self.max_pixels}"
            )

    def fit(self, height: int, width: int) -> Size:
        """The size at which an image of ``height`` x ``width`` px is shown.

        Without a target this is ``fit_size``. With one, the image is first brought to the target area, and
        then within the
        bounds: a server that applies only the bounds leaves the result as it is.

        Raises:
            ResolutionError: as ``fit_size``.
        """
        if self.target_pixels is not None:
            height, width = fit_size(height, width, self.factor, self.target_pixels, self.target_pixels)
        return fit_size(height, width, self.factor, self.min_pixels, self.max_pixels)

    def tokens(self, size: Size) -> int:
        """Visual tokens of an image of a fitted size."""
        return (size[0] // self.factor) * (size[1] // self.factor)

    def with_max_pixels(self, max_pixels: int) -> Resolution:
        """The same with another upper bound; the lower bound and the target give way to it."""
        target = None if self.target_pixels is None else min(self.target_pixels, max_pixels)
        return replace(
            self, max_pixels=max_pixels, min_pixels=min(self.min_pixels, max_pixels), target_pixels=target
        )


def resolution_policy(name: PolicyName, resolution: Resolution) -> Resolution:
    """One of the resolution modes of the RSCoVLM paper, for a model that accepts ``resolution``.

    - ``native``: an image keeps its own size where the bounds allow ("Dynamic" in the paper's grounding
      table).
    - ``max``: each image is brought to the largest area, small ones are enlarged ("Max Mode" of the
      detection table).
    - ``min``: each image is brought to the smallest area ("Min Size").
    - ``small``: each image is brought to 144 visual tokens, 336 x 336 px at factor 28 ("Small Size"; 336 px
      is the fixed input of the LLaVA-1.5 family that the table compares with), or to the nearest area
      within the bounds.

    The reference evaluation fixes the area by ``min_pixels = max_pixels = side ** 2``, which this does first.

    Raises:
        ResolutionError: for another name.
    """
    targets = {
        "native": None,
        "max": resolution.max_pixels,
        "min": resolution.min_pixels,
        "small": min(max(SMALL_TOKENS * resolution.factor**2, resolution.min_pixels), resolution.max_pixels),
    }
    if name not in targets:
        raise ResolutionError(
            f"resolution policy {name!r} is unknown; choose from {', '.join(SIZE_POLICIES)}"
        )
    return replace(resolution, target_pixels=targets[name])


def random_size(
    height: int,
    width: int,
    resolution: Resolution,
    rng: np.random.Generator,
    draw: Literal["area", "linear"] = "area",
) -> Size:
    """A random size for a training image, within the bounds of ``resolution``.

    Args:
        height: rows of the image in px.
        width: columns of the image in px.
        resolution: the bounds; a target is ignored.
        rng: the source of randomness, seeded by the caller per item and epoch.
        draw: ``area`` draws the area uniformly between the bounds, whatever the image's own size.
            ``linear`` is the draw of the RSCoVLM reference code, kept to reproduce it: a ratio of areas,
            drawn uniformly, multiplies the *sides*, so that tiles of 512 px come out at the largest size
            about half the time and images of 4000 px mostly at the smallest.

    Raises:
        ResolutionError: for another draw, or as ``fit_size``.
    """
    factor, low, high = resolution.factor, resolution.min_pixels, resolution.max_pixels
    if draw == "area":
        target = max(1, round(rng.uniform(low, high)))
        height, width = fit_size(height, width, factor, target, target)
    elif draw == "linear":
        scale = rng.uniform(low / (height * width), high / (height * width))
        height, width = max(1, int(height * scale)), max(1, int(width * scale))
    else:
        raise ResolutionError(f"draw {draw!r} is unknown; choose 'area' or 'linear'")
    return fit_size(height, width, factor, low, high)
