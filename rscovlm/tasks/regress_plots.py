"""Plots of known numbers inside a scene, by which the intervals of its map are fitted.

What a sensor cannot tell apart, such as tall forests under a closed canopy, a model fills in by how common
things were where it learnt. Intervals that hold there on average hold too little or too much of a scene in
which the mix is another. Plots of the scene itself, such as GEDI's footprints, know its mix.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.words import counted
from rscovlm.errors import DataError, UsageError
from rscovlm.scoring.predictions import LEVELS, Predictions, covered
from rscovlm.scoring.quantile_steps import LEAST, QuantileSteps
from rscovlm.tasks.regress import Run
from rscovlm.tasks.regress_layout import Patch
from tiling.scene import Scene
from tiling.view import Size, View, Window

if TYPE_CHECKING:
    from rscovlm.models.heads.distribution.stated import Stated

PLACES = (("lon", "lat"), ("longitude", "latitude"), ("x", "y"))
"""Pairs of columns that say where a plot is: degrees of WGS 84, or coordinates in the CRS of the scene."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KnownPlots:
    """Plots of a table.

    Attributes:
        places: (N, 2) longitudes and latitudes, or coordinates in the scene's CRS.
        in_degrees: which of both.
        numbers: (N,) by the name of the column in lower case; NaN where a cell is empty.
    """

    places: Floats
    in_degrees: bool
    numbers: Mapping[str, Floats]

    def pixels(self, scene: Scene) -> Floats:
        """(N, 2) scene pixels.

        Raises:
            NotGeoreferenced: where the scene has no place.
        """
        return scene.from_lonlat(self.places) if self.in_degrees else scene.from_map(self.places)


class Fitted(NamedTuple):
    """What intervals of a head were fitted on.

    Attributes:
        steps: of its quantiles.
        inside: share of plots inside of 90 % intervals before.
        truths, means: lowest and highest number of the plots, and of what the head says of them.
    """

    steps: QuantileSteps
    inside: float
    truths: tuple[float, float]
    means: tuple[float, float]


def _range(values: Floats) -> tuple[float, float]:
    return float(np.nanmin(values)), float(np.nanmax(values))


def read_plots(path: Path) -> KnownPlots:
    """Plots of a CSV table with a header.

    Raises:
        DataError: it cannot be read, or does not say where its plots are.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            names = {name.strip().casefold(): name for name in table.fieldnames or () if name}
            rows = list(table)
        pair = next((pair for pair in PLACES if set(pair) <= set(names)), None)
        if pair is None:
            known = ", ".join(names) or "none"
            raise DataError(
                f"{path} has no columns lon and lat, or x and y, split by commas; there are {known}"
            )
        if not rows:
            raise DataError(f"{path} has no plots: there is no row below its header")
        places = np.array([[float(row[names[name]]) for name in pair] for row in rows])
        numbers = {}
        for name, own in names.items():
            try:
                numbers[name] = np.array([float(row[own]) if row[own] else np.nan for row in rows])
            except (TypeError, ValueError):  # names and notes
                continue
    except (OSError, ValueError, TypeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path} is no table of plots: {reason}") from None
    return KnownPlots(places, pair != ("x", "y"), numbers)


def fit_on_plots(run: Run, plots: KnownPlots, path: Path) -> dict[str, Fitted]:
    """Fit the steps of all heads of a run on plots in its scene, in place of those that they had.

    Args:
        run: whose heads are changed.
        plots: of the scene; those outside, or on too little valid data, do not count.
        path: of their table, for errors.

    Returns:
        what was fitted, by target.

    Raises:
        UsageError: too few plots, or none with a number of the target.
    """
    from rscovlm.engines.numbers import head_of

    heads = {target: head_of(run.heads, target) for target in run.targets}
    truths = {target: _truth((target, head.target), plots, path) for target, head in heads.items()}
    places, shown = _patches(run, plots)
    if len(shown) < LEAST:
        raise UsageError(
            f"{path}: {len(shown)} of {counted(len(plots.places), 'plot')} lie on valid pixels of the scene; "
            f"intervals need {LEAST} or more"
        )
    for head in heads.values():
        head.steps = None
    said = _said(run, shown)
    found = {}
    for target, truth in truths.items():
        table = _table(truth[places], said[target])
        try:
            steps, inside = QuantileSteps.fit(table), covered(table, 0.9).value
        except ValueError as error:
            raise UsageError(f"{path}: {target}: {error}") from None
        found[target] = Fitted(steps, inside, _range(truth[places]), _range(table.mean))
        heads[target].steps = steps
    return found


def _truth(names: tuple[str, str], plots: KnownPlots, path: Path) -> Floats:
    """(N,) the column of a target: by the name of its head, or of what it gives."""
    lower = [name.casefold() for name in names]
    found = next((plots.numbers[name] for name in lower if name in plots.numbers), None)
    if found is None:
        told = " or ".join(dict.fromkeys(names))
        raise UsageError(f"{path} has no column {told} with the true numbers, and numbers alone")
    return found


def _patches(run: Run, plots: KnownPlots) -> tuple[NDArray[np.int64], list[Patch]]:
    """Which plots can be shown, and the patches about them."""
    scene, layout = run.stack.scene, run.layout
    wide, tall = layout.patch * layout.ratio.x, layout.patch * layout.ratio.y
    kept, shown, middles = [], [], []
    for place, (x, y) in enumerate(plots.pixels(scene)):
        if not (0 <= x < scene.width and 0 <= y < scene.height):
            continue
        view = View(Window(x - wide / 2, y - tall / 2, wide, tall), Size(layout.patch, layout.patch))
        pixels = run.stack.read(view, run.bands)
        patch = Patch(0, 0, pixels)
        if Run.is_shown(run, patch):  # the number is of the middle, also where a head gives maps
            kept.append(place)
            shown.append(patch)
            middles.append((x, y))
    return np.array(kept, dtype=np.int64), run.placed(shown, np.array(middles).reshape(-1, 2))


def _said(run: Run, shown: list[Patch]) -> dict[str, Stated]:
    """What is stated of each patch, by target."""
    from rscovlm.models.heads.distribution.stated import Stated, stated

    count = len(shown)
    found = {
        target: Stated(*(np.full(shape, np.nan) for shape in ((count,), (count,), (count, len(LEVELS)))))
        for target in run.targets
    }
    place = {id(patch): index for index, patch in enumerate(shown)}
    for part, estimates in run.estimates(shown):
        own = [place[id(patch)] for patch in part]
        for target, estimate in zip(run.targets, estimates, strict=True):
            for whole, some in zip(found[target], stated(estimate), strict=True):
                whole[own] = some
    return found


def _table(truth: Floats, said: Stated) -> Predictions:
    names = np.arange(len(truth)).astype(str)
    if not said.has_spread:
        return Predictions(names, names, truth, said.mean)
    return Predictions(names, names, truth, said.mean, said.quantiles, said.deviation)
