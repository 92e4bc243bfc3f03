"""What fills ordinary blocks of the grid: houses, gardens, yards, parked and driving vehicles, trees.

Some blocks at a time, all of them at once in arrays; what a block holds depends on the block alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth.blocks import KERB_M, Array, BlockFilling, Slots
from rscovlm.synth.catalogue import CAR, COURT, POOL, TANK, TRUCK
from rscovlm.synth.layout import Contents
from rscovlm.synth.objects import SceneObject
from rscovlm.synth.terrain import Cover, Terrain

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
_CAR_COLOURS = ("white", "gray", "black", "red", "blue", "white", "gray", "yellow", "green", "black")
_TRUCK_COLOURS = ("white", "white", "red", "blue", "gray", "yellow", "green")
_SLOTS, _LOT, _TREES = 7, 26, 8


@lru_cache(maxsize=256)
def fill_blocks(terrain: Terrain, gsd_m: float, i0: int, j0: int, i1: int, j1: int) -> Contents:
    """What stands in a rectangle of blocks, lengths in scene pixels.

    Args:
        terrain: of the scene.
        gsd_m: metres per scene pixel.
        i0, j0, i1, j1: columns and rows of the grid, from the first to before the last.
    """
    i, j = (each.ravel() for each in np.meshgrid(np.arange(i0, i1), np.arange(j0, j1)))
    blocks = BlockFilling(terrain, gsd_m, i, j)
    urban, style = blocks.use == Cover.URBAN, blocks.style
    for chosen, fill in (
        (urban & (style < 0.62), _villas),
        (urban & (style >= 0.62) & (style < 0.78), _slabs),
        (urban & (style >= 0.78) & (style < 0.9), _shops),
        (urban & (style >= 0.9), _parks),
        (blocks.use == Cover.INDUSTRIAL, _works),
        (np.isin(blocks.use, (Cover.MEADOW, Cover.DESERT, Cover.FARMLAND)), _wilds),
    ):
        rows = np.flatnonzero(chosen)
        if len(rows):
            fill(blocks, rows)
    _traffic(blocks)
    return blocks.contents()


def _villas(blocks: BlockFilling, rows: NDArray[np.intp]) -> None:
    """Houses in gardens, in two rows that face the streets at their v ends."""
    a0, a1, b0, b1 = blocks.plots(rows)
    number = np.maximum(1, ((a1 - a0) // 17).astype(int))
    plot = (a1 - a0) / number
    slots = blocks.slots(rows, 2 * _SLOTS, 0)
    side, place = np.divmod(np.arange(2 * _SLOTS)[None, :], _SLOTS)
    front, inward = np.where(side == 0, b0, b1), np.where(side == 0, 1, -1)
    there = (place < number) & (slots(0) < 0.93)
    u = a0 + (place + 0.5) * plot
    width, depth = plot * (0.5 + 0.2 * slots(1)), 8.4 + 3.4 * slots(2)
    v = front + inward * (4.2 + 2.5 * slots(3) + depth / 2)
    turned = slots(4) < 0.3
    roof = _ROOFS[(slots(5) * len(_ROOFS)).astype(int)] * (0.86 + 0.28 * slots(6))[..., None]
    blocks.build(u, v, width, depth, 5.5 + 2.5 * slots(7), roof, there & ~turned, gabled=True)
    blocks.build(u, v, np.minimum(width, 12.5), depth * 0.92, 6, roof * 0.95, there & turned)
    drive = there & (slots(8) < 0.6)
    blocks.pave(u + plot / 2 - 1.8, front + inward * 4.6, 2.6, 9, (158, 154, 146), drive)
    pool = there & (slots(9) < 0.06)
    pools = blocks.slots(rows, 2 * _SLOTS, 1)
    blocks.park(POOL, u, front + inward * (19 + depth * 0.45), pool, pools)
    _gardens(blocks, slots, u, front, inward, plot, there & ~pool)
    main = np.isin(blocks.j[rows, None] + side, blocks.terrain.roads_v)
    kerb = front - inward * (KERB_M - 2.3)
    parked = there & (slots(21) < 0.34) & ~main
    cars = blocks.slots(rows, 2 * _SLOTS, 2)
    blocks.park(CAR, u + (slots(22) - 0.5) * 9, kerb, parked, cars, _CAR_COLOURS)
    at_home = drive & (slots(23) < 0.3)
    cars = blocks.slots(rows, 2 * _SLOTS, 3)
    blocks.park(CAR, u + plot / 2 - 1.8, front + inward * 4, at_home, cars, _CAR_COLOURS, turned=True)


def _gardens(
    blocks: BlockFilling,
    slots: Slots,
    u: Array,
    front: Array,
    inward: Array,
    plot: Array,
    chosen: NDArray[np.bool_],
) -> None:
    """Up to two trees behind each house."""
    for number in (12, 16):
        tone, across = slots(number), 18 + 13 * slots(number + 1)
        shift = (slots(number + 2) - 0.5) * plot * 0.9
        radius = 1.6 + 2.8 * slots(number + 3)
        blocks.plant(u + shift, front + inward * across, radius, tone, chosen & (tone < 0.75))


def _slabs(blocks: BlockFilling, rows: NDArray[np.intp]) -> None:
    """Two long blocks of flats with a row of cars between."""
    a0, a1, b0, b1 = blocks.plots(rows)
    slots = blocks.slots(rows, 1, 30)
    middle, long = (a0 + a1) / 2, (a1 - a0) * (0.62 + 0.25 * slots(0))
    roof = _FLATS[(slots(1) * len(_FLATS)).astype(int)]
    for v in (b0 + 11, b1 - 11):
        blocks.build(middle, v, long, 12.0, 11 + 7 * slots(2), roof)
    blocks.pave(middle, (b0 + b1) / 2, long, 13.0, (104, 104, 108))
    place = np.arange(_LOT)[None, :]
    u = middle + (place - (_LOT - 1) / 2) * 2.8
    fits = np.abs(u - middle) < long / 2 - 2
    cars = blocks.slots(rows, _LOT, 31)
    there = fits & (cars(0) < 0.42)
    blocks.park(CAR, u, (b0 + b1) / 2 - 3.6, there, cars, _CAR_COLOURS, turned=True)
    trees = blocks.slots(rows, _TREES, 32)
    v = np.where(trees(1) < 0.5, b0 + 22, b1 - 22) + 4 * (trees(2) - 0.5)
    fits = trees(4) < 0.8
    blocks.plant(
        a0 + 3 + trees(0) * (a1 - a0 - 6),
        v,
        2 + 2 * trees(3),
        trees(5),
        fits & (np.abs(v - (b0 + b1) / 2) > 10),
    )


def _shops(blocks: BlockFilling, rows: NDArray[np.intp]) -> None:
    """One large building with a lot for cars."""
    a0, a1, b0, b1 = blocks.plots(rows)
    slots = blocks.slots(rows, 1, 40)
    blocks.pave((a0 + a1) / 2, (b0 + b1) / 2, a1 - a0 - 2, b1 - b0 - 2, (112, 112, 114))
    depth = (b1 - b0) * 0.46
    roof = _HALLS[(slots(1) * len(_HALLS)).astype(int)]
    blocks.build((a0 + a1) / 2, b1 - depth / 2 - 4, (a1 - a0) * 0.84, depth, 8.0, roof)
    place = np.arange(_LOT)[None, :]
    u = (a0 + a1) / 2 + (place - (_LOT - 1) / 2) * 2.9
    fits = (u > a0 + 4) & (u < a1 - 4)
    for line, v in enumerate((b0 + 5.0, b0 + 17.5)):
        cars = blocks.slots(rows, _LOT, 41 + line)
        there = fits & (cars(0) < 0.4) & (v + 6 < b1 - depth - 4)
        blocks.park(CAR, u, v, there, cars, _CAR_COLOURS, turned=True)


def _parks(blocks: BlockFilling, rows: NDArray[np.intp]) -> None:
    """Trees on grass, with a tennis court at times."""
    a0, a1, b0, b1 = blocks.plots(rows)
    slots = blocks.slots(rows, 1, 50)
    court = slots(0) < 0.45
    middle = (a0 + a1) / 2, (b0 + b1) / 2
    blocks.park(COURT, *middle, court, slots)
    trees = blocks.slots(rows, 26, 51)
    u, v = a0 + 3 + trees(0) * (a1 - a0 - 6), b0 + 3 + trees(1) * (b1 - b0 - 6)
    clear = ~court | (np.abs(u - middle[0]) > 25) | (np.abs(v - middle[1]) > 24)
    blocks.plant(u, v, 2.2 + 3 * trees(2), trees(3), clear)


def _works(blocks: BlockFilling, rows: NDArray[np.intp]) -> None:
    """Halls, yards with trucks, at times a few tanks."""
    a0, a1, b0, b1 = blocks.plots(rows)
    slots = blocks.slots(rows, 1, 60)
    long, deep = a1 - a0, b1 - b0
    left, tanks = 0.34 + 0.2 * slots(0), slots(1) < 0.16
    roof = _HALLS[(slots(2) * len(_HALLS)).astype(int)] * (0.9 + 0.2 * slots(3))[..., None]
    other = _HALLS[(slots(4) * len(_HALLS)).astype(int)]
    yard, middle_v = 24.0, (b0 + b1) / 2
    share = 0.62 + 0.28 * slots(5)
    hall = a0 + 3 + left * long / 2, middle_v
    blocks.build(*hall, left * long, deep * share, 7 + 6 * slots(6), roof)
    rest = long - left * long - yard - 6
    right = a1 - 2 - rest / 2
    free = ~tanks & (rest > 12)
    blocks.build(right, middle_v, rest - 2, deep * 0.7, 6 + 4 * slots(8), other, free)
    blocks.build(*hall, left * long * 0.86, 3, 15, roof * 0.8, slots(9) < 0.35)
    middle = a0 + 3 + left * long + yard / 2
    blocks.pave(middle, middle_v, yard - 1, deep - 2, (128, 126, 124))
    place = np.arange(8)[None, :]
    trucks = blocks.slots(rows, 8, 61)
    u = middle + np.where(place % 4 < 2, -1, 1) * (2.6 + 5.2 * (place % 2))
    v = middle_v + np.where(place < 4, -1, 1) * 13
    blocks.park(TRUCK, u, v, trucks(0) < 0.3, trucks, _TRUCK_COLOURS, turned=True)
    place = np.arange(6)[None, :]
    stock = blocks.slots(rows, 6, 62)
    u, v = right + np.where(place % 2 == 0, -11, 11), middle_v + (place // 2 - 1) * 22
    fits = tanks & (rest > 40) & (stock(0) < 0.8)
    _tanks(blocks, u, v, fits, stock)


def _tanks(blocks: BlockFilling, u: Array, v: Array, chosen: NDArray[np.bool_], slots: Slots) -> None:
    """Small tanks of one colour per block."""
    u, v = np.broadcast_arrays(u, v)
    keep = blocks.dry(u, v, chosen, 14.0)
    block = np.nonzero(keep)[0]
    x, y = blocks.terrain.grid.to_ground(u[keep], v[keep])
    paint = (slots(5)[:, 0] * 2).astype(int)
    for row in range(len(x)):
        across = float(14.0 + 4 * slots(6)[block[row], 0]) / blocks.gsd_m
        colour = ("white", "gray")[paint[block[row]]]
        at = float(x[row]) / blocks.gsd_m, float(y[row]) / blocks.gsd_m
        blocks.objects.append(SceneObject(TANK, "fixed roof", colour, *at, across, across, 0.0))


def _wilds(blocks: BlockFilling, rows: NDArray[np.intp]) -> None:
    """Single trees on meadows, shrubs in deserts, a few trees at the edges of fields."""
    a0, a1, b0, b1 = blocks.plots(rows)
    trees = blocks.slots(rows, _TREES, 70)
    use = blocks.use[rows, None]
    chance = np.select([use == Cover.MEADOW, use == Cover.DESERT], [0.3, 0.2], 0.1)
    u, v = a0 + trees(0) * (a1 - a0), b0 + trees(1) * (b1 - b0)
    v = np.where(use == Cover.FARMLAND, np.where(trees(1) < 0.5, b0, b1), v)
    radius = np.where(use == Cover.DESERT, 0.7 + trees(2), 2 + 2.6 * trees(2))
    blocks.plant(u, v, radius, trees(3), trees(4) < chance)


def _traffic(blocks: BlockFilling) -> None:
    """Vehicles that drive on roads, away from crossings, bridges and places."""
    terrain = blocks.terrain
    for lines, own, turned in ((terrain.roads_u, blocks.i, True), (terrain.roads_v, blocks.j, False)):
        rows = np.flatnonzero(np.isin(own, lines) & ~_blocked(blocks, turned))
        if not len(rows) or (turned and terrain.rails and not set(lines) - set(terrain.rails)):
            continue
        if turned:
            rows = rows[~np.isin(blocks.i[rows], terrain.rails)]
            if not len(rows):
                continue
        slots = blocks.slots(rows, 2, 80 + turned)
        place = np.arange(2)[None, :]
        lane = np.where(place == 0, -2.7, 2.7)
        if turned:
            u = blocks.u0[rows, None] + lane
            v = blocks.v0[rows, None] + (0.3 + 0.4 * slots(0)) * (blocks.v1 - blocks.v0)[rows, None]
        else:
            u = blocks.u0[rows, None] + (0.3 + 0.4 * slots(0)) * (blocks.u1 - blocks.u0)[rows, None]
            v = blocks.v0[rows, None] + lane
        heavy = slots(1) < 0.22
        there = slots(2) < 0.5
        if blocks.wet:
            x, y = terrain.grid.to_ground(u, v)
            there &= terrain.shore_at(x, y) > 26
        blocks.park(CAR, u, v, there & ~heavy, slots, _CAR_COLOURS, turned=turned, moving=True)
        blocks.park(TRUCK, u, v, there & heavy, slots, _TRUCK_COLOURS, turned=turned, moving=True)


def _blocked(blocks: BlockFilling, turned: bool) -> NDArray[np.bool_]:
    """Blocks whose road at the least u (or v) runs through a place."""
    blocked = np.zeros(len(blocks.i), dtype=bool)
    for p in blocks.terrain.places:
        if turned:
            blocked |= (blocks.i > p.i0) & (blocks.i < p.i1) & (blocks.j >= p.j0) & (blocks.j < p.j1)
        else:
            blocked |= (blocks.j > p.j0) & (blocks.j < p.j1) & (blocks.i >= p.i0) & (blocks.i < p.i1)
    return blocked
