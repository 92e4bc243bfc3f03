"""What fills ordinary blocks of the grid: houses, gardens, yards, parked and driving vehicles, trees.

Some blocks at a time, all of them at once in arrays; what a block holds depends on the block alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rscovlm.synth import noise
from rscovlm.synth.catalogue import CAR, COURT, POOL, TANK, TRUCK, ObjectClass
from rscovlm.synth.layout import Buildings, Contents
from rscovlm.synth.objects import SceneObject
from rscovlm.synth.paint import Material, Sheet, rectangles
from rscovlm.synth.terrain import Cover, Terrain

Array = NDArray[np.float64]

_FARTHEST_M = 120.0
"""From the water: beyond it, nothing minds it."""

_BENT_M = 25.0
"""How far a bent block may reach out of the rectangle of its corners."""

_KERB_M = 5.6
"""From a grid line to the plots beside its street."""

_ROOFS = np.array(
    [
        (150, 88, 70),
        (170, 110, 84),
        (132, 82, 70),
        (158, 98, 80),
        (112, 112, 116),
        (92, 90, 92),
        (140, 120, 104),
    ]
)
_FLATS = np.array([(168, 166, 160), (150, 148, 146), (186, 182, 174), (132, 130, 128)])
_HALLS = np.array(
    [(188, 190, 190), (152, 158, 164), (208, 206, 200), (126, 146, 168), (166, 152, 138), (110, 114, 118)]
)
_CAR_COLOURS = np.array(
    ["white", "gray", "black", "red", "blue", "white", "gray", "yellow", "green", "black"]
)
_TRUCK_COLOURS = np.array(["white", "white", "red", "blue", "gray", "yellow", "green"])
_SLOTS, _LOT, _TREES = 7, 26, 8


_QUANTITIES = 48


class _Slots:
    """Random numbers in [0, 1): call with the number of a quantity for those of (blocks, things)."""

    def __init__(self, i: NDArray[np.int64], j: NDArray[np.int64], count: int, seed: int) -> None:
        self.shape = (len(i), count)
        salt = (noise.hashed(i, j, seed) * np.float32(1 << 24)).astype(np.int64)
        key = np.arange(_QUANTITIES)[:, None] + 64 * np.arange(count)
        self._numbers = noise.hashed(salt[:, None, None], key[None], seed + 1).astype(np.float64)

    def __call__(self, quantity: int) -> Array:
        return self._numbers[:, quantity]


@lru_cache(maxsize=256)
def fill_blocks(terrain: Terrain, gsd_m: float, i0: int, j0: int, i1: int, j1: int) -> Contents:
    """What stands in a rectangle of blocks, lengths in scene pixels.

    Args:
        terrain: of the scene.
        gsd_m: metres per scene pixel.
        i0, j0, i1, j1: columns and rows of the grid, from the first to before the last.
    """
    return _Filling(
        terrain, gsd_m, *(a.ravel() for a in np.meshgrid(np.arange(i0, i1), np.arange(j0, j1)))
    ).contents()


class _Filling:
    """Blocks being filled, in reading order, so that what overlaps is painted alike in any rectangle."""

    def __init__(self, terrain: Terrain, gsd_m: float, i: NDArray[np.int64], j: NDArray[np.int64]) -> None:
        self.terrain, self.gsd_m, self.i, self.j = terrain, gsd_m, i, j
        self.use = terrain.use_of(i, j)
        self.u0, self.u1 = terrain.grid.u.line(np.stack([i, i + 1]))
        self.v0, self.v1 = terrain.grid.v.line(np.stack([j, j + 1]))
        self.style = noise.hashed(i, j, terrain.seed + 201)
        x, y = terrain.grid.to_ground(
            *np.meshgrid([self.u0.min(), self.u1.max()], [self.v0.min(), self.v1.max()])
        )
        bent = np.array([-_BENT_M, _BENT_M])
        x, y = np.array([x.min(), x.max()]) + bent, np.array([y.min(), y.max()]) + bent
        self.wet = terrain.river is not None or terrain.may_be_wet(x, y, _FARTHEST_M)
        self.flat = Sheet()
        self.poses: list[Array] = []
        self.roofs: list[Array] = []
        self.gabled: list[NDArray[np.bool_]] = []
        self.trees: list[Array] = []
        self.objects: list[SceneObject] = []

    def contents(self) -> Contents:
        urban, works = self.use == Cover.URBAN, self.use == Cover.INDUSTRIAL
        style = self.style
        for chosen, fill in (
            (urban & (style < 0.62), self._villas),
            (urban & (style >= 0.62) & (style < 0.78), self._slabs),
            (urban & (style >= 0.78) & (style < 0.9), self._shops),
            (urban & (style >= 0.9), self._parks),
            (works, self._works),
            (
                (self.use == Cover.MEADOW) | (self.use == Cover.DESERT) | (self.use == Cover.FARMLAND),
                self._wilds,
            ),
        ):
            rows = np.flatnonzero(chosen)
            if len(rows):
                fill(rows)
        self._traffic()
        buildings = (
            Buildings(np.concatenate(self.poses), np.concatenate(self.roofs), np.concatenate(self.gabled))
            if self.poses
            else Buildings.none()
        )
        trees = np.concatenate(self.trees) if self.trees else np.zeros((0, 4))
        return Contents(tuple(self.objects), self.flat.polygons(), buildings, trees)

    # --- placing ----------------------------------------------------------------------------------

    def _slots(self, rows: NDArray[np.intp], count: int, salt: int) -> _Slots:
        return _Slots(self.i[rows], self.j[rows], count, self.terrain.seed + 211 + salt)

    def _inner(self, rows: NDArray[np.intp]) -> tuple[Array, Array, Array, Array]:
        """(n, 1) bounds of the plots of blocks: least and largest u, least and largest v."""
        return (
            self.u0[rows, None] + _KERB_M,
            self.u1[rows, None] - _KERB_M,
            self.v0[rows, None] + _KERB_M,
            self.v1[rows, None] - _KERB_M,
        )

    def _kept(self, u: Array, v: Array, chosen: NDArray[np.bool_], reach_m: ArrayLike) -> NDArray[np.bool_]:
        """Which of the chosen stand ``reach_m`` away from water."""
        if not self.wet or not chosen.any():
            return chosen
        kept = np.array(chosen)
        x, y = self.terrain.grid.to_ground(u[chosen], v[chosen])
        reach = np.minimum(reach_m, _FARTHEST_M)
        kept[chosen] = self.terrain.shore_at(x, y) > np.broadcast_to(reach, chosen.shape)[chosen]
        return kept

    def _ground(self, u: Array, v: Array) -> tuple[Array, Array, Array, Array]:
        x, y = self.terrain.grid.to_ground(u, v)
        along, across = self.terrain.grid.headings(u, v)
        return x / self.gsd_m, y / self.gsd_m, along, across

    def _build(
        self,
        u: ArrayLike,
        v: ArrayLike,
        length: ArrayLike,
        width: ArrayLike,
        height: ArrayLike,
        colours: Array,
        chosen: ArrayLike,
        gabled: bool,
    ) -> NDArray[np.bool_]:
        """Buildings along u; those that are kept."""
        u, v, length, width, height, chosen = np.broadcast_arrays(u, v, length, width, height, chosen)
        keep = self._kept(u, v, chosen, 0.75 * length)
        if keep.any():
            x, y, along, _ = self._ground(u[keep], v[keep])
            sizes = length[keep] / self.gsd_m, width[keep] / self.gsd_m
            self.poses.append(np.stack([x, y, *sizes, along, height[keep]], axis=1))
            self.roofs.append(np.broadcast_to(colours, (*u.shape, 3))[keep].astype(np.float64))
            self.gabled.append(np.full(int(keep.sum()), gabled))
        return keep

    def _pave(
        self,
        u: ArrayLike,
        v: ArrayLike,
        length: ArrayLike,
        width: ArrayLike,
        chosen: ArrayLike,
        colour: ArrayLike,
    ) -> None:
        u, v, length, width, chosen = np.broadcast_arrays(u, v, length, width, chosen)
        keep = self._kept(u, v, chosen, 0.6 * length)
        if keep.any():
            x, y, along, _ = self._ground(u[keep], v[keep])
            sheet = rectangles(x, y, length[keep] / self.gsd_m, width[keep] / self.gsd_m, along)
            self.flat.add(sheet, colour, Material.ASPHALT)

    def _plant(
        self, u: ArrayLike, v: ArrayLike, radius: ArrayLike, tone: ArrayLike, chosen: ArrayLike
    ) -> None:
        u, v, radius, tone, chosen = np.broadcast_arrays(u, v, radius, tone, chosen)
        keep = self._kept(u, v, chosen, 3.0)
        if keep.any():
            x, y = self.terrain.grid.to_ground(u[keep], v[keep])
            self.trees.append(
                np.stack([x, y, radius[keep], tone[keep]], axis=1) / (self.gsd_m, self.gsd_m, self.gsd_m, 1)
            )

    def _park(
        self,
        kind_of: ObjectClass,
        kinds: tuple[str, ...],
        colours: NDArray[np.str_],
        u: ArrayLike,
        v: ArrayLike,
        turned: ArrayLike,
        chosen: ArrayLike,
        slots: _Slots,
        moving: bool = False,
    ) -> None:
        """Objects along u, or along v where ``turned``."""
        shape = slots.shape
        u, v, turned, chosen = (np.broadcast_to(a, shape) for a in (u, v, turned, chosen))
        keep = self._kept(u, v, chosen, 9.0)
        if not keep.any():
            return
        x, y, along, across = self._ground(u[keep], v[keep])
        heading = np.where(turned[keep], across, along) + np.where(slots(40)[keep] < 0.5, np.pi, 0.0)
        heading = (heading + (slots(41)[keep] - 0.5) * 0.05 + np.pi) % (2 * np.pi) - np.pi
        pick = (slots(42)[keep] * len(kinds)).astype(int)
        paint = colours[(slots(43)[keep] * len(colours)).astype(int)]
        types = [kind_of.kind(name) for name in kinds]
        size, aspect = slots(44)[keep], slots(45)[keep]
        for row in range(len(x)):
            kind = types[pick[row]]
            length = kind.length_m[0] + (kind.length_m[1] - kind.length_m[0]) * size[row]
            wide = length / (kind.aspect[0] + (kind.aspect[1] - kind.aspect[0]) * aspect[row])
            self.objects.append(
                SceneObject(
                    kind_of,
                    kind.name,
                    str(paint[row]),
                    float(x[row]),
                    float(y[row]),
                    float(length) / self.gsd_m,
                    float(wide) / self.gsd_m,
                    0.0 if kind_of.is_round else float(heading[row]),
                    moving,
                )
            )

    # --- kinds of blocks --------------------------------------------------------------------------

    def _villas(self, rows: NDArray[np.intp]) -> None:
        """Houses in gardens, in two rows that face the streets at their v ends."""
        a0, a1, b0, b1 = self._inner(rows)
        number = np.maximum(1, ((a1 - a0) // 17).astype(int))
        plot = (a1 - a0) / number
        slots = self._slots(rows, 2 * _SLOTS, 0)
        side, place = np.divmod(np.arange(2 * _SLOTS)[None, :], _SLOTS)
        front, inward = np.where(side == 0, b0, b1), np.where(side == 0, 1, -1)
        there = (place < number) & (slots(0) < 0.93)
        u = a0 + (place + 0.5) * plot
        width, depth = plot * (0.5 + 0.2 * slots(1)), 8.4 + 3.4 * slots(2)
        v = front + inward * (4.2 + 2.5 * slots(3) + depth / 2)
        turned = slots(4) < 0.3
        roof = _ROOFS[(slots(5) * len(_ROOFS)).astype(int)] * (0.86 + 0.28 * slots(6))[..., None]
        self._build(u, v, width, depth, 5.5 + 2.5 * slots(7), roof, there & ~turned, True)
        self._build(u, v, np.minimum(width, 12.5), depth * 0.92, 6, roof * 0.95, there & turned, False)
        drive = there & (slots(8) < 0.6)
        self._pave(u + plot / 2 - 1.8, front + inward * 4.6, 2.6, 9, drive, (158, 154, 146))
        pool = there & (slots(9) < 0.06)
        pools, blue = self._slots(rows, 2 * _SLOTS, 1), np.array(POOL.colours)
        self._park(POOL, POOL.kinds, blue, u, front + inward * (19 + depth * 0.45), False, pool, pools)
        self._gardens(slots, u, front, inward, plot, there & ~pool)
        main = np.isin(self.j[rows, None] + side, self.terrain.roads_v)
        kerb = front - inward * (_KERB_M - 2.3)
        parked = there & (slots(21) < 0.34) & ~main
        cars = self._slots(rows, 2 * _SLOTS, 2)
        self._park(CAR, CAR.kinds, _CAR_COLOURS, u + (slots(22) - 0.5) * 9, kerb, False, parked, cars)
        at_home = drive & (slots(23) < 0.3)
        cars = self._slots(rows, 2 * _SLOTS, 3)
        yard = front + inward * 4
        self._park(CAR, CAR.kinds, _CAR_COLOURS, u + plot / 2 - 1.8, yard, True, at_home, cars)

    def _gardens(
        self, slots: _Slots, u: Array, front: Array, inward: Array, plot: Array, chosen: NDArray[np.bool_]
    ) -> None:
        """Up to two trees behind each house."""
        for number in (12, 16):
            tone, across = slots(number), 18 + 13 * slots(number + 1)
            shift = (slots(number + 2) - 0.5) * plot * 0.9
            radius = 1.6 + 2.8 * slots(number + 3)
            self._plant(u + shift, front + inward * across, radius, tone, chosen & (tone < 0.75))

    def _slabs(self, rows: NDArray[np.intp]) -> None:
        """Two long blocks of flats with a row of cars between."""
        a0, a1, b0, b1 = self._inner(rows)
        slots = self._slots(rows, 1, 30)
        middle, long = (a0 + a1) / 2, (a1 - a0) * (0.62 + 0.25 * slots(0))
        roof = _FLATS[(slots(1) * len(_FLATS)).astype(int)]
        for v in (b0 + 11, b1 - 11):
            self._build(middle, v, long, 12.0, 11 + 7 * slots(2), roof, True, False)
        self._pave(middle, (b0 + b1) / 2, long, 13.0, True, (104, 104, 108))
        place = np.arange(_LOT)[None, :]
        u = middle + (place - (_LOT - 1) / 2) * 2.8
        fits = np.abs(u - middle) < long / 2 - 2
        cars = self._slots(rows, _LOT, 31)
        self._park(CAR, CAR.kinds, _CAR_COLOURS, u, (b0 + b1) / 2 - 3.6, True, fits & (cars(0) < 0.42), cars)
        trees = self._slots(rows, _TREES, 32)
        v = np.where(trees(1) < 0.5, b0 + 22, b1 - 22) + 4 * (trees(2) - 0.5)
        fits = trees(4) < 0.8
        self._plant(
            a0 + 3 + trees(0) * (a1 - a0 - 6),
            v,
            2 + 2 * trees(3),
            trees(5),
            fits & (np.abs(v - (b0 + b1) / 2) > 10),
        )

    def _shops(self, rows: NDArray[np.intp]) -> None:
        """One large building with a lot for cars."""
        a0, a1, b0, b1 = self._inner(rows)
        slots = self._slots(rows, 1, 40)
        self._pave((a0 + a1) / 2, (b0 + b1) / 2, a1 - a0 - 2, b1 - b0 - 2, True, (112, 112, 114))
        depth = (b1 - b0) * 0.46
        roof = _HALLS[(slots(1) * len(_HALLS)).astype(int)]
        self._build((a0 + a1) / 2, b1 - depth / 2 - 4, (a1 - a0) * 0.84, depth, 8.0, roof, True, False)
        place = np.arange(_LOT)[None, :]
        u = (a0 + a1) / 2 + (place - (_LOT - 1) / 2) * 2.9
        fits = (u > a0 + 4) & (u < a1 - 4)
        for line, v in enumerate((b0 + 5.0, b0 + 17.5)):
            cars = self._slots(rows, _LOT, 41 + line)
            self._park(
                CAR,
                CAR.kinds,
                _CAR_COLOURS,
                u,
                v,
                True,
                fits & (cars(0) < 0.4) & (v + 6 < b1 - depth - 4),
                cars,
            )

    def _parks(self, rows: NDArray[np.intp]) -> None:
        """Trees on grass, with a tennis court at times."""
        a0, a1, b0, b1 = self._inner(rows)
        slots = self._slots(rows, 1, 50)
        court = slots(0) < 0.45
        middle = (a0 + a1) / 2, (b0 + b1) / 2
        self._park(COURT, COURT.kinds, np.array(COURT.colours), *middle, False, court, slots)
        trees = self._slots(rows, 26, 51)
        u, v = a0 + 3 + trees(0) * (a1 - a0 - 6), b0 + 3 + trees(1) * (b1 - b0 - 6)
        clear = ~court | (np.abs(u - middle[0]) > 25) | (np.abs(v - middle[1]) > 24)
        self._plant(u, v, 2.2 + 3 * trees(2), trees(3), clear)

    def _works(self, rows: NDArray[np.intp]) -> None:
        """Halls, yards with trucks, at times a few tanks."""
        a0, a1, b0, b1 = self._inner(rows)
        slots = self._slots(rows, 1, 60)
        long, deep = a1 - a0, b1 - b0
        left, tanks = 0.34 + 0.2 * slots(0), slots(1) < 0.16
        roof = _HALLS[(slots(2) * len(_HALLS)).astype(int)] * (0.9 + 0.2 * slots(3))[..., None]
        other = _HALLS[(slots(4) * len(_HALLS)).astype(int)]
        yard = 24.0
        share = 0.62 + 0.28 * slots(5)
        self._build(
            a0 + 3 + left * long / 2,
            (b0 + b1) / 2,
            left * long,
            deep * share,
            7 + 6 * slots(6),
            roof,
            True,
            False,
        )
        rest = long - left * long - yard - 6
        right = a1 - 2 - rest / 2
        self._build(
            right, (b0 + b1) / 2, rest - 2, deep * 0.7, 6 + 4 * slots(8), other, ~tanks & (rest > 12), False
        )
        self._build(
            a0 + 3 + left * long / 2,
            (b0 + b1) / 2,
            left * long * 0.86,
            3,
            15,
            roof * 0.8,
            slots(9) < 0.35,
            False,
        )
        middle = a0 + 3 + left * long + yard / 2
        self._pave(middle, (b0 + b1) / 2, yard - 1, deep - 2, True, (128, 126, 124))
        place = np.arange(8)[None, :]
        trucks = self._slots(rows, 8, 61)
        u = middle + np.where(place % 4 < 2, -1, 1) * (2.6 + 5.2 * (place % 2))
        v = (b0 + b1) / 2 + np.where(place < 4, -1, 1) * 13
        self._park(TRUCK, TRUCK.kinds, _TRUCK_COLOURS, u, v, True, trucks(0) < 0.3, trucks)
        place = np.arange(6)[None, :]
        stock = self._slots(rows, 6, 62)
        kind = ("fixed roof",)
        u, v = right + np.where(place % 2 == 0, -11, 11), (b0 + b1) / 2 + (place // 2 - 1) * 22
        fits = tanks & (rest > 40) & (stock(0) < 0.8)
        size = np.full(6, 14.0)
        self._tanks(rows, u, v, fits, size, stock, kind[0])

    def _tanks(
        self,
        rows: NDArray[np.intp],
        u: Array,
        v: Array,
        chosen: NDArray[np.bool_],
        size: Array,
        slots: _Slots,
        kind: str,
    ) -> None:
        """Small tanks of one colour per block."""
        u, v = np.broadcast_arrays(u, v)
        keep = self._kept(u, v, chosen, 14.0)
        block, place = np.nonzero(keep)
        x, y = self.terrain.grid.to_ground(
            np.broadcast_to(u, keep.shape)[keep], np.broadcast_to(v, keep.shape)[keep]
        )
        paint = (slots(5)[:, 0] * 2).astype(int)
        for row in range(len(x)):
            across = float(size[place[row]] + 4 * slots(6)[block[row], 0]) / self.gsd_m
            colour = ("white", "gray")[paint[block[row]]]
            at = float(x[row]) / self.gsd_m, float(y[row]) / self.gsd_m
            self.objects.append(SceneObject(TANK, kind, colour, *at, across, across, 0.0))

    def _wilds(self, rows: NDArray[np.intp]) -> None:
        """Single trees on meadows, shrubs in deserts, a few trees at the edges of fields."""
        a0, a1, b0, b1 = self._inner(rows)
        trees = self._slots(rows, _TREES, 70)
        use = self.use[rows, None]
        chance = np.select([use == Cover.MEADOW, use == Cover.DESERT], [0.3, 0.2], 0.1)
        u, v = a0 + trees(0) * (a1 - a0), b0 + trees(1) * (b1 - b0)
        v = np.where(use == Cover.FARMLAND, np.where(trees(1) < 0.5, b0, b1), v)
        radius = np.where(use == Cover.DESERT, 0.7 + trees(2), 2 + 2.6 * trees(2))
        self._plant(u, v, radius, trees(3), trees(4) < chance)

    def _traffic(self) -> None:
        """Vehicles that drive on roads, away from crossings, bridges and places."""
        terrain = self.terrain
        for lines, own, turned in ((terrain.roads_u, self.i, True), (terrain.roads_v, self.j, False)):
            rows = np.flatnonzero(np.isin(own, lines) & ~self._blocked(turned))
            if not len(rows) or (turned and terrain.rails and not set(lines) - set(terrain.rails)):
                continue
            if turned:
                rows = rows[~np.isin(self.i[rows], terrain.rails)]
                if not len(rows):
                    continue
            slots = self._slots(rows, 2, 80 + turned)
            place = np.arange(2)[None, :]
            lane = np.where(place == 0, -2.7, 2.7)
            if turned:
                u = self.u0[rows, None] + lane
                v = self.v0[rows, None] + (0.3 + 0.4 * slots(0)) * (self.v1 - self.v0)[rows, None]
            else:
                u = self.u0[rows, None] + (0.3 + 0.4 * slots(0)) * (self.u1 - self.u0)[rows, None]
                v = self.v0[rows, None] + lane
            heavy = slots(1) < 0.22
            there = slots(2) < 0.5
            if self.wet:
                x, y = terrain.grid.to_ground(u, v)
                there &= terrain.shore_at(x, y) > 26
            self._park(CAR, CAR.kinds, _CAR_COLOURS, u, v, turned, there & ~heavy, slots, True)
            self._park(TRUCK, TRUCK.kinds, _TRUCK_COLOURS, u, v, turned, there & heavy, slots, True)

    def _blocked(self, turned: bool) -> NDArray[np.bool_]:
        """Blocks whose road at the least u (or v) runs through a place."""
        blocked = np.zeros(len(self.i), dtype=bool)
        for p in self.terrain.places:
            if turned:
                blocked |= (self.i > p.i0) & (self.i < p.i1) & (self.j >= p.j0) & (self.j < p.j1)
            else:
                blocked |= (self.j > p.j0) & (self.j < p.j1) & (self.i >= p.i0) & (self.i < p.i1)
        return blocked
