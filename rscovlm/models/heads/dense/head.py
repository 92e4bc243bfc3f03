"""DenseHead: a map of numbers about each sample with their uncertainty, in the unit of its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rscovlm.models.heads.base import PredictiveHead, Term
from rscovlm.models.heads.dense.codebook import Codebook
from rscovlm.models.heads.dense.decoder import Decoder
from rscovlm.models.heads.dense.diffusion import Diffusion
from rscovlm.models.heads.dense.grids import Condition, GridStates, fields_of, grid_states, to_cells
from rscovlm.models.heads.dense.masked import Masked
from rscovlm.models.heads.distribution import Distribution, picked, scaled
from rscovlm.models.heads.distribution.recalibrated import recalibrated
from rscovlm.models.heads.numbers.bounded import bounded
from rscovlm.models.heads.numbers.states import states_of

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel

DECODERS: dict[str, type[Decoder]] = {"diffusion": Diffusion, "codebook": Codebook, "masked": Masked}
"""Decoders by the names that configurations use."""


@dataclass(frozen=True, eq=False)
class Field:
    """Maps of S samples.

    Attributes:
        inner: the distributions of all cells, S * R * C of them, before they are held within what can be.
        shape: S, R and C.
        low, high: least and largest value that can be; None for none.
    """

    inner: Distribution
    shape: tuple[int, int, int]
    low: float | None = None
    high: float | None = None

    @property
    def cells(self) -> Distribution:
        """The distributions of all cells."""
        return bounded(self.inner, self.low, self.high)

    @property
    def mean(self) -> Tensor:
        """(S, R, C)."""
        return self.cells.mean.view(self.shape)

    @property
    def variance(self) -> Tensor:
        """(S, R, C)."""
        return self.cells.variance.view(self.shape)

    def quantile(self, level: float) -> Tensor:
        """(S, R, C)."""
        return self.cells.quantile(level).view(self.shape)

    def middle(self) -> Distribution:
        """The distributions of the S cells in the middle; of even numbers, those right and below of it."""
        samples, rows, columns = self.shape
        first = torch.arange(samples, device=self.inner.mean.device) * rows * columns
        found = picked(self.inner, first + rows // 2 * columns + columns // 2)
        return bounded(found, self.low, self.high)


class DenseHead(PredictiveHead):
    """Features of places, and a decoder that makes maps of them.

    Args:
        width: of the hidden states.
        target: name of the samples' map; samples without it do not count.
        decoder: name in ``DECODERS`` with its settings.
        images: of each sample.
        detail: cells along the side of a visual token.
        inner: width of the decoder, a multiple of 4.
        mean, deviation: value and change of the target that are 0 and 1 inside the head; where a sample
            states those of its region (``rscovlm.models.regions``), they take their place in all cells.
        low, high: least and largest value that can be; None for none. Maps are held within them.
        weight: of the head's loss beside the cross-entropy of answers.
        taps: layers of the vision tower that are read besides, by index from 0; empty for none.
        vision_width: of the vision tower, where it is read.

    Raises:
        TypeError: for a decoder or settings that do not exist.
    """

    def __init__(
        self,
        width: int,
        target: str,
        decoder: Mapping[str, Any] | None = None,
        images: int = 1,
        detail: int = 1,
        inner: int = 64,
        mean: float = 0.0,
        deviation: float = 1.0,
        low: float | None = None,
        high: float | None = None,
        weight: float = 1.0,
        taps: Sequence[int] = (),
        vision_width: int | None = None,
    ) -> None:
        settings = {
            name: value for name, value in locals().items() if name not in ("self", "width", "__class__")
        }
        super().__init__(width, **settings)
        own = dict(decoder or {"name": "diffusion"})
        kind = own.pop("name")
        if kind not in DECODERS:
            raise TypeError(f"decoder {kind!r} is unknown; choose from {', '.join(DECODERS)}")
        self.condition = Condition(width, inner, images, vision_width if taps else None)
        self.decoder = DECODERS[kind](inner, detail, **own)

    def forward(self, states: GridStates) -> Distribution:
        """The distributions of the S cells in the middle, in the target's unit."""
        return self.field(states).middle()

    def field(self, states: GridStates, generator: torch.Generator | None = None) -> Field:
        """Maps in the target's unit.

        Args:
            states: of S samples.
            generator: of what is drawn; None draws the same at every call.
        """
        places = self._places(states)
        samples, rows, columns, _ = places.shape
        detail = self.settings["detail"]
        shape = (samples, rows * detail, columns * detail)
        about = self._about(states).repeat_interleave(shape[1] * shape[2], dim=0)
        found = scaled(self.decoder(places, generator), about[:, 0], about[:, 1])
        return Field(found, shape, self.settings["low"], self.settings["high"])

    def stated_field(self, states: GridStates) -> Field:
        """Maps after the head's recalibration, where there is one; that of the middle holds for all cells."""
        found = self.field(states)
        if self.steps is None:
            return found
        return replace(found, inner=recalibrated(found.cells, self.steps, found.low, found.high))

    def _about(self, states: GridStates) -> Tensor:
        """(S, 2) value and change of the target that are 0 and 1 inside the head."""
        if states.about is not None:
            return states.about.float()
        own = torch.tensor(self.units, device=states.seen.device)
        return own.expand(len(states.seen), 2)

    def _places(self, states: GridStates) -> Tensor:
        found: Tensor = self.condition(states.to(next(self.parameters()).dtype))
        return found

    def states(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[Tensor],
        pack: Pack,
        tapped: Tensor | None = None,
    ) -> GridStates:
        """The states that it reads of a pack."""
        image_id = model.config.image_token_id
        found = states_of(hidden[-1][0], pack, image_id, tapped=tapped)
        grid = grid_states(found, pack, image_id, self.settings["images"])
        return replace(grid, about=self.standing(pack.sample_extras))

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[Tensor],
        pack: Pack,
        tapped: Tensor | None = None,
    ) -> Mapping[str, Term]:
        """``<target>_map``: the loss over known cells; what the decoder has to tell, without a weight."""
        states = self.states(model, hidden, pack, tapped)
        fields = fields_of(pack, model.config.image_token_id, self.target)
        return self.loss(states, fields)

    def loss(self, states: GridStates, fields: tuple[Tensor, Tensor] | None) -> Mapping[str, Term]:
        """The parts of the loss, as ``terms`` has them.

        Args:
            states: of S samples.
            fields: (S, h, w) values and where they are known; None where no sample has any.
        """
        places, detail = self._places(states), self.settings["detail"]
        samples, rows, columns, _ = places.shape
        cells = (rows * detail, columns * detail)
        if fields is None:
            truth = torch.zeros(samples, *cells, device=places.device)
            known = torch.zeros_like(truth, dtype=torch.bool)
        else:
            truth, known = to_cells(*fields, *cells)
        known = known & states.seen[:, None, None]
        mean, deviation = self._about(states).T[:, :, None, None]
        learnt = self.decoder.learn(places, torch.where(known, (truth - mean) / deviation, 0.0), known)
        terms = {f"{self.target}_map": Term(learnt.loss, self.settings["weight"])}
        return terms | {f"{self.target}_map_{name}": Term(value, 0.0) for name, value in learnt.seen.items()}
