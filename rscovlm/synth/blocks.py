"""Blocks of the grid being filled: things are placed by u and v of many blocks at once, away from water.

What a block holds depends on the block alone: each quantity of each thing is a hash of its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rscovlm.synth import noise
from rscovlm.synth.catalogue import ObjectClass
from rscovlm.synth.layout import Buildings, Contents
from rscovlm.synth.objects import SceneObject
from rscovlm.synth.paint import Material, Sheet, rectangles
from rscovlm.synth.terrain import Terrain

Array = NDArray[np.float64]

_FARTHEST_M = 120.0
"""From the water: beyond it, nothing minds it."""

_BENT_M = 25.0
"""How far a bent block may reach out of the rectangle of its corners."""

KERB_M = 5.6
"""From a grid line to the plots beside its street."""

_QUANTITIES = 48


class Slots:
    """Random numbers in [0, 1) for (blocks, things), as many as there are quantities."""

    def __init__(self, i: NDArray[np.int64], j: NDArray[np.int64], count: int, seed: int) -> None:
        self.shape = (len(i), count)
        salt = (noise.hashed(i, j, seed) * np.float32(1 << 24)).astype(np.int64)
        key = np.arange(_QUANTITIES)[:, None] + 64 * np.arange(count)
        self._numbers = noise.hashed(salt[:, None, None], key[None], seed + 1).astype(np.float64)

    def __call__(self, quantity: int) -> Array:
        """(blocks, things) the numbers of one quantity, 0 to 47."""
        return self._numbers[:, quantity]


class BlockFilling:
    """Blocks being filled, in reading order, so that what overlaps is painted alike in any rectangle.

    Attributes:
        terrain: of the scene.
        gsd_m: metres per scene pixel.
        i, j: (n,) columns and rows of the blocks.
        use: (n,) their planned use, ``Cover``.
        style: (n,) random numbers in [0, 1), by which blocks of one use differ.
        u0, u1, v0, v1: (n,) their bounds in metres of the grid.
        wet: whether water may be near.
        objects: those that have been placed.
    """

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
        self._flat = Sheet()
        self._poses: list[Array] = []
        self._roofs: list[Array] = []
        self._gabled: list[NDArray[np.bool_]] = []
        self._trees: list[Array] = []
        self.objects: list[SceneObject] = []

    def contents(self) -> Contents:
        """What has been placed, in scene pixels."""
        buildings = (
            Buildings(np.concatenate(self._poses), np.concatenate(self._roofs), np.concatenate(self._gabled))
            if self._poses
            else Buildings.none()
        )
        trees = np.concatenate(self._trees) if self._trees else np.zeros((0, 4))
        return Contents(tuple(self.objects), self._flat.polygons(), buildings, trees)

    def slots(self, rows: NDArray[np.intp], count: int, salt: int) -> Slots:
        """Random numbers for ``count`` things in each of the blocks ``rows``, others for each salt."""
        return Slots(self.i[rows], self.j[rows], count, self.terrain.seed + 211 + salt)

    def plots(self, rows: NDArray[np.intp]) -> tuple[Array, Array, Array, Array]:
        """(n, 1) bounds of the plots of blocks: least and largest u, least and largest v."""
        return (
            self.u0[rows, None] + KERB_M,
            self.u1[rows, None] - KERB_M,
            self.v0[rows, None] + KERB_M,
            self.v1[rows, None] - KERB_M,
        )

    def dry(self, u: Array, v: Array, chosen: NDArray[np.bool_], reach_m: ArrayLike) -> NDArray[np.bool_]:
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

    def build(
        self,
        u: ArrayLike,
        v: ArrayLike,
        length: ArrayLike,
        width: ArrayLike,
        height: ArrayLike,
        colours: Array,
        chosen: ArrayLike = True,
        gabled: bool = False,
    ) -> None:
        """Buildings along u where they are chosen and dry: middles, sides and heights in metres."""
        u, v, length, width, height, chosen = np.broadcast_arrays(u, v, length, width, height, chosen)
        keep = self.dry(u, v, chosen, 0.75 * length)
        if keep.any():
            x, y, along, _ = self._ground(u[keep], v[keep])
            sizes = length[keep] / self.gsd_m, width[keep] / self.gsd_m
            self._poses.append(np.stack([x, y, *sizes, along, height[keep]], axis=1))
            self._roofs.append(np.broadcast_to(colours, (*u.shape, 3))[keep].astype(np.float64))
            self._gabled.append(np.full(int(keep.sum()), gabled))

    def pave(
        self,
        u: ArrayLike,
        v: ArrayLike,
        length: ArrayLike,
        width: ArrayLike,
        colour: ArrayLike,
        chosen: ArrayLike = True,
    ) -> None:
        """Asphalt along u where it is chosen and dry: middles and sides in metres."""
        u, v, length, width, chosen = np.broadcast_arrays(u, v, length, width, chosen)
        keep = self.dry(u, v, chosen, 0.6 * length)
        if keep.any():
            x, y, along, _ = self._ground(u[keep], v[keep])
            sheet = rectangles(x, y, length[keep] / self.gsd_m, width[keep] / self.gsd_m, along)
            self._flat.add(sheet, colour, Material.ASPHALT)

    def plant(
        self, u: ArrayLike, v: ArrayLike, radius: ArrayLike, tone: ArrayLike, chosen: ArrayLike
    ) -> None:
        """Trees where they are chosen and dry: radii in metres, tones in [0, 1)."""
        u, v, radius, tone, chosen = np.broadcast_arrays(u, v, radius, tone, chosen)
        keep = self.dry(u, v, chosen, 3.0)
        if keep.any():
            x, y = self.terrain.grid.to_ground(u[keep], v[keep])
            self._trees.append(
                np.stack([x, y, radius[keep], tone[keep]], axis=1) / (self.gsd_m, self.gsd_m, self.gsd_m, 1)
            )

    def park(
        self,
        kind_of: ObjectClass,
        u: ArrayLike,
        v: ArrayLike,
        chosen: ArrayLike,
        slots: Slots,
        colours: Sequence[str] | None = None,
        *,
        turned: bool = False,
        moving: bool = False,
    ) -> None:
        """Objects of a class along u, or along v where ``turned``, where they are chosen and dry.

        Args:
            kind_of: their class; any of its sub-types.
            u, v: middles in metres of the grid.
            chosen: which of the slots hold one.
            slots: random numbers, from quantity 40 on.
            colours: names of paints, a name as often as it counts; None takes those of the class.
            turned: whether they stand along v.
            moving: whether they drive.
        """
        colours = kind_of.colours if colours is None else colours
        shape = slots.shape
        u, v, chosen = (np.broadcast_to(a, shape) for a in (u, v, chosen))
        keep = self.dry(u, v, chosen, 9.0)
        if not keep.any():
            return
        x, y, along, across = self._ground(u[keep], v[keep])
        heading = (across if turned else along) + np.where(slots(40)[keep] < 0.5, np.pi, 0.0)
        heading = (heading + (slots(41)[keep] - 0.5) * 0.05 + np.pi) % (2 * np.pi) - np.pi
        types = [kind_of.kind(name) for name in kind_of.kinds]
        pick = (slots(42)[keep] * len(types)).astype(int)
        paint = (slots(43)[keep] * len(colours)).astype(int)
        size, aspect = slots(44)[keep], slots(45)[keep]
        for row in range(len(x)):
            kind = types[pick[row]]
            length = kind.length_m[0] + (kind.length_m[1] - kind.length_m[0]) * size[row]
            wide = length / (kind.aspect[0] + (kind.aspect[1] - kind.aspect[0]) * aspect[row])
            self.objects.append(
                SceneObject(
                    kind_of,
                    kind.name,
                    colours[paint[row]],
                    float(x[row]),
                    float(y[row]),
                    float(length) / self.gsd_m,
                    float(wide) / self.gsd_m,
                    0.0 if kind_of.is_round else float(heading[row]),
                    moving,
                )
            )
