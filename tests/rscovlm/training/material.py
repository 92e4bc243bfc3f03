"""A small source of encoded examples with painted pictures, and tiny checkpoints to learn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rscovlm.data.example import Encoded, Example, Key
from rscovlm.data.randomness import generator
from tiling.view import Size
from zoom_chain.chat import Conversation

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "yes": (30, 200, 30), "no": (200, 200, 30)}


@dataclass(frozen=True)
class Painted:
    """A picture of one colour with some noise."""

    size: Size
    colour: tuple[int, int, int]
    seed: int
    gsd_m: float | None = None

    def read(self) -> np.ndarray:
        noise = np.random.default_rng(self.seed).integers(-20, 20, (*self.size, 3))
        return np.clip(np.array(self.colour) + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class PaintedSource:
    """Asks for the colour of pictures of many sizes and scales; every fourth has no picture and no number."""

    name: str
    encoder: object
    factor: int
    length: int = 64
    seed: int = 0
    task: str = "vqa"
    in_order: bool = False

    def __len__(self) -> int:
        return self.length

    def encode(self, index: int, visit: int) -> Encoded:
        rng = generator(self.seed, self.name, index, visit)
        word = str(rng.choice(list(COLOURS)))
        if index % 4 == 3:
            numbers: dict[str, float] = {}
            asked: tuple = (f"How many ships? {' ship' * int(rng.integers(1, 9))}",)
        else:
            height, width = (int(side) * self.factor for side in rng.integers(2, 5, 2))
            gsd_m = 10 ** generator(self.seed, self.name, index, visit, "scale").uniform(-1, 1.5)
            picture = Painted(Size(height, width), COLOURS[word], int(rng.integers(1 << 30)), gsd_m)
            numbers = {"redness": float(COLOURS[word][0])}
            asked = (picture, "What colour are the planes at the airport?")
        answer = " ".join([word] * int(rng.integers(1, 7)))
        conversation = Conversation().say("user", *asked).say("assistant", answer)
        return self.encoder.encode(
            Example(conversation, Key(self.name, index, visit), self.task, numbers=numbers)
        )
