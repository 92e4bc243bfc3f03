"""Zoom requests to views: the window shown, the detail added, and refusals, as pure functions of views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tiling.errors import SceneError
from tiling.gsd import gsd_of_view, range_of_scene, resolve_gsd
from tiling.resolution import Resolution
from tiling.view import View, Window
from zoom_chain.chat import ImagePart
from zoom_chain.errors import ZoomError, require

if TYPE_CHECKING:
    from tiling.gsd import Gsd, Range
    from tiling.scene import Scene

_NEARLY_ALL = 0.95
_MOST, _READABLE = 0.8, 0.2  # of the evidence's area, and of the view's side
_NO_SIDE = 1e-3  # scene px; a box thinner than this is a line


@dataclass(frozen=True)
class CropRule:
    """Rules that turn a requested box into the window that is read.

    Attributes:
        margin: context added on each side, as a fraction of the box's side, and no less than one unit of
            the dialect's coordinates, since a written box is only that exact (27 px of a scene of 27,000 px
            for a 0-1000 coordinate). 0 reads the box as it was written.
        min_side_px: a window is at least this wide and high, in scene pixels.
        max_aspect: a window's longer side is at most this many times its shorter one.
        repeat_iou: a window that overlaps an earlier view by this much is a repetition.
        min_gain: how many times finer a crop must resolve the source than any view so far of the same
            part, else it is refused, because a zoom that adds no detail only spends budget; where that
            holds for the whole scene the tool is not offered. 0 shows every crop, also where the source has
            no more pixels, as the published RSCoVLM data do.
        min_visual_tokens: a crop is shown with at least this many visual tokens, enlarged where it is small.

    Raises:
        ValueError: naming all values out of range.
    """

    margin: float = 0.05
    min_side_px: float = 32.0
    max_aspect: float = 4.0
    repeat_iou: float = 0.9
    min_gain: float = 1.05
    min_visual_tokens: int = 0

    def __post_init__(self) -> None:
        checks = {
            f"margin {self.margin} is not between 0 and 10": 0 <= self.margin <= 10,
            f"min_side_px {self.min_side_px} is below 1": self.min_side_px >= 1,
            f"max_aspect {self.max_aspect} is not between 1 and 200": 1 <= self.max_aspect <= 200,
            f"repeat_iou {self.repeat_iou} is not above 0 and at most 1": 0 < self.repeat_iou <= 1,
            f"min_gain {self.min_gain} is negative": self.min_gain >= 0,
            f"min_visual_tokens {self.min_visual_tokens} is negative": self.min_visual_tokens >= 0,
        }
        require(checks)


Refusal = Literal["invalid_request", "repeated_view", "no_more_detail", "no_data", "pixel_budget"]


class RefusedRequest(ZoomError):
    """A request that cannot be carried out; the message says why, in words for the model.

    Attributes:
        kind: reason of the refusal.
    """

    def __init__(self, kind: Refusal, reason: str):
        super().__init__(reason)
        self.kind = kind


def scene_gsd(scene: Scene, model: object, resolution: Resolution) -> Gsd:
    """The ground sampling distance of a scene: stated, measured or looked up, else as a model estimates it.

    Args:
        scene: any open scene.
        model: one that can estimate it from pixels has ``estimate_gsd``, which takes an image and gives a
            range in metres per pixel, or None.
        resolution: the image sizes that the model accepts.
    """
    found, estimate = resolve_gsd(scene), getattr(model, "estimate_gsd", None)
    if found.source != "unknown" or estimate is None:
        return found
    view = scene.overview(resolution)
    try:
        shown: Range | None = estimate(ImagePart(scene.read(view).pixels))
    except SceneError:  # whoever looks at it next will say so
        return found
    return found if shown is None else resolve_gsd(scene, predicted=range_of_scene(shown, view))


def image_of(scene: Scene, view: View, gsd: Gsd | None = None) -> ImagePart:
    """A view as a model sees it, with the scale at which it is shown.

    Args:
        scene: to read.
        view: of it.
        gsd: of the scene; None looks it up.

    Raises:
        SceneError: it cannot be read.
    """
    shown = gsd_of_view(scene, view, resolve_gsd(scene) if gsd is None else gsd)
    return ImagePart(scene.read(view).pixels, gsd_m=shown.metres)


def requested_window(frame: View, box: Iterable[float], scene: Window) -> tuple[Window, tuple[str, ...]]:
    """The part of the scene inside a box, and what had to be mended about the box.

    Args:
        frame: the view that the box was drawn in.
        box: x1, y1, x2, y2 as fractions of that view's width and height.
        scene: the whole scene.

    Raises:
        RefusedRequest: the box has no area or lies outside the scene.
    """
    x1, y1, x2, y2 = box
    notes: list[str] = []
    if x1 > x2 or y1 > y2:
        notes.append("the corners of the box were exchanged")
        (x1, x2), (y1, y2) = sorted((x1, x2)), sorted((y1, y2))
    height, width = frame.size
    corners = frame.to_scene([(x1 * width, y1 * height), (x2 * width, y2 * height)])
    if np.min(np.abs(corners[1] - corners[0])) < _NO_SIDE:
        raise RefusedRequest("invalid_request", "the box has no area")
    window = Window.around(corners)
    inside = window.intersection(scene)
    if inside is None or min(inside.width, inside.height) < _NO_SIDE:
        raise RefusedRequest("invalid_request", "the box lies outside the image")
    if not scene.pad(1e-6 * max(scene.width, scene.height)).contains(window):
        notes.append("the box reached beyond the scene and was cut")
    return inside, tuple(notes)


def crop_window(window: Window, quantum: tuple[float, float], scene: Window, rule: CropRule) -> Window:
    """The window to read for a requested one: margin, least side and aspect, kept inside the scene.

    Args:
        window: the part of the scene that was asked for, in scene pixels.
        quantum: one unit of the coordinates that the box was written in, along x and y, in scene pixels.
        scene: the whole scene. At its border the window is moved rather than cut where it can be.
        rule: margin and limits.
    """
    width, height = window.width, window.height
    if rule.margin > 0:
        width += 2 * max(rule.margin * width, quantum[0])
        height += 2 * max(rule.margin * height, quantum[1])
    least = max(rule.min_side_px, max(width, height) / rule.max_aspect)
    return window.resized(max(width, least), max(height, least)).moved_inside(scene)


def within(resolution: Resolution, pixels: float) -> Resolution:
    """A model's sizes, reduced where no more than ``pixels`` may be shown; never below its smallest one."""
    if pixels >= resolution.max_pixels:
        return resolution
    return resolution.with_max_pixels(max(int(pixels), least_pixels(resolution)))


def least_pixels(resolution: Resolution) -> int:
    """The area of the smallest view that a model takes."""
    return max(resolution.min_pixels, resolution.factor**2)


def crop_view(scene: Scene, window: Window, resolution: Resolution, rule: CropRule) -> View:
    """A window at the size of a crop: with the least visual tokens of one, within the largest area."""
    plain = scene.view(window, resolution)
    least = rule.min_visual_tokens * resolution.factor**2
    if least <= resolution.min_pixels:
        return plain
    enlarged = scene.view(window, replace(resolution, min_pixels=min(least, resolution.max_pixels)))
    # Sides are rounded up to reach a least area, which may step over the largest one beside it.
    fits = enlarged.size.height * enlarged.size.width <= resolution.max_pixels
    return enlarged if fits else plain


def plan_crop(
    scene: Scene,
    window: Window,
    requested: Window,
    shown: Sequence[View],
    resolution: Resolution,
    pixels_left: float,
    rule: CropRule,
) -> tuple[View, float]:
    """The view of a window, and how many times finer it is than what was shown of the part asked for.

    Args:
        scene: of which no pixel is read.
        window: to read.
        requested: the part that was asked for, which the window may exceed.
        shown: the views so far, the overview first.
        resolution: the sizes that the model accepts.
        pixels_left: that may still be shown.
        rule: what repeats an earlier view, and which gain is enough.

    Raises:
        RefusedRequest: it would repeat a view, or bring too little.
    """
    view = crop_view(scene, window, within(resolution, pixels_left), rule)
    for number, earlier in enumerate(shown):
        if earlier.window.iou(view.window) >= rule.repeat_iou:
            raise RefusedRequest(
                "repeated_view", f"image {number} already shows this part; answer, or look elsewhere"
            )
    gain = detail_gain(view, requested, shown)
    if gain >= rule.min_gain:
        return view, gain
    unbounded = crop_view(scene, window, resolution, rule)
    if detail_gain(unbounded, requested, shown) >= rule.min_gain:
        raise RefusedRequest(
            "pixel_budget",
            "too little of the budget is left to show this part any closer; "
            "answer, or ask for a smaller part",
        )
    raise RefusedRequest(
        "no_more_detail",
        "the scene has no more detail there than you have seen; answer, or look elsewhere",
    )


def detail_gain(view: View, requested: Window, shown: Sequence[View]) -> float:
    """Gain in resolution of a view over the best earlier view of the window asked for.

    Enlarging beyond the source's own pixels adds no detail: scales finer than one scene pixel per view
    pixel count as one.

    Args:
        view: the view that would be shown.
        requested: the part of the scene that was asked for, which the view may exceed.
        shown: the views so far, the overview first. One that shows nearly all of the part counts.
    """
    holders = [other for other in shown if _share_inside(requested, other.window) >= _NEARLY_ALL]
    return min(coarseness(other) for other in holders or shown[:1]) / coarseness(view)


def _share_inside(part: Window, whole: Window) -> float:
    common = part.intersection(whole)
    return common.area / part.area if common else 0.0


def shows_evidence(window: Window, evidence: Window) -> bool:
    """Whether a view of a window shows what has to be seen, large enough to be read (a zoom hit).

    It holds at least 0.8 of the evidence's area, and the evidence's longer side is at least a fifth of the
    window's side (geometric mean of width and height).
    """
    side = window.area**0.5
    large = max(evidence.width, evidence.height) >= _READABLE * side
    return large and _share_inside(evidence, window) >= _MOST


def coarseness(view: View) -> float:
    """Scene pixels per view pixel (geometric mean of x and y), one where the view shows all there are."""
    return float((max(1.0, view.scale[0]) * max(1.0, view.scale[1])) ** 0.5)
