"""The lie of the land: water from a smooth elevation, land use block by block, roads along grid lines.

All of it is a function of position, so any part of a scene can be looked at alone. Lengths are metres, with
the origin in the scene's top left corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth import noise
from rscovlm.synth.grid import Grid

Array = NDArray[np.float64]


class Cover(IntEnum):
    """What the ground is used for."""

    WATER = 0
    FOREST = 1
    FARMLAND = 2
    MEADOW = 3
    URBAN = 4
    INDUSTRIAL = 5
    DESERT = 6
    PLACE = 7

    @property
    def word(self) -> str:
        """As answers call it."""
        return self.name.lower()


GROUND_COVERS = tuple(cover.word for cover in Cover if cover is not Cover.PLACE)
"""What the ground at a point can be called."""

_OCTAVES = 6
_WOOD_WAVES_M = ((190.0, 1.0), (60.0, 0.45), (17.0, 0.2))
_BEACH_M = 16.0
"""How far from the water the ground shows that it is near."""

STREET_M, TRACK_M, ROAD_M, RAIL_M = 7.0, 3.6, 11.0, 6.5
"""Widths of streets in towns, tracks between fields, roads from place to place, and railways."""


@dataclass(frozen=True)
class River:
    """A river as a graph v(u) over the grid.

    Attributes:
        middle_m: v about which it winds.
        swings: (amplitude, wavelength over 2 pi, phase) of its bends, in metres and radians.
        width_m: from bank to bank.
    """

    middle_m: float
    swings: tuple[tuple[float, float, float], ...]
    width_m: float

    def course(self, u: NDArray[np.floating]) -> NDArray[np.floating]:
        """v of its middle."""
        v = np.full_like(u, self.middle_m)
        for amplitude, wave, phase in self.swings:
            v += (amplitude * np.sin(u * (1 / wave) + phase)).astype(u.dtype)
        return v


@dataclass(frozen=True)
class Basin:
    """Water dug into the ground: a rectangle of the grid, and the lake that it opens to.

    Attributes:
        u, v: bounds in metres of the grid.
        lake: x, y, radius on the ground in metres; a radius of 0 for none.
    """

    u: tuple[float, float]
    v: tuple[float, float]
    lake: tuple[float, float, float]


@dataclass(frozen=True)
class Blocks:
    """Columns and rows of the grid, from the first to before the last."""

    i0: int
    j0: int
    i1: int
    j1: int

    def meets(self, other: Blocks) -> bool:
        """Whether they share a block."""
        return self.i0 < other.i1 and other.i0 < self.i1 and self.j0 < other.j1 and other.j0 < self.j1


@dataclass(frozen=True)
class Terrain:
    """Everything about a scene's ground.

    Attributes:
        seed: of all noise.
        cover: scene class.
        width_m, height_m: of the scene.
        scale_m: of hills, lakes and quarters.
        grid: of streets and fields.
        ramp: how the elevation grows per metre along x and y, towards the land of a coast.
        water_level: elevation below which there is water.
        mix: land uses with the upper bound of the noise that decides for each.
        wood_level: of the noise above which woods grow.
        lakes: whether there is any lake or sea.
        river: if any.
        basins: harbours and their lakes.
        roads_u, roads_v: grid lines that are roads or railways.
        rails: those of roads_u that are railways.
        places: blocks that named places take.
    """

    seed: int
    cover: str
    width_m: float
    height_m: float
    scale_m: float
    grid: Grid
    ramp: tuple[float, float]
    water_level: float
    mix: tuple[tuple[Cover, float], ...]
    wood_level: float
    lakes: bool
    river: River | None = None
    basins: tuple[Basin, ...] = ()
    roads_u: tuple[int, ...] = ()
    roads_v: tuple[int, ...] = ()
    rails: tuple[int, ...] = ()
    places: tuple[Blocks, ...] = ()

    # --- water ------------------------------------------------------------------------------------

    def shore_raster(
        self, x: Array, y: Array, u: NDArray[np.float32], v: NDArray[np.float32], pixel_m: float
    ) -> NDArray[np.float32] | None:
        """(h, w) about how far the water is in metres, negative in it; None where it is nowhere near."""
        shore: NDArray[np.float32] | None = None
        if self.may_be_wet(x, y):
            level = self._elevation(x, y, pixel_m)
            level -= np.float32(self.water_level)
            shore = level * np.float32(self.metres_per_level)
        for found in (self._river_raster(u, v), *(self._basin_raster(basin, u, v) for basin in self.basins)):
            if found is not None:
                shore = found if shore is None else np.minimum(shore, found)
        return shore

    def shore_at(self, x: Array, y: Array) -> Array:
        """The same at scattered points."""
        shore = self.lakes_at(x, y) if self.lakes else np.full(np.shape(x), 1e6)
        u, v = self.grid.to_grid(x, y)
        if self.river is not None:
            shore = np.minimum(shore, np.abs(v - self.river.course(u)) - self.river.width_m / 2)
        for basin in self.basins:
            inside = (u > basin.u[0]) & (u < basin.u[1]) & (v > basin.v[0]) & (v < basin.v[1])
            shore = np.where(inside, np.minimum(shore, -40.0), shore)
        return shore

    def lakes_at(self, x: Array, y: Array) -> Array:
        """About how far lakes or the sea are in metres, negative in them, at scattered points."""
        octaves = np.arange(_OCTAVES)
        parts = noise.smooth_at(x, y, self.scale_m * 0.5**octaves, self.seed + octaves)
        level = np.tensordot(0.5**octaves, parts, axes=1)
        level += self.ramp[0] * x + self.ramp[1] * y
        for basin in self.basins:
            level -= _dent(basin, x, y)
        return np.asarray((level - self.water_level) * self.metres_per_level)

    @property
    def metres_per_level(self) -> float:
        """About how far from the water the ground is one unit of elevation above it."""
        return 0.45 * self.scale_m

    def may_be_wet(self, x: Array, y: Array, reach_m: float = _BEACH_M) -> bool:
        """Whether lakes or the sea may be nearer than ``reach_m`` within the outermost of x and y."""
        if not self.lakes:
            return False
        least = -sum(float(_dent(basin, *_nearest(basin, x, y))) for basin in self.basins)
        for octave in range(_OCTAVES):
            low, _ = noise.bounds(x, y, self.scale_m / 2**octave, self.seed + octave)
            least += 0.5**octave * low
        ends = [self.ramp[0] * a + self.ramp[1] * b for a in (x.min(), x.max()) for b in (y.min(), y.max())]
        return (least + min(ends) - self.water_level) * self.metres_per_level < reach_m

    def _elevation(self, x: Array, y: Array, pixel_m: float) -> NDArray[np.float32]:
        slope_x, slope_y = (self.ramp[0] * x).astype(np.float32), (self.ramp[1] * y).astype(np.float32)
        level = slope_x[None, :] + slope_y[:, None]
        for octave in range(_OCTAVES):
            wave, weight = self.scale_m / 2**octave, 0.5**octave
            if wave > pixel_m:
                level += np.float32(weight) * noise.smooth(x, y, wave, self.seed + octave)
            else:
                level += np.float32(weight / 2)
        for basin in self.basins:
            if basin.lake[2] > 0:
                level -= _dent(basin, x[None, :], y[:, None]).astype(np.float32)
        return level

    def _river_raster(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32] | None:
        if self.river is None:
            return None
        reach = sum(abs(swing[0]) for swing in self.river.swings) + self.river.width_m / 2 + _BEACH_M
        if v.min() > self.river.middle_m + reach or v.max() < self.river.middle_m - reach:
            return None
        away = np.abs(v - self.river.course(u)) - np.float32(self.river.width_m / 2)
        return away.astype(np.float32) if away.min() < _BEACH_M else None

    def _basin_raster(
        self, basin: Basin, u: NDArray[np.float32], v: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        if u.min() > basin.u[1] or u.max() < basin.u[0] or v.min() > basin.v[1] or v.max() < basin.v[0]:
            return None
        inside = (u > basin.u[0]) & (u < basin.u[1]) & (v > basin.v[0]) & (v < basin.v[1])
        return np.where(inside, np.float32(-40), np.float32(1e6))

    # --- land use ---------------------------------------------------------------------------------

    def use_of(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The planned use of blocks, before woods and water; i, j of one shape."""
        grain = self.use_noise(i, j)
        use = np.full(np.shape(i), int(self.mix[-1][0]), dtype=np.uint8)
        for cover, above in reversed(self.mix[:-1]):
            use[grain < above] = int(cover)
        for place in self.places:
            use[(i >= place.i0) & (i < place.i1) & (j >= place.j0) & (j < place.j1)] = int(Cover.PLACE)
        return use

    def use_noise(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float32]:
        """The noise that decides about the land use of blocks, see ``mix``; i, j of one shape."""
        x, y = self.grid.to_ground((i + 0.5) * self.grid.u.step_m, (j + 0.5) * self.grid.v.step_m)
        broad = noise.smooth_at(x, y, self.scale_m * 0.5, self.seed + 31)
        return broad + np.float32(0.35) * noise.smooth_at(x, y, self.scale_m * 0.17, self.seed + 32)

    def woods_raster(self, x: Array, y: Array, pixel_m: float) -> NDArray[np.float32] | None:
        """(h, w) by how many metres a point lies inside the woods, about; None where there are none."""
        if self.wood_level > sum(weight for _, weight in _WOOD_WAVES_M):
            return None
        if sum(w * noise.bounds(x, y, m, self.seed + 41)[1] for m, w in _WOOD_WAVES_M) < self.wood_level:
            return None
        found = np.full((len(y), len(x)), np.float32(-self.wood_level))
        for wave, weight in _WOOD_WAVES_M:
            found += np.float32(weight) * (
                noise.smooth(x, y, wave, self.seed + 41) if wave > pixel_m else 0.5
            )
        found *= np.float32(90)
        return found

    def woods_at(self, x: Array, y: Array) -> Array:
        """The same at scattered points."""
        waves, weights = np.array(_WOOD_WAVES_M).T
        parts = noise.smooth_at(x, y, waves, np.full(len(waves), self.seed + 41))
        return (np.tensordot(weights, parts, axes=1) - self.wood_level) * 90

    def cover_at(self, x: Array, y: Array) -> NDArray[np.uint8]:
        """``Cover`` codes at points in metres, x and y of one shape."""
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        u, v = self.grid.to_grid(x, y)
        use = self.use_of(self.grid.u.cell(u), self.grid.v.cell(v))
        wooded = wooded_uses(use) & (self.woods_at(x, y) > 0)
        use = np.where(wooded, np.uint8(Cover.FOREST), use)
        return np.where(self.shore_at(x, y) < 0, np.uint8(Cover.WATER), use).astype(np.uint8)

    # --- roads ------------------------------------------------------------------------------------

    def edge_widths(self, i0: int, j0: int, i1: int, j1: int) -> tuple[NDArray[np.float32], ...]:
        """Widths in metres of what runs along grid lines: 0 for nothing, negative for dirt tracks.

        Returns:
            (j, line) for the u lines i0..i1 beside the rows j0..j1-1, and (line, i) for the v lines j0..j1
            beside the columns i0..i1-1.
        """
        i, j = np.meshgrid(np.arange(i0 - 1, i1 + 1), np.arange(j0 - 1, j1 + 1))
        use = self.use_of(i, j)
        built = (use == Cover.URBAN) | (use == Cover.INDUSTRIAL)
        farm = use == Cover.FARMLAND
        place = use == Cover.PLACE
        rows, columns = slice(1, -1), slice(1, -1)
        across = _widths(built, farm, place, np.arange(i0, i1 + 1) % 2 == 0, axis=1)[rows]
        along = _widths(built.T, farm.T, place.T, np.arange(j0, j1 + 1) % 2 == 0, axis=1)[columns].T
        for line in self.roads_u:
            if i0 <= line <= i1:
                width = RAIL_M if line in self.rails else ROAD_M
                across[:, line - i0] = np.where(self._inside_u(line, j0, j1), 0.0, width)
        for line in self.roads_v:
            if j0 <= line <= j1:
                along[line - j0] = np.where(self._inside_v(line, i0, i1), 0.0, ROAD_M)
        return across, along

    def asphalt_raster(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """(h, w) where streets and roads run, over water too, at columns x (w,) and rows y (h,)."""
        u, v = self.grid.raster(x, y)
        column, du, i0 = self.grid.u.located(u)
        row, dv, j0 = self.grid.v.located(v)
        across, along = self.edge_widths(i0, j0, i0 + int(column.max()) + 1, j0 + int(row.max()) + 1)
        beside_u = np.abs(du) < across[row, column + (du < 0)] / 2
        beside_v = np.abs(dv) < along[row + (dv < 0), column] / 2
        return np.asarray(beside_u | beside_v)

    def _inside_u(self, line: int, j0: int, j1: int) -> NDArray[np.bool_]:
        j = np.arange(j0, j1)
        inside = np.zeros(len(j), dtype=bool)
        for place in self.places:
            inside |= (place.i0 < line < place.i1) & (j >= place.j0) & (j < place.j1)
        return inside

    def _inside_v(self, line: int, i0: int, i1: int) -> NDArray[np.bool_]:
        i = np.arange(i0, i1)
        inside = np.zeros(len(i), dtype=bool)
        for place in self.places:
            inside |= (place.j0 < line < place.j1) & (i >= place.i0) & (i < place.i1)
        return inside


def wooded_uses(use: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where woods may stand."""
    return (use == Cover.FARMLAND) | (use == Cover.MEADOW) | (use == Cover.DESERT)


def _widths(
    built: NDArray[np.bool_],
    farm: NDArray[np.bool_],
    place: NDArray[np.bool_],
    even: NDArray[np.bool_],
    axis: int,
) -> NDArray[np.float32]:
    before, after = (slice(None), slice(None, -1)), (slice(None), slice(1, None))
    street = built[before] | built[after]
    track = farm[before] & farm[after] & even[None, :]
    widths = np.where(street, np.float32(STREET_M), np.where(track, np.float32(-TRACK_M), np.float32(0)))
    inner = place[before] & place[after]
    rim = place[before] ^ place[after]
    widths = np.where(rim, np.float32(STREET_M), widths)
    return np.where(inner, np.float32(0), widths).astype(np.float32)


def _dent(basin: Basin, x: Array, y: Array) -> Array:
    cx, cy, radius = basin.lake
    if radius == 0:
        return np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)))
    return np.asarray(1.6 * np.exp(-(((x - cx) / radius) ** 2)) * np.exp(-(((y - cy) / radius) ** 2)))


def _nearest(basin: Basin, x: Array, y: Array) -> tuple[Array, Array]:
    return np.clip(basin.lake[0], x.min(), x.max()), np.clip(basin.lake[1], y.min(), y.max())
