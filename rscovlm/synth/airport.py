"""Airports: a runway with its taxiway, an apron with planes before the terminal, helipads."""

from __future__ import annotations

import numpy as np

from rscovlm.synth.catalogue import HELICOPTER, PLANE
from rscovlm.synth.layout import ASPHALT, HALLS, Layout, Room
from rscovlm.synth.paint import Material


def airport(layout: Layout, room: Room) -> None:
    """A runway at -y, and a terminal at +y with as many planes before it as it has stands."""
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
    layout.building(middle - long * 0.38, back + 11, long * 0.14, 22, 10, layout.one_of(HALLS))
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
