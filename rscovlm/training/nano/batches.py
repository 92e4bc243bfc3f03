"""Samples to tensors: token ids, labels, soft-target flags, patches and M-RoPE positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rscovlm.training.nano.model import TOKEN_SIDE, VIEW_SIDE
from rscovlm.training.nano.samples import Sample

GRID = VIEW_SIDE // TOKEN_SIDE
"""Visual tokens along a side of an image."""
_TOKENS = GRID**2


@dataclass(frozen=True)
class Encoded:
    """One sample as arrays.

    Attributes:
        ids: (length,) token ids.
        learnt: (length,) whether the token is a target.
        soft: (length,) whether the token is a coordinate, whose loss tolerates a near miss.
        images: (n, VIEW_SIDE, VIEW_SIDE, 3) uint8.
        cell_ids: (n, cells) first token of what each visual token shows.
        outlines, shares: (n, cells, 8), (n, cells) float32, see CellTruth.
        task: name of the lesson.
    """

    ids: np.ndarray
    learnt: np.ndarray
    soft: np.ndarray
    images: np.ndarray
    cell_ids: np.ndarray
    outlines: np.ndarray
    shares: np.ndarray
    task: str


class Encoder:
    """Writes conversations in nano's chat template, turn by turn, and marks what is learnt."""

    def __init__(self, tokenizer, number_ids: list[int]):
        self.tokenizer = tokenizer
        self.numbers = np.zeros(len(tokenizer), dtype=bool)
        self.numbers[number_ids] = True
        self.first_tokens: dict[str, int] = {}
        self.underscore_id = tokenizer.convert_tokens_to_ids("_")
        self.image_id = tokenizer.convert_tokens_to_ids("<|image_pad|>")

    def encode(self, sample: Sample) -> Encoded:
        """Tokens of a conversation; assistant text and its end marker are targets."""
        ids: list[int] = []
        learnt: list[bool] = []
        soft: list[bool] = []
        images = []
        for message in sample.conversation.messages:
            self._extend(f"<|im_start|>{message.role}\n", False, False, ids, learnt, soft)
            text = ""
            for part in message.content:
                if isinstance(part, str):
                    text += part
                else:
                    text += "<|vision_start|>" + "<|image_pad|>" * _TOKENS + "<|vision_end|>"
                    images.append(part.pixels)
            mine = message.role == "assistant"
            # An answer that is one number is a count, where a near miss is a miss.
            coordinates = sample.coordinates and mine and not text.isdigit()
            self._extend(f"{text}<|im_end|>", mine, coordinates, ids, learnt, soft)
            self._extend("\n", False, False, ids, learnt, soft)
        return Encoded(
            np.array(ids),
            np.array(learnt),
            np.array(soft),
            np.stack(images),
            np.array([[self._first_token(word) for word in cells.words] for cells in sample.cells]),
            np.stack([cells.outlines for cells in sample.cells]),
            np.stack([cells.shares for cells in sample.cells]),
            sample.task,
        )

    def _first_token(self, word: str) -> int:
        if word not in self.first_tokens:
            self.first_tokens[word] = self.tokenizer.encode(f" {word}", add_special_tokens=False)[0]
        return self.first_tokens[word]

    def _extend(
        self,
        text: str,
        learnt: bool,
        coordinates: bool,
        ids: list[int],
        all_learnt: list[bool],
        soft: list[bool],
    ) -> None:
        tokens = self.tokenizer.encode(text, add_special_tokens=False)
        ids += tokens
        all_learnt += [learnt] * len(tokens)
        # The 2 of "bbox_2d" is a number too, but no coordinate.
        soft += [
            bool(coordinates and self.numbers[token] and before != self.underscore_id)
            for before, token in zip([-1, *tokens], tokens)
        ]


def patches_of(images: np.ndarray) -> torch.Tensor:
    """(n, side, side, 3) uint8 -> (n * patches, 3 * 2 * 16 * 16) float32 in Qwen's order, mean and sd 0.5."""
    n = len(images)
    x = torch.from_numpy(np.ascontiguousarray(images)).float().div_(127.5).sub_(1.0)
    x = x.view(n, GRID, TOKEN_SIDE, GRID, TOKEN_SIDE, 3)
    x = x.permute(0, 1, 3, 5, 2, 4)  # n, row, column, channel, y, x
    x = x.unsqueeze(4).expand(-1, -1, -1, -1, 2, -1, -1)  # one frame stands for two
    return x.reshape(n * _TOKENS, 3 * 2 * TOKEN_SIDE * TOKEN_SIDE)


def positions_of(is_image: np.ndarray) -> np.ndarray:
    """(3, length) M-RoPE positions of one sample whose images all have the same grid."""
    rows, columns = np.divmod(np.arange(_TOKENS), GRID)
    positions = np.zeros((3, len(is_image)), dtype=np.int64)
    at = following = 0
    while at < len(is_image):
        if is_image[at]:
            span = slice(at, at + _TOKENS)
            positions[0, span], positions[1, span], positions[2, span] = (
                following,
                following + rows,
                following + columns,
            )
            at, following = at + _TOKENS, following + GRID
        else:
            positions[:, at] = following
            at, following = at + 1, following + 1
    return positions


@dataclass
class Batch:
    """Samples packed into rows.

    Attributes:
        input_ids, learnt, soft: (rows, length).
        positions: (4, rows, length): places within a sample, which tell samples of a row apart, then M-RoPE.
        sample: (rows, length) index of the sample that a token belongs to, -1 for padding.
        images: (n, side, side, 3) uint8 in the order of their placeholders.
        cell_ids, outlines, shares: (n, cells), (n, cells, 8), (n, cells) what the images' visual tokens show.
        tasks: of each sample.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    learnt: torch.Tensor
    soft: torch.Tensor
    sample: torch.Tensor
    images: torch.Tensor
    cell_ids: torch.Tensor
    outlines: torch.Tensor
    shares: torch.Tensor
    tasks: list[str]


def pack_rows(lengths: list[int], row_length: int) -> list[list[int]]:
    """Sample indices of each row: first fit, longest first; a longer sample has a row of its own."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        for row, free in enumerate(room):
            if lengths[index] <= free:
                rows[row].append(index)
                room[row] -= lengths[index]
                break
        else:
            rows.append([index])
            room.append(row_length - lengths[index])
    return rows


def collate(samples: list[Encoded], image_id: int, pad_id: int, row_length: int = 320) -> Batch:
    """Pack samples into rows of about ``row_length`` tokens; no token attends across samples."""
    rows = pack_rows([len(sample.ids) for sample in samples], row_length)
    length = max(sum(len(samples[i].ids) for i in row) for row in rows)
    shape = (len(rows), length)
    ids = np.full(shape, pad_id, dtype=np.int64)
    owner = np.full(shape, -1, dtype=np.int64)
    learnt, soft = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    positions = np.zeros((4, *shape), dtype=np.int64)
    for r, row in enumerate(rows):
        at = 0
        for i in row:
            sample = samples[i]
            span = slice(at, at + len(sample.ids))
            ids[r, span], owner[r, span] = sample.ids, i
            learnt[r, span], soft[r, span] = sample.learnt, sample.soft
            positions[0, r, span] = np.arange(len(sample.ids))
            positions[1:, r, span] = positions_of(sample.ids == image_id)
            at = span.stop
    order = [i for row in rows for i in row]
    per_image = [
        np.concatenate([getattr(samples[i], name) for i in order])
        for name in ("images", "cell_ids", "outlines", "shares")
    ]
    return Batch(
        *(torch.from_numpy(array) for array in (ids, positions, learnt, soft, owner, *per_image)),
        tasks=[sample.task for sample in samples],
    )
