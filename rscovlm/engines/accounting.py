"""Token counts of a server: whether images were shown as sent, and what else was in the prompt.

Probes tell what the server adds to every prompt. After that each reply says how many tokens its text took, by
which the next turn of the same conversation is measured: what it adds is text that is known and images whose
tokens are known, so that a single image that was shrunk shows.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from rscovlm.engines import openai
from rscovlm.errors import ModelError
from rscovlm.models.prompting import inert
from tiling.resolution import Resolution
from zoom_chain.chat import Conversation

_MOST_KEPT = 4096
_ROUND = 256
"""Context lengths are multiples of this; a count that is one, and too low, was cut."""


@dataclass(frozen=True)
class Probed:
    """A test image's visual tokens, and the prompt tokens that the server counted."""

    visual: int
    counted: int

    @property
    def text(self) -> int:
        """Tokens that are not of the image."""
        return self.counted - self.visual


class Accounting:
    """The counts of one server.

    Args:
        resolution: the image sizes that the model accepts.
    """

    def __init__(self, resolution: Resolution) -> None:
        self.added = 0
        """Tokens that the server adds to every prompt, a system prompt of its own for instance, as far as
        they are more than a chat template writes."""
        self._factor = resolution.factor
        self._text: OrderedDict[int, int] = OrderedDict()

    def take_probes(self, small: Probed, large: Probed, sizes: str) -> None:
        """Compare the counts of the smallest and the largest image.

        Raises:
            ModelError: where they do not differ by their visual tokens.
        """
        counted, right = large.counted - small.counted, large.visual - small.visual
        if counted == right:
            self.added = max(0, small.text - openai.MOST_TOKENS_OF_A_TEMPLATE)
            return
        if large.counted % _ROUND == 0 and large.counted < large.visual:
            raise cut(large.counted)
        raise openai.resized(f"{counted} tokens more for {sizes} where {right} are right")

    def check(self, conversation: Conversation, counted: int) -> None:
        """Make sure that a prompt was shown as it was sent.

        Raises:
            ModelError: where its count leaves no room for its images, or too much beside them.
        """
        visual = openai.visual_tokens(conversation, self._factor)
        if not visual:
            return
        least, most = openai.plausible_counts(conversation, self._factor)
        most += self.added
        if counted < least + self.added and counted % _ROUND == 0:
            raise cut(counted)
        if not least + self.added <= counted <= most:
            raise openai.resized(f"{counted} prompt tokens where {least + self.added} to {most} are possible")
        self._check_growth(conversation, counted - visual)
        self._keep(conversation, counted - visual)

    def _check_growth(self, conversation: Conversation, text: int) -> None:
        """Compare the text of a prompt with that of its beginning, which was counted before.

        Raises:
            ModelError: where what was added took fewer tokens than it has messages, or more than bytes.
        """
        messages = conversation.messages
        for end in range(len(messages) - 1, 0, -1):
            before = self._text.get(hash(messages[:end]))
            if before is None:
                continue
            added = messages[end:]
            size = sum(len(inert(message.text).encode()) for message in added)
            most = size + len(added) * openai.MOST_TOKENS_OF_A_TEMPLATE
            # Templates of thinking models take the thoughts of earlier turns out of the prompt again.
            said = any("<think>" in message.text for message in messages if message.role == "assistant")
            if text - before > most or (text - before < len(added) and not said):
                images = sum(len(message.images) for message in added)
                raise openai.resized(
                    f"{text - before} tokens of text for the last {len(added)} turns with {images} images "
                    f"at full size where {len(added)} to {most} are possible"
                )
            return

    def _keep(self, conversation: Conversation, text: int) -> None:
        self._text[hash(conversation.messages)] = text
        while len(self._text) > _MOST_KEPT:
            self._text.popitem(last=False)


def cut(counted: int) -> ModelError:
    """The error for a server that drops the beginning of a prompt."""
    return ModelError(
        f"the server cuts prompts at {counted} tokens, the length of its context, so the model does not see "
        "all that was sent; give it more (vllm serve --max-model-len, llama-server --ctx-size, Ollama's "
        "num_ctx) or lower --max-pixels"
    )
