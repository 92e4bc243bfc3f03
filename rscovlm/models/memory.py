"""Memory that a checkpoint takes in process, from its files alone: weights, kept cache, one batch.

Weights and cache are counts: elements in the headers of the safetensors, and keys and values of the layers
that attend. A batch is its cache and the widest activations of the language model and of the vision tower.
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


def estimate(folder: Path, resolution: Resolution, dtype: str) -> Memory:
    """The memory of a checkpoint's folder; nothing is loaded.

    Args:
        folder: of the checkpoint.
        resolution: the image sizes that it is shown.
        dtype: ``bfloat16``, ``float16`` or ``float32``.

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
    rows = batch_rows(resolution)
    tokens = rows * (resolution.max_pixels // resolution.factor**2 + _TEXT_TOKENS)
    batch = tokens * token_cache + max(
        tokens * _widest(text, "intermediate_size") * width,
        _patches(config, resolution) * rows * _widest(config.get("vision_config", {}), "mlp") * width,
    )
    kept = 0 if attending < len(kinds) else KEPT_TOKENS
    return Memory(sum(_weights(folder, width)), token_cache, kept, rows, batch)


def _widest(part: Mapping[str, Any], inner: str) -> int:
    """Numbers that one token or patch takes in the widest layer: residual, norm, gate, up, product."""
    hidden = int(part.get("embed_dim") or part.get("hidden_size", 0))
    intermediate = int(part.get("intermediate_size") or part.get("moe_intermediate_size") or 4 * hidden)
    return 2 * hidden + (3 if inner == "intermediate_size" else 2) * intermediate


def _patches(config: Mapping[str, Any], resolution: Resolution) -> int:
    vision = config.get("vision_config") or {}
    return resolution.max_pixels // int(vision.get("patch_size") or 14) ** 2


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
