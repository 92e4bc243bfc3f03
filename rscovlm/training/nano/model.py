"""nano's shape: Qwen3-VL's own classes at a few million parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

VIEW_SIDE = 128
"""Sides of the square images that nano is trained on, in pixels."""

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


def build_config(shape: Shape, tokenizer):
    """A Qwen3VLConfig of this shape for a tokenizer."""
    from transformers import Qwen3VLConfig

    token = tokenizer.convert_tokens_to_ids
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


def build_model(shape: Shape, tokenizer, number_ids: list[int], seed: int):
    """A fresh model in which the embeddings of numbers start as Fourier features.

    Numbers so start close to their neighbours, which makes coordinates learnable by so small a model.
    """
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(build_config(shape, tokenizer))
    table = model.get_input_embeddings().weight
    position = torch.arange(len(number_ids), dtype=torch.float32)[:, None] / 1000
    frequency = 2 ** torch.linspace(-1, 7, shape.width // 2)
    phase = torch.pi * position * frequency
    # Low frequencies dominate, so that similarity falls off smoothly with distance.
    weight = torch.cat([frequency, frequency]) ** -0.35
    features = torch.cat([phase.sin(), phase.cos()], dim=1) * weight
    with torch.no_grad():
        table[number_ids] = features * (2 * table.std() / features.std())
    return model


def write_sidecars(folder: Path, detect_gsd_m: float) -> None:
    """The files beside the weights that say how images are prepared and which dialects nano speaks."""
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
    dialect = {"family": "nano", "detect_gsd_m": detect_gsd_m}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n")
    (folder / "rscovlm.json").write_text(json.dumps(dialect, indent=2) + "\n")
