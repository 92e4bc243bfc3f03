"""Recalibration of predictive distributions on validation plots, never on the plots that are scored.

| method | what it fits | what it changes |
|---|---|---|
| ``temperature`` | one factor, so that squared errors match variances | quantiles, about the mean |
| ``isotonic`` | which predicted level holds how often (Kuleshov et al., 2018) | quantiles, by levels |
| ``conformal`` | the error over the deviation that a share of plots stays below | quantiles, about the mean |
| ``mondrian`` | the same within each group, such as land cover; small groups take all | likewise |
| ``binned`` | how far off each quantile is where about the same is predicted | each quantile by itself |

Split conformal intervals use the ``ceil((n + 1) (1 - a))``-th smallest score (Lei et al., 2018); those of
``crepes`` are the same to rounding, which a test checks. ``binned`` is
``rscovlm.scoring.quantile_steps``, which can also be kept with a head, or fitted on plots in a scene.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rscovlm.scoring.predictions import LEVELS, Predictions, covered
from rscovlm.scoring.quantile_steps import LEAST, QuantileSteps

Floats = NDArray[np.float64]
Method = Literal["temperature", "isotonic", "conformal", "mondrian", "binned"]
METHODS: tuple[Method, ...] = get_args(Method)

_Z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])


def recalibrated(
    method: Method, validation: Predictions, test: Predictions, low: float = -math.inf, high: float = math.inf
) -> Predictions:
    """Test predictions with other quantiles and deviations; means stay as they are.

    Args:
        method: see the module.
        validation: to fit on.
        test: to change.
        low, high: within which values can be.

    Raises:
        ValueError: they share a tile, validation is empty or too small, or one of both states no spread.
    """
    shared = sorted(set(validation.tile.tolist()) & set(test.tile.tolist()))
    if shared:
        raise ValueError(
            f"validation and test share {len(shared)} tiles, such as {shared[0]}; "
            "fit on tiles that are not scored"
        )
    known = validation.of(validation.usable)
    if not len(known.key):
        raise ValueError("validation has no plot with a truth and an answer")
    if any(each.quantiles is None or each.deviation is None for each in (known, test)):
        raise ValueError("recalibration needs predictions with a spread; a point has none")
    found = _FITS[method](known, test)
    assert found.quantiles is not None
    return replace(found, quantiles=np.clip(np.maximum.accumulate(found.quantiles, axis=1), low, high))


def coverage_over_splits(
    method: Method,
    held_out: Predictions,
    level: float = 0.9,
    *,
    share: float = 1 / 3,
    draws: int = 100,
    low: float = -math.inf,
    high: float = math.inf,
    seed: int = 0,
) -> Floats:
    """(draws,) shares of true values inside of the recalibrated interval, over draws of which tiles fit it.

    One split of few tiles has its luck; this is how a method does on average, and how far a split may be
    off.

    Args:
        method: see the module.
        held_out: of tiles that training has not seen, 2 or more.
        level: of the central interval, whose ends are in ``LEVELS``.
        share: of the tiles that are fitted on; the others are scored.
        draws: of the tiles.
        low, high: within which values can be.
        seed: equal seeds draw equal tiles.

    Raises:
        ValueError: as of ``recalibrated``, or fewer than 2 tiles.
    """
    tiles = np.unique(held_out.tile)
    if len(tiles) < 2:
        raise ValueError("one tile alone; fitting and scoring need tiles of their own")
    fitted = min(len(tiles) - 1, max(1, round(share * len(tiles))))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        known = np.isin(held_out.tile, rng.permutation(tiles)[:fitted])
        test = recalibrated(method, held_out.of(known), held_out.of(~known), low, high)
        found.append(covered(test, level, draws=1).value)
    return np.array(found)


def _temperature(known: Predictions, test: Predictions) -> Predictions:
    assert known.deviation is not None
    factor = float(np.sqrt((_scores(known) ** 2).mean()))
    return _stretched(test, np.full(len(test.key), factor))


def _stretched(test: Predictions, factor: Floats) -> Predictions:
    assert test.quantiles is not None
    assert test.deviation is not None
    about = test.mean[:, None]
    return replace(
        test, quantiles=about + factor[:, None] * (test.quantiles - about), deviation=factor * test.deviation
    )


def _isotonic(known: Predictions, test: Predictions) -> Predictions:
    """The level to ask for so that a share of truths is below: quantiles of the levels of validation.

    Levels are counted in normal deviates, along which quantiles are straight lines that go on beyond the
    outermost, so that intervals that are too narrow become as wide as need be.
    """
    assert known.quantiles is not None
    assert test.quantiles is not None
    reached = [
        _along(value, *_apart(row, _Z)) for value, row in zip(known.truth, known.quantiles, strict=True)
    ]
    asked = np.quantile(reached, LEVELS)
    turned = [_apart(row, _Z)[::-1] for row in test.quantiles]
    quantiles = np.array([_along(asked, *each) for each in turned]).reshape(test.quantiles.shape)
    return replace(test, quantiles=quantiles, deviation=deviation_of(quantiles))


def _apart(row: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """Quantiles and their levels without outermost ones that only repeat the next.

    A head that states 5 to 95 % says the same at 2.5 as at 5 %, from which no line goes on.
    """
    rises = np.flatnonzero(np.diff(row) > 0)
    if not len(rises):
        return row, levels
    kept = slice(rises[0], rises[-1] + 2)
    return row[kept], levels[kept]


def _along(at: ArrayLike, x: Floats, y: Floats) -> Floats:
    """Straight lines through (x, y), which go on beyond both ends."""
    place = np.asarray(at, np.float64)
    inside = np.interp(place, x, y)
    below, above = np.minimum(place - x[0], 0), np.maximum(place - x[-1], 0)
    first, last = ((y[i + 1] - y[i]) / max(x[i + 1] - x[i], 1e-9) for i in (0, len(x) - 2))
    found: Floats = inside + below * first + above * last
    return found


def deviation_of(quantiles: Floats) -> Floats:
    """(N,) of the Gaussian with the same central 68 %."""
    width = quantiles[:, LEVELS.index(0.84)] - quantiles[:, LEVELS.index(0.16)]
    return np.maximum(width / (2 * 0.99446), 1e-9)


def _scores(known: Predictions) -> Floats:
    """(N,) errors over deviations, with their signs."""
    assert known.deviation is not None
    return (known.truth - known.mean) / np.maximum(known.deviation, 1e-9)


def _conformal(known: Predictions, test: Predictions) -> Predictions:
    return _about(test, np.tile(_widths(np.abs(_scores(known))), (len(test.key), 1)))


def _mondrian(known: Predictions, test: Predictions) -> Predictions:
    if known.group is None or test.group is None:
        raise ValueError("mondrian needs the group of each plot, such as its land cover")
    scores = np.abs(_scores(known))
    widths = np.tile(_widths(scores), (len(test.key), 1))
    for group in np.unique(known.group):
        own = scores[known.group == group]
        if len(own) >= LEAST:
            widths[test.group == group] = _widths(own)
    return _about(test, widths)


def _widths(scores: Floats) -> Floats:
    """(levels,) half-widths of central intervals in deviations, with the sign of the level's side."""
    halves = [conformal_half_width(scores, abs(2 * level - 1)) for level in LEVELS]
    return np.copysign(halves, np.subtract(LEVELS, 0.5))


def conformal_half_width(scores: Floats, share: float) -> float:
    """Half-width, in deviations, of intervals that hold a share of new plots.

    Args:
        scores: (N,) sizes of errors over deviations.
        share: in [0, 1).
    """
    place = math.ceil((len(scores) + 1) * share)
    return 0.0 if place == 0 else float(np.sort(scores)[min(place, len(scores)) - 1])


def _about(test: Predictions, widths: Floats) -> Predictions:
    assert test.deviation is not None
    quantiles = test.mean[:, None] + widths * test.deviation[:, None]
    return replace(test, quantiles=quantiles, deviation=deviation_of(quantiles))


def moved_by(
    steps: QuantileSteps, test: Predictions, low: float = -math.inf, high: float = math.inf
) -> Predictions:
    """Predictions with their quantiles moved; arguments as of ``QuantileSteps.moved``."""
    assert test.quantiles is not None, "no spread is stated"
    assert test.deviation is not None, "no spread is stated"
    quantiles = steps.moved(test.mean, test.deviation, test.quantiles, low, high)
    return replace(test, quantiles=quantiles, deviation=deviation_of(quantiles))


def _binned(known: Predictions, test: Predictions) -> Predictions:
    return moved_by(QuantileSteps.fit(known), test)


_FITS: dict[str, Callable[[Predictions, Predictions], Predictions]] = {
    "temperature": _temperature,
    "isotonic": _isotonic,
    "conformal": _conformal,
    "mondrian": _mondrian,
    "binned": _binned,
}
