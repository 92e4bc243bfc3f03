"""Weights into memory: which device, which precision, which attention, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from rscovlm.errors import ModelError

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PreTrainedTokenizerBase

    from rscovlm.models.qwen import VisionLanguageConfig, VisionLanguageModel

DTYPES = ("bfloat16", "float16", "float32")


def best_device() -> str:
    """``cuda``, ``mps`` or ``cpu``, whichever is there first."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def default_dtype(device: torch.device) -> torch.dtype:
    """Number type of weights and activations: bfloat16 on CUDA, else float32."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def dtype_named(name: str) -> torch.dtype:
    """One of ``DTYPES``.

    Raises:
        ModelError: naming them, for another.
    """
    if name not in DTYPES:
        raise ModelError(f"dtype {name!r} is unknown; choose from {', '.join(DTYPES)}")
    return cast(torch.dtype, getattr(torch, name))


def attention_for(device: torch.device, dtype: torch.dtype) -> tuple[str, str]:
    """The attention implementation to use, and why."""
    from transformers.utils.import_utils import is_flash_attn_2_available

    if device.type != "cuda":
        return "sdpa", f"FlashAttention needs CUDA; the device is {device.type}"
    if torch.cuda.get_device_capability(device) < (8, 0):
        return "sdpa", "FlashAttention needs a GPU of compute capability 8.0 (Ampere) or later"
    if dtype == torch.float32:
        return "sdpa", "FlashAttention computes in bfloat16 or float16; the model runs in float32"
    if not is_flash_attn_2_available():
        return "sdpa", "flash-attn is not installed (extra: flash-attn)"
    return "flash_attention_2", "flash-attn is installed"


def read_settings(folder: Path) -> VisionLanguageConfig:
    """The transformers configuration of a checkpoint.

    Raises:
        ModelError: it cannot be read.
    """
    from transformers import AutoConfig

    with _readable(folder, "read"):
        settings = AutoConfig.from_pretrained(folder, local_files_only=True)
    return cast("VisionLanguageConfig", settings)


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint, with its chat template.

    Raises:
        ModelError: it cannot be read, or has no chat template.
    """
    from transformers import AutoTokenizer

    with _readable(folder, "read"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.chat_template:
        raise ModelError(f"{folder} has no chat template; it is needed to write conversations")
    return tokenizer


def read_weights(
    folder: Path,
    dtype: torch.dtype,
    attention: str = "sdpa",
    quantization: BitsAndBytesConfig | None = None,
) -> VisionLanguageModel:
    """The model of a checkpoint; only safetensors are read, nothing in the folder is run.

    Args:
        folder: of the checkpoint.
        dtype: of its weights in memory.
        attention: implementation, by transformers' name.
        quantization: transformers' configuration of weights in few bits; None for none.

    Raises:
        ModelError: it cannot be loaded.
    """
    from transformers import AutoModelForImageTextToText

    further = {"quantization_config": quantization} if quantization is not None else {}
    with _readable(folder, "loaded"):
        model = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            local_files_only=True,
            **further,
        )
    return cast("VisionLanguageModel", model)


def move(model: nn.Module, target: torch.device | torch.dtype) -> None:
    """Bring a model to a device or a precision, in place: transformers hides the arguments of its ``to``."""
    model.to(target)


@contextmanager
def _readable(folder: Path, verb: str) -> Iterator[None]:
    """Tell what transformers could not do with a checkpoint in one line."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{folder} cannot be {verb}: {reason}") from error


def model_for_inference(folder: Path, device: torch.device, dtype: torch.dtype) -> VisionLanguageModel:
    """The model of a checkpoint on a device, in evaluation mode, with the best attention there.

    Raises:
        ModelError: it cannot be loaded, or the device cannot hold it.
    """
    attention, _ = attention_for(device, dtype)
    model = read_weights(folder, dtype, attention)
    try:
        move(model, device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {device} cannot hold the model: {str(error).splitlines()[0]}") from error
    model.eval()
    return model


def stop_tokens(model: VisionLanguageModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Tokens that end a turn."""
    configured = model.generation_config.eos_token_id
    stops = configured if isinstance(configured, list) else [configured]
    ends = (*stops, tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>"))
    return {token for token in ends if isinstance(token, int)}
