"""SSE-U: the ground sampling distance (GSD) of an image with its uncertainty, from vision features alone.

Source: ScaleEarth (arXiv 2605.07562), figures 4 and 8. A gated adapter is told the scale before the language
model runs, so that the head reads the vision tower and no hidden state. The paper leaves open which layer is
read, how it is pooled, and a floor of the deviation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.models.heads.base import Head, Term
from tiling.gsd import LARGEST_M, LEAST_M, Range

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel

_CENTRAL_90 = 1.6449  # standard deviations on each side of the mean


class LogGsd(NamedTuple):
    """Normal distributions of log10 metres per pixel.

    Attributes:
        mean: (n,).
        deviation: (n,).
    """

    mean: Tensor
    deviation: Tensor

    def nll(self, truth: Tensor) -> Tensor:
        """(n,) ``(g - mu)^2 / (2 sigma^2) + log(sigma^2) / 2``."""
        return 0.5 * ((truth - self.mean) / self.deviation) ** 2 + self.deviation.log()

    def interval(self, index: int) -> Range:
        """Metres per pixel of the central 90 % of one of them, within what can be."""
        mean, reach = float(self.mean[index]), _CENTRAL_90 * float(self.deviation[index])
        low, high = (10 ** min(max(end, -9.0), 9.0) for end in (mean - reach, mean + reach))
        return Range(min(max(low, LEAST_M), LARGEST_M), max(min(high, LARGEST_M), LEAST_M))


class GsdHead(Head):
    """Mean and deviation of log10 GSD of each image, from the mean of its features in the vision tower.

    Args:
        width: of the hidden states, which it does not read.
        taps: layers of the vision tower.
        vision_width: of the tower.
        hidden: width of its one hidden layer.
        weight: of the negative log-likelihood beside the cross-entropy of answers.
        ramp: share of the run over which the weight rises from 0, so that answers come first.
        least_deviation: floor of the deviation, in decades.
        detached: whether the vision tower does not learn from it.
        calibration: what deviations are multiplied by, as found on images that it was not trained on.
    """

    at_inference = True

    def __init__(
        self,
        width: int,
        taps: Sequence[int],
        vision_width: int,
        hidden: int = 64,
        weight: float = 0.1,
        ramp: float = 0.2,
        least_deviation: float = 0.02,
        detached: bool = True,
        calibration: float = 1.0,
    ) -> None:
        super().__init__(
            width, taps=tuple(taps), vision_width=vision_width, hidden=hidden, weight=weight, ramp=ramp,
            least_deviation=least_deviation, detached=detached, calibration=calibration,
        )  # fmt: skip
        # Mean and spread of the features: how busy an image is tells more of its scale than what is in it.
        self.norm = nn.LayerNorm(2 * vision_width)
        self.layers = nn.Sequential(nn.Linear(2 * vision_width, hidden), nn.GELU(), nn.Linear(hidden, 2))

    def share_at(self, progress: float) -> float:
        """Part of its weight that counts: it rises from 0 to 1 over ``ramp``."""
        ramp = self.settings["ramp"]
        return min(1.0, progress / ramp) if ramp else 1.0

    def forward(self, features: Tensor, tokens: Sequence[int]) -> LogGsd:
        """The distributions of n images.

        Args:
            features: (visual tokens, vision_width) of all images, in order.
            tokens: of each image.
        """
        parts = features.float().split(list(tokens))
        pooled = torch.stack(
            [torch.cat([part.mean(dim=0), part.std(dim=0, unbiased=False)]) for part in parts]
        )
        mean, raw = self.layers(self.norm(pooled.to(self.norm.weight.dtype))).float().unbind(dim=1)
        start = math.log(math.expm1(0.5))  # a fresh head is half a decade wide
        deviation = self.settings["least_deviation"] + F.softplus(raw + start)
        return LogGsd(mean, deviation * self.settings["calibration"])

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[Tensor],
        pack: Pack,
        tapped: Tensor | None = None,
    ) -> Mapping[str, Term]:
        """``gsd``: negative log-likelihood over images of known scale.

        For the log, without a weight: ``gsd_error`` and ``gsd_deviation``, means in decades, whose ratio is
        0.8 where the deviations are those of the errors.
        """
        truth = pack.image_extras.get("gsd_m")
        if tapped is None or truth is None:
            nothing = torch.stack([parameter.sum() for parameter in self.parameters()]).sum() * 0
            return {"gsd": Term(nothing, 0.0)}
        seen = tapped.detach() if self.settings["detached"] else tapped
        tokens = pack.image_grid_thw.prod(dim=1) // pack.spec.merge**2
        found = self(seen, tokens.tolist())
        known = truth.isfinite() & (truth > 0)  # the dummy of a pack without images has 0
        share = known / known.sum().clamp_min(1)
        target = torch.where(known, truth, torch.ones_like(truth)).log10()
        away, spread = (found.mean - target).abs(), found.deviation
        return {
            "gsd": Term((found.nll(target) * share).sum(), self.settings["weight"]),
            "gsd_error": Term((away.detach() * share).sum(), 0.0),
            "gsd_deviation": Term((spread.detach() * share).sum(), 0.0),
        }
