"""Probabilities of given answers: which models state them, and how they compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zoom_chain.errors import ZoomError

Scores = Literal["exact", "top", "none"]
"""How a model states the probability of given answers: ``exact``, by reading each of them; ``top``, from the
likeliest first tokens; ``none``."""

TOP = 20
"""Likeliest tokens that servers state; more are refused by most."""


class NoScores(ZoomError):
    """A policy needs probabilities that the model does not state."""


def scores_of(model: object) -> Scores:
    """How a model states probabilities; ``none`` for one without an attribute ``scores``."""
    found: Scores = getattr(model, "scores", "none")
    return found


def require_scores(model: object, policy: str) -> Scores:
    """Make sure that a model states probabilities.

    Args:
        model: a chat model.
        policy: that needs them, for the message.

    Raises:
        NoScores: naming both.
    """
    found = scores_of(model)
    if found == "none":
        name = getattr(model, "name", type(model).__name__)
        raise NoScores(
            f"zoom policy {policy} needs probabilities of answers, which {name} does not state; choose "
            "chain, focus or sweep, which need none, or a model in process or on a server that answers "
            "logprobs with top_logprobs (vllm serve)"
        )
    return found


def probabilities(logprobs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares (choices,) of the probability of all choices together; equal ones where none has any."""
    best = logprobs.max()
    if not np.isfinite(best):
        return np.full(len(logprobs), 1 / len(logprobs))
    weights = np.exp(logprobs - best)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def from_top(top: Iterable[tuple[str, float]], choices: Sequence[str]) -> NDArray[np.float64]:
    """Log-probabilities (choices,) from the likeliest first tokens.

    A token counts for the choice that begins with it, unless several do: whatever white space they have, and
    whatever case where none has the token's own. What none of the tokens begins has -inf.

    Args:
        top: text and log-probability of each token.
        choices: answers.
    """
    sums = np.zeros(len(choices))
    plain = [choice.strip() for choice in choices]
    folded = [choice.casefold() for choice in plain]
    for token, logprob in top:
        start = token.strip()
        if not start:
            continue
        exact = [index for index, choice in enumerate(plain) if choice.startswith(start)]
        meant = exact or [index for index, choice in enumerate(folded) if choice.startswith(start.casefold())]
        if len(meant) == 1:
            sums[meant[0]] += np.exp(logprob)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(sums), dtype=np.float64)
