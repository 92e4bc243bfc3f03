"""Frozen, pooled hidden states and ridge regression: the cheapest head, which any other has to beat.

The solution is written into the weights of a head with trunk ``embed`` and output ``gaussian``, so that it is
asked, mapped, recalibrated and scored as all others are. Its deviation is that of validation plots, for all.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detection_eval.files import commit_folder, write_json
from rscovlm.errors import DataError
from rscovlm.models.heads import write_heads
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.joining import readout_of_one, side_by_side
from rscovlm.models.heads.numbers.outputs import MixtureOutput
from rscovlm.models.heads.numbers.states import Readout, States
from rscovlm.models.heads.recalibration import write_recalibration
from rscovlm.models.inputs import PatchInput, weights_hash, write_inputs
from rscovlm.models.sidecars import OWN, spoken_facts
from rscovlm.reo.baselines import ridge
from rscovlm.reo.cached import states_by_pack
from rscovlm.training.number_settings import Number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rscovlm.data.plot_source import PlotSource
    from rscovlm.models.qwen import VisionLanguageModel

Floats = NDArray[np.float64]

LEAST = 8
"""Plots of training and of validation that a fit needs."""


class Fitted(NamedTuple):
    """A head whose weights are a ridge regression.

    Attributes:
        head: with trunk ``embed`` and output ``gaussian``.
        penalty: of the squares of the coefficients of standardised features.
        deviation: of errors on validation plots, in the target's unit.
    """

    head: NumberHead
    penalty: float
    deviation: float


def pooled(states: States, images: int) -> Floats:
    """(S, images * W) visual tokens by the readout, image by image.

    Raises:
        DataError: for samples with another number of images, or images of several sizes.
    """
    tokens = side_by_side(states.visual, images)
    found: Floats = torch.einsum("sv,svw->sw", readout_of_one(states, images), tokens).double().cpu().numpy()
    return found


def features_of(
    model: VisionLanguageModel,
    source: PlotSource,
    readout: Readout,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Floats:
    """(N, images * W) of all plots of a source; states are not kept.

    Args:
        model: frozen.
        source: of plots.
        readout: of visual tokens.
        tell: progress.

    Raises:
        DataError: a plot cannot be read.
    """
    parts: list[Floats] = []
    for states in states_by_pack(model, source, readout):
        parts.append(pooled(states, len(source.views)))
        tell(sum(map(len, parts)), len(source))
    return np.concatenate(parts)


def as_states(features: Floats, images: int) -> States:
    """States with one visual token an image whose pooled features these are."""
    visual = torch.from_numpy(features).float().unflatten(1, (images, -1))
    weights = visual.new_full(visual.shape[:2], 1 / images)
    return States(visual, weights, visual[:, :0], torch.zeros(len(visual), 0, dtype=torch.bool))


def fit_embed(
    width: int, images: int, features: Sequence[Floats], truth: Sequence[Floats], **own: Any
) -> Fitted:
    """A head by ridge regression.

    Args:
        width: of the hidden states.
        images: of each sample.
        features: (N, images * width) of training and of validation plots.
        truth: (N,) of both; NaN where unknown.
        own: further settings of ``Number``: ``target``, ``readout``, ``low``, ``high`` ...

    Raises:
        DataError: fewer than ``LEAST`` plots with a number in one of both.
    """
    kept = [np.isfinite(each) for each in truth]
    if min(each.sum() for each in kept) < LEAST:
        raise DataError(
            f"{kept[0].sum()} training and {kept[1].sum()} validation plots have {own['target']}; a fit "
            f"needs {LEAST} of each"
        )
    (known, held), (right, told) = (
        [each[rows] for each, rows in zip(parts, kept, strict=True)] for parts in (features, truth)
    )
    model = ridge(known, right, held, told)
    scaler, solved = model[0], model[-1]
    slope = solved.coef_ / scaler.scale_
    start = float(solved.intercept_ - slope @ scaler.mean_)
    error = float(np.sqrt(((model.predict(held) - told) ** 2).mean()))
    mean, deviation = float(right.mean()), max(float(right.std()), 1e-6)
    stated = {
        "trunk": "embed",
        "output": "gaussian",
        "images": images,
        "mean": mean,
        "deviation": deviation,
        **own,
    }
    head = NumberHead(width, **Number.model_validate(stated).settings)
    _write(head, slope / deviation, (start - mean) / deviation, error / deviation)
    return Fitted(head, float(solved.alpha), error)


@torch.no_grad()
def _write(head: NumberHead, slope: Floats, start: float, deviation: float) -> None:
    """Put a line, in scaled units, into the weights of a head."""
    output = head.output
    assert isinstance(output, MixtureOutput)
    for weight in output.parameters():
        weight.zero_()
    line = torch.from_numpy(slope).float()
    if head.join.visual is None:
        output.value.weight[1] = line
    else:  # the first channel of the joined feature is the line
        head.join.visual.weight.zero_()
        head.join.visual.bias.zero_()
        head.join.visual.weight[0] = line
        output.value.weight[1, 0] = 1.0
    output.value.bias[1] = start
    spread = max(deviation - output.least, 1e-6) / (1 - output.least)
    output.value.bias[2] = math.log(math.expm1(spread)) - math.log(math.e - 1)


def write_embed(
    source: Path, folder: Path, name: str, head: NumberHead, inputs: PatchInput, tiles: Sequence[str]
) -> None:
    """A checkpoint of the weights of another, which are linked where they can be, with this head alone.

    Args:
        source: folder of the checkpoint.
        folder: to write; there is all of it, or nothing.
        name: of the head.
        head: fitted, with the steps of its intervals where it has some.
        inputs: how training plots were shown.
        tiles: of the validation plots, which chose the penalty and fitted the steps.
    """
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for file in source.iterdir():
        if file.suffix == ".safetensors":
            _link(file, partial / file.name)
        elif file.is_file() and file.name != OWN and file.suffix != ".md":
            shutil.copyfile(file, partial / file.name)
    write_json(partial / OWN, spoken_facts(source), indent=2)
    write_heads(partial, nn.ModuleDict({name: head}))
    seen = inputs.tiles if head.steps else tuple(sorted({*inputs.tiles, *tiles}))
    write_inputs(partial, inputs.model_copy(update={"weights": weights_hash(partial), "tiles": seen}))
    if head.steps:
        write_recalibration(partial, {name: (head.steps, tiles)})
    commit_folder(partial, folder)


def _link(file: Path, there: Path) -> None:
    """The same file under a second name, or a copy where the disk is another one."""
    with suppress(OSError):
        os.link(file.resolve(), there)
        return
    shutil.copyfile(file, there)
