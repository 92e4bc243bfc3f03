"""Budget of one question: zooms, tokens, pixels, seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Budget:
    """Upper bounds on the cost of one question; None stands for no bound.

    Attributes:
        max_zooms: crops shown, the overview not counted.
        max_visual_tokens: visual tokens of all images shown, the overview included. Where it binds, crops
            become smaller, down to the model's smallest size, and the overview takes at most half.
        max_pixels: pixels of all images shown, with the same effect.
        max_seconds: wall-clock time from the question on, after which the model is asked for its answer.
        max_refusals: requests that could not be carried out and may be followed by another try.

    Raises:
        ValueError: naming all values out of range.
    """

    max_zooms: int = 5
    max_visual_tokens: int | None = None
    max_pixels: int | None = None
    max_seconds: float | None = None
    max_refusals: int = 2

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
