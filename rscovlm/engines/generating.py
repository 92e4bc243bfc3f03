"""Replies of a batch as they grow, token by token: what each row has said, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from rscovlm.models.prompting import decoded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Generated:
    """Tokens generated in each row of a batch, and which cache positions are real.

    Args:
        rows: of the batch.
        mask: (B, L) which positions of the cache are real.

    Attributes:
        tokens, logprobs: of each row so far; no logs where none were asked for.
        fed: tokens of each row that the model has read, so that the cache holds them.
        stopped: rows that have ended.
    """

    def __init__(self, rows: int, mask: torch.Tensor) -> None:
        self.tokens: list[list[int]] = [[] for _ in range(rows)]
        self.logprobs: list[list[float]] = [[] for _ in range(rows)]
        self.fed: list[list[int]] = [[] for _ in range(rows)]
        self.stopped = [False] * rows
        self.mask = mask

    @property
    def finished(self) -> bool:
        """Whether all rows have ended."""
        return all(self.stopped)

    def add(self, chosen: list[int], logprobs: list[float] | None, stops: set[int]) -> None:
        """Take the next token of each row that has not ended; a stop token ends it and is not part of it."""
        for row, token in enumerate(chosen):
            if self.stopped[row]:
                continue
            if logprobs is not None:
                self.logprobs[row].append(logprobs[row])
            if token in stops:
                self.stopped[row] = True
            else:
                self.tokens[row].append(token)

    def end_at(self, strings: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> None:
        """End rows whose text holds one of some strings, which may begin in the middle of a token."""
        longest = max(len(string.encode()) for string in strings)
        for row, tokens in enumerate(self.tokens):
            # A token is at least a byte, so that no more of them than this hold the string.
            if not self.stopped[row] and tokens:
                tail = decoded(tokenizer, tokens[-longest - 1 :])
                self.stopped[row] = any(string in tail for string in strings)

    def feed(self, chosen: list[int], alive: torch.Tensor) -> None:
        """Note that the model is about to read the chosen tokens; rows that ended read padding."""
        self.mask = torch.cat([self.mask, alive], dim=1)
        for row, token in enumerate(chosen):
            if not self.stopped[row]:
                self.fed[row].append(token)

    def replies(self) -> list[tuple[list[int], bool, list[float]]]:
        """Tokens, whether the turn ended, and log-probabilities of each row."""
        return list(zip(self.tokens, self.stopped, self.logprobs, strict=True))


def before(text: str, stops: Sequence[str]) -> str:
    """A text up to the first of some strings."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else text


def logprobs_of(logits: torch.Tensor, chosen: torch.Tensor) -> list[float]:
    """Log-probabilities of the chosen tokens (B,) under the model's own distribution."""
    return logits.float().log_softmax(dim=-1).gather(1, chosen[:, None])[:, 0].tolist()
