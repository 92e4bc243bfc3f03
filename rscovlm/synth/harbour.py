"""Harbours: a quay with sheds and containers, and a basin with ships at piers."""

from __future__ import annotations

import numpy as np

from rscovlm.synth.catalogue import SHIP
from rscovlm.synth.layout import ASPHALT, HALLS, Layout, Room
from rscovlm.synth.objects import make_object
from rscovlm.synth.paint import Material

QUAY_SHARE = 0.3
"""Of a harbour's width: its land; the rest is the basin."""

MOLE_M = 9.0
"""Width of the walls that close a harbour's basin at its sides."""


def harbour(layout: Layout, room: Room) -> None:
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
        ship = make_object(
            rng,
            SHIP,
            0,
            0,
            layout.gsd_m,
            colour=room.colour,
            kind=room.kind,
            angle_rad=0.0,
            longest_m=longest,
        )
        long, wide = ship.length * layout.gsd_m, ship.width * layout.gsd_m
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
                x + length / 2, -deep + land * 0.36, length - 8, land * 0.4, 9, layout.one_of(HALLS)
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
                layout.building(float(a) + 6, float(b) + 1.5, 12, 2.5, 2.6, layout.one_of(colours))
