"""Budget of one question: zooms, tokens, pixels, seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

Bound = Literal["zoom_budget", "view_budget", "time_budget", "pixel_budget"]
"""A bound that may end a question."""


@dataclass(frozen=True)
class Budget:
    """Upper bounds on the cost of one question; None stands for no bound.

    Attributes:
        max_zooms: crops shown, the overview not counted.
        max_visual_tokens: visual tokens of all images shown, the overview included. Where it binds, crops
            become smaller, down to the model's smallest size, and the overview takes at most half.
        max_pixels: pixels of all images shown, with the same effect.
        max_seconds: wall-clock time from the first look on, after which the model is asked for its answer. No
            single request to a server may take longer, nor less than a second: the question then fails.
        max_refusals: requests that could not be carried out and may be followed by another try.
        max_views: views that a tree search or a retrieval may judge, in place of ``max_zooms``; what the
            model asks for beside them counts as zooms.
        max_tiles: tiles that a sweep may look at, in place of ``max_zooms``; it looks at a scene of more at a
            reduced scale.

    Raises:
        ValueError: naming all values out of range.
    """

    max_zooms: int = 5
    max_visual_tokens: int | None = None
    max_pixels: int | None = None
    max_seconds: float | None = None
    max_refusals: int = 2
    max_views: int = 64
    max_tiles: int = 256

    def __post_init__(self) -> None:
        problems = [
            f"{field.name} {value} is negative"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None and not value >= 0
        ]
        if problems:
            raise ValueError("; ".join(problems) + "; use 0 or more, or leave it out where None is allowed")

    def pixels_left(self, spent_pixels: int, factor: int) -> float:
        """Pixels that may still be shown after ``spent_pixels``; infinite without a bound.

        Args:
            spent_pixels: area of all images shown so far.
            factor: side of the square of pixels that makes one visual token.
        """
        bounds = [self.max_pixels, self.max_visual_tokens and self.max_visual_tokens * factor**2]
        return min((bound for bound in bounds if bound is not None), default=float("inf")) - spent_pixels


@dataclass
class Spending:
    """What one question has cost so far. The driver charges it; policies read it.

    Attributes:
        started: when, by the clock of the driver.
        views: images shown, the overview included.
        judged: those of them that a search shows to find out where to look.
        pixels: of all of them.
        visual_tokens: of all of them.
        calls: requests to the model.
        prompt_tokens: of all requests, as the model counted them.
        completion_tokens: likewise, of all replies.
    """

    started: float = 0.0
    views: int = 0
    judged: int = 0
    pixels: int = 0
    visual_tokens: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def zooms(self) -> int:
        """Views beside the first, which is the overview, and those that a search judged."""
        return max(0, self.views - 1 - self.judged)
