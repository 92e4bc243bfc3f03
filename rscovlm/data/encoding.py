"""Examples to tokens, by the checkpoint's own chat template, with what is learnt marked.

Turns are tokenised piece by piece, where generation would begin and end them: what the model is trained to
continue is exactly the prompt that inference writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.example import BoxText, Encoded, Example
from rscovlm.errors import DataError, ModelError
from rscovlm.models.patches import PatchSpec
from rscovlm.models.prompting import (
    PromptError,
    expand_images,
    image_positions,
    image_token,
    inert,
    templated,
    token_grid,
    token_scales,
)
from zoom_chain.chat import Conversation, Message, Picture

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_END = "<|im_end|>"
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")  # not the 2 of "bbox_2d", nor the 220 of "A220"


class _Piece(NamedTuple):
    """A stretch of text that is tokenised on its own.

    Attributes:
        text: with one placeholder for each picture.
        learnt: whether its tokens are targets.
        boxes: (start, end) of the characters that state boxes.
    """

    text: str
    learnt: bool = False
    boxes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Encoder:
    """Writes examples in a tokenizer's chat template.

    Attributes:
        tokenizer: a fast tokenizer with a chat template that ends turns with ``<|im_end|>``, as those of all
            Qwen models do.
        patches: how the checkpoint cuts images.
    """

    tokenizer: PreTrainedTokenizerBase
    patches: PatchSpec

    @classmethod
    def of_checkpoint(cls, folder: Path) -> Encoder:
        """That of a checkpoint's own tokenizer and settings.

        Raises:
            ModelError: the folder lacks one of them.
        """
        from rscovlm.models.weights import read_settings, read_tokenizer

        patches = PatchSpec.of_checkpoint(folder, read_settings(folder).vision_config)
        return cls(read_tokenizer(folder), patches)

    def encode(self, example: Example, further: Mapping[str, NDArray[np.generic]] | None = None) -> Encoded:
        """The tokens of an example.

        ``tokens["coordinate"]`` marks targets that are numbers inside boxes, ``tokens["log_gsd"]`` is the
        scale of what each token is about (``models.prompting.token_scales``); ``images["gsd_m"]`` is float32
        metres per pixel of each picture as it is shown, NaN where unknown.

        Args:
            example: to write.
            further: arrays (pictures, ...) to hand through to the objective.

        Raises:
            DataError: a picture does not fit the patches.
            ModelError: the template's answers do not continue its prompts.
        """
        pieces, conversation = self._pieces(example)
        coded = self.tokenizer(
            [piece.text for piece in pieces], add_special_tokens=False, return_offsets_mapping=True
        )
        ids = np.concatenate([np.asarray(part, dtype=np.int64) for part in coded["input_ids"]])
        learnt = np.repeat([piece.learnt for piece in pieces], [len(part) for part in coded["input_ids"]])
        coordinate = np.concatenate(
            [_inside(offsets, piece) for piece, offsets in zip(pieces, coded["offset_mapping"], strict=True)]
        )
        pictures = conversation.images
        try:
            tokens = [token_grid(picture.size, self.patches.factor) for picture in pictures]
            expanded = expand_images(ids, self.image_id, tokens)
        except PromptError as error:
            raise DataError(f"{example.key.source} {example.key.index}: {error}") from error
        grids = np.array([(1, *grid) for grid in tokens], dtype=np.int64).reshape(-1, 3)
        grids[:, 1:] *= self.patches.merge
        return Encoded(
            expanded.ids,
            np.repeat(learnt, expanded.repeats),
            image_positions(len(expanded.ids), expanded.spans, tokens),
            pictures,
            grids,
            example.key,
            example.task,
            {
                "coordinate": np.repeat(coordinate, expanded.repeats),
                "log_gsd": token_scales(
                    len(expanded.ids), expanded.spans, [picture.gsd_m for picture in pictures]
                ),
            },
            {"gsd_m": _scales(pictures), **(further or {})},
            form=example.form,
            cut=example.cut,
            numbers=example.numbers,
        )

    @property
    def image_id(self) -> int:
        """The token that stands for a visual token."""
        return image_token(self.tokenizer)

    def _pieces(self, example: Example) -> tuple[list[_Piece], Conversation]:
        """The text of an example in stretches, and as much of its conversation as they write.

        Each learnt stretch continues the very prompt that inference writes there. Templates of Thinking
        models open each answer with a thought, but leave thoughts out of earlier turns, so that no one text
        continues the prompts of all turns: such a text ends with one of its answers, a different one on
        each visit.

        Raises:
            ModelError: the template's turns do not continue the prompts that it writes.
        """
        messages = example.conversation.messages
        said = [place for place, message in enumerate(messages) if message.role == "assistant"]
        turns = said[example.given :]
        pieces = self._continuing(messages, turns)
        if pieces is None and len(turns) > 1:
            turns = [turns[(example.key.index + example.key.visit) % len(turns)]]
            messages = messages[: turns[0] + 1]
            pieces = self._continuing(messages, turns)
        if pieces is None:
            prompt = self._written(messages[: turns[-1]], prompt=True)
            raise ModelError(
                "the chat template writes answers that do not continue its own prompt, which ends in "
                f"{prompt[-24:]!r}; what would be learnt is not what is asked for at inference"
            )
        return pieces, Conversation(messages)

    def _continuing(self, messages: Sequence[Message], turns: Sequence[int]) -> list[_Piece] | None:
        """Messages in stretches, learnt at some turns; None where one does not continue its prompt."""
        text, at, pieces = self._written(messages), 0, []
        for turn in turns:
            prompt = self._written(messages[:turn], prompt=True)
            end = text.find(_END, len(prompt))
            if not text.startswith(prompt) or end < 0:
                return None
            said = text[len(prompt) : end]
            pieces.append(_Piece(text[at : len(prompt)]))
            pieces.append(_Piece(said + _END, True, _box_spans(messages[turn], said)))
            at = end + len(_END)
        return [*pieces, _Piece(text[at:])] if at < len(text) else pieces

    def _written(self, messages: Sequence[Message], prompt: bool = False) -> str:
        """Messages in the template's words, with the beginning of the next answer where it is a prompt."""
        return templated(self.tokenizer, Conversation(tuple(messages)), prompt)


def _scales(pictures: Sequence[Picture]) -> NDArray[np.float32]:
    stated = (picture.gsd_m for picture in pictures)
    return np.array([np.nan if gsd_m is None else gsd_m for gsd_m in stated], dtype=np.float32)


def _box_spans(answer: Message, said: str) -> tuple[tuple[int, int], ...]:
    """Where an answer states boxes; none where the template changed the words."""
    texts = [inert(part) for part in answer.content if isinstance(part, str)]
    before = len(said) - len("".join(texts))
    if not said.endswith("".join(texts)):
        return ()
    ends = before + np.cumsum([len(text) for text in texts])
    kinds = [isinstance(part, BoxText) for part in answer.content if isinstance(part, str)]
    return tuple((int(end) - len(text), int(end)) for text, end, kind in zip(texts, ends, kinds) if kind)


def _inside(offsets: list[tuple[int, int]], piece: _Piece) -> NDArray[np.bool_]:
    """Which tokens of a piece are numbers inside its boxes."""
    if not piece.boxes:
        return np.zeros(len(offsets), dtype=bool)
    number = np.zeros(len(piece.text) + 1, dtype=bool)
    for start, end in piece.boxes:
        for match in _NUMBER.finditer(piece.text, start, end):
            number[match.start() : match.end()] = True
    return np.array([a < b and bool(number[a:b].all()) for a, b in offsets])
