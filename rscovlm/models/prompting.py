"""Conversations to token ids, by the checkpoint's own chat template and without its processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import RscovlmError
from rscovlm.models.families import ModelFamily
from rscovlm.models.positions import Span, span_positions
from tiling.view import Size
from zoom_chain.chat import Conversation, ImagePart, Part

Number = TypeVar("Number", np.int64, np.float32)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PromptError(RscovlmError):
    """Images that do not divide into visual tokens, or that the chat template leaves out."""


@dataclass(frozen=True)
class Prompt:
    """A conversation as a model reads it.

    Attributes:
        ids: (length,) token ids, each image as many placeholders as it has visual tokens.
        images: in order.
        spans: (start, end) of each image's placeholders.
        grids: (token rows, token columns) of each image.
    """

    ids: NDArray[np.int64]
    images: tuple[ImagePart, ...]
    spans: tuple[tuple[int, int], ...]
    grids: tuple[tuple[int, int], ...]

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """(length,) identities of the tokens: the placeholders of different images differ."""
        keys = self.ids.copy()
        for image, (start, end) in zip(self.images, self.spans, strict=True):
            # Above every token id; 62 bits of the digest tell images apart.
            keys[start:end] = (1 << 62) | (int(image.digest[:15], 16) << 2)
        if self.images and self.images[0].gsd_m is not None:
            # What comes before the first image is read at its scale, so at another one it is something else.
            keys[: self.spans[0][0]] |= int(np.float32(self.log_gsd[0]).view(np.uint32)) << 30
        return keys

    def whole_beginning(self, length: int) -> int:
        """So many leading tokens at most that each image is among them whole or not at all."""
        return next((start for start, end in self.spans if start < length < end), length)

    def before_last(self) -> Prompt:
        """The prompt without its last token, which belongs to no image."""
        return replace(self, ids=self.ids[:-1])

    @cached_property
    def log_gsd(self) -> NDArray[np.float32]:
        """(length,) log10 metres per pixel of what each token is about; see ``token_scales``."""
        return token_scales(len(self.ids), self.spans, [image.gsd_m for image in self.images])

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """(3, length) M-RoPE positions: time, row and column."""
        return image_positions(len(self.ids), self.spans, self.grids)


class Expanded(NamedTuple):
    """Token ids in which each image has as many placeholders as it has visual tokens.

    Attributes:
        ids: (length,).
        repeats: how often each token of the shorter ids stands in the longer ones.
        spans: (start, end) of each image's placeholders.
    """

    ids: NDArray[np.int64]
    repeats: NDArray[np.int64]
    spans: tuple[tuple[int, int], ...]


def expand_images(ids: NDArray[np.int64], image_token_id: int, grids: Sequence[tuple[int, int]]) -> Expanded:
    """Repeat the placeholder of each image.

    Args:
        ids: (length,) with one placeholder for each image.
        image_token_id: of the placeholder.
        grids: (token rows, token columns) of each image in order.

    Raises:
        PromptError: where there are more or fewer placeholders than images.
    """
    places = np.flatnonzero(ids == image_token_id)
    if len(places) != len(grids):
        raise PromptError(f"the chat template wrote {len(places)} placeholders for {len(grids)} images")
    repeats = np.ones(len(ids), dtype=np.int64)
    repeats[places] = [rows * columns for rows, columns in grids]
    ends = np.cumsum(repeats)
    spans = tuple((int(ends[place] - repeats[place]), int(ends[place])) for place in places)
    return Expanded(np.repeat(ids, repeats), repeats, spans)


def image_positions(
    length: int, spans: Sequence[tuple[int, int]], grids: Sequence[tuple[int, int]]
) -> NDArray[np.int64]:
    """(3, length) M-RoPE positions of text with images: time, row and column.

    The same for Qwen2.5-VL and Qwen3-VL, as there are no videos.
    """
    return span_positions(
        length,
        [Span(start, 1, rows, columns) for (start, _), (rows, columns) in zip(spans, grids, strict=True)],
    )


def token_scales(
    length: int, spans: Sequence[tuple[int, int]], gsds_m: Sequence[float | None]
) -> NDArray[np.float32]:
    """(length,) log10 metres per pixel of what each token is about, NaN where unknown.

    That is the latest image, so that a kept cache stays right as images come; before the first one it is the
    first, so that a conversation about one image has one scale.

    Args:
        length: tokens.
        spans: (start, end) of each image's placeholders, in order.
        gsds_m: of each image as it is shown; None where unknown.
    """
    scales = np.full(length, np.nan, dtype=np.float32)
    for number, ((start, _), gsd_m) in enumerate(zip(spans, gsds_m, strict=True)):
        scales[start if number else 0 :] = np.nan if gsd_m is None else np.log10(gsd_m)
    return scales


def token_grid(size: Size, factor: int) -> tuple[int, int]:
    """(token rows, token columns) of an image.

    Args:
        size: height and width in px.
        factor: side of a visual token in px.

    Raises:
        PromptError: where the size does not divide into tokens.
    """
    height, width = size
    if height % factor or width % factor:
        raise PromptError(
            f"an image of {width} x {height} px does not divide into tokens of {factor} px; "
            "bring it to the size that the family's resolution gives"
        )
    return height // factor, width // factor


class Prompter:
    """Writes conversations in a tokenizer's chat template.

    Args:
        tokenizer: of the checkpoint, with a chat template.
        image_token_id: of the placeholder that stands for a visual token.
        factor: side of a visual token in px.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, image_token_id: int, factor: int) -> None:
        self.tokenizer = tokenizer
        self.image_token_id = image_token_id
        self.factor = factor

    def prompt(self, conversation: Conversation) -> Prompt:
        """The token ids of a conversation up to where the model's next turn begins; its pictures are read.

        Raises:
            PromptError: for an image that does not divide into tokens.
        """
        text = templated(self.tokenizer, conversation, add_generation_prompt=True)
        plain = np.array(self.tokenizer.encode(text, add_special_tokens=False), dtype=np.int64)
        images = tuple(ImagePart.of(image) for image in conversation.images)
        grids = tuple(token_grid(image.size, self.factor) for image in images)
        expanded = expand_images(plain, self.image_token_id, grids)
        return Prompt(expanded.ids, images, expanded.spans, grids)


def image_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that stands for a visual token."""
    return cast(int, tokenizer.convert_tokens_to_ids("<|image_pad|>"))


def decoded(tokenizer: PreTrainedTokenizerBase, tokens: list[int] | NDArray[np.int64]) -> str:
    """The text of tokens, special ones included."""
    return cast(str, tokenizer.decode(tokens, skip_special_tokens=False))


def templated(
    tokenizer: PreTrainedTokenizerBase, conversation: Conversation, add_generation_prompt: bool = False
) -> str:
    """A conversation in a tokenizer's chat template, up to where the next turn begins if asked for."""
    text = tokenizer.apply_chat_template(
        template_messages(conversation), tokenize=False, add_generation_prompt=add_generation_prompt
    )
    return cast(str, text)


def prompter_of(folder: Path, family: ModelFamily) -> Prompter:
    """The prompter of a checkpoint's tokenizer files, without its weights.

    Raises:
        ModelError: where there is no tokenizer, or none with a chat template.
    """
    from rscovlm.models.weights import read_tokenizer

    tokenizer = read_tokenizer(folder)
    return Prompter(tokenizer, image_token(tokenizer), family.resolution.factor)


def inert(text: str) -> str:
    """Text whose control tokens are broken up, so that a question or a reply cannot forge a turn or an image.

    Tokenizers, a server's too, read ``<|im_end|>`` in any text as the end of the turn.
    """
    return text.replace("<|", "< |")


def template_messages(conversation: Conversation) -> list[dict[str, Any]]:
    """A conversation in the structure that chat templates take, its text inert."""
    return [
        {"role": message.role, "content": [_template_part(part) for part in message.content]}
        for message in conversation.messages
    ]


def _template_part(part: Part) -> dict[str, str]:
    if isinstance(part, str):
        return {"type": "text", "text": inert(part)}
    return {"type": "image"}


def pad_left(rows: Sequence[NDArray[Number]], fill: float) -> NDArray[Number]:
    """Stack rows (..., length) of different lengths, right aligned."""
    longest = max(row.shape[-1] for row in rows)
    return np.stack(
        [
            np.pad(row, [(0, 0)] * (row.ndim - 1) + [(longest - row.shape[-1], 0)], constant_values=fill)
            for row in rows
        ]
    )
