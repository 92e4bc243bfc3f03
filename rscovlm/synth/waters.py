"""Ships on open water, and bridges where roads cross it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth import noise
from rscovlm.synth.catalogue import BRIDGE, SHIP
from rscovlm.synth.objects import SceneObject
from rscovlm.synth.terrain import ROAD_M, Terrain

Array = NDArray[np.float64]

_LANES_M, _BOATS_M = 330.0, 120.0
"""Sides of the cells that hold at most one large ship, and one boat."""

_DEEP_M, _NEAR_M = -130.0, -105.0
_LONGEST_M = 150.0
_STEP_M = 4.0


def ships_between(
    terrain: Terrain, gsd_m: float, x: tuple[float, float], y: tuple[float, float]
) -> list[SceneObject]:
    """Ships whose cells touch a rectangle, in metres."""
    reach = np.array([-_LONGEST_M, _LONGEST_M])
    if not terrain.may_be_wet(np.array(x) + reach, np.array(y) + reach):
        return []
    return [
        *_ships(terrain, gsd_m, x, y, _LANES_M, large=True),
        *_ships(terrain, gsd_m, x, y, _BOATS_M, large=False),
    ]


def _ships(
    terrain: Terrain, gsd_m: float, x: tuple[float, float], y: tuple[float, float], cell_m: float, large: bool
) -> list[SceneObject]:
    columns = np.arange(np.floor((x[0] - _LONGEST_M) / cell_m), np.floor((x[1] + _LONGEST_M) / cell_m) + 1)
    rows = np.arange(np.floor((y[0] - _LONGEST_M) / cell_m), np.floor((y[1] + _LONGEST_M) / cell_m) + 1)
    i, j = (a.ravel().astype(np.int64) for a in np.meshgrid(columns, rows))
    seed = terrain.seed + (301 if large else 331)
    h = [noise.hashed(i, j, seed + k).astype(np.float64) for k in range(8)]
    cx, cy = (i + 0.35 + 0.3 * h[0]) * cell_m, (j + 0.35 + 0.3 * h[1]) * cell_m
    there = h[2] < (0.42 if large else 0.2)
    there &= (cx > 0) & (cy > 0) & (cx < terrain.width_m) & (cy < terrain.height_m)
    if not there.any():
        return []
    i, j, cx, cy = i[there], j[there], cx[there], cy[there]
    h = [a[there] for a in h]
    kinds = [SHIP.kind(name) for name in (("cargo ship", "tanker", "ferry") if large else ("sailing boat",))]
    pick = (h[3] * len(kinds)).astype(int)
    low, high = (np.array([kind.length_m[end] for kind in kinds])[pick] for end in (0, 1))
    length = low * (high / low) ** h[4]
    narrow, wide = (np.array([kind.aspect[end] for kind in kinds])[pick] for end in (0, 1))
    width = length / (narrow + (wide - narrow) * h[5])
    heading = (h[6] * 2 - 1) * np.pi
    shore = np.stack(
        [
            terrain.shore_at(cx + s * length * np.cos(heading), cy + s * length * np.sin(heading))
            for s in (-1.2, -0.5, 0.0, 0.5)
        ]
    )
    fits = (
        (shore < _DEEP_M).all(axis=0) if large else (shore < -14).all(axis=0) & (shore > _NEAR_M).any(axis=0)
    )
    fits &= _outside_places(terrain, cx, cy)
    palette = (
        ("black", "red", "blue", "green", "gray", "white")
        if large
        else ("white", "white", "blue", "red", "black")
    )
    return [
        SceneObject(
            SHIP,
            kinds[pick[k]].name,
            palette[int(h[7][k] * len(palette))],
            float(cx[k]) / gsd_m,
            float(cy[k]) / gsd_m,
            float(length[k]) / gsd_m,
            float(width[k]) / gsd_m,
            float(heading[k]),
            True,
        )
        for k in np.flatnonzero(fits)
    ]


def _outside_places(terrain: Terrain, x: Array, y: Array) -> NDArray[np.bool_]:
    u, v = terrain.grid.to_grid(x, y)
    i, j = terrain.grid.u.cell(u), terrain.grid.v.cell(v)
    outside = np.ones(len(x), dtype=bool)
    for p in terrain.places:
        outside &= ~((i >= p.i0 - 1) & (i < p.i1 + 1) & (j >= p.j0 - 1) & (j < p.j1 + 1))
    return outside


def bridges_of(terrain: Terrain, gsd_m: float, colour: str, lines: tuple[int, ...]) -> list[SceneObject]:
    """Bridges where roads along u lines cross water that is narrow enough."""
    if not lines or not (terrain.lakes or terrain.river):
        return []
    _, v0, _, v1 = terrain.grid.window(np.array([0.0, terrain.width_m]), np.array([0.0, terrain.height_m]))
    v = np.arange(v0, v1, _STEP_M)
    found = []
    for line in lines:
        u = np.full_like(v, float(terrain.grid.u.line(line)))
        x, y = terrain.grid.to_ground(u, v)
        inside = (x > 0) & (y > 0) & (x < terrain.width_m) & (y < terrain.height_m)
        wet = inside & (terrain.shore_at(x, y) < 0)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], wet, [False]]).astype(np.int8)))
        for first, last in edges.reshape(-1, 2):
            span = _STEP_M * (last - first)
            whole = (
                first > 0
                and last < len(v)
                and inside[max(0, first - 4)]
                and inside[min(len(v) - 1, last + 4)]
            )
            if 8 < span < 135 and whole:
                found.append(_bridge(terrain, gsd_m, line, (v[first] + v[last - 1]) / 2, span, colour))
    return found


def _bridge(terrain: Terrain, gsd_m: float, line: int, v: float, span: float, colour: str) -> SceneObject:
    u = float(terrain.grid.u.line(line))
    x, y = terrain.grid.to_ground(u, v)
    heading = float(terrain.grid.headings(u, v)[1])
    rail = line in terrain.rails
    width = 8.5 if rail else ROAD_M + 3
    kind = "railway bridge" if rail else "road bridge"
    long = max(span + 12, width * 1.2)
    return SceneObject(
        BRIDGE, kind, colour, float(x) / gsd_m, float(y) / gsd_m, long / gsd_m, width / gsd_m, heading
    )
