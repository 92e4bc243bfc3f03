"""Grounds on which people spend their time: sports grounds, and villas in large gardens."""

from __future__ import annotations

import numpy as np

from rscovlm.synth.catalogue import COURT, PITCH, POOL
from rscovlm.synth.layout import ASPHALT, CONCRETE, HALLS, Layout, Room
from rscovlm.synth.paint import Material

_ROOFS = ((150, 92, 74), (168, 112, 86), (128, 84, 72), (120, 122, 126), (96, 94, 96))


def sports_ground(layout: Layout, room: Room) -> None:
    """A pitch, often with a track around it, and courts beside it."""
    half, deep = room.length / 2, room.width / 2
    rng = layout.rng
    pitch_l, pitch_w = min(106.0, room.length * 0.52), 66.0
    x = -half + 10 + pitch_l / 2 + 8
    if rng.random() < 0.75:
        kind = str(rng.choice(PITCH.kinds))
        if rng.random() < 0.6 and deep > 63:
            _track(layout, x, 0.0, pitch_l + 16, pitch_w + 16)
        else:
            layout.building(x, deep - 13, pitch_l * 0.4, 9, 6, layout.one_of(HALLS))
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
        layout.trees_along(-half, half, y)


def _track(layout: Layout, x: float, y: float, length: float, width: float) -> None:
    angles = np.linspace(-np.pi / 2, np.pi / 2, 13)
    for grow, colour in ((10.0, (176, 92, 70)), (0.0, layout.grass)):
        radius, straight = width / 2 + grow, length / 2 - width * 0.25
        right = np.stack([straight + radius * np.cos(angles) * 0.62, radius * np.sin(angles)], 1)
        layout.area(np.add(np.concatenate([right, -right]), (x, y)), colour, Material.PAINT)


def garden_quarter(layout: Layout, room: Room) -> None:
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
        layout.building(x, y, width, depth, 6, layout.one_of(_ROOFS), gabled=True)
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
