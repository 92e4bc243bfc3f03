"""Predictions of a trained head, or of the words of a model, about plots of a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from rscovlm.data.example import Example, Key
from rscovlm.data.packing import Pack, collate, model_inputs
from rscovlm.data.plot_source import PlotSource
from rscovlm.errors import DataError, ModelError
from rscovlm.models.heads.base import PredictiveHead
from rscovlm.models.heads.distribution.stated import Stated, stated
from rscovlm.models.taps import tapped
from rscovlm.scoring.predictions import Predictions
from rscovlm.scoring.quantities import quantity_in
from rscovlm.tasks.regress import replies_first
from zoom_chain.chat import Generation

if TYPE_CHECKING:
    from rscovlm.engines.transformers import TransformersEngine
    from rscovlm.models.heads.distribution import Distribution
    from rscovlm.models.qwen import VisionLanguageModel

TARGET, NOISE = "agb_mg_per_ha", "agbd_se"
PLOTS = 8
"""Plots of one forward pass."""


def packs(
    source: PlotSource, kind: str, plots: int = PLOTS, known: Sequence[str] | None = None
) -> Iterator[Pack]:
    """The plots of a source in order, as prompts of a kind of ``QUESTIONS``; what is answered is left blank.

    Args:
        source: of plots.
        kind: of ``QUESTIONS``.
        plots: of one pack.
        known: what the model has said about each plot's ``knowledge``; None says what is true.

    Raises:
        DataError: a plot cannot be read.
    """
    encoder = source.encoder
    for start in range(0, len(source), plots):
        rows = range(start, min(start + plots, len(source)))
        prompts = [source.prompt(row, kind, known=None if known is None else known[row]) for row in rows]
        examples = [
            Example(
                prompt.say("assistant", ""),
                Key(source.name, row, 0),
                "regression",
                numbers=source.numbers(row),
                given=sum(message.role == "assistant" for message in prompt.messages),
            )
            for row, prompt in zip(rows, prompts, strict=True)
        ]
        coded = [encoder.encode(example) for example in examples]
        yield collate(coded, encoder.patches, encoder.image_id)


def predicted(
    model: VisionLanguageModel,
    head: PredictiveHead,
    source: PlotSource,
    kind: str = "number",
    known: Sequence[str] | None = None,
) -> Predictions:
    """What a head says of each plot of a source.

    Args:
        model: that the head was trained beside, on its device.
        head: in evaluation mode.
        source: of plots, shown as the model has learnt it (``inputs`` in its ``rscovlm.json``).
        kind: of the prompt, as in training.
        known: what the model has said about each plot's ``knowledge`` (two-pass); None says what is true
            (teacher-forced).

    Raises:
        DataError: a plot cannot be read.
    """
    parts = [stated(read(model, head, pack.to(model.device))) for pack in packs(source, kind, known=known)]
    said = Stated(*map(np.concatenate, zip(*parts, strict=True)))
    if not said.has_spread:
        return table(source, said.mean, target=head.target)
    return table(source, said.mean, said.quantiles, said.deviation, head.target)


@torch.inference_mode()
def read(model: VisionLanguageModel, head: PredictiveHead, pack: Pack) -> Distribution:
    """What a head says of each sample of a pack."""
    with tapped(model, head.taps) as taps:
        output = model.model(**model_inputs(pack), output_hidden_states=True)
    seen = taps.features(pack.image_grid_thw, head.taps) if head.taps else None
    found: Distribution = head(head.states(model, output.hidden_states, pack, seen))
    return found


def known_by(engine: TransformersEngine, source: PlotSource) -> list[str]:
    """The model's own words about each plot's ``knowledge``: the first pass of two.

    Raises:
        DataError: a plot cannot be read, or the source asks nothing first.
    """
    if source.knowledge is None:
        raise DataError(f"source {source.name} asks nothing before the number; set knowledge")
    asked = [source.prompt(row, source.knowledge) for row in range(len(source))]
    return [reply.text.strip() for reply in replies_first(engine, asked)]


def said(engine: TransformersEngine, source: PlotSource, unit: str = "Mg/ha") -> Predictions:
    """What the model answers in words about each plot; NaN where it states no number.

    Raises:
        DataError: a plot cannot be read.
    """
    values = []
    options = Generation(max_new_tokens=16)
    for start in range(0, len(source), PLOTS):
        rows = range(start, min(start + PLOTS, len(source)))
        replies = engine.chat([source.prompt(row, "number") for row in rows], options)
        found = [quantity_in(reply.text, unit).value for reply in replies]
        values += [np.nan if value is None else value for value in found]
    return table(source, np.array(values, dtype=np.float64))


def table(
    source: PlotSource,
    mean: NDArray[np.float64],
    quantiles: NDArray[np.float64] | None = None,
    deviation: NDArray[np.float64] | None = None,
    target: str = TARGET,
) -> Predictions:
    """Predictions of a source's plots with their truth, tiles and land covers.

    Args:
        source: of N plots.
        mean: (N,).
        quantiles: (N, levels).
        deviation: (N,).
        target: name of the truth.
    """
    numbers = source.places.numbers
    return Predictions(
        np.array([source.key(row) for row in range(len(source))]),
        source.places.tile,
        numbers[target],
        mean,
        quantiles,
        deviation,
        source.covers(),
        numbers[NOISE] if target == TARGET else None,
    )


def number_head(heads: torch.nn.ModuleDict, name: str | None = None) -> PredictiveHead:
    """The head of a model that gives a number.

    Args:
        heads: that stand beside it.
        name: of the head; None where there is one alone.

    Raises:
        ModelError: there is none of that name, or several.
    """
    numbers = {key: head for key, head in heads.items() if isinstance(head, PredictiveHead)}
    if name is None and len(numbers) == 1:
        return next(iter(numbers.values()))
    if name not in numbers:
        told = (
            "no head of numbers" if name is None and not numbers else f"heads {', '.join(numbers) or 'none'}"
        )
        raise ModelError(f"the model has {told}; {'name one of them' if numbers else 'train one'}")
    return numbers[name]
