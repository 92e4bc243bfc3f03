"""Curricula: an order of samples from easy to hard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from configs import ConfigError
from configs.checking import Section
from rscovlm.data.example import Source


class Curriculum(Section):
    """An order from easy to hard, which fades: each sample is still seen once in a pass.

    Attributes:
        by: name among the samples' numbers: uncertainty of the label (``agbd_se``), its size
            (``agb_mg_per_ha``), complexity (``patch_count``), a column of a table of one's own, or what the
            files of plots say, such as ``S2_vegetation_score``.
        easy: which end of it is easy.
        strength: of the order in the first epoch: 1 sorts, 0 shuffles, between them both count.
        epochs: over which the strength falls to 0.
    """

    by: str
    easy: Literal["low", "high"] = "low"
    strength: float = Field(default=1.0, gt=0, le=1)
    epochs: float = Field(default=1.0, gt=0)

    def strength_in(self, epoch: int) -> float:
        """Strength in an epoch, counted from 0."""
        return self.strength * max(0.0, 1 - epoch / self.epochs)


def hardness(sources: Mapping[str, Source], curriculum: Curriculum) -> dict[str, NDArray[np.float64]]:
    """(n,) of each source: the share of all samples that are easier, 0 to 1; 0.5 where it is unknown.

    Raises:
        ConfigError: a source comes in its own order, or has no such number.
    """
    stated = {}
    for name, source in sources.items():
        values = None if source.in_order else getattr(source, "values", lambda _: None)(curriculum.by)
        if values is None or not np.isfinite(values).any():
            told = "comes in an order of its own" if source.in_order else f"has no number {curriculum.by}"
            raise ConfigError(f"curriculum: source {name} {told}")
        stated[name] = np.asarray(values, np.float64) * (1 if curriculum.easy == "low" else -1)
    every = np.sort(np.concatenate([values[np.isfinite(values)] for values in stated.values()]))
    middles = {
        name: (np.searchsorted(every, values, "left") + np.searchsorted(every, values, "right")) / 2
        for name, values in stated.items()
    }
    return {
        name: np.where(np.isfinite(values), middles[name] / len(every), 0.5)
        for name, values in stated.items()
    }
