"""nano's shape: Qwen3-VL's own classes at a few million parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase, Qwen3VLConfig, Qwen3VLForConditionalGeneration

VIEW_SIDE = 128
"""Sides of the square images that nano is trained on, in pixels."""

_PLACE_SCALE = 0.3  # about that of fresh patch embeddings, so that places are not drowned by what is there

TOKEN_SIDE = 16
"""Side of what one visual token sees, in pixels: one patch, not the family's usual 2 x 2.

With 2 x 2 patches to a token, objects are smaller than tokens, and a model of this size did not learn to say
where they are.
"""


@dataclass(frozen=True)
class Shape:
    """The sizes of the two towers.

    Attributes:
        vision_width, vision_depth, vision_heads: the vision tower.
        width, depth, heads, kv_heads, head_dim, mlp: the language model.
        deepstack: vision layers whose features enter the first language layers as well.
    """

    vision_width: int = 160
    vision_depth: int = 6
    vision_heads: int = 5
    width: int = 192
    depth: int = 6
    heads: int = 6
    kv_heads: int = 6
    head_dim: int = 32
    mlp: int = 512
    deepstack: tuple[int, ...] = (3,)


def build_config(shape: Shape, tokenizer: PreTrainedTokenizerBase) -> Qwen3VLConfig:
    """A Qwen3VLConfig of this shape for a tokenizer."""
    from transformers import Qwen3VLConfig

    def token(name: str) -> int:
        return cast(int, tokenizer.convert_tokens_to_ids(name))

    return Qwen3VLConfig(
        text_config={
            "vocab_size": -(-len(tokenizer) // 64) * 64,
            "hidden_size": shape.width,
            "intermediate_size": shape.mlp,
            "num_hidden_layers": shape.depth,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head_dim,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
            "tie_word_embeddings": True,
            "eos_token_id": token("<|im_end|>"),
            "pad_token_id": token("<|endoftext|>"),
        },
        vision_config={
            "depth": shape.vision_depth,
            "hidden_size": shape.vision_width,
            "intermediate_size": 3 * shape.vision_width,
            "num_heads": shape.vision_heads,
            "patch_size": TOKEN_SIDE,
            "spatial_merge_size": 1,
            "temporal_patch_size": 2,
            "out_hidden_size": shape.width,
            "num_position_embeddings": (VIEW_SIDE // TOKEN_SIDE) ** 2,
            "deepstack_visual_indexes": list(shape.deepstack),
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )


def build_model(
    shape: Shape, tokenizer: PreTrainedTokenizerBase, number_ids: list[int], seed: int
) -> Qwen3VLForConditionalGeneration:
    """A fresh model in which numbers, and the places of patches, start as Fourier features.

    Neighbours so start alike, which makes coordinates learnable by so small a model.
    """
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(build_config(shape, tokenizer))
    words, places = model.model.language_model.embed_tokens.weight, model.model.visual.pos_embed.weight
    numbers = fourier_features(torch.arange(len(number_ids)) / 1000, shape.width, octaves=7)
    side = VIEW_SIDE // TOKEN_SIDE
    along = fourier_features((torch.arange(side) + 0.5) / side, shape.vision_width // 2, octaves=2)
    rows, columns = along.repeat_interleave(side, dim=0), along.repeat(side, 1)
    with torch.no_grad():
        words[number_ids] = numbers * 2 * words.std()
        places.copy_(torch.cat([rows, columns], dim=1) * _PLACE_SCALE)
    return model


def fourier_features(position: torch.Tensor, width: int, octaves: int) -> torch.Tensor:
    """(n, width) sines and cosines of n positions in [0, 1], of standard deviation 1.

    Args:
        position: (n,).
        width: even.
        octaves: the shortest wave is ``2 ** -octaves`` of a length of 2.
    """
    import torch

    frequency = 2 ** torch.linspace(-1, octaves, width // 2)
    phase = torch.pi * position[:, None] * frequency
    # Low frequencies dominate, so that similarity falls off smoothly with distance.
    features = torch.cat([phase.sin(), phase.cos()], dim=1) * torch.cat([frequency, frequency]) ** -0.35
    return features / features.std()


def write_sidecars(
    folder: Path, detect_gsd_m: float | None, class_gsd_m: Mapping[str, float] | None = None
) -> None:
    """The files beside the weights that say how images are prepared and which dialects nano speaks.

    Args:
        folder: of the checkpoint.
        detect_gsd_m: metres per pixel of the views in which objects are listed.
        class_gsd_m: likewise of single classes.
    """
    area = VIEW_SIDE * VIEW_SIDE
    preprocessor = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen3VLProcessor",
        "size": {"shortest_edge": area // 4, "longest_edge": area},
        "patch_size": TOKEN_SIDE,
        "temporal_patch_size": 2,
        "merge_size": 1,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    dialect = {"family": "nano", "detect_gsd_m": detect_gsd_m, "class_gsd_m": dict(class_gsd_m or {})}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n")
    (folder / "rscovlm.json").write_text(json.dumps(dialect, indent=2) + "\n")
