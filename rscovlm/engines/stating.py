"""An engine whose model is told in words how large a pixel is, for models that have learnt it so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from detection_eval.closing import Closing
from rscovlm.models.scale_words import SAID, stated
from zoom_chain.chat import Conversation, Generation, Picture, Reply
from zoom_chain.keeping import release

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from zoom_chain.scores import Scores


class StatingEngine(Closing):
    """Another engine, told the scale of images after them; its name says so, all else is the other one's.

    Args:
        engine: that answers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.family, self.name = engine.family, engine.name + SAID

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def scores(self) -> Scores:
        """How the other one states the probability of given answers."""
        return self._engine.scores

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """One reply for each conversation, in order; see ``zoom_chain.chat.ChatModel``."""
        return self._engine.chat([stated(conversation) for conversation in conversations], options)

    def release(self, conversations: Sequence[Conversation], shared: Collection[Picture] = ()) -> None:
        """Have the other one forget conversations; see ``zoom_chain.keeping.release``."""
        release(self._engine, [stated(conversation) for conversation in conversations], shared)

    def close(self) -> None:
        """Close the other one."""
        self._engine.close()
