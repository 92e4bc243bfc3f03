"""Conditions of the test: the scale that a method is told of each view.

| condition | told |
|---|---|
| ``oracle`` | the true scale |
| ``predicted`` | that of the head of CS-HLoRA's run; the neutral one where its interval is wide |
| ``noisy`` | the true one times ``10^e``, e normal with a deviation of 0.3 |
| ``missing`` | nothing |
| ``x0.01`` ... ``x100`` | the true one times a factor: spoofing |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rscovlm.data.randomness import generator

FACTORS = (0.01, 0.1, 0.3, 3.0, 10.0, 100.0)
"""Factors of the spoofing curve, whose middle, 1, is the oracle."""

NOISE_DECADES = 0.3

Told = Callable[[str, float], float | None]
"""From the name of a view and its true metres per pixel to those that are told."""


def conditions(seed: int, predicted: Mapping[str, float | None] | None = None) -> dict[str, Told]:
    """All conditions by name, without ``predicted`` where nothing is.

    Args:
        seed: of the noise.
        predicted: of each view; None where the head is not sure enough.
    """
    foreseen = predicted or {}

    def noisy(view: str, gsd_m: float) -> float:
        away = generator(seed, "noisy scale", view).normal(0, NOISE_DECADES)
        return float(gsd_m * 10**away)

    found: dict[str, Told] = {"oracle": lambda view, gsd_m: gsd_m}
    if foreseen:
        found["predicted"] = lambda view, gsd_m: foreseen.get(view)
    found |= {"noisy": noisy, "missing": lambda view, gsd_m: None}
    return found | {spoofed(factor): _times(factor) for factor in FACTORS}


def spoofed(factor: float) -> str:
    """Name of the condition that multiplies the scale."""
    return f"x{factor:g}"


def _times(factor: float) -> Told:
    return lambda view, gsd_m: factor * gsd_m
