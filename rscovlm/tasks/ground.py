"""Visual grounding: the box of what a phrase names, horizontal or rotated as the contract writes boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.overlap import pair_iou
from detection_eval.text.contract import Contract, Json
from detection_eval.text.parsing import parse_first_box
from rscovlm.tasks.task import Counts, Prompt, filled, hit, rates
from tiling.view import Size
from zoom_chain.answers import spoken_text

LEVEL = 0.5
"""IoU from which a box is right."""


@dataclass(frozen=True)
class Grounding:
    """Where is what a phrase names?

    Attributes:
        contract: how boxes are written.
        words: that ask for a box, with ``{phrase}`` in them; None takes the contract's own.
    """

    contract: Contract
    words: str | None = None

    def prompt(self, subject: str = "") -> Prompt:
        """Ask for the phrase, in the contract's own words unless others are given."""
        if self.words is not None:
            return Prompt(self.contract.system, filled(self.words, phrase=subject))
        if isinstance(self.contract.syntax, Json):  # its words are about lists of classes
            words = f"Locate the {subject}, output the bbox coordinates using JSON format"
        else:
            words = self.contract.user.format(classes=subject)
        return Prompt(self.contract.system, words)

    def parse(self, text: str, size: Size) -> NDArray[np.float64] | None:
        """(1, 4, 2) the first box of the reply in pixels; None where there is none."""
        return parse_first_box(spoken_text(text), self.contract, size.width, size.height)

    def score(self, parsed: NDArray[np.float64] | None, truth: NDArray[np.float64] | None) -> Counts:
        """``acc@0.5``: whether the boxes overlap by half."""
        found = parsed is not None and truth is not None and pair_iou(parsed, truth)[0] >= LEVEL
        return hit("acc@0.5", bool(found))

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``acc@0.5`` in [0, 1]."""
        return rates(counts, "acc@0.5")
