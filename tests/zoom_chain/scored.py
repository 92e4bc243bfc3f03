"""A model that states probabilities as a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from zoom_chain.chat import Conversation, Generation, Reply
from zoom_chain.scores import Scores


class ScoredModel:
    """Says one thing, and gives each choice the log-probability that a function says.

    Attributes:
        asked: the conversations and choices of each call.
    """

    scores: Scores = "exact"
    name = "scored"

    def __init__(self, logprob: Callable[[Conversation, str], float], says: str = "") -> None:
        self.logprob, self.says = logprob, says
        self.asked: list[tuple[list[Conversation], tuple[str, ...]]] = []

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        self.asked.append((list(conversations), options.choices))
        return [self._reply(conversation, options.choices) for conversation in conversations]

    def _reply(self, conversation: Conversation, choices: Sequence[str]) -> Reply:
        stated = np.array([self.logprob(conversation, choice) for choice in choices])
        return Reply(self.says, choices=stated if choices else None)
