"""Parameter groups, learning rates, weight decay.

| group | modules (transformers 5) |
|---|---|
| vision | ``model.visual`` without its mergers |
| merger | ``model.visual.merger`` and, in Qwen3-VL, ``model.visual.deepstack_merger_list`` |
| language | ``model.language_model`` with its embeddings, ``lm_head`` |
| heads | those of ``rscovlm.models.heads`` that the configuration asks for |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from rscovlm.errors import UsageError
from rscovlm.models.adapters import make_adapter
from rscovlm.models.adapters.base import Adapter
from rscovlm.training.settings import GROUPS, Group, TrainConfig

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel
    from rscovlm.training.objective import Moment, Objective, Outcome

MODEL, HEADS = "model", "heads"


class Learner(nn.Module):
    """A model with the modules that learn beside it, as one module, so that engines wrap them together.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL for conditional generation.
        heads: trained with the model, by name; may be empty.
        objective: see ``rscovlm.training.objective``.
    """

    def __init__(self, model: VisionLanguageModel, heads: nn.ModuleDict, objective: Objective) -> None:
        super().__init__()
        self.model: VisionLanguageModel = model
        self.heads = heads
        self._objective = objective

    def forward(self, pack: Pack, weights: torch.Tensor, moment: Moment) -> Outcome:
        """The objective of the model: engines hook into this call."""
        return self._objective(self.model, self.heads, pack, weights, moment)


def group_of(name: str) -> Group:
    """The group of a parameter of a ``Learner``, by its name.

    Raises:
        UsageError: for a parameter of a model that is laid out in another way, so that no rule is missed.
    """
    parts = name.split(".")
    if parts[0] == HEADS:
        return "heads"
    if "visual" in parts:
        return "merger" if {"merger", "deepstack_merger_list"} & set(parts) else "vision"
    if "language_model" in parts or "lm_head" in parts:
        return "language"
    raise UsageError(f"parameter {name} belongs to no known group; supported are Qwen2.5-VL and Qwen3-VL")


def choose_trainable(learner: Learner, config: TrainConfig) -> Adapter | None:
    """Freeze what does not learn and add adapters where they are asked for.

    Returns:
        the adapters, which can be saved and merged; None without any.

    Raises:
        UsageError: where the outcome would not be what was asked for, with the reason.
    """
    adapter = None
    if config.adapted is None:
        for name, parameter in learner.named_parameters():
            parameter.requires_grad_(group_of(name) in config.learning | {"heads"})
    else:
        adapter = adapter_of(config)
        adapter.apply(learner.model, adapted_layers(learner.model, config))
        # peft freezes all else, whatever was set before: a full merger beside adapters would not learn.
        for name, parameter in learner.named_parameters():
            own = adapter.learns(name)
            whole = group_of(name) in {*config.adapted.full, "heads"} and not own
            parameter.requires_grad_(whole or own)
    _check_trainable(learner, config)
    return adapter


def adapter_of(config: TrainConfig) -> Adapter:
    """The adapters that a configuration asks for, not applied yet."""
    name, settings = next(iter(config.adapters.chosen.items()))
    return make_adapter(name, settings.own)


def adapted_layers(model: VisionLanguageModel, config: TrainConfig) -> list[str]:
    """The names of the linear layers in the towers that get adapters, and in those alone.

    Raises:
        UsageError: there are none.
    """
    towers = config.adapted.towers if config.adapted else ()
    layers = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and "lm_head" not in name and group_of(name) in towers
    ]
    if not layers:
        kind = next(iter(config.adapters.chosen))
        raise UsageError(f"adapters.{kind}.towers: {', '.join(towers)} have no linear layers to adapt")
    return layers


def _check_trainable(learner: Learner, config: TrainConfig) -> None:
    """Each tower that is meant to learn does, and no other.

    Raises:
        UsageError: naming those for which that is not so.
    """
    trainable = trainable_counts(learner)
    wanted = config.learning
    problems = [f"{tower} was to learn but has no trainable parameter" for tower in wanted - trainable.keys()]
    problems += [f"{tower} was to stay as it is" for tower in trainable.keys() - wanted - {"heads"}]
    for group in config.own_rates:
        if group not in trainable:
            problems.append(f"optimizer.{group}: sets rates, but {group} has no trainable parameter")
    if config.checkpointing.vision and "vision" not in trainable:
        problems.append(
            "checkpointing.vision has no effect: the vision tower is frozen, so no activation of it is kept"
        )
    if problems:
        raise UsageError("; ".join(sorted(problems)))


def trainable_counts(learner: nn.Module) -> dict[str, int]:
    """Numbers of trainable weights by group; groups without any are left out."""
    counts: Counter[str] = Counter()
    for name, parameter in learner.named_parameters():
        if parameter.requires_grad:
            counts[group_of(name)] += full_size(parameter)
    return dict(counts)


def full_size(parameter: nn.Parameter) -> int:
    """Number of elements of a parameter, also where ZeRO-3 has left only a part of it on this rank."""
    return getattr(parameter, "ds_numel", parameter.numel())


def enable_checkpointing(model: VisionLanguageModel, config: TrainConfig) -> None:
    """Gradient checkpointing in the towers that ask for it, and in no other.

    Raises:
        UsageError: where no layer of a tower took it up.
    """
    towers = {
        "vision": (model.model.visual, config.checkpointing.vision),
        "language": (model.model.language_model, config.checkpointing.language),
    }
    for name, (tower, wanted) in towers.items():
        if wanted:
            tower.gradient_checkpointing_enable({"use_reentrant": False})
        layers = [layer for layer in tower.modules() if getattr(layer, "gradient_checkpointing", False)]
        if wanted and not layers:
            raise UsageError(f"checkpointing.{name}: no layer of {type(tower).__name__} supports it")


@dataclass(frozen=True)
class Rate:
    """Name and settings of an optimizer group, as its engine holds it.

    Attributes:
        group: of modules.
        decays: whether it holds matrices, which alone decay.
        lr: learning rate as the engine has it now.
        weight_decay: likewise.
    """

    group: Group
    decays: bool
    lr: float
    weight_decay: float


def optimizer_groups(learner: Learner, config: TrainConfig) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: each group of modules, its matrices apart from its norms and biases.

    ``group``, ``decays`` and ``peak_lr`` go with each, so that they can be found again inside an engine.
    """
    held: dict[tuple[Group, bool], list[nn.Parameter]] = {}
    for name, parameter in learner.named_parameters():
        if parameter.requires_grad:
            # By shape, not by name: the ViT of Qwen2.5-VL calls its norms norm1 and ln_q.
            matrix = len(getattr(parameter, "ds_shape", parameter.shape)) >= 2
            held.setdefault((group_of(name), matrix), []).append(parameter)
    groups = []
    for (group, matrix), parameters in sorted(held.items(), key=lambda item: _order(*item[0])):
        lr, decay = config.optimizer.rates(group)
        groups.append(
            {
                "params": parameters,
                "lr": lr,
                "weight_decay": decay if matrix else 0.0,
                "group": group,
                "decays": matrix,
                "peak_lr": lr,
            }
        )
    return groups


def _order(group: Group, matrix: bool) -> tuple[int, bool]:
    return GROUPS.index(group), not matrix


def build_optimizer(learner: Learner, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over the groups of ``optimizer_groups``."""
    settings = config.optimizer
    return torch.optim.AdamW(
        optimizer_groups(learner, config), lr=settings.lr, betas=settings.betas, eps=settings.epsilon
    )


def rates_in(parameter_groups: Iterable[Mapping[str, Any]]) -> list[Rate]:
    """The rates that an engine's optimizer really has."""
    return [
        Rate(group["group"], group["decays"], float(group["lr"]), float(group["weight_decay"]))
        for group in parameter_groups
    ]


def check_rates(found: list[Rate], config: TrainConfig, counts: Mapping[str, int]) -> None:
    """Compare the rates of an engine's optimizer with those of the configuration.

    Raises:
        UsageError: where the engine holds others, or lacks a group that is meant to learn.
    """
    problems = [
        f"the engine's optimizer has no group {name}" for name in counts.keys() - {r.group for r in found}
    ]
    for rate in found:
        lr, decay = config.optimizer.rates(rate.group)
        expected = (lr, decay if rate.decays else 0.0)
        if (rate.lr, rate.weight_decay) != expected:
            problems.append(
                f"group {rate.group} has lr {rate.lr:g} and decay {rate.weight_decay:g} in the engine, "
                f"not {expected[0]:g} and {expected[1]:g}"
            )
    if problems:
        raise UsageError("; ".join(problems))


def grouped_parameters(learner: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Trainable parameters with their groups."""
    for name, parameter in learner.named_parameters():
        if parameter.requires_grad:
            yield group_of(name), parameter
