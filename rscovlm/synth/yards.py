"""Paved grounds on which things stand in rows: tanks, cars, trucks."""

from __future__ import annotations

import numpy as np

from rscovlm.synth.catalogue import CAR, TANK, TRUCK, ObjectClass
from rscovlm.synth.layout import ASPHALT, HALLS, Layout, Room
from rscovlm.synth.paint import Material

_FIXED_PAINT = 0.6
"""How often the cars of a place are all of one colour, so that it can be asked for."""


def tank_farm(layout: Layout, room: Room) -> None:
    """Tanks in a grid of walled cells."""
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    layout.rectangle(-half, -deep, half, deep, (150, 134, 112), Material.SOIL)
    layout.rectangle(-half, -deep, half, -deep + 7, ASPHALT, Material.ASPHALT)
    layout.rectangle(-half, -deep, -half + 7, deep, ASPHALT, Material.ASPHALT)
    kind = TANK.kind(room.kind)
    wanted = float(rng.uniform(*kind.length_m))
    for columns in range(2, 12):
        cell = (room.length - 14) / columns
        rows = int((room.width - 14) // cell)
        if columns * rows >= max(room.count, 4):
            break
    size = min(wanted, cell * 0.78)
    x0, y0 = -half + 10, -deep + 10 + ((room.width - 14) - rows * cell) / 2
    cells = [(row, column) for row in range(rows) for column in range(columns)]
    for row, column in cells:
        x, y = x0 + (column + 0.5) * cell, y0 + (row + 0.5) * cell
        h = cell / 2 - 1.5
        layout.rectangle(x - h, y - h, x + h, y + h, (176, 164, 140), Material.SOIL)
        layout.rectangle(x - h + 1.4, y - h + 1.4, x + h - 1.4, y + h - 1.4, (158, 142, 118), Material.SOIL)
    for row in range(rows):
        layout.bars(0, y0 + row * cell, room.length - 24, 1.0, (196, 196, 192), Material.METAL)
    rng.shuffle(cells)
    for row, column in sorted(cells[: room.count]):
        x, y = x0 + (column + 0.5) * cell, y0 + (row + 0.5) * cell
        across = size * float(rng.uniform(0.82, 1.0))
        layout.bars(x, y - cell * 0.32, 0.9, cell * 0.3, (196, 196, 192), Material.METAL)
        layout.add(TANK, room.kind, room.colour, x, y, fixed=(across, across))


def car_park(layout: Layout, room: Room) -> None:
    """Rows of stalls on both sides of lanes."""
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    layout.rectangle(-half, -deep, half, deep, (96, 96, 100), Material.ASPHALT)
    stall_w, stall_d, lane = 2.7, 5.4, 6.4
    bay = 2 * stall_d + lane
    bays = max(1, int((room.width - 8) // bay))
    columns = int((room.length - 16) // stall_w)
    top = -bays * bay / 2
    stalls = []
    for number in range(bays):
        base = top + number * bay
        for y, heading in ((base + stall_d / 2, np.pi / 2), (base + bay - stall_d / 2, -np.pi / 2)):
            xs = (np.arange(columns + 1) - columns / 2) * stall_w
            layout.bars(xs, y, 0.16, stall_d)
            stalls += [(float(x) + stall_w / 2, y, heading) for x in xs[:-1]]
        if number:
            layout.rectangle(
                -columns * stall_w / 2,
                base - 0.9,
                columns * stall_w / 2,
                base + 0.9,
                layout.grass,
                Material.GRASS,
            )
            layout.trees_along(-half + 12, half - 12, base, 16, (0.9, 1.5))
    layout.trees_along(-half, half, -deep + 1.5)
    layout.trees_along(-half, half, deep - 1.5)
    uniform = rng.random() < _FIXED_PAINT
    order = rng.permutation(len(stalls))[: room.count]
    for index in np.sort(order):
        x, y, heading = stalls[int(index)]
        turn = heading + (np.pi if rng.random() < 0.4 else 0.0) + float(rng.normal(0, 0.03))
        colour = _paint_of(layout, CAR, room, uniform)
        layout.add(CAR, room.kind, colour, x, y + float(rng.uniform(-0.08, 0.08)), turn, longest=5.2)


def truck_yard(layout: Layout, room: Room) -> None:
    """A hall with docks, and a yard with stalls before it."""
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    layout.rectangle(-half, -deep, half, deep, (142, 140, 136), Material.CONCRETE)
    hall = room.width * 0.34
    layout.building(0, -deep + 4 + hall / 2, room.length - 16, hall, 11, layout.one_of(HALLS))
    layout.bars(
        np.arange(-half + 16, half - 12, 6.5), -deep + 5.5 + hall, 3, 2.4, (84, 86, 90), Material.METAL
    )
    stall_w, stall_d = 4.4, 18.5
    y = deep - stall_d / 2 - 3
    columns = int((room.length - 14) // stall_w)
    xs = (np.arange(columns + 1) - columns / 2) * stall_w
    layout.bars(xs, y, 0.2, stall_d)
    stalls = [(float(x) + stall_w / 2, y, np.pi / 2) for x in xs[:-1]]
    docks = [(float(x), -deep + 6 + hall + 10.5, -np.pi / 2) for x in np.arange(-half + 16, half - 12, 6.5)]
    picked = [*stalls, *(docks if y - stall_d / 2 > docks[0][1] + 12 else [])]
    uniform = rng.random() < _FIXED_PAINT + 0.15
    for index in np.sort(rng.permutation(len(picked))[: room.count]):
        x, at, heading = picked[int(index)]
        turn = heading + (np.pi if rng.random() < 0.3 else 0.0) + float(rng.normal(0, 0.012))
        layout.add(TRUCK, room.kind, _paint_of(layout, TRUCK, room, uniform), x, at, turn)


def _paint_of(layout: Layout, kind_of: ObjectClass, room: Room, uniform: bool) -> str:
    return room.colour if uniform else str(layout.rng.choice(kind_of.colours))
