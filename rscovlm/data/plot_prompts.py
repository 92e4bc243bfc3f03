"""Plots of AGBD as a model is asked about them: its own views and words, or RGB for one without any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.agbd import Footprint
from rscovlm.data.number_tables import DESCRIBED
from rscovlm.data.plot_files import open_plots, plot_files_in, spaced_plots
from rscovlm.data.plot_questions import QUESTIONS, season_at
from rscovlm.data.plot_views import channels, scaling_of
from rscovlm.errors import DataError
from rscovlm.models.inputs import PatchInput, Target, read_inputs
from rscovlm.synth.forest import PIXEL_M, SIDE
from zoom_chain.chat import Conversation

if TYPE_CHECKING:
    from rscovlm.models.checkpoints import Checkpoint

_SCALED = 128  # plots that ranges are taken from
_TOKENS = 5  # visual tokens along a side, so that one is in the middle


def inputs_for(checkpoint: Checkpoint, file: Path) -> PatchInput:
    """How a checkpoint is shown plots: as it learnt it, else in natural colours that are scaled by a file's.

    Args:
        checkpoint: any; one on a server is shown natural colours.
        file: of plots that ranges are taken from where the checkpoint states none; or a folder of them.

    Raises:
        ModelError: where it states them in a way that cannot be understood.
        DataError: the file cannot be read.
    """
    stated = None if checkpoint.folder is None else read_inputs(checkpoint.folder)
    return stated or plain_inputs(file, checkpoint.family.resolution.factor)


def plain_inputs(file: Path, factor: int) -> PatchInput:
    """Natural colours, scaled by the 1st to 99th percentile of a file's plots.

    Args:
        file: of plots, or a folder of them.
        factor: pixels of a visual token.

    Raises:
        DataError: the file cannot be read.
    """
    found = scaling_of(spaced_plots(plot_files_in(file), _SCALED))
    return PatchInput(
        views=("natural",),
        scaling=found,
        patch_px=SIDE,
        gsd_m=PIXEL_M,
        side=_TOKENS * factor,
        prompt=QUESTIONS["number"],
        targets={name: Target(**about) for name, about in DESCRIBED.items()},
        sensors=("sentinel2-l2a", "alos2-palsar2"),
    )


def pixels_of(plot: Footprint, bands: Sequence[str]) -> NDArray[np.float32]:
    """(25, 25, bands) physical values of a plot; NaN where there is no data.

    Raises:
        DataError: it has fewer dates than the bands are of.
    """
    found = channels(plot)
    missing = [band for band in bands if band not in found]
    if missing:
        raise DataError(f"{plot.key} has {', '.join(found)}, but not {', '.join(missing)}")
    return np.stack([found[band] for band in bands], axis=-1).astype(np.float32)


_MARK = "#plot:"


def plot_name(path: Path, group: str, row: int) -> str:
    """The name by which a plot of a file stands in place of an image: ``plots.h5#plot:30UWB/12``."""
    return f"{path}{_MARK}{group}/{row}"


def is_plot(name: str) -> bool:
    """Whether a name of an image is that of a plot."""
    return _MARK in name


def file_of(name: str) -> Path:
    """The file of a plot's name."""
    return Path(name.partition(_MARK)[0])


def plot_named(name: str) -> Footprint:
    """The plot of a name.

    Raises:
        DataError: it cannot be read.
    """
    group, _, row = name.partition(_MARK)[2].rpartition("/")
    return open_plots(file_of(name)).read(group, int(row))


def asked(
    inputs: PatchInput, plot: Footprint, words: str | None = None, known: str | None = None
) -> Conversation:
    """The prompt about a plot.

    Args:
        inputs: how it is shown.
        plot: to ask about.
        words: in place of those of ``inputs``.
        known: what the model has said about ``knowledge``; None for nothing.
    """
    own = seasoned(inputs, plot) if words is None else inputs.model_copy(update={"prompt": words})
    return own.conversation(pixels_of(plot, inputs.bands), inputs.bands, known)


def asked_as(inputs: PatchInput) -> dict[str, Any]:
    """Options of ``PlotSource`` by which plots are asked about as a checkpoint learnt it."""
    kinds = [kind for kind, question in QUESTIONS.items() if question == inputs.knowledge]
    return {"hints": inputs.hints, "knowledge": kinds[0] if kinds else None}


def seasoned(inputs: PatchInput, plot: Footprint) -> PatchInput:
    """How a plot is shown and asked about, in the words of its season where these are known and learnt."""
    return inputs if inputs.seasonal is None else inputs.in_season(season_at(plot, inputs.dates))


def asked_first(inputs: PatchInput, plot: Footprint) -> Conversation:
    """The question of ``knowledge`` about a plot."""
    return inputs.question_first(pixels_of(plot, inputs.bands), inputs.bands)
