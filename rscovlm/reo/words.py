"""Numbers said in words on kept states: the text baseline that is trained as cheaply as a head.

A model whose tokenizer has a token for each whole number says it in one token. Here the state before the
answer goes through one residual layer, as an adapter in the last layer would, and then through the model's
own output layer, over the numbers. It starts as the model's own words.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rscovlm.models.heads.numbers.states import States
from rscovlm.training.targets import WholeNumbers

_ROWS = 64


class NumberWords(nn.Module):
    """Logits of numbers, said after the prompt.

    Args:
        embeddings: (n, width) rows of the output layer for the numbers 0 to n - 1; they do not learn.
    """

    embeddings: Tensor

    def __init__(self, embeddings: Tensor) -> None:
        super().__init__()
        width = embeddings.shape[1]
        self.register_buffer("embeddings", embeddings.detach().clone())
        self.inner, self.outer = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, states: States) -> Tensor:
        """(S, n) logits from the last word of each prompt."""
        last = states.is_word.sum(dim=1) - 1
        state = states.words[torch.arange(len(last)), last]
        changed: Tensor = state + self.outer(F.gelu(self.inner(state)))
        logits: Tensor = changed @ self.embeddings.T
        return logits

    def said(self, states: States) -> Tensor:
        """(S,) likeliest number."""
        number: Tensor = self(states).argmax(dim=1)
        return number


def train_words(
    words: NumberWords,
    states: tuple[States, States],
    truth: tuple[Tensor, Tensor],
    *,
    epochs: int,
    spread: tuple[float, float] | None = None,
    lr: float = 2e-3,
    seed: int = 0,
) -> list[float]:
    """Train by cross-entropy, and leave it as it was after the epoch with the least error on validation.

    Args:
        words: to train.
        states: of training and validation.
        truth: (S,) numbers of both, which are rounded.
        epochs: passes over the training states.
        spread: standard deviation of soft targets at the first and last epoch; None for hard targets.
        lr: peak rate of AdamW, falling as a cosine.
        seed: of the order.

    Returns:
        root mean squared error on validation after each epoch.
    """
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(
        [p for p in words.parameters() if p.requires_grad], lr=lr, weight_decay=0.01
    )
    count, numbers = len(truth[0]), len(words.embeddings)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-count // _ROWS))
    right = truth[0].round().long().clamp(0, numbers - 1)
    whole = WholeNumbers(torch.arange(numbers))
    errors: list[float] = []
    best = copy.deepcopy(words.state_dict())
    for epoch in range(epochs):
        for rows in torch.randperm(count, generator=draw).split(_ROWS):
            target: Tensor = right[rows]
            if spread is not None:
                width = spread[0] * (spread[1] / spread[0]) ** (epoch / max(1, epochs - 1))
                target = whole.probabilities(target, width)
            loss = F.cross_entropy(words(_rows(states[0], rows)), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            found = words.said(states[1]).float()
        errors.append(float(((found - truth[1]) ** 2).mean().sqrt()))
        if errors[-1] == min(errors):
            best = copy.deepcopy(words.state_dict())
    words.load_state_dict(best)
    return errors


def _rows(states: States, rows: Tensor) -> States:
    """Words alone: no others are read."""
    return States(states.visual[:0], states.weights[:0], states.words[rows], states.is_word[rows])
