"""Tiny random checkpoints of both architectures, whole enough for transformers and vLLM to load."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = (
    "What colour are the planes at the airport? How many ships? Name the object in each cell. "
    "find the plane, ship, storage tank. There are none. red blue yes no You can zoom in. Answer now."
)
TEXT_SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,  # the least that vLLM's kernels take
    "max_position_embeddings": 4096,
}


def tiny_qwen3_vl(folder: Path, seed: int = 0, channels: int = 3) -> Path:
    """A Qwen3-VL of some hundred thousand random weights; visual tokens of 32 px, two DeepStack layers."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    token = _write_tokenizer(folder)
    vision = _qwen3_vision(channels)
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 4, 4], "mrope_interleaved": True}
    text = {**TEXT_SHAPE, "rope_parameters": rope, "tie_word_embeddings": True}
    config = Qwen3VLConfig(text_config=_with_tokens(text, token), vision_config=vision, **_special(token))
    torch.manual_seed(seed)
    _save(Qwen3VLForConditionalGeneration(config), folder, factor=32, processor="Qwen3VLProcessor", half=True)
    return folder


def tiny_qwen25_vl(folder: Path, seed: int = 0) -> Path:
    """A Qwen2.5-VL of some hundred thousand random weights; visual tokens of 28 px, windowed attention."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    token = _write_tokenizer(folder)
    vision = {
        "depth": 4,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 64,
        "window_size": 112,
        "fullatt_block_indexes": [1, 3],
        "tokens_per_second": 2,
    }
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 6, 6]}
    text = {**TEXT_SHAPE, "rope_parameters": rope, "tie_word_embeddings": True}
    config = Qwen2_5_VLConfig(text_config=_with_tokens(text, token), vision_config=vision, **_special(token))
    torch.manual_seed(seed)
    _save(Qwen2_5_VLForConditionalGeneration(config), folder, factor=28, processor="Qwen2_5_VLProcessor")
    return folder


def tiny_qwen2_vl(folder: Path, seed: int = 0) -> Path:
    """A Qwen2-VL of some hundred thousand random weights; visual tokens of 28 px."""
    import torch
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    token = _write_tokenizer(folder)
    vision = {
        "depth": 3,
        "embed_dim": 32,
        "hidden_size": 64,
        "num_heads": 2,
        "mlp_ratio": 2,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 6, 6]}
    text = {**TEXT_SHAPE, "rope_parameters": rope, "tie_word_embeddings": True}
    config = Qwen2VLConfig(text_config=_with_tokens(text, token), vision_config=vision, **_special(token))
    torch.manual_seed(seed)
    _save(Qwen2VLForConditionalGeneration(config), folder, factor=28, processor="Qwen2VLProcessor")
    return folder


def tiny_qwen3_vl_moe(folder: Path, seed: int = 0) -> Path:
    """A Qwen3-VL whose feed-forward layers are mixtures of four experts, two for each token."""
    import torch
    from transformers import Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

    token = _write_tokenizer(folder)
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 4, 4], "mrope_interleaved": True}
    experts = {"moe_intermediate_size": 48, "num_experts": 4, "num_experts_per_tok": 2}
    text = {**TEXT_SHAPE, **experts, "rope_parameters": rope, "tie_word_embeddings": True}
    config = Qwen3VLMoeConfig(
        text_config=_with_tokens(text, token), vision_config=_qwen3_vision(3), **_special(token)
    )
    torch.manual_seed(seed)
    model = Qwen3VLMoeForConditionalGeneration(config)
    _save(model, folder, factor=32, processor="Qwen3VLProcessor", half=True)
    return folder


def tiny_qwen35(folder: Path, seed: int = 0) -> Path:
    """A Qwen3.5: every fourth layer attends, the others are recurrent (gated delta rule)."""
    import torch
    from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    token = _write_tokenizer(folder)
    rope = {
        **{"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1], "mrope_interleaved": True},
        "partial_rotary_factor": 0.25,
    }
    recurrent = {
        "num_hidden_layers": 4,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 16,
        "linear_value_head_dim": 16,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
    }
    text = {**TEXT_SHAPE, **recurrent, "rope_parameters": rope, "tie_word_embeddings": True}
    vision = _qwen3_vision(3)
    del vision["deepstack_visual_indexes"]
    config = Qwen3_5Config(text_config=_with_tokens(text, token), vision_config=vision, **_special(token))
    torch.manual_seed(seed)
    model = Qwen3_5ForConditionalGeneration(config)
    _save(model, folder, factor=32, processor="Qwen3VLProcessor", half=True)
    return folder


BOTH_PARTS = r".*(language_model.*\.(q_proj|v_proj)|visual\.blocks.*\.attn\.qkv)"
"""Layers of the language model and of the vision tower, as PEFT names targets."""


def lora_over(base: Path, folder: Path, targets: str | list[str] = BOTH_PARTS, rank: int = 4) -> Path:
    """A LoRA adapter of random weights over a checkpoint, as PEFT writes it."""
    import peft
    import torch

    from rscovlm.models.weights import read_weights

    torch.manual_seed(1)
    settings = peft.LoraConfig(r=rank, target_modules=targets, init_lora_weights=False)
    peft.get_peft_model(read_weights(base, torch.float32), settings).save_pretrained(folder)
    stated = folder / "adapter_config.json"
    stated.write_text(json.dumps({**json.loads(stated.read_text()), "base_model_name_or_path": str(base)}))
    return folder


def _qwen3_vision(channels: int) -> dict[str, object]:
    return {
        "depth": 4,
        "in_channels": channels,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 64,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [1, 2],
    }


def _write_tokenizer(folder: Path):
    from transformers import AutoTokenizer

    from rscovlm.nano.tokenizer import build_tokenizer

    build_tokenizer([WORDS], folder)
    return AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids


def _special(token) -> dict[str, object]:
    return {
        "image_token_id": token("<|image_pad|>"),
        "video_token_id": token("<|video_pad|>"),
        "vision_start_token_id": token("<|vision_start|>"),
        "vision_end_token_id": token("<|vision_end|>"),
        "tie_word_embeddings": True,
    }


def _with_tokens(text: dict[str, object], token) -> dict[str, object]:
    return {
        **text,
        "vocab_size": 2048,
        "eos_token_id": token("<|im_end|>"),
        "pad_token_id": token("<|endoftext|>"),
        "bos_token_id": None,
    }


def _save(model, folder: Path, factor: int, processor: str, half: bool = False) -> None:
    import torch

    with torch.no_grad():
        # Random weights of the usual size make all logits alike; larger ones make greedy choices clear.
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2 and "patch_embed" not in name:
                parameter.mul_(4.0)
    model.save_pretrained(folder)
    mean, deviation = ([0.5] * 3, [0.5] * 3) if half else (None, None)
    settings = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": processor,
        "size": {"shortest_edge": 4 * factor**2, "longest_edge": 64 * factor**2},
        "patch_size": factor // 2,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": mean or [0.48145466, 0.4578275, 0.40821073],
        "image_std": deviation or [0.26862954, 0.26130258, 0.27577711],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
