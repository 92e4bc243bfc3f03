"""Counting: how many of something there are."""

from __future__ import annotations

from dataclasses import dataclass

from rscovlm.scoring.answers import count_in
from rscovlm.tasks.task import Counts, Prompt, hit, rates
from tiling.view import Size
from zoom_chain.answers import spoken_text


@dataclass(frozen=True)
class Counting:
    """A question whose answer is a whole number that is not negative."""

    def prompt(self, subject: str = "") -> Prompt:
        """The question as it is."""
        return Prompt(None, subject)

    def parse(self, text: str, size: Size | None = None) -> int | None:
        """The count that the reply states; None where it states none or several."""
        return count_in(spoken_text(text))

    def score(self, parsed: int | None, truth: int | None) -> Counts:
        """``accuracy``; ``mean_absolute_error`` and ``bias`` of the replies that state a count."""
        if parsed is None or truth is None:
            return hit("accuracy", False)
        error = float(parsed - truth)
        return {
            **hit("accuracy", parsed == truth),
            **{"mean_absolute_error/hits": abs(error), "mean_absolute_error/of": 1.0},
            **{"bias/hits": error, "bias/of": 1.0},
        }

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``accuracy`` in [0, 1]; ``mean_absolute_error`` and ``bias`` (positive: too many) in objects."""
        return rates(counts, "accuracy", "mean_absolute_error", "bias")
