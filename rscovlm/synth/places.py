"""Named places: how each kind lays out its ground, and what stands on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rscovlm.synth.catalogue import CAR, COURT, HELICOPTER, PITCH, PLANE, POOL, SHIP, TANK, TRUCK, ObjectClass
from rscovlm.synth.layout import ASPHALT, CONCRETE, Layout
from rscovlm.synth.paint import Material

_ROOFS = ((150, 92, 74), (168, 112, 86), (128, 84, 72), (120, 122, 126), (96, 94, 96))
_HALLS = ((186, 188, 188), (150, 156, 162), (206, 204, 198), (128, 146, 164), (168, 150, 134))
_FIXED_PAINT = 0.6
"""How often the cars of a place are all of one colour, so that it can be asked for."""


@dataclass(frozen=True)
class Room:
    """The ground that a place has, and what shall stand there.

    Attributes:
        length, width: of the ground in metres, along and across the heading.
        count: objects of the place's class.
        kind, colour: of those objects.
    """

    length: float
    width: float
    count: int
    kind: str
    colour: str


def lay_out(name: str, layout: Layout, room: Room) -> None:
    """Lay out the ground of a named place.

    Raises:
        KeyError: no such place has a ground of its own.
    """
    _PLACES[name](layout, room)


def has_ground(name: str) -> bool:
    """Whether a kind of place is laid out on blocks of its own."""
    return name in _PLACES


def _pick(rng: np.random.Generator, items: tuple[tuple[int, int, int], ...]) -> tuple[int, int, int]:
    return items[int(rng.integers(len(items)))]


def _paint_of(layout: Layout, kind_of: ObjectClass, room: Room, uniform: bool) -> str:
    return room.colour if uniform else str(layout.rng.choice(kind_of.colours))


def _trees_along(
    layout: Layout, x0: float, x1: float, y: float, gap: float = 11.0, size: tuple[float, float] = (1.8, 3.6)
) -> None:
    for x in np.arange(x0 + 3, x1 - 3, gap):
        if layout.rng.random() < 0.75:
            shift = layout.rng.uniform(-0.5, 0.5, 2) * size[1]
            layout.tree(float(x + shift[0]), float(y + shift[1]), float(layout.rng.uniform(*size)))


# --- airport --------------------------------------------------------------------------------------


def _airport(layout: Layout, room: Room) -> None:
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    runway_y, runway_w = -deep + 34, 36.0
    layout.rectangle(
        -half + 8, runway_y - runway_w / 2, half - 8, runway_y + runway_w / 2, (84, 84, 88), Material.ASPHALT
    )
    _runway_marks(layout, half - 8, runway_y, runway_w)
    taxi_y = runway_y + 52
    layout.rectangle(-half + 20, taxi_y - 9, half - 20, taxi_y + 9, (112, 112, 112), Material.ASPHALT)
    for x in (-half + 32, 0.0, half - 32):
        layout.rectangle(x - 10, runway_y + 10, x + 10, taxi_y, (112, 112, 112), Material.ASPHALT)
    layout.bars(0, taxi_y, room.length - 44, 0.5, (216, 186, 70))
    # The apron lies behind the taxiway, at one end; the terminal behind it, the helipads beside it.
    long = min(room.length * 0.62, 330.0)
    side = float(rng.choice([-1, 1]))
    middle = side * (half - 24 - long / 2)
    back = deep - 34
    layout.rectangle(
        middle - long / 2, taxi_y + 8, middle + long / 2, back, (160, 158, 152), Material.CONCRETE
    )
    joints = np.arange(middle - long / 2 + 20, middle + long / 2, 20)
    depth = back - taxi_y - 8
    layout.bars(joints, taxi_y + 8 + depth / 2, 0.5, depth, (138, 136, 130), Material.CONCRETE)
    _stands(layout, room, middle, long, taxi_y + 8, back)
    layout.rectangle(middle - long / 2, back, middle + long / 2, deep - 4, ASPHALT, Material.ASPHALT)
    layout.building(middle, back + 11, long * 0.55, 20, 12, (196, 198, 198))
    layout.building(middle - long * 0.38, back + 11, long * 0.14, 22, 10, _pick(rng, _HALLS))
    layout.building(middle + long * 0.33, back + 10, 9, 9, 30, (206, 204, 198))
    _helipads(layout, middle - side * (long / 2 + 40), (taxi_y + back) / 2)


def _runway_marks(layout: Layout, half: float, y: float, width: float) -> None:
    for end in (-1, 1):
        stripes = np.linspace(-width * 0.38, width * 0.38, 8)
        layout.bars(end * (half - 16), y + stripes, 18, 1.9)
        layout.bars(end * (half - 70), y + np.array([-6.5, 6.5]), 24, 4.2)
    dashes = np.arange(-half + 100, half - 96, 42.0)
    layout.bars(dashes, y, 22, 0.9)
    layout.bars(0, y + np.array([-1, 1]) * (width / 2 - 1.6), 2 * half, 0.8)


def _stands(layout: Layout, room: Room, middle: float, long: float, front: float, back: float) -> None:
    """Planes side by side with their noses to the terminal, as many as there are stands."""
    depth = back - front
    kind = PLANE.kind(room.kind)
    longest = min(kind.length_m[1], depth - 8)
    pitch = longest / kind.aspect[0] + 5
    rows = 1 if longest > 28 else 2
    columns = int(max(1, (long - 8) // pitch))
    stands = [(row, column) for row in range(rows) for column in range(columns)]
    layout.rng.shuffle(stands)
    start = middle - (columns - 1) * pitch / 2
    for column in range(columns):
        layout.bars(start + column * pitch, front + depth / 2, 0.6, depth * 0.8, (216, 186, 70))
    for row, column in sorted(stands[: room.count]):
        x = start + column * pitch
        y = front + depth * (row + 0.5) / rows
        layout.add(
            PLANE, room.kind, room.colour, x, y, np.pi / 2 + float(layout.rng.normal(0, 0.02)), longest
        )


def _helipads(layout: Layout, x: float, y: float) -> None:
    rng = layout.rng
    pads = [(x - 19, y - 17), (x + 19, y - 17), (x - 19, y + 17), (x + 19, y + 17)]
    layout.rectangle(x - 38, y - 34, x + 38, y + 34, (150, 150, 146), Material.ASPHALT)
    count = int(rng.integers(0, 4))
    kind, colour = str(rng.choice(HELICOPTER.kinds)), str(rng.choice(HELICOPTER.colours))
    for px, py in pads:
        angles = np.linspace(0, 2 * np.pi, 25)
        ring = np.stack([np.cos(angles), np.sin(angles)], 1)
        outer, inner = ring * 13.5, ring * 12.6
        band = np.stack([outer[:-1], outer[1:], inner[1:], inner[:-1]], axis=1) + np.array([px, py])
        layout.area(band, (226, 200, 80), Material.PAINT)
        layout.bars(px + np.array([-3.0, 3.0]), py, 1.1, 9)
        layout.bars(px, py, 6, 1.1)
    for row in rng.permutation(4)[:count]:
        layout.add(HELICOPTER, kind, colour, *pads[int(row)], float(rng.uniform(-np.pi, np.pi)), longest=24)


# --- harbour --------------------------------------------------------------------------------------

QUAY_SHARE = 0.3
"""Of a harbour's width: its land; the rest is the basin."""

MOLE_M = 9.0
"""Width of the walls that close a harbour's basin at its sides."""


def _harbour(layout: Layout, room: Room) -> None:
    """Land at -y, a basin at +y between two moles, with piers from the quay."""
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    quay = -deep + QUAY_SHARE * room.width
    layout.rectangle(-half, -deep, half, quay, (158, 155, 148), Material.CONCRETE)
    for side in (-1, 1):
        outer, inner = side * half, side * (half - MOLE_M)
        layout.rectangle(
            min(outer, inner), quay - 1, max(outer, inner), deep, (140, 134, 124), Material.CONCRETE
        )
    layout.rectangle(-half, quay - 3, half, quay, (196, 192, 184), Material.CONCRETE)
    _quayside(layout, half, deep, quay)
    kind = SHIP.kind(room.kind)
    if kind.name == "sailing boat":
        _marina(layout, room, half, deep, quay)
        return
    pier_w, basin = 12.0, deep - quay
    longest = min(kind.length_m[1], basin - 12)
    beam = longest / kind.aspect[0]
    gap = 2 * beam + pier_w + 14
    piers = max(1, int((2 * half - 2 * MOLE_M - 20) // gap))
    xs = (np.arange(piers) - (piers - 1) / 2) * gap
    berths = []
    for x in xs:
        layout.rectangle(
            x - pier_w / 2, quay - 1, x + pier_w / 2, deep - 8, (150, 146, 138), Material.CONCRETE
        )
        layout.bars(x, (quay + deep) / 2, 3.2, basin - 20, (120, 118, 114), Material.ASPHALT)
        berths += [(x, -1), (x, 1)]
    rng.shuffle(berths)
    for x, side in sorted(berths[: room.count]):
        away = float(rng.choice([-1, 1]))
        item = layout.add(SHIP, room.kind, room.colour, 0, 0, away * np.pi / 2, longest)
        layout.objects.pop()
        long, wide = item.length * layout.gsd_m, item.width * layout.gsd_m
        y = quay + 4 + long / 2 + float(rng.uniform(0, max(0.1, basin - 12 - long)))
        layout.add(
            SHIP,
            room.kind,
            room.colour,
            x + side * (pier_w / 2 + wide / 2 + 1.2),
            y,
            away * np.pi / 2,
            fixed=(long, wide),
        )


def _marina(layout: Layout, room: Room, half: float, deep: float, quay: float) -> None:
    """Floating piers with boats at right angles to them."""
    rng = layout.rng
    piers = max(1, int((2 * half - 2 * MOLE_M) // 62))
    xs = (np.arange(piers) - (piers - 1) / 2) * 62
    berths = []
    for x in xs:
        layout.rectangle(x - 1.6, quay - 1, x + 1.6, deep - 14, (182, 172, 150), Material.CONCRETE)
        for y in np.arange(quay + 10, deep - 20, 9.0):
            layout.bars(x, float(y) - 4.5, 26, 0.7, (176, 166, 146), Material.CONCRETE)
            berths += [(x, float(y), -1), (x, float(y), 1)]
    rng.shuffle(berths)
    for x, y, side in sorted(berths[: room.count]):
        long = float(rng.uniform(11, 19))
        wide = long / float(rng.uniform(3.4, 3.9))
        heading = 0.0 if rng.random() < 0.5 else np.pi
        layout.add(
            SHIP, room.kind, room.colour, x + side * (1.6 + long / 2 + 1), y, heading, fixed=(long, wide)
        )


def _quayside(layout: Layout, half: float, deep: float, quay: float) -> None:
    rng = layout.rng
    land = quay + deep
    x = -half + 30
    while x < half - 34:
        length = float(rng.uniform(30, 60))
        if rng.random() < 0.55:
            layout.building(
                x + length / 2, -deep + land * 0.36, length - 8, land * 0.4, 9, _pick(rng, _HALLS)
            )
        else:
            _containers(layout, x, -deep + land * 0.14, length - 8, land * 0.5)
        x += length
    layout.bars(0, quay - land * 0.27, 2 * half - 20, 7, ASPHALT, Material.ASPHALT)


def _containers(layout: Layout, x: float, y: float, length: float, depth: float) -> None:
    rng = layout.rng
    colours = ((176, 70, 52), (62, 104, 150), (196, 190, 180), (86, 128, 92), (198, 146, 62))
    for a in np.arange(x, x + length - 12, 13.5):
        for b in np.arange(y, y + depth - 3, 3.1):
            if rng.random() < 0.72:
                layout.building(float(a) + 6, float(b) + 1.5, 12, 2.5, 2.6, _pick(rng, colours))


# --- yards ----------------------------------------------------------------------------------------


def _tank_farm(layout: Layout, room: Room) -> None:
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


def _car_park(layout: Layout, room: Room) -> None:
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
            _trees_along(layout, -half + 12, half - 12, base, 16, (0.9, 1.5))
    _trees_along(layout, -half, half, -deep + 1.5)
    _trees_along(layout, -half, half, deep - 1.5)
    uniform = rng.random() < _FIXED_PAINT
    order = rng.permutation(len(stalls))[: room.count]
    for index in np.sort(order):
        x, y, heading = stalls[int(index)]
        turn = heading + (np.pi if rng.random() < 0.4 else 0.0) + float(rng.normal(0, 0.03))
        colour = _paint_of(layout, CAR, room, uniform)
        layout.add(CAR, room.kind, colour, x, y + float(rng.uniform(-0.08, 0.08)), turn, longest=5.2)


def _truck_yard(layout: Layout, room: Room) -> None:
    """A hall with docks, and a yard with stalls before it."""
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    layout.rectangle(-half, -deep, half, deep, (142, 140, 136), Material.CONCRETE)
    hall = room.width * 0.34
    layout.building(0, -deep + 4 + hall / 2, room.length - 16, hall, 11, _pick(rng, _HALLS))
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


# --- leisure --------------------------------------------------------------------------------------


def _sports_ground(layout: Layout, room: Room) -> None:
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    pitch_l, pitch_w = min(106.0, room.length * 0.52), 66.0
    x = -half + 10 + pitch_l / 2 + 8
    if rng.random() < 0.75:
        kind = str(rng.choice(PITCH.kinds))
        if rng.random() < 0.6 and deep > 63:
            _track(layout, x, 0.0, pitch_l + 16, pitch_w + 16)
        else:
            layout.building(x, deep - 13, pitch_l * 0.4, 9, 6, _pick(rng, _HALLS))
        layout.add(PITCH, kind, "green", x, 0, 0.0, fixed=(pitch_l, pitch_w))
    x0 = -half + pitch_l + 44
    double = room.kind == "double court"
    cell_x, cell_y = (44.0, 42.0) if double else (44.0, 25.0)
    columns, rows = max(1, int((half - 6 - x0) // cell_x)), max(1, int((room.width - 12) // cell_y))
    cells = [(row, column) for row in range(rows) for column in range(columns)]
    shift = ((half - 6 - x0) - columns * cell_x) / 2
    rng.shuffle(cells)
    for row, column in sorted(cells[: room.count]):
        cx = x0 + shift + (column + 0.5) * cell_x
        cy = -rows * cell_y / 2 + (row + 0.5) * cell_y
        layout.rectangle(
            cx - 21, cy - cell_y / 2 + 1, cx + 21, cy + cell_y / 2 - 1, (146, 140, 126), Material.CONCRETE
        )
        layout.add(COURT, room.kind, room.colour, cx, cy, 0.0)
    for y in (-deep + 4, deep - 4):
        _trees_along(layout, -half, half, y)


def _track(layout: Layout, x: float, y: float, length: float, width: float) -> None:
    angles = np.linspace(-np.pi / 2, np.pi / 2, 13)
    for grow, colour in ((10.0, (176, 92, 70)), (0.0, layout.grass)):
        radius, straight = width / 2 + grow, length / 2 - width * 0.25
        right = np.stack([straight + radius * np.cos(angles) * 0.62, radius * np.sin(angles)], 1)
        layout.area(np.add(np.concatenate([right, -right]), (x, y)), colour, Material.PAINT)


def _garden_quarter(layout: Layout, room: Room) -> None:
    """Two rows of villas in large gardens along a lane, some with a pool."""
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    layout.rectangle(-half, -3, half, 3, ASPHALT, Material.ASPHALT)
    columns = max(2, int(room.length // 32))
    plot = room.length / columns
    plots = [(side, column) for side in (-1, 1) for column in range(columns)]
    pools = {plots[int(index)] for index in rng.permutation(len(plots))[: room.count]}
    for side, column in plots:
        x = -half + (column + 0.5) * plot
        layout.rectangle(
            x - plot / 2, side * 3, x - plot / 2 + 0.5, side * deep, (76, 100, 58), Material.TREE
        )
        width, depth = float(rng.uniform(14, 19)), float(rng.uniform(10, 13))
        y = side * (16 + float(rng.uniform(-2, 2)))
        layout.building(x, y, width, depth, 6, _pick(rng, _ROOFS), gabled=True)
        layout.rectangle(x + plot * 0.3 - 1.5, side * 3, x + plot * 0.3 + 1.5, side * 14, CONCRETE)
        back = side * (29 + (deep - 29) * 0.4)
        if (side, column) in pools:
            turn = 0.0 if rng.random() < 0.7 else np.pi / 2
            layout.rectangle(x - 8, back - 6.5, x + 8, back + 6.5, (196, 186, 166))
            layout.add(POOL, room.kind, room.colour, x, back, turn, longest=12.5)
        else:
            for _ in range(2):
                layout.tree(
                    x + float(rng.uniform(-8, 8)), back + float(rng.uniform(-6, 6)), float(rng.uniform(2, 4))
                )
        for _ in range(3):
            at = x + float(rng.uniform(-0.45, 0.45)) * plot
            layout.tree(at, side * (deep - float(rng.uniform(2, 7))), float(rng.uniform(1.8, 3.5)))


_PLACES: dict[str, Callable[[Layout, Room], None]] = {
    "airport": _airport,
    "harbour": _harbour,
    "tank farm": _tank_farm,
    "sports ground": _sports_ground,
    "car park": _car_park,
    "truck yard": _truck_yard,
    "garden quarter": _garden_quarter,
}
