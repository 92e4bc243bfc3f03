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


class PlaceModel:
    """Knows a place of the place-coded scene: which views show it, and what colour it has.

    Asked yes or no it is nine tenths sure. Asked the question it is the surer, the smaller a view that shows
    the place is.

    Attributes:
        place: in scene pixels.
        windows: of the views that it was asked about, (x0, y0, x1, y1).
    """

    scores: Scores = "exact"
    name = "place"

    def __init__(self, place: tuple[float, float], *, calls: bool = False) -> None:
        self.place, self.calls = place, calls
        self.windows: list[tuple[float, ...]] = []

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        return [self._reply(conversation, options) for conversation in conversations]

    def _reply(self, conversation: Conversation, options: Generation) -> Reply:
        window = shown_window(conversation.images[-1].read())
        x0, y0, x1, y1 = window
        inside = x0 <= self.place[0] <= x1 and y0 <= self.place[1] <= y1
        if options.choices:
            self.windows.append(window)
            yes = 0.9 if inside else 0.1
            stated = [1 - yes if each in ("no", "<tool_call>") else yes for each in options.choices]
            stated = [each if index < 2 else each / 100 for index, each in enumerate(stated)]
            return Reply("yes", choices=np.log(stated))
        share = (x1 - x0) * (y1 - y0) / (2048 * 1024)
        sure = min(0.99, 0.5 + 0.01 / share) if inside else 0.3
        return Reply("Blue." if inside else "Red.", logprobs=np.log([sure, sure]))


def shown_window(pixels: np.ndarray) -> tuple[float, ...]:
    """Where a view of the place-coded scene lies: red is x / 8, green y / 4."""
    red, green = pixels[..., 0].astype(float), pixels[..., 1].astype(float)
    return red.min() * 8, green.min() * 4, red.max() * 8 + 8, green.max() * 4 + 4
