"""Examples to tokens, by the checkpoint's own chat template, with what is learnt marked.

Turns are tokenised piece by piece, where generation would begin and end them: what the model is trained to
continue is exactly the prompt that inference writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.example import BoxText, Encoded, Example
from rscovlm.errors import DataError
from rscovlm.models.patches import PatchSpec
from rscovlm.models.prompting import (
    PromptError,
    expand_images,
    image_positions,
    image_token,
    inert,
    template_messages,
    token_grid,
)
from zoom_chain.chat import Message

_START, _END = "<|im_start|>", "<|im_end|>"
_ASSISTANT = "assistant\n"
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
        tokenizer: a fast tokenizer with a chat template whose turns stand between ``<|im_start|>`` and
            ``<|im_end|>``, as those of all Qwen models do.
        patches: how the checkpoint cuts images.
    """

    tokenizer: object
    patches: PatchSpec

    def encode(self, example: Example, further: Mapping[str, NDArray] | None = None) -> Encoded:
        """The tokens of an example.

        ``tokens["coordinate"]`` marks targets that are numbers inside boxes.

        Args:
            example: to write.
            further: arrays (pictures, ...) to hand through to the objective.

        Raises:
            DataError: the template does not write turns as expected, or a picture does not fit the patches.
        """
        pieces = self._pieces(example)
        coded = self.tokenizer(
            [piece.text for piece in pieces], add_special_tokens=False, return_offsets_mapping=True
        )
        ids = np.concatenate([np.asarray(part, dtype=np.int64) for part in coded["input_ids"]])
        learnt = np.repeat([piece.learnt for piece in pieces], [len(part) for part in coded["input_ids"]])
        coordinate = np.concatenate(
            [_inside(offsets, piece) for piece, offsets in zip(pieces, coded["offset_mapping"], strict=True)]
        )
        pictures = example.conversation.images
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
            {"coordinate": np.repeat(coordinate, expanded.repeats)},
            dict(further or {}),
            form=example.form,
            cut=example.cut,
            numbers=example.numbers,
        )

    @property
    def image_id(self) -> int:
        """The token that stands for a visual token."""
        return image_token(self.tokenizer)

    def _pieces(self, example: Example) -> list[_Piece]:
        text = self.tokenizer.apply_chat_template(template_messages(example.conversation), tokenize=False)
        before, *segments = text.split(_START)
        answers = iter([turn for turn in example.conversation.messages if turn.role == "assistant"])
        pieces, pending = [], before
        for segment in segments:
            pending += _START
            if not segment.startswith(_ASSISTANT):
                pending += segment
                continue
            pieces.append(_Piece(pending + _ASSISTANT))
            said, end, pending = segment[len(_ASSISTANT) :].partition(_END)
            answer = next(answers, None)
            if not end or answer is None:
                raise DataError(f"{example.key}: the chat template writes assistant turns in an unknown way")
            pieces.append(_Piece(said + end, True, _box_spans(answer, said)))
        if next(answers, None) is not None:
            raise DataError(f"{example.key}: the chat template leaves out an assistant turn")
        return [*pieces, _Piece(pending)] if pending else pieces


def _box_spans(answer: Message, said: str) -> tuple[tuple[int, int], ...]:
    """Where an answer states boxes; none where the template changed the words."""
    texts = [inert(part) for part in answer.content if isinstance(part, str)]
    if "".join(texts) != said:
        return ()
    ends = np.cumsum([len(text) for text in texts])
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
