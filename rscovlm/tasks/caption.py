"""Captioning: an image in a sentence or more."""

from __future__ import annotations

from dataclasses import dataclass

from rscovlm.scoring.captions import rouge_l
from rscovlm.tasks.task import Counts, Prompt, rates
from tiling.view import Size
from zoom_chain.answers import spoken_text


@dataclass(frozen=True)
class Captioning:
    """What does the image show?

    Attributes:
        words: that ask for a description.
    """

    words: str = "Describe the image."

    def prompt(self, subject: str = "") -> Prompt:
        """Ask for a description; a subject takes the place of the words."""
        return Prompt(None, subject or self.words)

    def parse(self, text: str, size: Size | None = None) -> str:
        """The reply without leading thoughts."""
        return spoken_text(text)

    def score(self, parsed: str, truth: str) -> Counts:
        """``rouge_l``, the F measure of the longest common subsequence of words."""
        return {"rouge_l/hits": rouge_l(parsed, [truth]), "rouge_l/of": 1.0}

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``rouge_l`` in [0, 1]."""
        return rates(counts, "rouge_l")
