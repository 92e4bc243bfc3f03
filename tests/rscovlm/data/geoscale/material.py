"""Views with things at known places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rscovlm.data.annotations import Thing
from rscovlm.data.geoscale.tiers import tier_of
from rscovlm.data.geoscale.views import ScaleView


@dataclass(frozen=True)
class Grey:
    """An even picture."""

    side: int = 100

    def read(self) -> np.ndarray:
        return np.full((self.side, self.side, 3), 90, np.uint8)


def thing(name, x, y, width, height):
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return Thing(name, np.array(corners, dtype=np.float64))


def view(gsd_m, *things, name="v", side=100):
    return ScaleView(name, name, Grey(side), side, gsd_m, tier_of(gsd_m), tuple(things), "test")
