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
        token_extras={},
        image_extras=images or {},
        sample_extras=samples or {},
    )


def numbers_pack(tokens: str, grids: list[list[int]], samples: dict | None = None):
    """As ``pack``, with what number heads read besides; ``!`` is an answer of the first sample."""
    made = pack(tokens.replace("!", "."), images={}, samples=samples)
    targets = torch.full((1, len(tokens)), -100)
    for place, token in enumerate(tokens):
        if token == "!":
            targets[0, place - 1] = WORD
    made.targets = targets
    made.image_grid_thw = torch.tensor(grids, dtype=torch.int64).reshape(-1, 3)
    made.spec = SimpleNamespace(merge=1)
    return made


def states(samples: int = 3, visual: int = 5, words: int = 4, width: int = 8, tapped: int = 6, seed: int = 0):
    """Random states of samples of different lengths."""
    from rscovlm.models.heads.numbers.states import States

    draw = torch.Generator().manual_seed(seed)
    lengths = torch.arange(visual)[None] < torch.arange(samples)[:, None] + 2
    said = torch.arange(words)[None] < torch.arange(samples)[:, None] + 1
    weights = lengths / lengths.sum(dim=1, keepdim=True)
    return States(
        torch.randn(samples, visual, width, generator=draw) * lengths[..., None],
        weights,
        torch.randn(samples, words, width, generator=draw) * said[..., None],
        said,
        torch.randn(samples, visual, tapped, generator=draw) * lengths[..., None],
    )
