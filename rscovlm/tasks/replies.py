"""Replies that were paid for, kept at once: a model that remembers in a journal what it was asked."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rscovlm.errors import JournalError
from rscovlm.tasks.provenance import version
from zoom_chain.chat import GREEDY, Conversation, Generation, Reply, digest_of
from zoom_chain.keeping import ENCODE
from zoom_chain.session import failure_of

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.journal import Journal


def is_usable(reply: Reply) -> bool:
    """Whether a reply is worth keeping: it did not fail, and it says something or states probabilities."""
    return failure_of(reply) is None and (bool(reply.text.strip()) or reply.choices is not None)


def reply_facts(model: str, device: str | None, dtype: str | None) -> dict[str, Any]:
    """The header of a journal: all that the replies of a run depend on; ``model`` names the weights."""
    return {"model": model, "device": device, "dtype": dtype, "version": version()}


def request_key(conversation: Conversation, options: Generation, seed: int) -> str:
    """The key of a request in a journal: all words and pixels of it, and how its reply is generated.

    The seed is part of it only where it matters, so that a file of questions may grow.
    """
    options = replace(options, seed=0 if options.sampling == GREEDY else seed)
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    for message in conversation.messages:
        digest.update(json.dumps([message.role, len(message.content)]).encode())
        for part in message.content:
            words = part if isinstance(part, str) else digest_of(part)
            digest.update(json.dumps([isinstance(part, str), words]).encode())
    return digest.hexdigest()


class JournalledModel:
    """A model whose usable replies are in a journal before anybody reads them.

    What the journal holds already is not asked again. May be used from several threads.

    Args:
        engine: that is asked.
        journal: of this model and nothing else.
    """

    def __init__(self, engine: Engine, journal: Journal) -> None:
        self._engine, self._journal = engine, journal

    def __getattr__(self, name: str) -> Any:
        """Attributes of the engine itself: how many requests at once, what it keeps."""
        return getattr(self._engine, name)

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """One reply for each conversation, in order; see ``ChatModel``.

        Raises:
            JournalError: for a record of something else.
        """
        if options is ENCODE:
            return self._engine.chat(conversations, options)
        greedy = options.sampling == GREEDY
        keys = [
            request_key(conversation, options, options.seed + row)
            for row, conversation in enumerate(conversations)
        ]
        replies = {key: _from_json(self._journal.done[key]) for key in keys if key in self._journal.done}
        new = {key: each for key, each in zip(keys, conversations) if key not in replies}
        if new:
            # The seed of a row is its place in the batch, so that one that is sampled is asked as a whole.
            asked = new if greedy else dict(zip(keys, conversations, strict=True))
            found = dict(zip(asked, self._engine.chat(list(asked.values()), options), strict=True))
            replies = found | replies
            usable = {key: _to_json(found[key]) for key in new if is_usable(found[key])}
            if usable:
                self._journal.append(usable)
        return [replies[key] for key in keys]


def _to_json(reply: Reply) -> dict[str, Any]:
    """A reply as a journal holds it; JSON has no -inf, so that a null stands for the logarithm of nothing."""
    return {
        name: [each if math.isfinite(each) else None for each in value.tolist()]
        if isinstance(value, np.ndarray)
        else value
        for name, value in vars(reply).items()
    }


def _from_json(record: Any) -> Reply:
    """The reply that ``_to_json`` gave.

    Raises:
        JournalError: for a record of something else.
    """
    try:
        fields: dict[str, Any] = {
            name: np.array([-np.inf if each is None else each for each in value])
            if isinstance(value, list)
            else value
            for name, value in record.items()
        }
        return Reply(**fields)
    except (AttributeError, TypeError):
        raise JournalError(f"not a reply: {str(record)[:60]}") from None
