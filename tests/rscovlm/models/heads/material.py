"""Packs and hidden states small enough to work out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import torch

IMAGE, WORD = 7, 1

MODEL = SimpleNamespace(config=SimpleNamespace(image_token_id=IMAGE), lm_head=torch.nn.Identity())
"""Hidden states of it are logits already."""


def pack(tokens: str, learnt: int = 2, images: dict | None = None, samples: dict | None = None):
    """What heads read of a pack.

    Args:
        tokens: a character each: ``a`` and ``b`` a visual token of the first and second sample, ``.`` a word
            of the first, ``d`` the dummy.
        learnt: how many samples there are.
        images, samples: extras by name.
    """
    owners = {"a": 0, "b": 1, ".": 0, "d": -1}
    ids = [WORD if token == "." else IMAGE for token in tokens]
    return SimpleNamespace(
        input_ids=torch.tensor([ids]),
        sample=torch.tensor([[owners[token] for token in tokens]]),
        learnt=torch.ones(learnt, dtype=torch.int64),
        image_extras=images or {},
        sample_extras=samples or {},
    )
