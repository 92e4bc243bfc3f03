"""Plots of known physics on the disk, their three splits, and heads on the frozen states of them.

What the heads that ship and the comparisons of heads have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from detection_eval.words import counted
from rscovlm.data.agbd import AgbdFile, write_agbd
from rscovlm.data.encoding import Encoder
from rscovlm.data.plot_source import PlotSource, sources_apart
from rscovlm.errors import DataError
from rscovlm.models.heads import make_heads
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.states import States
from rscovlm.reo.cached import train_on
from rscovlm.synth.forest import make_plot, make_tile
from rscovlm.training.number_settings import Number


def write_plots(file: Path, seed: int, tiles: int, plots: int, dates: int = 1) -> None:
    """Write plots where the file is not there yet, in the layout of AGBD-Lite.

    Args:
        file: HDF5.
        seed: of tiles and plots.
        tiles: how many.
        plots: of each tile.
        dates: images of each plot.

    Raises:
        DataError: the file is there and holds other plots.
    """
    if file.is_file():
        with AgbdFile(file) as there:
            found = (len(there), there.dates)
        if found != (tiles * plots, dates):
            raise DataError(
                f"{file}: {found[0]} plots of {counted(found[1], 'date')}, not {tiles * plots} of "
                f"{counted(dates, 'date')}; give another folder, or delete it"
            )
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    every = [make_tile(seed, index) for index in range(tiles)]
    made = [make_plot(seed, tile, index, dates=dates) for tile in every for index in range(plots)]
    write_agbd(file, made, lite=True)


@dataclass(frozen=True)
class Splits:
    """Sources of training, validation and test plots that share no tile, shown alike."""

    train: PlotSource
    val: PlotSource
    test: PlotSource

    @classmethod
    def of(cls, file: Path, encoder: Encoder, seed: int, limits: Mapping[str, int], **shown: Any) -> Splits:
        """All three of a file; ranges of channels and regions are those of the training plots.

        Args:
            file: of plots.
            encoder: of the checkpoint.
            seed: of the sources.
            limits: most plots of train, val and test, in this order.
            shown: further options of ``PlotSource``, such as ``views``.

        Raises:
            DataError: for plots that cannot be used, or a tile in two of the splits.
        """
        return cls(*sources_apart(file.parent, [file.name], encoder, seed, limits, **shown))

    def __iter__(self) -> Iterator[PlotSource]:
        return iter((self.train, self.val, self.test))

    @property
    def numbers(self) -> list[dict[str, Tensor]]:
        """(S,) of each split by name, as packs have them; NaN where a plot has none."""
        found = []
        for source in self:
            rows = [source.numbers(index) for index in range(len(source))]
            names = dict.fromkeys(name for row in rows for name in row)
            found.append({name: torch.tensor([row.get(name, torch.nan) for row in rows]) for name in names})
        return found


def head_on(
    model: Any,
    splits: Splits,
    states: Sequence[States],
    *,
    epochs: int,
    lr: float = 2e-3,
    seed: int = 0,
    **own: Any,
) -> NumberHead:
    """A head trained on kept states, as it was after its best epoch on validation.

    Args:
        model: frozen, that the states are of.
        splits: of the plots.
        states: of their training and validation plots, in the splits' order.
        epochs: passes over the training plots.
        lr: peak rate.
        seed: of the first weights and of the order.
        own: settings of the head; ``mean`` and ``deviation`` are those of the training plots, and it joins
            all images of a plot.
    """
    known = splits.train.places.numbers[own["target"]]
    stated = {
        "readout": "center",
        "images": len(splits.train.views),
        "mean": float(known.mean()),
        "deviation": float(known.std()),
        **own,
    }
    torch.manual_seed(seed)
    head = make_heads(model, {"numbers": {"number": Number.model_validate(stated).settings}})["number"]
    assert isinstance(head, NumberHead)
    train_on(head, states[:2], splits.numbers[:2], epochs=epochs, lr=lr, seed=seed)
    return head
