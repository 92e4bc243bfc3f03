"""Stages of a visit to a sample: Example (words and pictures), then Encoded (tokens).

Neither holds pixels, so that lengths are known, and packs are planned, from text and image headers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import DataError
from tiling.errors import SceneError
from zoom_chain.chat import Conversation, Picture

BROKEN = (DataError, SceneError, OSError)
"""Exceptions of reading a broken sample; anything else is a fault of the program."""


class Key(NamedTuple):
    """Which visit to which sample: all that random choices may depend on besides the seed.

    Attributes:
        source: name of the source in the mix.
        index: of the sample in the source.
        visit: how often the sample has been drawn before, over all epochs and repeats.
    """

    source: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls
    visit: int


FIELD = "field/"
"""Prefix of arrays of pictures that hold maps for dense heads: (2, height, width) values over the picture's
extent, and 1 where they are known, else 0."""


class BoxText(str):
    """Text that states boxes: its numbers are coordinates, for which a near miss is nearly right."""

    __slots__ = ()


@dataclass(frozen=True)
class Example:
    """A conversation as it will be shown: words final, pictures sized but not read.

    Attributes:
        conversation: in which assistant turns are learnt; its text may hold ``BoxText``.
        key: where it comes from.
        task: for the log and for weights by task.
        form: the format drawn for boxes (a contract's name), or "".
        cut: boxes left out of the answer to keep its length within bounds.
        numbers: what is known of the sample as numbers, by name, units in the name.
        given: first assistant turns that are part of what is asked, and not learnt.
    """

    conversation: Conversation
    key: Key
    task: str
    form: str = ""
    cut: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)
    given: int = 0


@dataclass(frozen=True)
class Encoded:
    """An example as a model reads it.

    Attributes:
        ids: (length,) int64 token ids, each picture as many placeholders as it has visual tokens.
        learnt: (length,) bool, whether the token is a target: assistant text and its end-of-turn token.
        positions: (3, length) int64 M-RoPE positions from 0.
        pictures: in order of their placeholders.
        grids: (pictures, 3) int64 frames, rows and columns of each picture in patches.
        key, task: of the example.
        tokens: further arrays (length, ...) that an objective wants of each token, by name.
        images: further arrays (pictures, ...) that an objective wants of each picture, by name.
        form: the format drawn for boxes (a contract's name), or "".
        cut: boxes left out to keep the length within bounds.
        numbers: what a head may want of the sample, by name.
    """

    ids: NDArray[np.int64]
    learnt: NDArray[np.bool_]
    positions: NDArray[np.int64]
    pictures: tuple[Picture, ...]
    grids: NDArray[np.int64]
    key: Key
    task: str
    tokens: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    images: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    form: str = ""
    cut: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def patches(self) -> int:
        """Patches that the vision tower sees."""
        return int(self.grids.prod(axis=1).sum()) if len(self.grids) else 0


class Source(Protocol):
    """Where encoded examples come from: a sample file, or a generator of synthetic ones."""

    name: str

    @property
    def in_order(self) -> bool:
        """Whether samples are drawn in their own order, as those of generators are."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def encode(self, index: int, visit: int) -> Encoded:
        """The example of a visit: a pure function of (seed, name, index, visit).

        Raises:
            DataError: the sample is broken; the caller counts it and goes on.
        """
        ...
