"""Forest plots with known physics: from biomass to reflectance and backscatter, as AGBD's patches hold them.

A plot is 25 x 25 pixels of 10 m about one GEDI footprint of 25 m. Canopy closes with biomass, and with it the
optical signal saturates at about 120 Mg/ha; L-band backscatter goes on rising to about 300 Mg/ha
(Beer-Lambert closure and a water-cloud model, with constants of usual size rather than of any site). Tiles
differ in soil, leaves and moisture, so that plots of one tile are alike and a split by tile is a real test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SIDE = 25
"""Pixels along a side of a plot."""
PIXEL_M = 10.0
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
"""Sentinel-2's bands in AGBD's order; B10 is not among them."""
POLARISATIONS = ("HH", "HV")
MOST_MG_HA = 500.0

_LEAF = (0.02, 0.025, 0.055, 0.03, 0.085, 0.25, 0.33, 0.35, 0.37, 0.38, 0.17, 0.075)
_SOIL = (0.10, 0.11, 0.14, 0.18, 0.20, 0.22, 0.24, 0.26, 0.28, 0.29, 0.34, 0.28)
_GRASS = (0.04, 0.05, 0.09, 0.07, 0.13, 0.24, 0.29, 0.31, 0.33, 0.34, 0.24, 0.14)
_WATER = (0.05, 0.05, 0.04, 0.03, 0.025, 0.02, 0.02, 0.018, 0.015, 0.015, 0.01, 0.008)
_ROOFS = (0.18, 0.20, 0.22, 0.24, 0.25, 0.27, 0.28, 0.30, 0.30, 0.31, 0.33, 0.32)

_CLOSURE, _SHADE, _HEIGHT = 32.0, 260.0, 190.0  # Mg/ha at which 63 % of each is reached
_SAR_CLOSURE = 240.0
_GROUND_DB, _CANOPY_DB = (-13.0, -21.0), (-6.6, -10.6)  # HH, HV
_LOOKS = 24.0  # of the annual PALSAR-2 mosaic

LAND_COVERS: MappingProxyType[int, str] = MappingProxyType(
    {
        20: "shrubs",
        30: "herbaceous vegetation",
        40: "cropland",
        50: "built-up",
        60: "bare or sparse vegetation",
        80: "permanent water bodies",
        90: "herbaceous wetland",
        111: "closed evergreen needleleaf forest",
        112: "closed evergreen broadleaf forest",
        114: "closed deciduous broadleaf forest",
        121: "open evergreen needleleaf forest",
        122: "open evergreen broadleaf forest",
        124: "open deciduous broadleaf forest",
    }
)
"""Codes and names of CGLS-LC100 that plots have, of the 19 of AGBD."""

ACTIVITIES = ("none", "cropping", "logging", "settlement")


@dataclass(frozen=True)
class Tile:
    """What plots of one tile share.

    Attributes:
        name: in the form of an MGRS tile.
        lat, lon: of its middle in degrees.
        soil, greenness: factors on the spectra of soil and leaves.
        moisture_db: added to backscatter.
        forest: CGLS-LC100 code of its closed forest.
        richness: how much biomass its forests tend to hold, 0-1.
    """

    name: str
    lat: float
    lon: float
    soil: float
    greenness: float
    moisture_db: float
    forest: int
    richness: float


@dataclass(frozen=True, eq=False)
class Plot:
    """One plot with its label.

    Attributes:
        tile: it lies in.
        reflectance: (25, 25, 12) surface reflectance, bands as in ``BANDS``.
        gamma0_db: (25, 25, 2) backscatter, polarisations as in ``POLARISATIONS``.
        biomass: (25, 25) true above-ground biomass in Mg/ha.
        agbd, agbd_se: label of the footprint at the middle and its standard error, Mg/ha.
        land_cover: (25, 25) codes of CGLS-LC100.
        height_m: canopy height of the footprint (GEDI's rh98).
        elevation_m: of the footprint.
        patches: number of patches of forest, joined by sides.
        activity: of people, one of ``ACTIVITIES``.
        lat, lon: of the footprint in degrees.
        day: of the year of the Sentinel-2 image.
        later: further Sentinel-2 images of the same place, each with its day since the same new year.
    """

    tile: Tile
    reflectance: Floats
    gamma0_db: Floats
    biomass: Floats
    agbd: float
    agbd_se: float
    land_cover: NDArray[np.uint8]
    height_m: float
    elevation_m: float
    patches: int
    activity: str
    lat: float
    lon: float
    day: int
    later: tuple[tuple[int, Floats], ...] = ()


def make_tile(seed: int, index: int) -> Tile:
    """The index-th tile of a seed."""
    rng = np.random.default_rng([seed, index, 11])
    letters = "CDEFGHJKLMNPQRSTUVWX"
    name = f"{int(rng.integers(1, 61)):02d}{letters[int(rng.integers(20))]}" + "".join(
        letters[int(i)] for i in rng.integers(0, 20, 2)
    )
    return Tile(
        f"{name}{index:03d}",
        float(rng.uniform(-50, 50)),
        float(rng.uniform(-179, 179)),
        float(rng.uniform(0.75, 1.3)),
        float(rng.uniform(0.9, 1.12)),
        float(rng.normal(0, 0.3)),
        int(rng.choice([111, 112, 114])),
        float(rng.uniform(0.25, 1.0)),
    )


def make_plot(seed: int, tile: Tile, index: int, dates: int = 1) -> Plot:
    """The index-th plot of a tile: a pure function of its arguments.

    Args:
        seed: of everything.
        tile: that it lies in.
        index: of the plot in the tile.
        dates: Sentinel-2 images; the first is the same for any number, later ones are 45 to 110 days apart.
    """
    rng = np.random.default_rng([seed, index, *tile.name.encode()])
    forest, activity = _forest(rng, tile)
    biomass = np.where(forest, _stand(rng, tile), rng.gamma(1.5, 4.0, (SIDE, SIDE)))
    biomass = np.clip(biomass, 0, MOST_MG_HA)
    cover = _land_cover(rng, tile, biomass, forest, activity)
    footprint = _footprint(biomass)
    se = 3.0 + 0.08 * footprint + float(rng.gamma(2.0, 1.0))
    made = Plot(
        tile,
        canopy_reflectance(rng, tile, biomass, cover),
        _gamma0(rng, tile, biomass, cover),
        biomass,
        float(np.clip(rng.normal(footprint, 0.6 * se), 0, MOST_MG_HA)),
        se,
        cover,
        max(0.0, float(canopy_height(footprint)) + float(rng.normal(0, 1.0))),
        float(rng.uniform(0, 1500)),
        count_patches(forest),
        activity,
        tile.lat + float(rng.uniform(-0.45, 0.45)),
        tile.lon + float(rng.uniform(-0.45, 0.45)),
        int(rng.integers(120, 270)),
    )
    later, day = [], made.day
    for date in range(2, dates + 1):
        own = np.random.default_rng([seed, index, date, 29, *tile.name.encode()])
        day += int(own.integers(45, 111))
        later.append((day, canopy_reflectance(own, tile, biomass, cover, leaf_on=leaf_on(day))))
    return replace(made, later=tuple(later))


def leaf_on(day: int) -> float:
    """Share of leaves that deciduous trees have and of grass that is green, by the day of the year.

    1 from day 100 to 280, 0 from 330 to 415 (50 of the next year), straight lines between.
    """
    return float(np.interp(day % 365, [0, 50, 100, 280, 330, 365], [0, 0, 1, 1, 0, 0]))


def canopy_height(biomass: ArrayLike) -> Floats:
    """Heights in m of canopies that hold so much biomass in Mg/ha."""
    found: Floats = 42 * (1 - np.exp(-np.asarray(biomass, np.float64) / _HEIGHT))
    return found


def _smooth(rng: np.random.Generator, scale: int) -> Floats:
    """(25, 25) smooth noise of mean 0 and deviation 1 with features of about ``scale`` pixels."""
    nodes = rng.normal(size=(SIDE // scale + 3, SIDE // scale + 3))
    at = np.arange(SIDE) / scale
    low = at.astype(int)
    share = at - low
    share = share * share * (3 - 2 * share)
    rows = nodes[low] * (1 - share)[:, None] + nodes[low + 1] * share[:, None]
    field: Floats = rows[:, low] * (1 - share) + rows[:, low + 1] * share
    return (field - field.mean()) / max(float(field.std()), 1e-9)


def _forest(rng: np.random.Generator, tile: Tile) -> tuple[NDArray[np.bool_], str]:
    """(25, 25) where forest stands, and what people have done to it."""
    share = float(rng.beta(1.2 + 2 * tile.richness, 1.2))
    field = _smooth(rng, int(rng.choice([5, 8, 12])))
    forest = field > np.quantile(field, 1 - share) if share < 0.97 else np.ones((SIDE, SIDE), dtype=bool)
    activity = str(rng.choice(ACTIVITIES, p=[0.55, 0.2, 0.15, 0.1]))
    if activity == "logging":
        for start in rng.choice(np.arange(2, SIDE - 3), int(rng.integers(2, 5)), replace=False):
            forest[start : start + 2] = False
    elif activity != "none":
        side = int(rng.integers(5, 11))
        row, column = rng.integers(0, SIDE - side, 2)
        forest[row : row + side, column : column + side] = False
    return forest, activity


def _stand(rng: np.random.Generator, tile: Tile) -> Floats:
    """(25, 25) biomass of a stand of one age with its gaps."""
    age = float(rng.beta(1.3, 1.6))
    level = 15 + age * (120 + 330 * tile.richness)
    stand: Floats = level * np.exp(0.16 * _smooth(rng, 6) + 0.07 * rng.normal(size=(SIDE, SIDE)))
    return stand


def _land_cover(
    rng: np.random.Generator,
    tile: Tile,
    biomass: Floats,
    forest: NDArray[np.bool_],
    activity: str,
) -> NDArray[np.uint8]:
    closed = 1 - np.exp(-biomass / _CLOSURE) > 0.7
    others = {"cropping": 40, "settlement": 50}
    open_ground = others.get(activity, int(rng.choice([20, 30, 30, 40, 60, 80, 90])))
    trees = np.where(closed, tile.forest, tile.forest + 10)
    return np.where(forest, trees, open_ground).astype(np.uint8)


def _footprint(biomass: Floats) -> float:
    """Biomass of the 25 m about the middle: a Gaussian beam's weights on the pixels under it."""
    away = (np.arange(SIDE) - SIDE // 2) * PIXEL_M
    weight = np.exp(-0.5 * (away / (25 / 4)) ** 2)
    weights = weight[:, None] * weight[None]
    return float((weights * biomass).sum() / weights.sum())


def canopy_reflectance(
    rng: np.random.Generator,
    tile: Tile,
    biomass: Floats,
    cover: NDArray[np.uint8],
    light: Floats | None = None,
    leaf_on: float = 1.0,
) -> Floats:
    """(height, width, 12) of leaves over ground, darker where a tall canopy shades itself.

    Without leaves, deciduous trees hide the ground by stems and twigs alone, a quarter as much, so that the
    signal saturates later; grass is dry, and as bright as soil.

    Args:
        rng: of noise, crops, haze and slopes.
        tile: whose soil and leaves it is.
        biomass: (height, width) Mg/ha.
        cover: (height, width) codes of CGLS-LC100.
        light: (height, width) factor of haze and slopes; None draws that of a plot.
        leaf_on: share of leaves and of green grass, 0 to 1.
    """
    ground = np.empty((*biomass.shape, len(BANDS)))
    ground[...] = np.array(_SOIL) * tile.soil
    grass = leaf_on * np.array(_GRASS) + (1 - leaf_on) * np.array(_SOIL)
    for code, spectrum in ((20, grass), (30, grass), (90, grass), (80, _WATER), (50, _ROOFS)):
        ground[cover == code] = spectrum
    green = float(rng.uniform(0.15, 0.85))  # of crops, which may be bare
    ground[cover == 40] = green * np.array(_GRASS) + (1 - green) * np.array(_SOIL) * tile.soil
    leafy = np.where(np.isin(cover, (114, 124)), 0.25 + 0.75 * leaf_on, 1.0)
    closure = (1 - np.exp(-biomass * leafy / _CLOSURE))[..., None]
    shade = 0.08 * (1 - np.exp(-biomass / _SHADE))[..., None]
    # Needles are darker than leaves, most of all in the infrared.
    needles = np.where(np.isin(cover, (111, 121)), 0.82, 1.0)[..., None]
    leaves = np.array(_LEAF) * tile.greenness * needles * (1 - shade)
    if light is None:
        light = rng.normal(1, 0.07) * (1 + 0.03 * _smooth(rng, 8))  # haze and slopes
    found = (closure * leaves + (1 - closure) * ground) * light[..., None]
    noisy: Floats = found * rng.normal(1, 0.04, found.shape) + rng.normal(0, 0.003, found.shape)
    return np.clip(noisy, 0.0001, 1.0)


def _gamma0(rng: np.random.Generator, tile: Tile, biomass: Floats, cover: NDArray[np.uint8]) -> Floats:
    """Water-cloud model: the ground through the canopy, and the canopy, with speckle."""
    through = np.exp(-biomass / _SAR_CLOSURE)[..., None]
    ground, canopy = (10 ** (np.array(level) / 10) for level in (_GROUND_DB, _CANOPY_DB))
    power = through * ground + (1 - through) * canopy
    power[cover == 80] = 10 ** (np.array((-22.0, -29.0)) / 10)
    power[cover == 50] = 10 ** (np.array((-4.0, -13.0)) / 10)
    speckle = rng.gamma(_LOOKS, 1 / _LOOKS, power.shape)
    decibels: Floats = 10 * np.log10(power * speckle) + tile.moisture_db
    return decibels


def count_patches(forest: NDArray[np.bool_]) -> int:
    """Number of areas of forest whose pixels are joined by sides."""
    left, patches = forest.copy(), 0
    while left.any():
        patches += 1
        row, column = np.argwhere(left)[0]
        front = np.zeros_like(left)
        front[row, column] = True
        while front.any():
            left &= ~front
            grown = np.zeros_like(front)
            grown[1:] |= front[:-1]
            grown[:-1] |= front[1:]
            grown[:, 1:] |= front[:, :-1]
            grown[:, :-1] |= front[:, 1:]
            front = grown & left
    return patches
