"""A codebook decoder: patches of a map as codes, which are said one after the other.

A patch of k x k values goes through a linear layer to its nearest code (van den Oord et al., 2017: straight-
through gradients, codebook and commitment losses) and back. Which code a place has is said from its feature
and from the codes before it, row by row. What codes cannot tell, the quantisation floor, is the spread of
each code's values.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.models.heads.dense.decoder import Decoder, Learnt, draws_of
from rscovlm.models.heads.dense.grids import to_grid, to_patches
from rscovlm.models.heads.distribution import Mixture

_COMMITMENT = 0.25  # of the paper
_FLOOR = 0.02  # least scaled standard deviation of a code's values


class Codebook(Decoder):
    """See the module.

    Args:
        inner: D.
        detail: k.
        codes: how many there are, 2 or more.
        draws: sequences of codes at inference, whose probabilities are averaged; 1 says the likeliest codes.
    """

    def __init__(self, inner: int, detail: int, codes: int = 64, draws: int = 4) -> None:
        super().__init__(inner, detail)
        if codes < 2 or draws < 1:
            raise TypeError(f"codes {codes} have to be 2 or more, draws {draws} 1 or more")
        self.draws, cells = draws, detail**2
        self.encode, self.decode = nn.Linear(cells, cells), nn.Linear(cells, cells)
        self.codes = nn.Parameter(torch.empty(codes, cells))
        self.spread = nn.Parameter(torch.zeros(codes))
        self.before = nn.GRUCell(inner, inner)
        self.said = nn.Embedding(codes + 1, inner)  # the last begins a map
        self.out = nn.Linear(2 * inner, codes)
        with torch.no_grad():  # flat patches at the levels of a standard normal: none is far from all data
            levels = torch.special.ndtri((torch.arange(codes) + 0.5) / codes)
            self.codes.copy_(levels[:, None] + 0.02 * torch.randn(codes, cells))
            for layer in (self.encode, self.decode):
                layer.weight.copy_(torch.eye(cells))
                layer.bias.zero_()

    def nearest(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """(..., ) index of the code nearest to each encoded patch (..., k * k), and the encoded patches."""
        encoded = self.encode(patches.to(self.codes.dtype))
        away = torch.cdist(encoded.flatten(0, -2).float(), self.codes.float())
        return away.argmin(dim=1).view(encoded.shape[:-1]), encoded

    def decoded(self) -> Tensor:
        """(codes, k * k) values of each code."""
        found: Tensor = self.decode(self.codes).float()
        return found

    def learn(self, places: Tensor, truth: Tensor, known: Tensor) -> Learnt:
        """Errors of the codes' values, and nats of the codes."""
        patches, usable = (to_patches(each.float(), self.detail) for each in (truth, known))
        index, encoded = self.nearest(patches)
        code = self.codes[index]
        through = encoded + (code - encoded).detach()  # the code, with the gradient of what was encoded
        error = self.decode(through).float() - patches
        pulled = (code - encoded.detach()) ** 2 + _COMMITMENT * (code.detach() - encoded) ** 2
        whole = usable.amin(dim=2) > 0  # a patch that is known in part has no right code
        weight = whole / whole.sum().clamp_min(1)
        deviation = self._deviations()[index][..., None]
        nats = 0.5 * (error.detach() / deviation) ** 2 + deviation.log()
        values = ((error**2 + pulled.float() + nats).mean(dim=2) * weight).sum()
        logits = self._logits(places, index)
        said = (F.cross_entropy(logits.transpose(1, 2), index, reduction="none") * weight).sum()
        seen = {"codes": said.detach(), "quantised": ((error**2).mean(dim=2) * weight).sum().detach().sqrt()}
        return Learnt(values + said, seen | {"perplexity": perplexity(index[whole], len(self.codes))})

    def forward(self, places: Tensor, generator: torch.Generator | None = None) -> Mixture:
        """A component a code for each cell, its weight the mean over the drawn sequences."""
        drawn = draws_of(generator)
        chances = torch.stack([self._chances(places, drawn) for _ in range(self.draws)]).mean(dim=0)
        samples, rows, columns, _ = places.shape
        cells = (rows * self.detail, columns * self.detail)
        weights = chances.clamp_min(1e-12).log()[:, :, None].expand(-1, -1, self.detail**2, -1)
        means = self.decoded().T.expand(samples, rows * columns, -1, -1)

        def of_cells(values: Tensor) -> Tensor:
            """(S * R * C, codes) from (S, r * c, k * k, codes)."""
            maps = [to_grid(part, rows, columns, self.detail) for part in values.unbind(dim=3)]
            return torch.stack(maps, dim=3).reshape(samples * cells[0] * cells[1], -1)

        weights = of_cells(weights)
        return Mixture(weights, of_cells(means), self._deviations().float().expand_as(weights))

    def _deviations(self) -> Tensor:
        """(codes,) spread of the values that become each code."""
        return _FLOOR + F.softplus(self.spread.float() - 2)

    def _logits(self, places: Tensor, index: Tensor) -> Tensor:
        """(S, r * c, codes) of each place, given the true codes before it."""
        features = places.flatten(1, 2)
        begin = torch.full_like(index[:, :1], len(self.codes))
        said = self.said(torch.cat([begin, index[:, :-1]], dim=1))
        state, logits = torch.zeros_like(features[:, 0]), []
        for place in range(features.shape[1]):
            state = self.before(said[:, place], state)
            logits.append(self.out(torch.cat([features[:, place], state], dim=1)).float())
        return torch.stack(logits, dim=1)

    def _chances(self, places: Tensor, generator: torch.Generator) -> Tensor:
        """(S, r * c, codes) probabilities of each place, after codes that were drawn, or the likeliest."""
        features = places.flatten(1, 2)
        index = torch.full((len(features),), len(self.codes), device=features.device)
        state, found = torch.zeros_like(features[:, 0]), []
        for place in range(features.shape[1]):
            state = self.before(self.said(index), state)
            logits: Tensor = self.out(torch.cat([features[:, place], state], dim=1)).float()
            found.append(logits.softmax(dim=1))
            if self.draws == 1:
                index = logits.argmax(dim=1)
            else:
                chosen = torch.multinomial(found[-1].cpu(), 1, generator=generator)
                index = chosen[:, 0].to(features.device)
        return torch.stack(found, dim=1)


def perplexity(index: Tensor, codes: int) -> Tensor:
    """Codes in use, the exponential of their entropy: ``codes`` where all are used alike, 1 for one."""
    share = torch.bincount(index.flatten(), minlength=codes).float() / max(1, index.numel())
    return torch.exp(-(share * share.clamp_min(1e-12).log()).sum())
