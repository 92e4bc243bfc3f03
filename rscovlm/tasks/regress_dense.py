"""Whole maps of dense heads, stitched from windows that overlap.

A dense head gives R x R cells of a patch. Windows of a patch stand ``step`` cells apart; where they overlap,
a cell is the weighted mean of what they say of it, with weights that fall to almost nothing at the edge of a
window (Hann), where the model sees one side of a cell alone. Variances follow the law of total variance, so
that windows that disagree widen them; ends of intervals are weighted means as well (quantile averaging).

Work goes by blocks of the map. Each takes all windows that touch it, also those that touch its neighbours:
their values do not depend on one another, so that a run that was killed goes on to the same map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from rscovlm.errors import UsageError
from rscovlm.models.inputs import HEADS, PatchInput
from rscovlm.models.sidecars import OWN, read_sidecar
from rscovlm.tasks.regress import LEAST_VALID, Run, Values, known_of, summary
from rscovlm.tasks.regress_layout import BLOCK, OF_TARGET, SLIVER, Layout, Patch, Ratio
from tiling.maps import MapGrid
from tiling.view import Size, View, Window


@dataclass(frozen=True)
class DenseLayout(Layout):
    """Where windows and cells of a stitched map lie; ``stride`` is the side of a cell.

    Attributes:
        across: R, cells along the side of a patch.
        step: cells from one window to the next, from 1 to R.
        pixel: side of a cell in pixels of patches, which need not be whole.
    """

    across: int = 1
    step: int = 1
    pixel: float = 1.0

    @classmethod
    def over(
        cls, width: int, height: int, patch: int, across: int, step: int, ratio: Ratio, targets: int = 1
    ) -> DenseLayout:
        """The layout over a scene of so many px; the first cell begins where the scene does."""
        pixel = patch / across
        extent = (height / ratio.y, width / ratio.x)
        size = Size(*(max(1, math.ceil(each / pixel - SLIVER)) for each in extent))
        grid = MapGrid(size, BLOCK * step, OF_TARGET * targets + 1)
        return cls(patch, math.ceil(pixel), ratio, (0, 0), grid, across, step, pixel)

    def windows(self, index: int) -> list[tuple[int, int]]:
        """First row and column of cells of each window that touches a block."""
        starts = []
        for cells, length in zip(self.grid.cells(index), self.grid.size, strict=True):
            last = max(0, length - self.across)
            every = sorted({min(at * self.step, last) for at in range(math.ceil(last / self.step) + 1)})
            starts.append([at for at in every if at < cells.stop and at + self.across > cells.start])
        return [(row, column) for row in starts[0] for column in starts[1]]

    def middles(self, index: int, patches: Sequence[Patch]) -> NDArray[np.float64]:
        """(N, 2) scene pixels at the middles of windows."""
        starts = np.array([(patch.column, patch.row) for patch in patches], dtype=np.float64).reshape(-1, 2)
        return (starts * self.pixel + self.patch / 2) * self.ratio

    def owns(self, index: int, patch: Patch) -> bool:
        """Whether the middle of a window lies in a block, which others may touch."""
        return all(
            cells.start <= min(start + self.across // 2, length - 1) < cells.stop
            for cells, start, length in zip(
                self.grid.cells(index), (patch.row, patch.column), self.grid.size, strict=True
            )
        )

    def window_view(self, row: int, column: int) -> View:
        """The patch whose first cell is that."""
        x, y = column * self.pixel * self.ratio.x, row * self.pixel * self.ratio.y
        window = Window(x, y, self.patch * self.ratio.x, self.patch * self.ratio.y)
        return View(window, Size(self.patch, self.patch))

    def view(self, index: int) -> View:
        """What holds all windows of a block; of whole pixels where cells are."""
        starts = np.array(self.windows(index))
        (top, left), (bottom, right) = starts.min(axis=0), starts.max(axis=0) + self.across
        wide, tall = self.pixel * self.ratio.x, self.pixel * self.ratio.y
        window = Window(left * wide, top * tall, (right - left) * wide, (bottom - top) * tall)
        return View(window, Size(round((bottom - top) * self.pixel), round((right - left) * self.pixel)))

    def cells_to_map(self, transform: Affine) -> Affine:
        """Cells to map coordinates, from scene pixels to them."""
        return transform @ Affine.scale(self.pixel * self.ratio.x, self.pixel * self.ratio.y)


def step_of(stride_px: float | None, patch: int, across: int) -> int:
    """Cells from one window to the next; by default neighbours share half of a patch, less where R is odd.

    There Hann windows add up to the same everywhere, and no cell is left to the edge of one window.

    Args:
        stride_px: from one window to the next in pixels of patches; None for the default.
        patch: side of a patch in pixels.
        across: R.

    Raises:
        UsageError: for a stride that is no whole number of cells, or that leaves cells out.
    """
    if stride_px is None:
        return max(1, math.ceil(across / 2))
    cells = stride_px * across / patch
    if not (0.5 <= cells <= across + 1e-6 and abs(cells - round(cells)) < 1e-3):
        told = f"{patch / across:g} px, up to {patch} px"
        raise UsageError(
            f"--stride {stride_px:g} px of windows of {patch} px is none of a map of {across} x {across} "
            f"cells; give a multiple of {told}"
        )
    return round(cells)


def hann(across: int) -> Values:
    """(R, R) weights of the cells of a window, above 0: highest in the middle, almost none at its edges."""
    along = np.sin(np.pi * (np.arange(across) + 0.5) / across) ** 2
    weights: Values = np.outer(along, along).astype(np.float32)
    return weights


@dataclass(frozen=True, eq=False)
class DenseRun(Run):
    """What a stitched map is made from; its layout is a ``DenseLayout``."""

    @property
    def dense(self) -> DenseLayout:
        """The layout."""
        assert isinstance(self.layout, DenseLayout)
        return self.layout

    def read_pixels(self, index: int) -> list[Patch]:
        """The windows of a block, by the row and column of their first cell in the map."""
        layout, bands = self.dense, self.bands
        starts = layout.windows(index)
        if layout.pixel != int(layout.pixel):
            return [
                Patch(row, column, self.stack.read(layout.window_view(row, column), bands))
                for row, column in starts
            ]
        pixels = self.stack.read(layout.view(index), bands)
        (top, left), side, cell = np.array(starts).min(axis=0), layout.patch, int(layout.pixel)
        found = []
        for row, column in starts:
            down, right = (row - top) * cell, (column - left) * cell
            found.append(Patch(row, column, pixels[down : down + side, right : right + side]))
        return found

    def values(self, index: int, patches: list[Patch]) -> Values:
        """(bands, rows, columns) of a block: mean, lower, upper and deviation of each target, then coverage.

        NaN where less than half of a cell is valid, or no window says anything.
        """
        rows, columns = self.dense.grid.cells(index)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        found = np.full((self.dense.grid.bands, *shape), np.nan, np.float32)
        total = np.zeros((len(self.targets), OF_TARGET, *shape))
        weight = np.zeros(shape)
        for patch in patches:
            own, here = self._overlap(patch, rows, columns)
            found[-1][here] = valid_shares(known_of(patch), self.dense.across)[own]
        shown = [patch for patch in patches if self.is_shown(patch)]
        weights = hann(self.dense.across)
        for patch, numbers in self._said(shown):
            own, here = self._overlap(patch, rows, columns)
            share = weights[own]
            weight[here] += share
            mean, lower, upper, deviation = (numbers[:, part][(slice(None), *own)] for part in range(4))
            for part, each in enumerate((mean, lower, upper, deviation**2 + mean**2)):
                total[(slice(None), part, *here)] += share * each
        with np.errstate(invalid="ignore", divide="ignore"):
            total /= weight
        total[:, 3] = np.sqrt(np.maximum(total[:, 3] - total[:, 0] ** 2, 0))
        total[:, :, ~(found[-1] >= LEAST_VALID)] = np.nan
        found[:-1] = total.reshape(-1, *shape)
        return found

    def is_shown(self, patch: Patch) -> bool:
        """Whether enough of a window is valid."""
        return bool(known_of(patch).mean() >= LEAST_VALID)

    def _overlap(self, patch: Patch, rows: slice, columns: slice) -> tuple[tuple[slice, slice], ...]:
        """The cells of a window that lie in a block: in the window, and in the block."""
        own, here = [], []
        for start, block in ((patch.row, rows), (patch.column, columns)):
            first, last = max(start, block.start), min(start + self.dense.across, block.stop)
            own.append(slice(first - start, last - start))
            here.append(slice(first - block.start, last - block.start))
        return (own[0], own[1]), (here[0], here[1])

    def _said(self, shown: list[Patch]) -> Iterator[tuple[Patch, NDArray[np.float64]]]:
        """(targets, 4, R, R) of each window: mean, lower and upper end, deviation."""
        for part, asked in self.prompts(shown):
            known = self.inputs.numbers(each.region for each in part)
            maps = self.engine.estimate_maps(asked, self.targets, known)
            numbers = np.stack([summary(each, self.interval) for each in maps]).astype(np.float64)
            for place, patch in enumerate(part):
                yield patch, numbers[:, :, place]


def valid_shares(known: NDArray[np.bool_], across: int) -> Values:
    """(R, R) share of each cell of a patch that is known, also where cells are no whole numbers of pixels."""
    side = len(known)
    edges = np.arange(across + 1) * side / across
    sums = np.pad(np.cumsum(known, axis=0, dtype=np.float64), ((1, 0), (0, 0)))
    down = np.stack([np.interp(edges, np.arange(side + 1), column) for column in sums.T], axis=1)
    sums = np.pad(np.cumsum(np.diff(down, axis=0), axis=1), ((0, 0), (1, 0)))
    both = np.stack([np.interp(edges, np.arange(side + 1), row) for row in sums])
    shares: Values = (np.diff(both, axis=1) / (side / across) ** 2).astype(np.float32)
    return shares


def map_cells(folder: Path, inputs: PatchInput, heads: Sequence[str]) -> int | None:
    """Cells along the side of a patch in the maps of heads; None unless all of them are dense and agree.

    Args:
        folder: of the checkpoint.
        inputs: how it is shown patches.
        heads: names of number heads beside it.
    """
    from rscovlm.models.patches import PatchSpec
    from rscovlm.models.weights import read_settings

    known = ((read_sidecar(folder, OWN) or {}).get(HEADS) or {}).get("dense") or {}
    details = {int(known[name].get("detail", 1)) for name in heads if name in known}
    if len(details) != 1 or not set(heads) <= known.keys():
        return None
    tokens = inputs.side // PatchSpec.of_checkpoint(folder, read_settings(folder).vision_config).factor
    return tokens * details.pop()
