"""Baselines that need no vision-language model: the rows that every table of results begins with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.agbd import Footprint
from rscovlm.data.plot_files import open_plots
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.plot_views import channels
from rscovlm.errors import DataError
from rscovlm.reo.predict import TARGET, table
from rscovlm.scoring.predictions import Predictions

Floats = NDArray[np.float64]

_NEAR = 1  # pixels about the middle: 3 x 3 of 10 m hold the footprint of 25 m
OPTICAL = tuple(range(12))
RGB = (1, 2, 3)
SETS: Mapping[str, Sequence[int]] = MappingProxyType(
    {"RGB": RGB, "optical": OPTICAL, "optical and radar": (*OPTICAL, 12, 13)}
)
"""Channels by what is seen."""


def band_statistics(source: PlotSource) -> Floats:
    """(N, 30) mean of each channel over the middle 3 x 3 pixels, then over the whole plot.

    The channels are those of ``rscovlm.data.plot_views.CHANNELS``; what is missing is the channel's mean, and
    NaN where no plot has it.
    """
    places = source.places
    return plot_statistics(
        open_plots(source.files[places.file[row]]).read(str(places.group[row]), int(places.row[row]))
        for row in range(len(source))
    )


def plot_statistics(plots: Iterable[Footprint]) -> Floats:
    """The same of N plots, whatever they are read from."""
    rows = []
    for plot in plots:
        found = np.stack(list(channels(plot).values()))
        middle = found.shape[1] // 2
        near = found[:, middle - _NEAR : middle + _NEAR + 1, middle - _NEAR : middle + _NEAR + 1]
        rows.append(np.concatenate([_mean(near), _mean(found)]))
    values = np.array(rows)
    return np.where(np.isnan(values), _mean(values, (0,)), values)


def _mean(values: Floats, axes: tuple[int, ...] = (1, 2)) -> Floats:
    """The mean of what is known along some axes; NaN where there is nothing."""
    known = np.isfinite(values)
    count = known.sum(axis=axes)
    total = np.where(known, values, 0).sum(axis=axes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def constant(train: PlotSource, test: PlotSource, target: str = TARGET) -> Predictions:
    """The mean of the training plots."""
    mean = float(np.nanmean(train.places.numbers[target]))
    return table(test, np.full(len(test), mean), target=target)


def by_cover(train: PlotSource, test: PlotSource, target: str = TARGET) -> Predictions:
    """The mean of the training plots with the same land cover in the middle; of all where none has it."""
    truth, covers = train.places.numbers[target], train.covers()
    known = np.isfinite(truth)
    means = {name: float(truth[known & (covers == name)].mean()) for name in np.unique(covers[known])}
    mean = float(truth[known].mean())
    return table(test, np.array([means.get(name, mean) for name in test.covers()]), target=target)


def baseline_rows(
    train: PlotSource,
    val: PlotSource,
    test: PlotSource,
    *,
    target: str = TARGET,
    sets: Mapping[str, Sequence[int]] = SETS,
    seeds: int = 1,
    high: float = math.inf,
) -> dict[str, Predictions]:
    """What needs no vision-language model says of test plots, by name, the simplest first.

    Args:
        train, val, test: plots on tiles that share nothing; validation chooses the penalty of ridge.
        target: number of the plots.
        sets: channels (see ``band_statistics``) that ridge and trees see, by name; one of which the plots
            lack a channel is left out.
        seeds: training runs of trees, whose predictions stand one after the other.
        high: largest value that can be; none is below 0.

    Raises:
        DataError: a plot cannot be read, or training or validation plots have no such number.
    """
    truth = [source.places.numbers[target] for source in (train, val)]
    known = [np.isfinite(each) for each in truth]
    if not all(each.any() for each in known):
        raise DataError(f"no plot of training, or of validation, has {target}")
    found = {"constant": constant(train, test, target), "land cover": by_cover(train, test, target)}
    features = [band_statistics(source) for source in (train, val, test)]
    channels = features[0].shape[1] // 2
    right, held = (each[rows] for each, rows in zip(truth, known, strict=True))
    for name, chosen in sets.items():
        columns = [*chosen, *(channels + index for index in chosen)]
        seen = [each[:, columns] for each in features]
        if not all(np.isfinite(each).all() for each in seen):
            continue
        fitted, told = seen[0][known[0]], seen[1][known[1]]
        line = ridge(fitted, right, told, held).predict(seen[2])
        found[f"ridge on bands, {name}"] = table(test, np.clip(line, 0, high), target=target)
        grown = [boosted(fitted, right, seed).predict(seen[2]) for seed in range(seeds)]
        found[f"boosted trees on bands, {name}"] = Predictions.joined(
            [table(test, np.clip(each, 0, high), target=target) for each in grown]
        )
    return found


def ridge(features: Floats, truth: Floats, validation: Floats, right: Floats) -> Any:
    """A linear model of standardised features, its penalty chosen on validation plots.

    Args:
        features, truth: (N, F) and (N,) of training plots.
        validation, right: of validation plots.
    """
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models = [
        make_pipeline(StandardScaler(), Ridge(alpha=float(alpha))).fit(features, truth)
        for alpha in np.logspace(-2, 4, 7)
    ]
    return min(models, key=lambda model: float(((model.predict(validation) - right) ** 2).mean()))


def boosted(features: Floats, truth: Floats, seed: int = 0) -> Any:
    """Gradient-boosted trees with scikit-learn's settings, stopped early on a tenth of the training plots."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(early_stopping=True, random_state=seed).fit(features, truth)
