"""Scores of a table of predictions with their uncertainty, and how sure the scores are: by tile, not by plot.

Plots of one tile are alike, so whole tiles are drawn anew for an interval (cluster bootstrap).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detection_eval.metrics.uncertainty import draw_scenes
from rscovlm.scoring.distributions import Calibration, gaussian_nll, interval_score, quantile_crps
from rscovlm.scoring.regression import AGB_EDGES, Moments, bin_index
from rscovlm.scoring.statistics import Interval

Floats = NDArray[np.float64]

LEVELS = (0.025, 0.05, 0.1, 0.16, 0.25, 0.375, 0.5, 0.625, 0.75, 0.84, 0.9, 0.95, 0.975)
"""Levels of the quantiles that a table of predictions holds."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of N plots with the truth.

    Attributes:
        key, tile: (N,) names of the plots and of their tiles.
        group: (N,) what they are compared within, such as land cover.
        truth: (N,) NaN where unknown.
        mean: (N,) NaN where nothing was answered.
        quantiles: (N, levels) at ``LEVELS``; None where no spread is stated.
        deviation: (N,) standard deviations; None likewise.
        noise: (N,) standard deviation of the truth itself; None where unknown.
    """

    key: NDArray[np.str_]
    tile: NDArray[np.str_]
    truth: Floats
    mean: Floats
    quantiles: Floats | None = None
    deviation: Floats | None = None
    group: NDArray[np.str_] | None = None
    noise: Floats | None = None

    def __post_init__(self) -> None:
        if not len(self.key) == len(self.tile) == len(self.truth) == len(self.mean):
            raise ValueError("keys, tiles, truths and means are of different lengths")
        if self.quantiles is not None and self.quantiles.shape != (len(self.key), len(LEVELS)):
            raise ValueError(
                f"quantiles of shape {self.quantiles.shape}; {len(self.key)} plots have {len(LEVELS)} each"
            )

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(N,) where there is both a truth and an answer."""
        return np.isfinite(self.truth) & np.isfinite(self.mean)

    def of(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Predictions:
        """Those of some rows."""
        parts: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else value[rows]
            for name in self.__dataclass_fields__
        }
        return Predictions(**parts)

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Those of several, one after the other; what one of them does not state is not stated."""
        columns: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            values = [getattr(part, name) for part in parts]
            columns[name] = None if any(each is None for each in values) else np.concatenate(values)
        return cls(**columns)

    def pit(self) -> Floats:
        """(N,) predicted share below the truth, by straight lines between the quantiles."""
        assert self.quantiles is not None, "no spread is stated"
        return interpolated(self.truth, self.quantiles)


def interpolated(truth: ArrayLike, quantiles: Floats) -> Floats:
    """(N,) levels of true values among (N, levels) quantiles at ``LEVELS``; beyond the outermost, 0 and 1."""
    return np.array(
        [
            np.interp(value, row, LEVELS, left=0.0, right=1.0)
            for value, row in zip(np.asarray(truth, np.float64), quantiles, strict=True)
        ]
    )


SCORES = ("rmse", "mae", "bias", "r2", "ccc")


def intervals(
    predictions: Predictions, scores: tuple[str, ...] = SCORES, draws: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Scores with intervals over resampled tiles.

    Args:
        predictions: of any number of tiles.
        scores: names of properties of ``Moments``.
        draws: resamplings; equal seeds draw equal tiles, so that models are compared on the same ones.
        seed: random seed.
    """
    names, tile = np.unique(predictions.tile, return_inverse=True)
    by_tile = Moments.of(predictions.mean, predictions.truth, tile, len(names))
    whole, drawn = by_tile.total(), by_tile.total(draw_scenes(len(names), draws, seed))
    return {name: _interval(getattr(whole, name), getattr(drawn, name)) for name in scores}


def difference(
    first: Predictions, second: Predictions, score: str = "rmse", draws: int = 1000, seed: int = 0
) -> Interval:
    """The first's score minus the second's, with its interval over the same resampled tiles.

    Raises:
        ValueError: they are of different plots.
    """
    if not np.array_equal(first.key, second.key):
        raise ValueError("both have to be predictions of the same plots, in the same order")
    names, tile = np.unique(first.tile, return_inverse=True)
    times = draw_scenes(len(names), draws, seed)
    own, other = (Moments.of(each.mean, each.truth, tile, len(names)) for each in (first, second))
    value = getattr(own.total(), score) - getattr(other.total(), score)
    return _interval(value, getattr(own.total(times), score) - getattr(other.total(times), score))


def covered(predictions: Predictions, level: float, draws: int = 1000, seed: int = 0) -> Interval:
    """Share of true values inside the central interval of a level, with its interval over resampled tiles.

    Args:
        predictions: with quantiles.
        level: of the central interval, whose ends are in ``LEVELS``.
        draws: resamplings.
        seed: random seed.

    Raises:
        ValueError: no quantiles, or a level whose ends are not among them.
    """
    known = predictions.of(predictions.usable)
    ends = [round((1 - level) / 2, 6), round((1 + level) / 2, 6)]
    if known.quantiles is None or not set(ends) <= set(LEVELS):
        raise ValueError(f"no quantiles at {ends[0]:g} and {ends[1]:g}; a table has those at {LEVELS}")
    low, high = (known.quantiles[:, LEVELS.index(end)] for end in ends)
    inside = (known.truth >= low) & (known.truth <= high)
    names, tile = np.unique(known.tile, return_inverse=True)
    hits, counts = np.bincount(tile, inside, len(names)), np.bincount(tile, minlength=len(names))
    times = draw_scenes(len(names), draws, seed)
    return _interval(hits.sum() / max(1, counts.sum()), (times @ hits) / np.maximum(times @ counts, 1))


def _interval(value: ArrayLike, drawn: Floats) -> Interval:
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if np.isfinite(drawn).any() else (np.nan, np.nan)
    return Interval(float(np.asarray(value)), float(low), float(high))


def spread_scores(predictions: Predictions) -> dict[str, float]:
    """Scores of the spread: NLL of Gaussians (with and without the noise of labels), CRPS, ECE, coverage,
    interval score at 90 %, mean deviation, ENCE, and mean and deviation of standardised errors, 0 and 1 where
    it is right; empty where no spread is stated."""
    if predictions.quantiles is None or predictions.deviation is None:
        return {}
    known = predictions.of(predictions.usable)
    assert known.quantiles is not None
    assert known.deviation is not None
    counted = Calibration.of(known.mean, known.deviation, known.truth, known.pit())
    low, high = known.quantiles[:, LEVELS.index(0.05)], known.quantiles[:, LEVELS.index(0.95)]
    deviation = np.maximum(known.deviation, 1e-6)
    z = (known.truth - known.mean) / deviation
    found = {
        "nll": float(gaussian_nll(known.mean, deviation, known.truth).mean()),
        "crps": float(quantile_crps(known.quantiles, LEVELS, known.truth).mean()),
        "ece": counted.ece,
        "interval_score_90": float(interval_score(low, high, known.truth, 0.9).mean()),
        "sharpness": counted.sharpness,
        "ence": ence(known),
        "z_mean": float(z.mean()),
        "z_deviation": float(z.std()),
    }
    found |= {
        f"coverage_{round(100 * level)}": counted.coverage(level) for level in (0.5, 0.68, 0.8, 0.9, 0.95)
    }
    if known.noise is not None:
        found["nll_with_noise"] = float(gaussian_nll(known.mean, deviation, known.truth, known.noise).mean())
    return found


def ence(predictions: Predictions, groups: int = 10) -> float:
    """Expected normalised calibration error (Levi et al., 2022) over groups of equal size by deviation:
    the mean of ``|RMV - RMSE| / RMV`` with the root mean variance RMV; NaN where no spread is stated."""
    if predictions.deviation is None:
        return float("nan")
    known = predictions.of(predictions.usable)
    assert known.deviation is not None
    order = np.argsort(known.deviation, kind="stable")
    found = []
    for part in np.array_split(order, min(groups, len(order))):
        spread = float(np.sqrt((known.deviation[part] ** 2).mean()))
        error = float(np.sqrt(((known.mean - known.truth)[part] ** 2).mean()))
        found.append(abs(spread - error) / max(spread, 1e-12))
    return float(np.mean(found)) if found else float("nan")


def sparsification(predictions: Predictions, shares: Sequence[float], by_error: bool = False) -> list[float]:
    """RMSE of what is left when a share of the predictions is left out, those of the largest deviation first.

    Args:
        predictions: with a deviation, unless ``by_error``.
        shares: that are left out, below 1.
        by_error: leave out the largest errors instead, the best that any order could do.
    """
    known = predictions.of(predictions.usable)
    error = np.abs(known.mean - known.truth)
    key = error if by_error else known.deviation
    assert key is not None, "no spread is stated"
    squared = error[np.argsort(key, kind="stable")] ** 2
    kept = [max(1, round((1 - share) * len(squared))) for share in shares]
    return [float(np.sqrt(squared[:count].mean())) if len(squared) else float("nan") for count in kept]


def binned(predictions: Predictions, edges: ArrayLike = AGB_EDGES) -> list[dict[str, float]]:
    """RMSE, MAE and bias in bins of the truth, AGBD's by default; NaN in empty ones."""
    bounds = np.asarray(edges, np.float64)
    index = bin_index(predictions.truth, bounds)
    found = Moments.of(predictions.mean, predictions.truth, index, len(bounds) - 1)
    return [
        {
            "from": float(bounds[i]),
            "to": float(bounds[i + 1]),
            "n": float(found.n[i]),
            "rmse": float(found.rmse[i]),
            "mae": float(found.mae[i]),
            "bias": float(found.bias[i]),
        }
        for i in range(len(bounds) - 1)
    ]
