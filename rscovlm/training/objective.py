"""Objective of a step: cross-entropy under one kind of targets, and the losses of heads.

A configuration states both (``objective``, ``heads``). Heads are checkpointed with the model; an
export keeps those that inference needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import torch
from torch import nn

from rscovlm.data.packing import Pack, model_inputs
from rscovlm.errors import UsageError
from rscovlm.models.scale.state import tell_pack
from rscovlm.models.taps import tapped
from rscovlm.models.weights import move, read_tokenizer, read_weights
from rscovlm.training.loss import linear_cross_entropy
from rscovlm.training.number_loss import NumberLoss
from rscovlm.training.settings import NumberLossSettings, SoftNumbers, TrainConfig
from rscovlm.training.targets import NumberTokens, Targets, TeacherTargets, number_tokens_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rscovlm.models.heads.base import Head
    from rscovlm.models.qwen import VisionLanguageModel


class Moment(NamedTuple):
    """Where in the run a step is, for objectives that change over it.

    Attributes:
        step: optimizer steps taken so far.
        steps: of the whole run.
    """

    step: int
    steps: int


class Outcome(NamedTuple):
    """The loss of a pack, and its parts.

    Attributes:
        loss: scalar, this pack's share of the step's loss: shares of all packs of all ranks are added.
        token_losses: (L,) float32 without gradient, unweighted, for the losses by source and task.
        parts: further shares for the log, by name, added up like the loss.
    """

    loss: torch.Tensor
    token_losses: torch.Tensor
    parts: Mapping[str, torch.Tensor]


class Objective(Protocol):
    """Loss of a pack of L tokens, whose weights (1, L) say how much each target counts in the step."""

    def __call__(
        self,
        model: VisionLanguageModel,
        heads: nn.ModuleDict,
        pack: Pack,
        weights: torch.Tensor,
        moment: Moment,
    ) -> Outcome:
        """The pack's share of the step's loss."""
        ...


class Aim(Protocol):
    """How the targets of a pack come about, where they are not the right tokens alone."""

    def targets(self, pack: Pack, moment: Moment) -> Targets:
        """Targets of the pack's L tokens."""
        ...


@dataclass(frozen=True)
class NextToken:
    """Cross-entropy of the next token where it is learnt; the logits are never held whole.

    Attributes:
        aim: kind of targets; None for the right tokens.
        numbers: loss of the distance of numbers beside it; None for none.
    """

    aim: Aim | None = None
    numbers: NumberLoss | None = None

    def __call__(
        self,
        model: VisionLanguageModel,
        heads: nn.ModuleDict,
        pack: Pack,
        weights: torch.Tensor,
        moment: Moment,
    ) -> Outcome:
        """See ``Objective``."""
        every = cast("Mapping[str, Head]", dict(heads.items()))
        layers = sorted({layer for head in every.values() for layer in head.taps})
        tell_pack(model, pack)
        with tapped(model, layers) as taps:
            output = model.model(**model_inputs(pack), output_hidden_states=len(heads) > 0)
        hidden = output.last_hidden_state[0]
        wanted = self.aim.targets(pack, moment) if self.aim is not None else None
        loss, losses = linear_cross_entropy(
            hidden, model.lm_head.weight, pack.targets[0], weights[0], wanted=wanted
        )
        # The weights of a step sum to one, those of a pack to its share of the step.
        share, parts = weights.sum(), {}
        if self.numbers is not None:
            away = self.numbers(hidden, model.lm_head.weight, pack, weights[0])
            loss = loss + self.numbers.weight * away
            parts["number_loss"] = away.detach()
        progress = moment.step / max(1, moment.steps)
        for own, head in every.items():
            seen = taps.features(pack.image_grid_thw, head.taps) if head.taps else None
            for name, term in head.terms(model, output.hidden_states, pack, seen).items():
                loss = loss + share * term.weight * head.share_at(progress) * term.value
                # Two heads may be about the same number.
                parts[f"{own}_{name}" if name in parts else name] = term.value.detach() * share
        return Outcome(loss, losses, parts)


next_token = NextToken()
"""The plain one."""


@dataclass(frozen=True)
class NearNumbers:
    """Coordinates that tolerate less as the run goes on.

    Attributes:
        numbers: how the tokenizer writes them.
        settings: tolerance at the start and the end.
    """

    numbers: NumberTokens
    settings: SoftNumbers

    def spread_at(self, moment: Moment) -> float:
        """Standard deviation of targets at a step, falling geometrically."""
        first, last, until = self.settings.first, self.settings.last, self.settings.until
        progress = min(1.0, moment.step / max(1.0, until * moment.steps))
        return float(first * (last / first) ** progress)

    def targets(self, pack: Pack, moment: Moment) -> Targets:
        """See ``Aim``."""
        marked = pack.of_targets("coordinate")[0] if "coordinate" in pack.token_extras else None
        if marked is None:
            marked = torch.zeros_like(pack.targets[0], dtype=torch.bool)
        return self.numbers.targets(pack.targets[0], marked, self.spread_at(moment))


@dataclass(frozen=True)
class FromTeacher:
    """Targets that are partly another model's probabilities.

    Attributes:
        model: the teacher, which does not learn.
        share: part of each target that is its.
    """

    model: VisionLanguageModel
    share: float

    @torch.no_grad()
    def targets(self, pack: Pack, moment: Moment) -> Targets:
        """See ``Aim``."""
        move(self.model, pack.input_ids.device)
        hidden = self.model.model(**model_inputs(pack)).last_hidden_state[0]
        return TeacherTargets(pack.targets[0], hidden, self.model.lm_head.weight, self.share)


def objective_of(config: TrainConfig, tokenizer: PreTrainedTokenizerBase) -> Objective:
    """The objective that a configuration asks for.

    Raises:
        UsageError: for soft numbers where the tokenizer does not write numbers in a known way, or a teacher
            of another vocabulary.
        ModelError: where the teacher cannot be loaded.
    """
    settings = config.objective
    aim: Aim | None = None
    if settings.soft_numbers is not None:
        aim = NearNumbers(number_tokens_of(tokenizer), settings.soft_numbers)
    elif settings.teacher is not None:
        aim = FromTeacher(_teacher(settings.teacher.model, config, tokenizer), settings.teacher.share)
    return NextToken(aim, _number_loss(settings.number_loss, tokenizer))


def _number_loss(
    settings: NumberLossSettings | None, tokenizer: PreTrainedTokenizerBase
) -> NumberLoss | None:
    if settings is None:
        return None
    return NumberLoss(number_tokens_of(tokenizer).ids, settings.kind, settings.unit, settings.weight)


def _teacher(model: str, config: TrainConfig, tokenizer: PreTrainedTokenizerBase) -> VisionLanguageModel:
    from rscovlm.models.checkpoints import resolve

    folder = resolve(model).local
    if read_tokenizer(folder).get_vocab() != tokenizer.get_vocab():
        raise UsageError(f"objective.teacher: {model} has another vocabulary than the model that learns")
    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    teacher = read_weights(folder, dtype)
    teacher.eval().requires_grad_(False)
    return teacher
