"""Settings of a training run that contradict each other, or would have no effect beside each other."""

from __future__ import annotations

from configs.checking import Problem
from rscovlm.training.settings import TOWERS, TrainConfig


def conflicts(config: TrainConfig, ignored: set[str]) -> list[Problem]:
    """Settings that contradict each other, unless one of them is wrong by itself."""
    found: list[tuple[tuple[str, ...], str]] = []
    batch, tuning, strategy = config.batch, config.tuning, config.strategy
    if (batch.samples is None) == (batch.packs is None):
        found.append((("batch.samples", "batch.packs"), "give exactly one of batch.samples and batch.packs"))
    if batch.packs is not None and not batch.packing:
        message = "a number of packs needs packing; without it, give batch.samples"
        found.append((("batch.packing", "batch.packs"), message))
    if (config.model is None) == (config.fresh is None):
        found.append((("model", "fresh"), "give exactly one of model and fresh"))
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
    if tuning.method == "full" and (tuning.also or "towers" in tuning.model_fields_set):
        message = "tuning.towers and tuning.also are for adapters; use freeze with full tuning"
        found.append((("tuning.towers", "tuning.also", "tuning.method"), message))
    if tuning.method != "full" and not tuning.towers:
        found.append((("tuning.towers",), "adapters need at least one tower"))
    learning = set(TOWERS if tuning.method == "full" else (*tuning.towers, *tuning.also))
    for tower in sorted(learning & set(config.freeze)) if tuning.method != "full" else ():
        found.append((("freeze", "tuning.towers", "tuning.also"), f"{tower} is both frozen and tuned"))
    for tower in sorted(set(tuning.towers) & set(tuning.also)) if tuning.method != "full" else ():
        found.append((("tuning.towers", "tuning.also"), f"{tower} is given adapters and trained in full"))
    if set(config.freeze) == set(TOWERS):
        found.append((("freeze",), "nothing is left to train"))
    if config.checkpoints.minutes is None and config.checkpoints.steps is None:
        keys = ("checkpoints.minutes", "checkpoints.steps")
        found.append((keys, "give minutes or steps, or the run could not be resumed"))
    if config.attention == "flash_attention_2" and config.precision == "fp32":
        found.append((("attention", "precision"), "flash_attention_2 does not compute in fp32"))
    return [(keys[0], message) for keys, message in found if not ignored & set(keys)]


def warmup_problem(warmup: int, steps: int) -> str | None:
    """What is wrong with a warm-up of so many steps in a run of so many, or None."""
    if warmup <= steps:
        return None
    return f"{warmup} steps of warm-up are more than the run's {steps}, so the peak would never be reached"
