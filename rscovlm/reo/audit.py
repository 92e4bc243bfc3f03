"""The criteria that a benchmark of regression has to meet (perspective paper, V-A), as checks on a data set.

| criterion | check |
|---|---|
| global spatial distribution | effective number of cells of 10 degrees, climates, range of labels |
| sufficient and necessary sensors | what a linear model loses without each sensor, on unseen tiles |
| scientific knowledge in the text | texts that name an indicator, wordings, answers told by questions |
| temporal coverage | years, months, images of one place, days between image and label |
| leakage | tiles of two splits, distance between them, labels told by the nearest neighbour |
| semantic sensitivity | a model's, from the file that ``rscovlm reo sensitivity`` writes |

The paper states no thresholds; those here are choices, and stand beside each finding.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detection_eval.words import counted
from rscovlm.data.agbd import GEDI_BEGAN
from rscovlm.data.plot_files import open_plot_file
from rscovlm.data.splits import split_of
from rscovlm.errors import DataError
from rscovlm.reo.baselines import plot_statistics
from rscovlm.reo.facts import Facts
from rscovlm.scoring.predictions import Predictions, difference
from rscovlm.scoring.regression import AGB_EDGES, Moments, bin_index

Floats = NDArray[np.float64]
Verdict = Literal["met", "doubtful", "failed", "untested", "note"]

CELL_DEG, LEAST_CELLS = 10.0, 20.0
LEAST_CLIMATE = 0.1
LEAST_BIN, LEAST_BINS = 0.01, 6
LEAST_INFORMED = 0.5
LEAST_MONTHS, MOST_GAP_DAYS = 6, 183
APART_KM, OVERLAP_KM = 10.0, 0.25
MOST_NEAR = 0.01
MOST_PLACE_R2 = 0.3
SENSOR_PLOTS, FOLDS = 1000, 5
_EARTH_KM = 6371.0088

SENSORS: Mapping[str, tuple[int, ...]] = {
    "visible (B02-B04)": (1, 2, 3),
    "red edge (B05-B07)": (4, 5, 6),
    "near infrared (B08, B8A)": (7, 8),
    "shortwave infrared (B11, B12)": (10, 11),
    "aerosol and water vapour (B01, B09)": (0, 9),
    "all optical (B01-B12)": tuple(range(12)),
    "SAR (HH, HV)": (12, 13, 14),
}
"""Channels of ``rscovlm.data.plot_views.CHANNELS`` by what took them."""
WHOLE = ("all optical (B01-B12)", "SAR (HH, HV)")
"""Sensors as such. What groups of the bands of one add to each other is noted: they are never independent."""

_INDICATORS = re.compile(
    r"\b(?:Mg|t|tonnes?|kg)\s?(?:/|per\s)\s?(?:ha|hectare|m2)|\b(?:above-?ground biomass|agbd?|canopy|"
    r"backscatter|reflectance|gamma0|sigma0|infrared|red.edge|swir|nir|ndvi|evi|lai|height|density|"
    r"carbon|ph?enolog\w+|polari[sz]ation|evergreen|deciduous|needlelea\w+|broadlea\w+|closed forest|"
    r"open forest|shrub\w*|herbaceous|wetland|cropland|patch(?:es)?|fragmentation|deforestation|logging)\b",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        criterion: that it belongs to.
        name: of the check.
        verdict: on it; a ``note`` is neither good nor bad.
        found: in words.
        asked: what would be good, in words.
        numbers: that the verdict is from.
    """

    criterion: str
    name: str
    verdict: Verdict
    found: str
    asked: str
    numbers: Mapping[str, float] = field(default_factory=dict)


def audit(
    facts: Facts,
    *,
    apart_km: float = APART_KM,
    sensors: bool = True,
    sensitivity: Mapping[str, Any] | None = None,
) -> list[Check]:
    """All checks on a data set.

    Args:
        facts: of its samples.
        apart_km: distance that samples of two splits should have.
        sensors: whether pixels are read and models fitted to see which sensors are necessary.
        sensitivity: a model's, as ``rscovlm.reo.sensitivity`` gives it as JSON.

    Raises:
        DataError: pixels cannot be read.
    """
    return [
        *spread(facts),
        *(necessary(facts) if sensors else [_untested("sensors", "necessary", "left out by --no-sensors")]),
        *knowledge(facts),
        *dates(facts),
        *leakage(facts, apart_km),
        _semantic(sensitivity),
    ]


def _untested(criterion: str, name: str, why: str) -> Check:
    return Check(criterion, name, "untested", why, "")


def _judged(good: bool, bad: bool = False) -> Verdict:
    return "failed" if bad else "met" if good else "doubtful"


# --- global spatial distribution ------------------------------------------------------------------


def effective(shares: Sequence[float] | Floats) -> float:
    """How many equal parts would be as spread: the exponential of the entropy of shares."""
    parts = np.asarray([share for share in shares if share > 0], np.float64)
    parts = parts / parts.sum() if len(parts) else parts
    return float(np.exp(-(parts * np.log(parts)).sum())) if len(parts) else 0.0


def spread(facts: Facts) -> Iterator[Check]:
    """Whether places and labels are spread."""
    criterion = "spread"
    known = np.isfinite(facts.lat) & np.isfinite(facts.lon)
    if not known.any():
        yield _untested(criterion, "places", "no latitude and longitude")
    else:
        lat, lon = facts.lat[known], facts.lon[known]
        cells = Counter(zip(lat // CELL_DEG, lon // CELL_DEG, strict=True))
        number, largest = effective(list(cells.values())), max(cells.values()) / len(lat)
        told = (
            f"{counted(len(cells), 'cell')} of {CELL_DEG:g} degrees, as good as {number:.0f} equal ones; "
            f"the largest holds {largest:.0%}"
        )
        asked = f"as good as {LEAST_CELLS:g} cells or more"
        numbers = {"cells": len(cells), "effective": number, "largest": largest}
        yield Check(criterion, "places", _judged(number >= LEAST_CELLS, number < 2), told, asked, numbers)
        tropics = float((np.abs(lat) < 23.44).mean())
        north = float((lat > 0).mean())
        told = f"{tropics:.0%} in the tropics, {north:.0%} north of the equator"
        good = min(tropics, 1 - tropics) >= LEAST_CLIMATE
        numbers = {"tropics": tropics, "north": north}
        asked = f"at least {LEAST_CLIMATE:.0%} within the tropics, and outside"
        yield Check(criterion, "climates", _judged(good), told, asked, numbers)
    label = facts.label[np.isfinite(facts.label)]
    if not len(label):
        yield _untested(criterion, "labels", "no label")
        return
    counts = np.bincount(bin_index(label) + 1, minlength=len(AGB_EDGES))[1:]
    filled = int((counts >= LEAST_BIN * len(label)).sum())
    told = f"{filled} of {len(counts)} bins of 50 Mg/ha hold {LEAST_BIN:.0%} or more"
    numbers = {"bins": filled, "effective": effective(counts.astype(float))}
    asked = f"{LEAST_BINS} bins or more"
    yield Check(criterion, "labels", _judged(filled >= LEAST_BINS, filled < 2), told, asked, numbers)


# --- sensors --------------------------------------------------------------------------------------


def necessary(facts: Facts, most: int = SENSOR_PLOTS) -> Iterator[Check]:
    """Losses of ridge on bands and their squares without each sensor, in folds of whole tiles."""
    criterion = "sensors"
    if facts.stored == "conversations":
        yield _untested(criterion, "necessary", "no pixels of named bands in these files")
        return
    try:
        features, label, tile = _features(facts, most)
    except DataError as error:
        if facts.stored != "table":
            raise
        yield _untested(criterion, "necessary", str(error))
        return
    if len(set(tile.tolist())) < FOLDS:
        yield _untested(criterion, "necessary", f"fewer than {FOLDS} tiles")
        return
    every = list(range(15))
    whole = _crossed(features, label, tile, every)
    rmse, flat = float(Moments.of(whole.mean, label).rmse.item()), float(label.std())
    told = (
        f"RMSE {rmse:.1f} Mg/ha of a deviation of {flat:.1f} with all bands, on {counted(len(label), 'plot')}"
    )
    numbers = {"rmse": rmse, "deviation": flat}
    yield Check(
        criterion, "sufficient", _judged(rmse < 0.8 * flat), told, "RMSE below 0.8 deviations", numbers
    )
    for name, channels in SENSORS.items():
        left = _crossed(features, label, tile, [index for index in every if index not in channels])
        lost = difference(left, whole)
        told = f"without it RMSE changes by {lost.value:+.1f} Mg/ha ({lost.low:+.1f} to {lost.high:+.1f})"
        numbers = {"lost": lost.value, "low": lost.low, "high": lost.high}
        if name in WHOLE or lost.low > 0:
            yield Check(criterion, name, _judged(lost.low > 0), told, "its loss is felt", numbers)
        else:
            yield Check(criterion, name, "note", f"{told}; the other bands tell as much", "", numbers)


def _features(facts: Facts, most: int) -> tuple[Floats, Floats, NDArray[np.str_]]:
    """Statistics of bands, labels and tiles of evenly spaced plots."""
    label, start = facts.label, 0
    known = np.flatnonzero(np.isfinite(label))
    chosen = set(known[np.unique(np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(int))])
    plots, rows = [], []
    for path in facts.files:
        with open_plot_file(path) as opened:
            keys = list(opened.keys())
            for place, (name, row) in enumerate(keys):
                if start + place in chosen:
                    plots.append(opened.read(name, row))
                    rows.append(start + place)
            start += len(keys)
    return plot_statistics(plots), label[rows], facts.tile[rows]


def _crossed(features: Floats, label: Floats, tile: NDArray[np.str_], channels: Sequence[int]) -> Predictions:
    """Predictions of a model of some channels, in folds of tiles that it has not seen."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    half = features.shape[1] // 2
    columns = [*channels, *(half + index for index in channels)]
    squares = PolynomialFeatures(2, include_bias=False)
    model = make_pipeline(StandardScaler(), squares, StandardScaler(), RidgeCV(np.logspace(0, 4, 5)))
    folds = GroupKFold(FOLDS)
    said = cross_val_predict(model, features[:, columns], label, groups=tile, cv=folds)
    return Predictions(np.arange(len(label)).astype(str), tile, label, np.clip(said, 0, AGB_EDGES[-1]))


# --- knowledge in the text ------------------------------------------------------------------------


def knowledge(facts: Facts) -> Iterator[Check]:
    """Whether texts hold scientific knowledge, vary, and do not tell the answer."""
    criterion = "knowledge"
    if not facts.texts:
        yield _untested(criterion, "indicators", "no text in these files; write conversations about them")
        return
    whole = [f"{question} {answer}" for question, answer in facts.texts]
    informed = float(np.mean([bool(_INDICATORS.search(text)) for text in whole]))
    told = f"{informed:.0%} of {counted(len(whole), 'text')} name a measurable indicator"
    asked = f"{LEAST_INFORMED:.0%} or more"
    numbers = {"share": informed}
    good = informed >= LEAST_INFORMED
    yield Check(criterion, "indicators", _judged(good, informed < 0.05), told, asked, numbers)
    wordings = len({_NUMBERS.sub("#", question) for question, _ in facts.texts})
    told = f"{counted(wordings, 'wording')} of {counted(len(whole), 'question')}"
    asked = "several wordings, so that words are read and not recognised"
    yield Check(
        criterion, "wordings", _judged(wordings >= min(10, len(whole))), told, asked, {"wordings": wordings}
    )
    told_by = [
        bool(_NUMBERS.findall(answer)) and set(_NUMBERS.findall(answer)) <= set(_NUMBERS.findall(question))
        for question, answer in facts.texts
    ]
    share = float(np.mean(told_by))
    told = f"{share:.1%} of questions hold the number that is asked for"
    yield Check(criterion, "answers told", _judged(not share, share > 0.01), told, "none", {"share": share})


# --- dates ----------------------------------------------------------------------------------------


def dates(facts: Facts) -> Iterator[Check]:
    """Years, months and images of one place, and how far images are from their labels."""
    criterion = "dates"
    known = np.isfinite(facts.image_day)
    if not known.any():
        yield _untested(criterion, "months", "no dates of images")
        return
    days = GEDI_BEGAN + facts.image_day[known].astype("timedelta64[D]")
    months = days.astype("datetime64[M]")
    number, seasons = len(set(months.tolist())), len({month.month for month in months.tolist()})
    told = f"{days.min()} to {days.max()}: {counted(number, 'month')}, {seasons} of the 12 of a year"
    asked = f"{LEAST_MONTHS} of the 12 or more"
    numbers = {"months": number, "seasons": seasons}
    yield Check(criterion, "months", _judged(seasons >= LEAST_MONTHS), told, asked, numbers)
    placed = known & np.isfinite(facts.lat)
    if placed.any():
        places = Counter(zip(facts.lat[placed].round(4), facts.lon[placed].round(4), strict=True))
        seen = {
            (lat, lon, day)
            for lat, lon, day in zip(
                facts.lat[placed].round(4), facts.lon[placed].round(4), facts.image_day[placed], strict=True
            )
        }
        share = float(np.mean([count > 1 for count in Counter((lat, lon) for lat, lon, _ in seen).values()]))
        told = f"{share:.0%} of {counted(len(places), 'place')} are seen at several dates"
        asked = "some, or nothing can be said of change"
        yield Check(criterion, "one place over time", _judged(share > 0.05), told, asked, {"share": share})
    both = known & np.isfinite(facts.label_day)
    if both.any():
        gap = np.abs(facts.image_day[both] - facts.label_day[both])
        told = f"images and labels are {np.median(gap):.0f} days apart in the middle, at most {gap.max():.0f}"
        good = float(np.quantile(gap, 0.95)) <= MOST_GAP_DAYS
        apart = {"median_days": float(np.median(gap)), "greatest_days": float(gap.max())}
        asked = f"95 % within {MOST_GAP_DAYS} days"
        yield Check(criterion, "image and label", _judged(good), told, asked, apart)


# --- leakage --------------------------------------------------------------------------------------


def leakage(facts: Facts, apart_km: float = APART_KM) -> Iterator[Check]:
    """Whether splits share tiles or lie beside each other, and what places alone tell of labels.

    Splits are those that files or records state, else those of ``rscovlm.data.splits`` by tile.
    """
    criterion, split = "leakage", splits_of(facts)
    names = [name for name in ("train", "val", "test") if (split == name).any()]
    if "train" not in names or len(names) < 2:
        yield _untested(
            criterion, "splits", "no train and test split is stated, and no tiles to make them of"
        )
        return
    tiles = {name: set(facts.tile[split == name].tolist()) - {""} for name in names}
    if any(tiles.values()):
        shared = sorted(
            {tile for one in names for other in names if one < other for tile in tiles[one] & tiles[other]}
        )
        told = f"{counted(len(shared), 'tile is', 'tiles are')} in two splits" + (
            f", such as {shared[0]}" if shared else ""
        )
        yield Check(
            criterion, "tiles", _judged(not shared, bool(shared)), told, "none", {"shared": len(shared)}
        )
    else:
        yield _untested(criterion, "tiles", "samples have no tiles")
    for name in names[1:]:
        yield from _near(facts, split, name, apart_km)


def splits_of(facts: Facts) -> NDArray[np.str_]:
    """(N,) split of each sample: as stated, else by its tile; empty where there is neither."""
    by_tile = {tile: split_of(tile) if tile else "" for tile in set(facts.tile.tolist())}
    made = np.array([by_tile[tile] for tile in facts.tile.tolist()], dtype=np.str_)
    return np.where(facts.split != "", facts.split, made) if (facts.split != "").any() else made


def _near(facts: Facts, split: NDArray[np.str_], name: str, apart_km: float) -> Iterator[Check]:
    from sklearn.neighbors import NearestNeighbors

    criterion = "leakage"
    known = np.isfinite(facts.lat) & np.isfinite(facts.lon)
    train, other = known & (split == "train"), known & (split == name)
    if not train.any() or not other.any():
        yield _untested(criterion, f"distance to {name}", "no places in one of both splits")
        return
    places = _on_sphere(facts.lat, facts.lon)
    chord, nearest = NearestNeighbors(n_neighbors=1).fit(places[train]).kneighbors(places[other])
    km = 2 * _EARTH_KM * np.arcsin(np.clip(chord[:, 0] / 2, 0, 1))
    near, over = float((km < apart_km).mean()), int((km < OVERLAP_KM).sum())
    overlaps = counted(over, "patch overlaps", "patches overlap")
    told = f"nearest {km.min():.2f} km, {near:.1%} within {apart_km:g} km, {overlaps}"
    numbers = {"nearest_km": float(km.min()), "near": near, "overlapping": over}
    asked = f"none overlaps, {MOST_NEAR:.0%} or less within {apart_km:g} km"
    yield Check(criterion, f"distance to {name}", _judged(near <= MOST_NEAR, over > 0), told, asked, numbers)
    label = facts.label[train][nearest[:, 0]]
    r2 = float(Moments.of(label, facts.label[other]).r2.item())
    if np.isfinite(r2):
        told = f"the label of the nearest training sample has R2 {r2:.2f} on {name}"
        asked = f"below {MOST_PLACE_R2:g}: places alone should not tell labels"
        yield Check(criterion, f"places tell {name}", _judged(r2 < MOST_PLACE_R2), told, asked, {"r2": r2})


def _on_sphere(lat: Floats, lon: Floats) -> Floats:
    """(N, 3) on the unit sphere."""
    lat, lon = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


# --- semantic sensitivity -------------------------------------------------------------------------


def _semantic(found: Mapping[str, Any] | None) -> Check:
    criterion = "semantics"
    if found is None:
        return _untested(
            criterion, "sensitivity", "a model's: rscovlm reo sensitivity FILE --model MODEL --output"
        )
    verdict: Verdict = found["verdict"]
    return Check(criterion, "sensitivity", verdict, str(found["told"]), str(found["asked"]))
