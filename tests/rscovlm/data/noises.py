"""Random examples of different lengths, some of them broken."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rscovlm.errors import DataError
from rscovlm.models.patches import PatchSpec
from rscovlm.models.positions import RopeSpec
from tests.rscovlm.data.examples import encoded

SPEC, ROPE = PatchSpec(14, 2, 2, (0.5,) * 3, (0.5,) * 3), RopeSpec(7)


def cost(example):
    """A cost that grows faster than the length."""
    return float(len(example.ids)) ** 2


@dataclass(frozen=True)
class Torn:
    """A picture that cannot be read."""

    size: tuple

    def read(self):
        raise OSError("file is torn")


@dataclass
class Noises:
    """Random examples of different lengths, some broken in one way or another."""

    name: str
    size: int = 40
    broken: tuple = ()
    torn: tuple = ()
    encodes: int = 0
    in_order: bool = False

    def __len__(self):
        return self.size

    def encode(self, index, visit):
        self.encodes += 1
        if index in self.broken:
            raise DataError(f"sample {index} has no answer\nsecond line")
        rng = np.random.default_rng([index, visit])
        images = [(1, int(rng.integers(1, 4)))] * int(rng.integers(0, 3))
        answer = int(rng.choice([2, 12, 60]))
        example = encoded(SPEC, ROPE, index, answer=answer, images=images, source=self.name, visit=visit)
        if index in self.torn:
            return replace(example, pictures=tuple(Torn(p.size) for p in example.pictures))
        return example
