"""The learning rate of a step, as a share of its peak: a pure function, so that a resume needs no state."""

from __future__ import annotations

import math

from rscovlm.training.settings import Schedule


def rate_share(schedule: Schedule, step: int, steps: int) -> float:
    """The share of the peak learning rate at a step.

    Args:
        schedule: the shape of the curve.
        step: from 0.
        steps: of the whole run.

    Returns:
        From 0 (excluded: the first step of a warm-up already learns) to 1, and down to ``schedule.floor``.
    """
    warmup = warmup_steps(schedule, steps)
    if step < warmup:
        return (step + 1) / warmup
    return schedule.floor + (1 - schedule.floor) * _fall(schedule, step, warmup, steps)


def warmup_steps(schedule: Schedule, steps: int) -> int:
    """Steps over which the rate rises."""
    if schedule.warmup_steps is not None:
        return schedule.warmup_steps
    return math.ceil(schedule.warmup * steps)


def _fall(schedule: Schedule, step: int, warmup: int, steps: int) -> float:
    """1 after the warm-up, 0 once all steps are taken."""
    if schedule.shape == "constant":
        return 1.0
    if schedule.shape == "wsd":
        length = math.ceil(schedule.decay * steps)
        return min(1.0, (steps - step) / length)
    left = (steps - step) / max(1, steps - warmup)
    return left if schedule.shape == "linear" else 0.5 * (1 - math.cos(math.pi * left))
