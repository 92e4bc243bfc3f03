"""A diffusion decoder: the mean of a map, and what is left of it denoised from noise.

As in CorrDiff (Mardani et al., 2023) a plain regression gives the mean, and the diffusion model (Ho et al.,
2020) learns the residual alone. It predicts the clean residual and is sampled by DDIM (Song et al., 2021) in
few steps; without its own noise DDIM is a function of what it starts from, so that ``temperature`` 0 is the
mean itself.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.models.heads.dense.decoder import Decoder, Learnt, draws_of, known_mean, normal
from rscovlm.models.heads.distribution.draws import Draws

_LEVELS = 8  # frequencies that tell how much noise there is


class Diffusion(Decoder):
    """See the module.

    Args:
        inner: D.
        detail: k.
        steps: of sampling, 1 or more.
        draws: maps that are drawn at inference.
        temperature: factor on the noise that sampling starts from; 0 gives the mean.
    """

    def __init__(
        self, inner: int, detail: int, steps: int = 8, draws: int = 16, temperature: float = 1.0
    ) -> None:
        super().__init__(inner, detail)
        if steps < 1 or draws < 1 or temperature < 0:
            raise TypeError(
                f"steps {steps} and draws {draws} have to be 1 or more, temperature {temperature:g} 0 or more"
            )
        self.steps, self.draws, self.temperature = steps, draws, temperature
        self.cells = nn.Linear(inner, inner * detail**2)
        self.mean = nn.Conv2d(inner, 1, 3, padding=1)
        self.noisy, self.level = nn.Conv2d(1, inner, 3, padding=1), nn.Linear(2 * _LEVELS, inner)
        self.blocks = nn.ModuleList(nn.Conv2d(inner, inner, 3, padding=1) for _ in range(3))
        self.clean = nn.Conv2d(inner, 1, 3, padding=1)
        for parameter in self.clean.parameters():
            nn.init.zeros_(parameter)

    def learn(self, places: Tensor, truth: Tensor, known: Tensor) -> Learnt:
        """Squared error of the mean, and of the residual under noise of a random level."""
        context = self._context(places)
        mean = self.mean(context)[:, 0].float()
        loss = known_mean((mean - truth) ** 2, known)
        residual = torch.where(known, truth - mean.detach(), 0.0)
        level = torch.rand(len(truth), device=truth.device)
        keep, noise = _shares(level[:, None, None])
        noisy = keep * residual + noise * torch.randn_like(residual)
        denoised = known_mean((self._denoised(noisy, level, context) - residual) ** 2, known)
        return Learnt(loss + denoised, {"mean": loss.detach(), "denoised": denoised.detach()})

    def forward(self, places: Tensor, generator: torch.Generator | None = None) -> Draws:
        """``draws`` maps, each from noise of its own; at a temperature of 0 the mean alone."""
        context = self._context(places)
        mean = self.mean(context)[:, 0].float()
        drawn, count = draws_of(generator), self.draws if self.temperature else 1
        maps = [mean + self._residual(mean, context, drawn) for _ in range(count)]
        return Draws(torch.stack([each.flatten() for each in maps], dim=1))

    def _residual(self, mean: Tensor, context: Tensor, generator: torch.Generator) -> Tensor:
        """(S, R, C) by DDIM; 0 at a temperature of 0."""
        if self.temperature == 0:
            return torch.zeros_like(mean)
        noisy = self.temperature * normal(tuple(mean.shape), generator, mean)
        levels = torch.linspace(1, 0, self.steps + 1)
        clean = noisy
        for now, after in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
            keep, noise = _shares(torch.tensor(now))
            clean = self._denoised(noisy, torch.full((len(mean),), now, device=mean.device), context)
            direction = (noisy - keep * clean) / noise
            keep, noise = _shares(torch.tensor(after))
            noisy = keep * clean + noise * direction
        return clean

    def _context(self, places: Tensor) -> Tensor:
        """(S, D, R, C) features of cells."""
        found: Tensor = self.cells(places).permute(0, 3, 1, 2)
        return F.pixel_shuffle(found, self.detail)

    def _denoised(self, noisy: Tensor, level: Tensor, context: Tensor) -> Tensor:
        """(S, R, C) residuals without noise of (S,) levels."""
        turns = level[:, None] * math.pi * 2.0 ** torch.arange(_LEVELS, device=level.device) / 8
        stated = self.level(torch.cat([turns.sin(), turns.cos()], dim=1).to(context.dtype))
        found = self.noisy(noisy[:, None].to(context.dtype)) + context + stated[:, :, None, None]
        for block in self.blocks:
            found = found + block(F.gelu(found))
        clean: Tensor = self.clean(F.gelu(found))[:, 0]
        return clean.float()


def _shares(level: Tensor) -> tuple[Tensor, Tensor]:
    """Factors of signal and noise at levels from 0 (none) to 1 (noise alone), whose squares sum to 1."""
    angle = level * math.pi / 2
    return angle.cos(), angle.sin()
