"""The engine that answers, around a model that is in memory already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rscovlm.data.example import Encoded
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.prompting import Prompt
from rscovlm.training.building import Base
from zoom_chain.chat import ImagePart

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageModel


def live_engine(model: VisionLanguageModel, base: Base, max_batch: int = 8) -> TransformersEngine:
    """A model in training as an engine; it is used as it is, on its own device and in its own precision.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL, in evaluation mode.
        base: the checkpoint that it started from.
        max_batch: rows of one batch.
    """
    return TransformersEngine(
        model, base.tokenizer, base.patches, base.family, "training", max_batch=max_batch, keep_tokens=0
    )


def learnt_runs(example: Encoded) -> list[slice]:
    """The turns of an example that are learnt, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], example.learnt.astype(np.int8), [0]])))
    return [slice(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def prompt_before(example: Encoded, end: int, base: Base) -> Prompt:
    """All that comes before a place in an example, as an engine reads it.

    Raises:
        DataError, SceneError, OSError: a picture cannot be read.
    """
    ids = example.ids[:end]
    places = ids == base.encoder.image_id
    merge = base.patches.merge
    sides = [(int(rows) // merge, int(columns) // merge) for _, rows, columns in example.grids]
    images, spans, grids, at = [], [], [], np.flatnonzero(places)
    for picture, (rows, columns) in zip(example.pictures, sides, strict=True):
        if rows * columns > len(at):
            break
        start = int(at[0])
        spans.append((start, start + rows * columns))
        grids.append((rows, columns))
        images.append(ImagePart.of(picture))
        at = at[rows * columns :]
    return Prompt(ids, tuple(images), tuple(spans), tuple(grids))
