"""Settings of a training run that contradict each other, or would have no effect beside each other."""

from __future__ import annotations

from configs.checking import Problem
from detection_eval.words import counted
from rscovlm.training.adapter_settings import Scaled
from rscovlm.training.settings import TOWERS, TrainConfig

Conflict = tuple[tuple[str, ...], str]
"""The keys that contradict each other, the one that is told first, and what is wrong."""


def conflicts(config: TrainConfig, ignored: set[str]) -> list[Problem]:
    """Settings that contradict each other, unless one of them is wrong by itself."""
    found: list[Conflict] = []
    batch, strategy = config.batch, config.strategy
    if (batch.samples is None) == (batch.packs is None):
        found.append((("batch.samples", "batch.packs"), "give exactly one of batch.samples and batch.packs"))
    if batch.packs is not None and not batch.packing:
        message = "a number of packs needs packing; without it, give batch.samples"
        found.append((("batch.packing", "batch.packs"), message))
    if (config.model is None) == (config.fresh is None):
        found.append((("model", "fresh"), "give exactly one of model and fresh"))
    if config.stem is not None and config.fresh is not None:
        found.append((("stem", "fresh"), "stem widens a checkpoint; give it as model"))
    if config.stem is not None and "vision" not in config.learning:
        message = "a stem whose vision tower does not learn never sees its bands; leave vision out of freeze"
        found.append((("stem", "freeze"), message))
    if config.objective.soft_numbers and config.objective.teacher:
        keys = ("objective.soft_numbers", "objective.teacher")
        found.append((keys, "a target is either soft by itself or a teacher's; give one of both"))
    if (config.epochs is None) == (config.steps is None):
        found.append((("steps", "epochs"), "give exactly one of steps and epochs"))
    if config.steps is not None and config.schedule.warmup_steps is not None:
        problem = warmup_problem(config.schedule.warmup_steps, config.steps)
        found += [(("schedule.warmup_steps", "steps"), problem)] if problem else []
    if (strategy == "deepspeed") != (config.deepspeed is not None):
        found.append(
            (("deepspeed", "strategy"), "strategy deepspeed and a deepspeed configuration need each other")
        )
    bounds = config.resolution
    if bounds.min_pixels and bounds.max_pixels and bounds.min_pixels > bounds.max_pixels:
        least, most = bounds.min_pixels, bounds.max_pixels
        message = f"min_pixels {least} is above max_pixels {most}"
        found.append((("resolution.min_pixels", "resolution.max_pixels"), message))
    found += _conflicts_of_adapters(config)
    if set(config.freeze) == set(TOWERS) and not config.heads.chosen:
        found.append((("freeze",), "nothing is left to train: no tower learns, and there are no heads"))
    if config.checkpoints.minutes is None and config.checkpoints.steps is None:
        keys = ("checkpoints.minutes", "checkpoints.steps")
        found.append((keys, "give minutes or steps, or the run could not be resumed"))
    if config.attention == "flash_attention_2" and config.precision == "fp32":
        found.append((("attention", "precision"), "flash_attention_2 does not compute in fp32"))
    return [(keys[0], message) for keys, message in found if not any(_is_in(key, ignored) for key in keys)]


def _is_in(key: str, wrong: set[str]) -> bool:
    """Whether a setting, or a section that it is in, is wrong or missing."""
    parts = key.split(".")
    return any(".".join(parts[:depth]) in wrong for depth in range(1, len(parts) + 1))


def _conflicts_of_adapters(config: TrainConfig) -> list[Conflict]:
    chosen = config.adapters.chosen
    found: list[Conflict] = []
    if len(chosen) > 1:
        keys = tuple(f"adapters.{name}" for name in chosen)
        found.append((keys, f"{' and '.join(chosen)} are both given; a run has one kind of adapters"))
    for name, adapted in chosen.items():
        towers, full = f"adapters.{name}.towers", f"adapters.{name}.full"
        if not adapted.towers:
            found.append(((towers,), "adapters need at least one tower"))
        if isinstance(adapted, Scaled) and adapted.full:
            message = f"{name} is exported as adapters alone, which hold no {adapted.full[0]}; leave full out"
            found.append(((full,), message))
        if isinstance(adapted, Scaled) and set(adapted.towers) != {"language"}:
            found.append(((towers,), f"{name} adapts the language model alone; write towers: [language]"))
        for tower in sorted({*adapted.towers, *adapted.full} & set(config.freeze)):
            found.append((("freeze", towers, full), f"{tower} is both frozen and tuned"))
        for tower in sorted(set(adapted.towers) & set(adapted.full)):
            found.append(((towers, full), f"{tower} is given adapters and trained in full"))
    return found


def warmup_problem(warmup: int, steps: int) -> str | None:
    """The complaint about a warm-up of so many steps in a run of so many, or None."""
    if warmup <= steps:
        return None
    stated = counted(warmup, "step of warm-up is", "steps of warm-up are")
    return f"{stated} more than the run's {steps}, so the peak would never be reached"
