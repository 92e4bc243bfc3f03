"""Maps of values on the grid of visual tokens, and the features of its places that decoders read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.data.example import FIELD
from rscovlm.errors import DataError
from rscovlm.models.heads.numbers.joining import side_by_side
from rscovlm.models.heads.numbers.states import States

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack


@dataclass(frozen=True, eq=False)
class GridStates:
    """Hidden states of S samples in their places.

    Attributes:
        tokens: (S, I, r, c, W) of visual tokens.
        words: (S, W) mean of the words before the first answer.
        seen: (S,) whether a sample has images.
        tapped: (S, I, r, c, W') features of the same tokens in the vision tower; None where not asked for.
        about: (S, 2) mean and deviation of the target in the region of each sample; None where no region is
            stated.
    """

    tokens: Tensor
    words: Tensor
    seen: Tensor
    tapped: Tensor | None = None
    about: Tensor | None = None

    def to(self, dtype: torch.dtype) -> GridStates:
        """The same states in another precision."""
        tapped = None if self.tapped is None else self.tapped.to(dtype)
        return replace(self, tokens=self.tokens.to(dtype), words=self.words.to(dtype), tapped=tapped)


def grid_states(states: States, pack: Pack, image_id: int, images: int) -> GridStates:
    """The states of a pack in their places.

    Args:
        states: of S samples.
        pack: that they are of.
        image_id: token that stands for a visual token.
        images: of each sample.

    Raises:
        DataError: images of several sizes, or other numbers of them.
    """
    merge = pack.spec.merge
    grids = {(rows // merge, columns // merge) for _, rows, columns in pack.image_grid_thw.tolist()}
    samples = len(states.seen)
    if not states.seen.any():
        parts = [_empty(each, samples, images) for each in (states.visual, states.tapped)]
        assert parts[0] is not None
        return GridStates(parts[0], states.said(), states.seen, parts[1])
    if len(grids) > 1:
        sizes = ", ".join(f"{across} x {down}" for down, across in sorted(grids))
        raise DataError(f"a dense head makes maps of images of one size, not of {sizes} visual tokens")
    rows, columns = next(iter(grids))
    owners = image_owners(pack, image_id)
    counts = torch.bincount(owners[owners >= 0], minlength=samples)[states.seen]
    if (counts != images).any():
        found = int(counts[counts != images][0])
        raise DataError(
            f"a dense head reads {images} images of each sample, and one has {found}; set images: {found}"
        )
    shape = (samples, images, rows, columns, -1)
    tapped = None if states.tapped is None else states.tapped.reshape(shape)
    return GridStates(states.visual.reshape(shape), states.said(), states.seen, tapped)


def _empty(states: Tensor | None, samples: int, images: int) -> Tensor | None:
    return None if states is None else states.new_zeros(samples, images, 1, 1, states.shape[2])


def image_owners(pack: Pack, image_id: int) -> Tensor:
    """(n,) the sample that each image of a pack belongs to; -1 for the dummy."""
    tokens = pack.image_grid_thw.prod(dim=1) // pack.spec.merge**2
    own: Tensor = pack.sample[0][pack.input_ids[0] == image_id]
    return own[tokens.cumsum(dim=0) - tokens]


def fields_of(pack: Pack, image_id: int, target: str) -> tuple[Tensor, Tensor] | None:
    """(S, h, w) values of a map and (S, h, w) where they are known; None where no image of the pack has one.

    Args:
        pack: with the image extra ``field/<target>``; a sample's is that of its first image.
        image_id: token that stands for a visual token.
        target: name of the map.
    """
    extras: Mapping[str, Tensor] = pack.image_extras
    stated = extras.get(FIELD + target)
    if stated is None:
        return None
    owners = image_owners(pack, image_id)
    found = stated.new_zeros(len(pack.learnt), *stated.shape[1:])
    for sample in range(len(pack.learnt)):
        mine = (owners == sample).nonzero()[:, 0]
        if len(mine):
            found[sample] = stated[mine[0]]
    return found[:, 0].float(), found[:, 1] > 0


def to_cells(values: Tensor, known: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Means over cells: (S, R, C) values, 0 where unknown, and (S, R, C) where anything of a cell is known.

    Args:
        values: (S, h, w).
        known: (S, h, w).
        rows, columns: R and C.
    """
    share = F.adaptive_avg_pool2d(known.float(), (rows, columns))
    total = F.adaptive_avg_pool2d(torch.where(known, values, 0.0), (rows, columns))
    return total / share.clamp_min(1e-6), share > 1e-6


def to_patches(cells: Tensor, detail: int) -> Tensor:
    """(S, r * c, k * k) values of each token's cells from (S, R, C)."""
    samples, rows, columns = cells.shape
    down, across = rows // detail, columns // detail
    parts = cells.reshape(samples, down, detail, across, detail).permute(0, 1, 3, 2, 4)
    return parts.reshape(samples, down * across, detail * detail)


def to_grid(patches: Tensor, rows: int, columns: int, detail: int) -> Tensor:
    """(S, R, C) from ``to_patches``."""
    samples = len(patches)
    parts = patches.reshape(samples, rows, columns, detail, detail).permute(0, 1, 3, 2, 4)
    return parts.reshape(samples, rows * detail, columns * detail)


class Condition(nn.Module):
    """Features of the places of visual tokens, from all images and the words, for a decoder.

    Images of one place say different things about it, so that their tokens are joined, not averaged.

    Args:
        width: of hidden states.
        inner: D, a multiple of 4.
        images: of each sample.
        vision_width: of the vision tower, whose features are joined as well; None for none.
        layers: blocks in which neighbouring places exchange.
    """

    def __init__(
        self, width: int, inner: int, images: int, vision_width: int | None = None, layers: int = 2
    ) -> None:
        super().__init__()
        if inner % 4 or inner < 4:
            raise TypeError(f"an inner width of {inner} is no multiple of 4")
        self.norm, self.words_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.join = nn.Linear(width * images, inner)
        self.words = nn.Linear(width, inner)
        if vision_width is not None:
            self.tapped_norm = nn.RMSNorm(vision_width)
            self.tapped = nn.Linear(vision_width * images, inner)
        self.reads_tower = vision_width is not None
        self.blocks = nn.ModuleList(nn.Conv2d(inner, inner, 3, padding=1) for _ in range(layers))

    def forward(self, states: GridStates) -> Tensor:
        """(S, r, c, D)."""
        found = self.join(_joined(self.norm(states.tokens)))
        found = found + self.words(self.words_norm(states.words))[:, None, None]
        if self.reads_tower:
            assert states.tapped is not None, "layers of the vision tower are read, and none were tapped"
            found = found + self.tapped(_joined(self.tapped_norm(states.tapped)))
        found = found + places_of(*found.shape[1:]).to(found)
        found = found.permute(0, 3, 1, 2)
        for block in self.blocks:
            found = found + block(F.gelu(found))
        features: Tensor = found.permute(0, 2, 3, 1)
        return features


def _joined(tokens: Tensor) -> Tensor:
    """(S, r, c, I * W) from (S, I, r, c, W)."""
    images, rows, columns = tokens.shape[1:4]
    joined: Tensor = side_by_side(tokens.flatten(1, 3), images).unflatten(1, (rows, columns))
    return joined


def places_of(rows: int, columns: int, inner: int) -> Tensor:
    """(rows, columns, inner) sines and cosines of where a place is, from 0 to 1 along each axis."""
    turns = math.pi * 2.0 ** torch.arange(inner // 4)
    down, across = (((torch.arange(n) + 0.5) / n)[:, None] * turns for n in (rows, columns))
    one = torch.cat([down.sin(), down.cos()], dim=1)[:, None].expand(-1, columns, -1)
    other = torch.cat([across.sin(), across.cos()], dim=1)[None].expand(rows, -1, -1)
    return torch.cat([one, other], dim=2)
