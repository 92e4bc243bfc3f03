"""The engine that answers, around a model that is in memory already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from rscovlm.data.example import Encoded
from rscovlm.engines.prompting import Prompt, Prompter
from rscovlm.engines.transformers import TransformersEngine, _Memory, _stop_tokens
from rscovlm.training.building import Base
from zoom_chain.chat import Conversation, Generation, ImagePart


class LiveEngine(TransformersEngine):
    """A model in training as an engine; it is used as it is, on its own device and in its own precision.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL, in evaluation mode.
        base: the checkpoint that it started from.
        max_batch: rows of one batch.
    """

    def __init__(self, model: nn.Module, base: Base, max_batch: int = 8) -> None:
        self.family, self.name = base.family, "training"
        self.model, self.max_batch = model, max_batch
        self.device, self.dtype = model.device, model.model.visual.dtype
        self._spec, self._tokenizer = base.patches, base.tokenizer
        self._prompter = Prompter(base.tokenizer, model.config.image_token_id, base.patches.factor)
        self._stops = _stop_tokens(model, base.tokenizer)
        self._memory = _Memory(0)

    def prompt(self, conversation: Conversation) -> Prompt:
        """A conversation as the model reads it."""
        return self._prompter.prompt(conversation)

    def replies(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[str]:
        """What the model says to prompts that are tokens already, greedily."""
        options, texts = Generation(max_new_tokens=max_new_tokens), {}
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index].ids))
        for start in range(0, len(order), self.max_batch):
            rows = order[start : start + self.max_batch]
            answered = self._chat_batch([prompts[row] for row in rows], [0] * len(rows), options)
            texts.update(zip(rows, (reply.text for reply in answered), strict=True))
        return [texts[index] for index in range(len(prompts))]


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
        images.append(ImagePart(picture.read()))
        at = at[rows * columns :]
    return Prompt(ids, tuple(images), tuple(spans), tuple(grids))
