"""Random land of a scene class: how much of it is water and woods, and what else it is used for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rscovlm.synth.grid import Grid, draw_grid
from rscovlm.synth.terrain import Cover, River, Terrain

_MIXES: dict[str, tuple[tuple[Cover, float], ...]] = {
    "farmland": ((Cover.MEADOW, 0.1), (Cover.FARMLAND, 0.82), (Cover.URBAN, 0.08)),
    "forest": ((Cover.MEADOW, 0.85), (Cover.FARMLAND, 0.15)),
    "urban": ((Cover.MEADOW, 0.07), (Cover.URBAN, 0.86), (Cover.INDUSTRIAL, 0.07)),
    "industrial": ((Cover.MEADOW, 0.08), (Cover.INDUSTRIAL, 0.82), (Cover.URBAN, 0.1)),
    "desert": ((Cover.DESERT, 0.97), (Cover.URBAN, 0.03)),
}
_WOODS = {"farmland": 0.12, "forest": 0.84, "urban": 0.04, "industrial": 0.06, "desert": 0.0}
_WET = {"water": (0.8, 0.92), "coast": (0.4, 0.6)}
_RIVERS = {"farmland": 0.8, "forest": 0.7, "urban": 0.7, "industrial": 0.6, "desert": 0.25}
_ONE_USE_M = 260.0
"""Side of scenes that are too small for a second land use."""


def draw_terrain(rng: np.random.Generator, cover: str, width_m: float, height_m: float) -> Terrain:
    """Random land of a scene class, before places and roads; its shares of water and woods are as planned."""
    side = min(width_m, height_m)
    scale = float(np.clip(0.6 * side, 160.0, 2400.0))
    grid = draw_grid(rng)
    seed = int(rng.integers(1 << 31))
    away = float(rng.uniform(-np.pi, np.pi))
    tilt = {"coast": 2.6, "water": float(rng.choice([0.0, 1.2]))}.get(cover, 0.0) / max(width_m, height_m)
    inland = cover if cover in _MIXES else str(rng.choice(list(_MIXES)[:3]))
    wet = float(rng.uniform(*_WET[cover])) if cover in _WET else 0.0
    lake = float(rng.choice([0.0, 0.02, 0.05])) if cover not in ("desert", *_WET) else 0.0
    bare = Terrain(
        seed,
        cover,
        width_m,
        height_m,
        scale,
        grid,
        (tilt * float(np.cos(away)), tilt * float(np.sin(away))),
        0.0,
        ((Cover.MEADOW, np.inf),),
        0.0,
        bool(wet or lake),
    )
    x, y = (np.linspace(0.02, 0.98, 24) * length for length in (width_m, height_m))
    xs, ys = (a.ravel() for a in np.meshgrid(x, y))
    heights = bare.lakes_at(xs, ys)
    dry = float(heights.min()) - 0.1 * bare.metres_per_level
    level = float(np.quantile(heights, wet or lake)) if wet or lake else dry
    i, j = grid.u.cell(grid.to_grid(xs, ys)[0]), grid.v.cell(grid.to_grid(xs, ys)[1])
    grain = bare.use_noise(i, j)
    shares = np.cumsum([share for _, share in _MIXES[inland]])
    mix = tuple(
        (use, float(np.quantile(grain, min(1.0, share)))) for (use, _), share in zip(_MIXES[inland], shares)
    )
    if side < _ONE_USE_M and inland != "forest":
        mix = ((Cover[inland.upper()], np.inf),)
    woods = _WOODS[inland] if cover != "water" else 0.3
    wood_level = float(np.quantile(bare.woods_at(xs, ys) / 90, 1 - woods)) if woods else 9.0
    river = None
    if rng.random() < _RIVERS.get(cover, 0.0) and side > 250:
        river = _draw_river(rng, grid, width_m, height_m)
    return replace(
        bare, water_level=level / bare.metres_per_level, mix=mix, wood_level=wood_level, river=river
    )


def _draw_river(rng: np.random.Generator, grid: Grid, width_m: float, height_m: float) -> River:
    _, v = grid.to_grid(width_m * rng.uniform(0.3, 0.7), height_m * rng.uniform(0.3, 0.7))
    swings = tuple(
        (float(rng.uniform(0.1, 0.5) * wave), wave, float(rng.uniform(0, 2 * np.pi)))
        for wave in (float(rng.uniform(110, 200)), float(rng.uniform(35, 60)))
    )
    return River(float(v), swings, float(rng.choice([16.0, 26.0, 40.0, 60.0]) * rng.uniform(0.9, 1.15)))
