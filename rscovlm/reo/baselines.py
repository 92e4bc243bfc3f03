"""Baselines that need no vision-language model: the rows that every table of results begins with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.agbd import Footprint
from rscovlm.data.plot_files import open_plots
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.plot_views import channels
from rscovlm.reo.predict import TARGET, table
from rscovlm.scoring.predictions import Predictions

Floats = NDArray[np.float64]

_NEAR = 1  # pixels about the middle: 3 x 3 of 10 m hold the footprint of 25 m
OPTICAL = tuple(range(12))
RGB = (1, 2, 3)


def band_statistics(source: PlotSource) -> Floats:
    """(N, 30) mean of each channel over the middle 3 x 3 pixels, then over the whole plot.

    The channels are those of ``rscovlm.data.plot_views.CHANNELS``; what is missing is the channel's mean.
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
    return np.where(np.isnan(values), np.nanmean(values, axis=0), values)


def _mean(values: Floats) -> Floats:
    """(channels,) NaN where a channel has no data at all."""
    known = np.isfinite(values)
    count = known.sum(axis=(1, 2))
    total = np.where(known, values, 0).sum(axis=(1, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def constant(train: PlotSource, test: PlotSource) -> Predictions:
    """The mean of the training plots."""
    mean = float(np.nanmean(train.places.numbers[TARGET]))
    return table(test, np.full(len(test), mean))


def by_cover(train: PlotSource, test: PlotSource) -> Predictions:
    """The mean of the training plots with the same land cover in the middle."""
    truth, covers = train.places.numbers[TARGET], train.covers()
    means = {name: float(np.nanmean(truth[covers == name])) for name in np.unique(covers)}
    mean = float(np.nanmean(truth))
    return table(test, np.array([means.get(name, mean) for name in test.covers()]))


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
