"""Where the patches and cells of a map lie over a scene, and how large they are in its pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from rscovlm.errors import UsageError
from tiling.maps import MapGrid
from tiling.view import Size, View, Window

if TYPE_CHECKING:
    from rscovlm.models.inputs import PatchInput
    from tiling.scene import Scene

BLOCK = 16
"""Cells along the side of a block."""

OF_TARGET = 4
"""Bands of a target: mean, lower and upper end, standard deviation."""

SAME_GSD = 0.02
"""Relative difference of a scene's ground sampling distance to that of training that counts as none."""

MOST_SCALED = 4.0
"""Times by which a scene may be coarser or finer than the patches of training."""

SLIVER = 0.02
"""Share of a cell below which what is left at the far edge of a scene makes no cell of its own."""


class Ratio(NamedTuple):
    """Scene pixels per pixel of a patch; they differ where pixels are not square on the ground."""

    x: float
    y: float

    @property
    def mean(self) -> float:
        """Of a length in any direction: the geometric mean."""
        return math.sqrt(self.x * self.y)


EVEN = Ratio(1.0, 1.0)
"""Patches are cut out pixel for pixel."""


class Patch(NamedTuple):
    """What a model is asked about.

    Attributes:
        row, column: of its cell within the block.
        pixels: (patch, patch, bands) physical values.
        region: that its middle lies in; empty where it has none, or regions play no part.
    """

    row: int
    column: int
    pixels: NDArray[np.float32]
    region: str = ""


@dataclass(frozen=True)
class Layout:
    """Where the patches and cells of a map lie, in pixels of patches: ``ratio`` scene pixels each.

    Attributes:
        patch: side of a patch.
        stride: side of a cell.
        ratio: scene pixels per pixel of a patch, along x and y.
        offset: first pixel of the first patch, along x and y.
        grid: cells in blocks.
    """

    patch: int
    stride: int
    ratio: Ratio
    offset: tuple[int, int]
    grid: MapGrid

    @classmethod
    def of(cls, width: int, height: int, patch: int, stride: int, ratio: Ratio, targets: int = 1) -> Layout:
        """The layout over a scene of so many px; one that is hardly larger than a patch has one cell."""
        bands = OF_TARGET * targets + 1
        across, down = width / ratio.x, height / ratio.y
        if max(across, down) < 1.5 * patch:
            middle = (round((across - patch) / 2), round((down - patch) / 2))
            return cls(patch, patch, ratio, middle, MapGrid(Size(1, 1), 1, bands))
        size = Size(*(max(1, math.ceil(length / stride - SLIVER)) for length in (down, across)))
        start = (stride - patch) // 2
        return cls(patch, stride, ratio, (start, start), MapGrid(size, BLOCK, bands))

    def view(self, index: int) -> View:
        """What holds all patches of a block, pixel for pixel as patches have them."""
        rows, columns = self.grid.cells(index)
        height, width = ((part.stop - part.start - 1) * self.stride + self.patch for part in (rows, columns))
        x = (self.offset[0] + columns.start * self.stride) * self.ratio.x
        y = (self.offset[1] + rows.start * self.stride) * self.ratio.y
        return View(Window(x, y, width * self.ratio.x, height * self.ratio.y), Size(height, width))

    def cells_to_map(self, transform: Affine) -> Affine:
        """Cells to map coordinates, from scene pixels to them: the middle of a cell is that of its patch."""
        before = [start + (self.patch - self.stride) / 2 for start in self.offset]
        first = Affine.translation(before[0] * self.ratio.x, before[1] * self.ratio.y)
        return transform @ first @ Affine.scale(self.stride * self.ratio.x, self.stride * self.ratio.y)

    def middles(self, index: int, patches: Sequence[Patch]) -> NDArray[np.float64]:
        """(N, 2) scene pixels at the middles of patches of a block."""
        corner = self.view(index).window
        steps = np.array([(patch.column, patch.row) for patch in patches], dtype=np.float64).reshape(-1, 2)
        return (corner.x, corner.y) + (steps * self.stride + self.patch / 2) * self.ratio

    def owns(self, index: int, patch: Patch) -> bool:
        """Whether a patch that is read for a block counts as its own; each patch is one block's."""
        return True

    def patches(self, index: int) -> Iterator[tuple[int, int, View]]:
        """Row and column within the block, and view, of each of its cells."""
        rows, columns = self.grid.cells(index)
        whole = self.view(index)
        wide, tall = self.patch * self.ratio.x, self.patch * self.ratio.y
        for row in range(rows.stop - rows.start):
            for column in range(columns.stop - columns.start):
                left, top = column * self.stride * self.ratio.x, row * self.stride * self.ratio.y
                window = Window(whole.window.x + left, whole.window.y + top, wide, tall)
                yield row, column, View(window, Size(self.patch, self.patch))


def scale_of(inputs: PatchInput, scene: Scene) -> Ratio:
    """Scene pixels per pixel of a patch; 1 where the model learnt no scale, or one that hardly differs.

    Raises:
        UsageError: for a scene of unknown scale, or much coarser or finer than what the model learnt.
    """
    learnt_m = inputs.gsd_m
    if learnt_m is None:
        return EVEN
    if scene.gsd_m is None or scene.gsd_xy_m is None:
        raise UsageError(
            f"{scene.source} has no known ground sampling distance, and the model learnt at {learnt_m:g} "
            "m per pixel; state that of the scene with --assume-gsd"
        )
    ratio = learnt_m / scene.gsd_m
    if not 1 / MOST_SCALED <= ratio <= MOST_SCALED:
        raise UsageError(
            f"{scene.source} has {scene.gsd_m:.3g} m per pixel and the model learnt at {learnt_m:g} m; "
            f"give a scene within {MOST_SCALED:g} times of that, or another model"
        )
    along = (learnt_m / side for side in scene.gsd_xy_m)
    return Ratio(*(1.0 if abs(each - 1) <= SAME_GSD else each for each in along))
