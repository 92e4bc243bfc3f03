"""A masked autoregressive decoder: patches of a map filled in over some rounds, from those that are there.

In training a random part of a map's patches is masked and learnt from the rest, as in MAR (Li et al., 2024).
At inference all are masked, and each round fills the next part of a random order, few at first (a cosine, as
in MaskGIT). Values that are known already stay as they are.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.models.heads.dense.decoder import Decoder, Learnt, draws_of, normal
from rscovlm.models.heads.dense.grids import to_grid, to_patches
from rscovlm.models.heads.distribution import Mixture

_FLOOR = 0.02  # least scaled standard deviation


class Masked(Decoder):
    """See the module.

    Args:
        inner: D, a multiple of 4.
        detail: k.
        rounds: of filling; 1 fills all at once.
        draws: maps that are filled, each in an order of its own; one is filled by means, several by draws.
        layers: of the transformer.
    """

    def __init__(self, inner: int, detail: int, rounds: int = 4, draws: int = 4, layers: int = 2) -> None:
        super().__init__(inner, detail)
        if rounds < 1 or draws < 1 or inner % 4:
            raise TypeError(
                f"rounds {rounds} and draws {draws} have to be 1 or more, width {inner} a multiple of 4"
            )
        self.rounds, self.draws = rounds, draws
        self.values = nn.Linear(2 * detail**2, inner)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(inner, 4, 2 * inner, 0.0, F.gelu, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.out = nn.Linear(inner, 2 * detail**2)

    def learn(self, places: Tensor, truth: Tensor, known: Tensor) -> Learnt:
        """Nats of the masked cells."""
        patches, usable = (to_patches(each.float(), self.detail) for each in (truth, known))
        samples, count = patches.shape[:2]
        share = torch.cos(torch.rand(samples, 1, device=patches.device) * math.pi / 2)
        hidden = torch.rand(samples, count, device=patches.device) < share.clamp_min(1 / max(1, count))
        mean, deviation = self._said(places, patches, usable * ~hidden[..., None])
        nats = 0.5 * ((patches - mean) / deviation) ** 2 + deviation.log() + 0.5 * math.log(2 * math.pi)
        weight = usable * hidden[..., None]
        loss = (nats * weight).sum() / weight.sum().clamp_min(1)
        return Learnt(loss, {"masked": hidden.float().mean() if samples else share.sum()})

    def forward(self, places: Tensor, generator: torch.Generator | None = None) -> Mixture:
        """A component a draw for each cell: what was said of it in the round that filled it."""
        drawn = draws_of(generator)
        filled = [self.fill(places, generator=drawn) for _ in range(self.draws)]
        means, deviations = (torch.stack([each[i].flatten() for each in filled], dim=1) for i in (1, 2))
        return Mixture(torch.full_like(means, -math.log(self.draws)), means, deviations)

    def fill(
        self, places: Tensor, given: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A map, and the mean and deviation that each cell had in the round that filled it.

        Args:
            places: (S, r, c, D).
            given: (S, R, C) scaled values that stay as they are, NaN elsewhere; None for none.
            generator: of the order and of what is drawn.

        Returns:
            three times (S, R, C); of given cells the mean is the value, and the deviation the least there is.
        """
        samples, rows, columns, _ = places.shape
        drawn, count = draws_of(generator), rows * columns
        shape = (samples, rows * self.detail, columns * self.detail)
        start = torch.full(shape, math.nan, device=places.device) if given is None else given.float()
        values = to_patches(start, self.detail)
        known = values.isfinite()
        values = values.nan_to_num(0.0)
        mean, deviation = values.clone(), torch.full_like(values, _FLOOR)
        order = torch.rand(samples, count, generator=drawn).argsort(dim=1).argsort(dim=1).to(places.device)
        for step in range(self.rounds):
            upto = round(count * (1 - math.cos((step + 1) / self.rounds * math.pi / 2)))
            now = ~known & (order < (count if step == self.rounds - 1 else upto))[..., None]
            said = self._said(places, values, known.float())
            mean, deviation = torch.where(now, said[0], mean), torch.where(now, said[1], deviation)
            noise = normal(tuple(mean.shape), drawn, mean) if self.draws > 1 else torch.zeros_like(mean)
            values = torch.where(now, mean + deviation * noise, values)
            known = known | now
        whole = [to_grid(each, rows, columns, self.detail) for each in (values, mean, deviation)]
        return whole[0], whole[1], whole[2]

    def _said(self, places: Tensor, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Means and deviations (S, r * c, k * k) of all cells, from the values that are known (1, else 0)."""
        given = torch.cat([values * known, known], dim=2).to(places.dtype)
        found = places.flatten(1, 2) + self.values(given)
        if len(found):
            for layer in self.layers:
                found = layer(found)
        mean, raw = self.out(found).float().chunk(2, dim=2)
        return mean, _FLOOR + F.softplus(raw)
