"""The task of finding objects: words, reading of replies, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detection_eval.detections import Detections
from detection_eval.metrics.counts import count_image
from detection_eval.text.contract import Contract, detection_prompt
from detection_eval.text.parsing import ParsedResponse, parse_response
from rscovlm.tasks.task import Counts, Prompt, rates, total
from tiling.view import Size
from zoom_chain.answers import spoken_text

LEVEL = 0.5
"""IoU from which a box is right."""


@dataclass(frozen=True)
class Detection:
    """Where are all objects of some classes?

    Attributes:
        contract: how boxes are written.
        classes: to find; None for whatever there is.
        aliases: other words for a class in replies, as {word: class}.
    """

    contract: Contract
    classes: tuple[str, ...] | None = None
    aliases: Mapping[str, str] | None = None

    def prompt(self, subject: str = "") -> Prompt:
        """Ask for the classes in the contract's own words."""
        return Prompt(*detection_prompt(self.contract, self.classes))

    def read(self, text: str, size: Size) -> ParsedResponse:
        """The boxes of a reply in pixels, and what could not be read of it."""
        return parse_response(
            spoken_text(text), self.contract, self.classes, size.width, size.height, aliases=self.aliases
        )

    def parse(self, text: str, size: Size) -> Detections:
        """The boxes of a reply in pixels."""
        return self.read(text, size).detections

    def score(self, parsed: Detections, truth: Detections) -> Counts:
        """``f1@0.5``, ``precision@0.5`` and ``recall@0.5``, all classes counted as one."""
        return total([_counts(0, 0, 0), *self.score_classes(parsed, truth).values()])

    def score_classes(self, parsed: Detections, truth: Detections) -> dict[str, Counts]:
        """The counts of each class that is found or should be, by name."""
        return {
            name: _counts(counts.true.sum(), counts.false.sum(), counts.missed.sum())
            for name, counts in count_image(parsed, truth, LEVEL).items()
        }

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``f1@0.5``, ``precision@0.5`` and ``recall@0.5`` in [0, 1].

        Nothing found where nothing is has the F1 of a perfect answer; precision without boxes and recall
        without objects are left out.
        """
        perfect = {"f1@0.5": 1.0} if counts.get("f1@0.5/of") == 0 else {}
        return perfect | rates(counts, "f1@0.5", "precision@0.5", "recall@0.5")


def _counts(right: float, wrong: float, missed: float) -> Counts:
    right, found, objects = float(right), float(right + wrong), float(right + missed)
    return {
        **{"f1@0.5/hits": 2 * right, "f1@0.5/of": found + objects},
        **{"precision@0.5/hits": right, "precision@0.5/of": found},
        **{"recall@0.5/hits": right, "recall@0.5/of": objects},
    }
