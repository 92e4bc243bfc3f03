"""Where roads run and named places stand on the land of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth.catalogue import SITES
from rscovlm.synth.harbour import MOLE_M, QUAY_SHARE
from rscovlm.synth.terrain import Basin, Blocks, Terrain

_TRIES = 32
_LOOKED_AT = 12
"""Candidates inside the scene of which the ground is looked at."""

_DRY_M = 30.0
"""From water to where places are looked at: no river fits between."""

_MARGIN_M = 9.0
"""From the grid lines about a place to its ground: half a road and its edge."""


@dataclass(frozen=True)
class Spot:
    """Where a named place stands.

    Attributes:
        name: of its kind.
        x_m, y_m: centre of its ground.
        length_m, width_m: sides of its ground, along and across its heading.
        angle_rad: its heading.
        lines: grid lines whose bridges it consists of, for a river crossing.
    """

    name: str
    x_m: float
    y_m: float
    length_m: float
    width_m: float
    angle_rad: float
    lines: tuple[int, ...] = ()


def plan_places(
    rng: np.random.Generator, terrain: Terrain, names: Sequence[str], most: int
) -> tuple[Terrain, list[Spot]]:
    """Lay roads and find room for places, as many of ``names`` as fit, at most ``most``.

    Returns:
        The land with its roads, basins and the blocks that are taken, and the places.
    """
    spots: list[Spot] = []
    side = min(terrain.width_m, terrain.height_m)
    if most and ("harbour" in names[:1] or ("harbour" in names and most > 1 and side > 420)):
        terrain, found = _harbour(rng, terrain, wanted=names[0] == "harbour")
        spots += found
    terrain = _roads(rng, terrain)
    # The largest place first where all are wanted, or it would hardly ever find room.
    ordered = sorted(names, key=lambda name: name != "airport") if most >= len(names) else names
    for name in ordered:
        if len(spots) >= most:
            break
        if name == "harbour":
            continue
        if name == "river crossing":
            terrain, crossing = _crossing(rng, terrain)
            spots += crossing
            continue
        spot = _find(rng, terrain, name)
        if spot is not None:
            blocks, place = spot
            terrain = replace(terrain, places=(*terrain.places, blocks))
            spots.append(place)
    return terrain, spots


# --- roads ----------------------------------------------------------------------------------------


def _roads(rng: np.random.Generator, terrain: Terrain) -> Terrain:
    """One to three roads along grid lines, where they meet the least water."""
    if terrain.cover == "water":
        return terrain
    side = min(terrain.width_m, terrain.height_m)
    count = 1 if side < 900 else 2
    inside_u, inside_v = _lines_inside(terrain)
    roads_u = _driest(rng, terrain, inside_u, count, across=True)
    roads_v = _driest(rng, terrain, inside_v, count, across=False)
    return replace(terrain, roads_u=roads_u, roads_v=roads_v)


def _lines_inside(terrain: Terrain) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Grid lines that pass the middle of the scene at no more than 0.35 of its sides."""
    share = np.linspace(0.2, 0.8, 9)
    x, y = (a.ravel() for a in np.meshgrid(share * terrain.width_m, share * terrain.height_m))
    u, v = terrain.grid.to_grid(x, y)
    return np.unique(terrain.grid.u.cell(u)), np.unique(terrain.grid.v.cell(v))


def _driest(
    rng: np.random.Generator, terrain: Terrain, lines: NDArray[np.int64], count: int, across: bool
) -> tuple[int, ...]:
    lines = rng.permutation(lines)[:6]
    grid = terrain.grid
    free = [
        line
        for line in lines.tolist()
        if not any((p.i0 < line < p.i1) if across else (p.j0 < line < p.j1) for p in terrain.places)
    ]
    if not free:
        return ()
    middle = grid.to_grid(terrain.width_m / 2, terrain.height_m / 2)
    reach = 0.5 * float(np.hypot(terrain.width_m, terrain.height_m))
    along = (middle[1] if across else middle[0]) + np.linspace(-reach, reach, 28)
    at = (grid.u if across else grid.v).line(np.array(free))
    a, b = np.meshgrid(at, along, indexing="ij")
    x, y = grid.to_ground(a, b) if across else grid.to_ground(b, a)
    inside = (x > 0) & (y > 0) & (x < terrain.width_m) & (y < terrain.height_m)
    wet = (inside & (terrain.shore_at(x, y) < 8)).sum(axis=1)
    if terrain.river is not None and not across:
        wet = wet * 3
    order = np.argsort(wet, kind="stable")
    picked: list[int] = []
    for row in order.tolist():
        if len(picked) < count and all(abs(free[row] - other) > 2 for other in picked):
            picked.append(free[row])
    return tuple(sorted(picked))


def _crossing(rng: np.random.Generator, terrain: Terrain) -> tuple[Terrain, list[Spot]]:
    """One or two roads or railways side by side over the river."""
    if terrain.river is None or not terrain.roads_u:
        return terrain, []
    first = terrain.roads_u[int(rng.integers(len(terrain.roads_u)))]
    count = int(rng.integers(1, 3))
    rail = rng.random() < 0.4
    lines = tuple(
        line for line in range(first, first + count) if not any(p.i0 < line < p.i1 for p in terrain.places)
    )
    roads = tuple(sorted({*terrain.roads_u, *lines}))
    rails = tuple(sorted(lines)) if rail else ()
    changed = replace(terrain, roads_u=roads, rails=rails)
    u = float(terrain.grid.u.line(first))
    x, y = terrain.grid.to_ground(u, float(terrain.river.course(np.array([u]))[0]))
    edge = min(150.0, 0.25 * min(terrain.width_m, terrain.height_m))
    if not (edge < x < terrain.width_m - edge and edge < y < terrain.height_m - edge):
        return terrain, []
    return changed, [Spot("river crossing", float(x), float(y), 0.0, 0.0, 0.0, lines)]


# --- places on blocks of their own ----------------------------------------------------------------


def _find(rng: np.random.Generator, terrain: Terrain, name: str) -> tuple[Blocks, Spot] | None:
    """Blocks beside a road, on dry ground, that no other place takes."""
    kind = next(kind for kind in SITES if kind.name == name)
    sizes = [float(rng.uniform(*side)) for side in kind.side_m]
    side = min(terrain.width_m, terrain.height_m)
    sizes[0] = max(kind.side_m[0][0] * 0.75, min(sizes[0], 0.6 * side))
    if sizes[0] > 0.8 * side:
        return None
    candidates = _candidates(rng, terrain, sizes, _TRIES * (3 if sizes[0] > 350 else 1))
    if not candidates:
        return None
    corners = np.array([(c.i0, c.j0, c.i1, c.j1) for c, _ in candidates])
    u0, u1 = terrain.grid.u.line(corners[:, 0]), terrain.grid.u.line(corners[:, 2])
    v0, v1 = terrain.grid.v.line(corners[:, 1]), terrain.grid.v.line(corners[:, 3])
    across, along = (a.ravel() for a in np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 6)))
    x, y = terrain.grid.to_ground(
        u0[:, None] + (u1 - u0)[:, None] * across, v0[:, None] + (v1 - v0)[:, None] * along
    )
    inside = (x > 4) & (y > 4) & (x < terrain.width_m - 4) & (y < terrain.height_m - 4)
    rows = np.flatnonzero(inside.all(axis=1))[:_LOOKED_AT]
    dry = (terrain.shore_at(x[rows], y[rows]) > _DRY_M).all(axis=1)
    for row in rows[dry].tolist():
        blocks, turns = candidates[row]
        spot = _spot(terrain, name, blocks, turns)
        # Where the grid bends, little may be left of a block.
        if spot.length_m > 0.7 * kind.side_m[0][0] and spot.width_m > 0.85 * kind.side_m[1][0]:
            return blocks, spot
    return None


def _candidates(
    rng: np.random.Generator, terrain: Terrain, sizes: list[float], tries: int
) -> list[tuple[Blocks, int]]:
    """Free blocks beside roads with the number of quarter turns of the place on them."""
    grid = terrain.grid
    u, v = grid.to_grid(rng.uniform(0, terrain.width_m, tries), rng.uniform(0, terrain.height_m, tries))
    columns_at = np.floor(u / grid.u.step_m).astype(int).tolist()
    rows_at = np.floor(v / grid.v.step_m).astype(int).tolist()
    turns = rng.integers(0, 4, tries).tolist()
    choice = rng.random((tries, 3)).tolist()
    found = []
    for i, j, turn, (by, which, side) in zip(columns_at, rows_at, turns, choice):
        along, across = (sizes[0], sizes[1]) if turn % 2 == 0 else (sizes[1], sizes[0])
        columns, rows = _count(grid.u.step_m, along), _count(grid.v.step_m, across)
        if terrain.roads_u and (by < 0.5 or not terrain.roads_v):
            road = terrain.roads_u[int(which * len(terrain.roads_u))]
            i = road if side < 0.5 else road - columns
        elif terrain.roads_v:
            road = terrain.roads_v[int(which * len(terrain.roads_v))]
            j = road if side < 0.5 else road - rows
        blocks = Blocks(i, j, i + columns, j + rows)
        free = not any(blocks.meets(_grown(other)) for other in terrain.places)
        free = free and not any(blocks.i0 < line < blocks.i1 for line in terrain.roads_u)
        if free and not any(blocks.j0 < line < blocks.j1 for line in terrain.roads_v):
            found.append((blocks, turn))
    return found


def _count(step_m: float, wanted_m: float) -> int:
    return max(1, round((wanted_m + 2 * _MARGIN_M) / step_m))


def _grown(blocks: Blocks) -> Blocks:
    return Blocks(blocks.i0 - 1, blocks.j0 - 1, blocks.i1 + 1, blocks.j1 + 1)


def _spot(terrain: Terrain, name: str, blocks: Blocks, turns: int) -> Spot:
    """The largest rectangle inside the bent blocks, about."""
    grid = terrain.grid
    u0, u1 = grid.u.line(np.array([blocks.i0, blocks.i1]))
    v0, v1 = grid.v.line(np.array([blocks.j0, blocks.j1]))
    middle = (u0 + u1) / 2, (v0 + v1) / 2
    x, y = grid.to_ground(*middle)
    heading = float(grid.headings(*middle)[0])
    c, s = np.cos(heading), np.sin(heading)
    t = np.linspace(0, 1, 7)
    top, bottom = (np.stack(grid.to_ground(u0 + (u1 - u0) * t, np.full(7, v)), 1) for v in (v0, v1))
    left, right = (np.stack(grid.to_ground(np.full(7, u), v0 + (v1 - v0) * t), 1) for u in (u0, u1))
    turn = np.array([[c, -s], [s, c]])
    high, low = ((edge - (x, y)) @ turn for edge in (top, bottom))
    first, last = ((edge - (x, y)) @ turn for edge in (left, right))
    half_u = min(-first[:, 0].max(), last[:, 0].min()) - _MARGIN_M
    half_v = min(-high[:, 1].max(), low[:, 1].min()) - _MARGIN_M
    length, width = (2 * half_u, 2 * half_v) if turns % 2 == 0 else (2 * half_v, 2 * half_u)
    angle = (heading + turns * np.pi / 2 + np.pi) % (2 * np.pi) - np.pi
    return Spot(name, float(x), float(y), float(length), float(width), float(angle))


# --- harbours -------------------------------------------------------------------------------------


def _harbour(rng: np.random.Generator, terrain: Terrain, wanted: bool) -> tuple[Terrain, list[Spot]]:
    """A harbour at the shore, or at a lake that is made for it; rarely none."""
    inland = terrain.cover not in ("coast", "water")
    if inland and (rng.random() < 0.55 or terrain.cover == "desert") and not wanted:
        return terrain, []
    kind = next(kind for kind in SITES if kind.name == "harbour")
    sizes = [float(rng.uniform(*side)) for side in kind.side_m]
    found = _candidates(rng, terrain, sizes, 5 * _TRIES)
    fitting = _at_shore(terrain, found, inland)
    if not fitting:
        return terrain, []
    blocks, turns = found[fitting[0]]
    spot = _spot(terrain, "harbour", blocks, turns)
    changed = replace(
        terrain, lakes=True, places=(blocks,), basins=(_basin(terrain, blocks, turns, spot, inland),)
    )
    return changed, [spot]


_LAND = ((-0.48, -0.46), (0.48, -0.46), (0.0, -0.3))
_SEA = ((-0.5, 0.62), (0.0, 0.75), (0.5, 0.62), (0.0, 0.3))
_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))


def _at_shore(terrain: Terrain, found: list[tuple[Blocks, int]], inland: bool) -> list[int]:
    """Places inside the scene with dry land behind the quay and, unless inland, water before the moles."""
    if not found:
        return []
    grid = terrain.grid
    edges = np.array([(c.i0, c.j0, c.i1, c.j1) for c, _ in found])
    u0, u1 = grid.u.line(edges[:, 0]), grid.u.line(edges[:, 2])
    v0, v1 = grid.v.line(edges[:, 1]), grid.v.line(edges[:, 3])
    marks = np.array([*_LAND, *_SEA, *_CORNERS])
    # Quarter turns of the marks, so that +y is v, -u, -v or u of the grid.
    turned = np.stack([marks, marks[:, ::-1] * (-1, 1), -marks, marks[:, ::-1] * (1, -1)])[
        [turns for _, turns in found]
    ]
    u = (u0 + u1)[:, None] / 2 + turned[..., 0] * (u1 - u0)[:, None]
    v = (v0 + v1)[:, None] / 2 + turned[..., 1] * (v1 - v0)[:, None]
    xy = np.stack(grid.to_ground(u, v), axis=2)
    least = np.minimum(xy, (terrain.width_m, terrain.height_m) - xy).min(axis=2)
    needed = least if inland else least[:, len(_LAND) + len(_SEA) :]
    inside = needed.min(axis=1) > 10
    rows = np.flatnonzero(inside)
    if not len(rows):
        return []
    shore = terrain.shore_at(xy[rows, :, 0], xy[rows, :, 1])
    land = (shore[:, :3] > 6).all(axis=1)
    sea = (shore > 20).all(axis=1) if inland else (shore[:, 3:6] < -12).all(axis=1)
    return rows[land & sea].tolist() or (
        [] if inland else rows[(shore[:, 4] < -5) & (shore[:, 2] > 0)].tolist()
    )


def _basin(terrain: Terrain, blocks: Blocks, turns: int, spot: Spot, inland: bool) -> Basin:
    """The water between quay and moles in grid coordinates, open to the sea or to a lake."""
    grid = terrain.grid
    u = grid.u.line(np.array([blocks.i0, blocks.i1])).tolist()
    v = grid.v.line(np.array([blocks.j0, blocks.j1])).tolist()
    middle = [(u[0] + u[1]) / 2, (v[0] + v[1]) / 2]
    half_x, half_y = spot.length_m / 2 - MOLE_M * 0.5, spot.width_m / 2
    near, far = -half_y + QUAY_SHARE * spot.width_m - 1, half_y + (70 if inland else 40)
    # Local +y is the heading turned by a quarter: v, -u, -v or u of the grid.
    axis, sign = ((1, 1), (0, -1), (1, -1), (0, 1))[turns]
    deep = sorted(middle[axis] + sign * edge for edge in (near, far))
    wide = (middle[1 - axis] - half_x, middle[1 - axis] + half_x)
    spans = (wide, (deep[0], deep[1])) if axis == 1 else ((deep[0], deep[1]), wide)
    lake = (0.0, 0.0, 0.0)
    if inland:
        radius = 0.75 * spot.length_m
        c, s = np.cos(spot.angle_rad), np.sin(spot.angle_rad)
        away = half_y + 0.72 * radius
        lake = (spot.x_m - s * away, spot.y_m + c * away, radius)
    return Basin(spans[0], spans[1], lake)
