"""Memory that a checkpoint takes in process, from its files alone: weights, kept cache, one batch.

Weights and cache are counts: elements in the headers of the safetensors, and keys and values of the layers
that attend. A batch is what torch holds at its fullest moment, from the shapes of the model; an allocator may
take more of the system.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rscovlm.errors import ModelError
from rscovlm.models.sidecars import read_sidecar
from tiling.resolution import Resolution

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_FLOATS = {"F64", "F32", "F16", "BF16"}
_ELEMENT_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_TEXT_TOKENS = 1024
"""Text beside an image in a usual prompt: system prompt, question and reply."""
_BATCH_PIXELS = 16_000_000
_MOST_ROWS = 64
_CHUNK = 64
"""Tokens that a layer of the gated delta rule reads at a time."""

KEPT_TOKENS = 65_536
"""Positions whose keys and values are kept between calls, over all conversations."""


def batch_rows(resolution: Resolution) -> int:
    """Conversations of one batch, by the largest image."""
    return max(1, min(_MOST_ROWS, _BATCH_PIXELS // resolution.max_pixels))


@dataclass(frozen=True)
class Memory:
    """Bytes that a checkpoint takes.

    Attributes:
        weights: in the precision that they run in; weights in few bits as they are stored.
        token_cache: keys and values of one token.
        kept_tokens: tokens whose keys and values are kept between calls, at most.
        rows: conversations of one batch.
        batch: cache and widest activations of a batch of full images.
    """

    weights: int
    token_cache: int
    kept_tokens: int
    rows: int
    batch: int

    @property
    def kept(self) -> int:
        """Bytes of the cache that is kept between calls, at most."""
        return self.token_cache * self.kept_tokens

    @property
    def total(self) -> int:
        """All at once."""
        return self.weights + self.kept + self.batch


def estimate(
    folder: Path,
    resolution: Resolution,
    dtype: str,
    *,
    rows: int | None = None,
    text_tokens: int = _TEXT_TOKENS,
) -> Memory:
    """The memory of a checkpoint's folder; nothing is loaded.

    Args:
        folder: of the checkpoint.
        resolution: the image sizes that it is shown.
        dtype: ``bfloat16``, ``float16`` or ``float32``.
        rows: conversations of a batch, each with an image of the largest size; None for as many as the
            engine takes.
        text_tokens: beside the image of each, those of the reply too.

    Raises:
        ModelError: for a folder without weights or with a file that is no safetensors.
    """
    config = read_sidecar(folder, "config.json") or {}
    text = config.get("text_config") or config
    width = _BYTES[dtype]
    layers = int(text.get("num_hidden_layers", 0))
    kinds = text.get("layer_types") or ["full_attention"] * layers
    attending = sum(kind != "linear_attention" for kind in kinds)
    heads = int(text.get("num_attention_heads", 1))
    side = int(text.get("head_dim") or int(text.get("hidden_size", 0)) // heads)
    token_cache = 2 * attending * int(text.get("num_key_value_heads") or heads) * side * width
    rows = batch_rows(resolution) if rows is None else rows
    visual = resolution.max_pixels // resolution.factor**2
    batch = _batch(config, text, token_cache, width, rows, visual, text_tokens)
    kept = 0 if attending < len(kinds) else KEPT_TOKENS
    return Memory(sum(_weights(folder, width)), token_cache, kept, rows, batch)


def _batch(
    config: Mapping[str, Any],
    text: Mapping[str, Any],
    token_cache: int,
    width: int,
    rows: int,
    visual: int,
    text_tokens: int,
) -> int:
    """Bytes of a batch where its prompts are read: in the vision tower, or in the last layer after it.

    The patches are there until the end, at first with a frame of one image; so are the visual tokens, those
    for layers further up (DeepStack), the embeddings, the cache and which token sees which. A layer adds what
    it gets and makes.
    """
    vision = config.get("vision_config") or {}
    hidden = int(text.get("hidden_size", 0))
    length = visual + text_tokens
    patches = rows * visual * int(vision.get("spatial_merge_size") or 1) ** 2
    frames = int(vision.get("temporal_patch_size") or 2)
    patch = int(vision.get("patch_size") or 14) ** 2 * frames
    pixels = patches * patch * int(vision.get("in_channels") or vision.get("in_chans") or 3) * width
    seen = rows * visual * hidden * (2 + len(vision.get("deepstack_visual_indexes") or ())) * width
    tower = pixels + patches * _widest(vision) * width
    around = rows * length * (2 * hidden * width + max(_widest(text) * width, _recurrent(text)))
    cache = rows * length * token_cache
    return max(pixels + pixels // (rows * frames), tower, pixels + seen + around + cache + rows * length**2)


def _widest(part: Mapping[str, Any]) -> int:
    """Numbers that one token or patch takes in the widest layer: residual, norm, gate, up, product."""
    hidden = int(part.get("embed_dim") or part.get("hidden_size", 0))
    experts = int(part.get("num_experts_per_tok") or 0)
    inner = int(part.get("intermediate_size") or 4 * hidden)
    if experts:
        return 2 * hidden + experts * (hidden + 3 * int(part.get("moe_intermediate_size") or inner))
    return 2 * hidden + 3 * inner


def _recurrent(text: Mapping[str, Any]) -> int:
    """Bytes that one token takes in a layer of the gated delta rule, which runs in float32 by chunks.

    Each head has query, key and value, two of them scaled besides, and four rows of a chunk: decays, masks.
    """
    heads = int(text.get("linear_num_value_heads") or 0)
    sides = 4 * int(text.get("linear_key_head_dim") or 0) + 3 * int(text.get("linear_value_head_dim") or 0)
    return heads * (4 * _CHUNK + sides) * _BYTES["float32"]


def _weights(folder: Path, width: int) -> Iterator[int]:
    """Bytes in memory of each tensor of a folder."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{folder} holds no safetensors, whose headers tell the memory that they take")
    for file in files:
        for name, tensor in _header(file).items():
            if name == "__metadata__":
                continue
            elements = 1
            for length in tensor["shape"]:
                elements *= length
            # What is stored as a number with a fraction takes the precision that it runs in.
            floating = tensor["dtype"] in _FLOATS
            yield elements * (width if floating else _ELEMENT_BYTES.get(tensor["dtype"], 1))


def _header(file: Path) -> dict[str, Any]:
    """The header of a safetensors file: eight bytes of length, then JSON."""
    with file.open("rb") as opened:
        start = opened.read(8)
        try:
            (length,) = struct.unpack("<Q", start)
            if length > 100_000_000:
                raise ValueError
            header = json.loads(opened.read(length))
        except (struct.error, ValueError):
            raise ModelError(f"{file} is no safetensors file: its header cannot be read") from None
    if not isinstance(header, dict):
        raise ModelError(f"{file} is no safetensors file: its header is no object")
    return header


def size(count: int) -> str:
    """Bytes in words: ``6.2 GiB``."""
    for unit, power in (("GiB", 30), ("MiB", 20)):
        if count >= 2**power:
            return f"{count / 2**power:.3g} {unit}"
    return f"{count / 2**10:.3g} KiB"


def lines(memory: Memory) -> Iterator[tuple[str, str]]:
    """What takes how much, as pairs of words."""
    yield "weights", size(memory.weights)
    kept = f"{size(memory.kept)} at most, {size(memory.token_cache)} a token, {memory.kept_tokens:,} tokens"
    yield "cache", kept if memory.kept_tokens else "not kept between calls: the model has recurrent layers"
    yield "batch", f"about {size(memory.batch)} for {memory.rows} full images at once"
    yield "total", f"about {size(memory.total)}"
