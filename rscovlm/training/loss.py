"""Cross-entropy that never holds all logits, and what a mean over a step means.

The logits of 6144 tokens over a vocabulary of 152,000 are 3.7 GB in single precision, several times over.
Here they exist a chunk of tokens at a time, and only for tokens that are learnt; their gradient is computed
at once and folded into those of the hidden states and the weight.

A mean over the tokens of a pack would weigh samples by what they happen to be packed with. A ``Reduction``
gives each token a weight from the whole step's counts, so that summed over packs, micro-steps and ranks the
loss is the mean that was declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import torch

from rscovlm.data.packing import NOT_LEARNT, Pack
from rscovlm.training.targets import HardTargets, Targets, Wanted

ReductionName = Literal["token", "sample", "sqrt", "source"]
REDUCTIONS: tuple[ReductionName, ...] = get_args(ReductionName)


def linear_cross_entropy(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    token_weights: torch.Tensor,
    chunk: int = 1024,
    wanted: Targets | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted sum of token losses of a linear head, without its logits.

    Losses, their gradient and the sum of the weight's gradient over chunks are in single precision, matrix
    products in the precision of ``hidden``. The gradients are made in the forward pass and held until the
    backward pass: of the weight's, one copy in single precision.

    Args:
        hidden: (N, d) hidden states.
        weight: (V, d) of the head.
        targets: (N,) token ids; ``NOT_LEARNT`` costs nothing.
        token_weights: (N,) how much each loss counts; no gradient flows to it.
        chunk: tokens whose logits are held at once.
        wanted: what the tokens should be; None for ``targets`` themselves.

    Returns:
        The sum, and the losses (N,) float32 without gradient, 0 where nothing is learnt.

    Raises:
        ValueError: shapes that do not fit, or a weight that is not there whole (ZeRO-3).
    """
    if weight.ndim != 2 or hidden.shape != (len(targets), weight.shape[1]):
        raise ValueError(
            f"hidden states {tuple(hidden.shape)}, weight {tuple(weight.shape)} and {len(targets)} targets "
            "do not fit; a weight that ZeRO-3 has partitioned has to be gathered first"
        )
    device = hidden.device.type
    precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    with torch.autocast(device, enabled=False):
        found = _LinearCrossEntropy.apply(
            hidden.to(precision),
            weight.to(precision),
            targets,
            token_weights.float(),
            (chunk, wanted or HardTargets(targets), torch.is_grad_enabled()),
        )
    return cast(tuple[torch.Tensor, torch.Tensor], found)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        token_weights: torch.Tensor,
        settings: tuple[int, Targets, bool],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        chunk, wanted, with_gradient = settings
        losses = torch.zeros(len(targets), dtype=torch.float32, device=hidden.device)
        to_hidden, to_weight = (with_gradient and needed for needed in ctx.needs_input_grad[:2])
        hidden_gradient = torch.zeros_like(hidden) if to_hidden else None
        weight_gradient = torch.zeros_like(weight, dtype=torch.float32) if to_weight else None
        for rows in (targets != NOT_LEARNT).nonzero()[:, 0].split(chunk):
            part = hidden[rows]
            logits = (part @ weight.T).float()
            losses[rows] = _replace_by_gradient(logits, wanted.wanted(rows))
            gradient = logits.mul_(token_weights[rows, None]).to(hidden.dtype)
            if hidden_gradient is not None:
                hidden_gradient[rows] = gradient @ weight
            if weight_gradient is not None and weight.dtype == torch.float32:
                weight_gradient.addmm_(gradient.T, part)
            elif weight_gradient is not None:
                weight_gradient += gradient.T @ part
        ctx.save_for_backward(hidden_gradient, weight_gradient)
        ctx.precision = hidden.dtype
        ctx.mark_non_differentiable(losses)
        return losses @ token_weights, losses

    @staticmethod
    def backward(ctx: Any, outer: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden_gradient, weight_gradient = (
            gradient if gradient is None else (gradient * outer).to(ctx.precision)
            for gradient in ctx.saved_tensors
        )
        return hidden_gradient, weight_gradient, None, None, None


def _replace_by_gradient(logits: torch.Tensor, wanted: Wanted) -> torch.Tensor:
    """(m,) losses of (m, V) logits, which become the losses' gradient in place to save a second copy."""
    losses = torch.empty(len(logits), dtype=torch.float32, device=logits.device)
    # Less the largest, so that no exponential overflows.
    logits -= logits.amax(dim=1, keepdim=True)
    hard_logits, soft = logits[wanted.hard, wanted.tokens], wanted.soft
    place: tuple[torch.Tensor, ...] = ()
    if soft is not None:
        # Rows alone mean the whole vocabulary.
        place = (soft.rows,) if soft.tokens is None else (soft.rows[:, None], soft.tokens)
        soft_logits = logits[place]
    total = logits.exp_().sum(dim=1)
    losses[wanted.hard] = total[wanted.hard].log() - hard_logits
    logits /= total[:, None]
    logits[wanted.hard, wanted.tokens] -= 1
    if soft is not None:
        log_probability = soft_logits - total[soft.rows, None].log()
        entropy = soft.probabilities.clamp_min(1e-12).log()
        losses[soft.rows] = (soft.probabilities * (entropy - log_probability)).sum(dim=1)
        logits[place] -= soft.probabilities
    return losses


@dataclass(frozen=True)
class Reduction:
    """Weights by which the loss of an optimizer step is a mean.

    Attributes:
        name: ``token``: of all learnt tokens of the step. ``sample``: of the samples' means, what one
            sample per micro-step gives. ``sqrt``: of tokens weighted by 1 / sqrt(learnt tokens of their
            sample), in between. ``source``: of the sources' token means, each source in the step alike.
        sources: names of all sources of the mix, in one order on all ranks.

    Use: ``totals`` of a rank's packs, summed over ranks (``all_reduce``), go into ``weights`` of each pack;
    the losses so weighted, summed over tokens, packs and ranks, are the mean. Where gradients are averaged
    over ranks instead of summed (DDP, DeepSpeed), the loss has to be multiplied by the number of ranks.
    """

    name: ReductionName
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.name not in REDUCTIONS:
            raise ValueError(f"no reduction is called {self.name!r}; choose one of {', '.join(REDUCTIONS)}")

    def totals(self, packs: Sequence[Pack]) -> torch.Tensor:
        """(3 + sources,) float64 on the CPU: learnt tokens, samples, sum of roots, tokens by source.

        Additive: totals of parts of a step sum to those of the step.

        Raises:
            ValueError: a pack holds a source that the mix does not.
        """
        totals = torch.zeros(3 + len(self.sources), dtype=torch.float64)
        for pack in packs:
            counts = pack.learnt.to("cpu", torch.float64)
            totals[0] += counts.sum()
            totals[1] += (counts > 0).sum()
            totals[2] += counts.sqrt().sum()
            totals.index_add_(0, 3 + self._source_indices(pack), counts)
        return totals

    def weights(self, pack: Pack, totals: torch.Tensor) -> torch.Tensor:
        """(1, L) float32 weight of each token's loss on the pack's device; 0 where nothing is learnt.

        Args:
            pack: of the step.
            totals: of the whole step, summed over all packs and ranks.
        """
        totals = totals.to("cpu", torch.float64)
        counts = pack.learnt.to("cpu", torch.float64).clamp_min(1)
        # A step in which nothing is learnt has a loss of 0, not of 0 / 0.
        tokens, samples, roots = totals[:3].clamp_min(1)
        if self.name == "token":
            each = torch.ones_like(counts) / tokens
        elif self.name == "sample":
            each = 1 / (counts * samples)
        elif self.name == "sqrt":
            each = counts.rsqrt() / roots
        else:
            by_source = totals[3:]
            each = 1 / (
                (by_source > 0).sum().clamp_min(1) * by_source.clamp_min(1)[self._source_indices(pack)]
            )
        # The last one is the dummy's, whose index is -1.
        each = torch.cat([each, each.new_zeros(1)]).to(pack.sample.device, torch.float32)
        return each[pack.sample] * (pack.targets != NOT_LEARNT)

    def _source_indices(self, pack: Pack) -> torch.Tensor:
        unknown = set(pack.sources) - set(self.sources)
        if unknown:
            raise ValueError(f"sources {sorted(unknown)} are not among those of the mix: {self.sources}")
        return torch.tensor([self.sources.index(source) for source in pack.sources], dtype=torch.int64)


def sample_losses(losses: torch.Tensor, pack: Pack) -> torch.Tensor:
    """(S,) mean loss of each sample of a pack from those of its tokens (L,); 0 where nothing is learnt."""
    sums = torch.zeros(len(pack.learnt) + 1, dtype=losses.dtype, device=losses.device)
    # The dummy's -1 becomes the last place.
    sums.index_add_(0, pack.sample[0] % len(sums), losses)
    return sums[:-1] / pack.learnt.clamp_min(1)
