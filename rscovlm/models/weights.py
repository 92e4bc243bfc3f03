"""Weights into memory: which device, which precision, which attention, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from rscovlm.errors import ModelError
from rscovlm.models.sidecars import read_sidecar

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
    device_map: str | dict[str, str] | None = None,
) -> VisionLanguageModel:
    """The model of a checkpoint; only safetensors are read, nothing in the folder is run.

    Args:
        folder: of the checkpoint.
        dtype: of its weights in memory.
        attention: implementation, by transformers' name.
        quantization: transformers' configuration of weights in few bits; None for none.
        device_map: ``auto`` for all GPUs, or devices by module; None loads into the machine's memory.

    Raises:
        ModelError: it cannot be loaded, or its weights are in few bits and the library for them is missing.
    """
    from transformers import AutoModelForImageTextToText

    check_quantization(folder)
    further: dict[str, Any] = {"quantization_config": quantization} if quantization is not None else {}
    if device_map is not None:
        further["device_map"] = device_map
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
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{folder} cannot be {verb}: {reason}") from error


_LIBRARIES = {
    "awq": ("gptqmodel",),
    "gptq": ("gptqmodel", "optimum"),
    "bitsandbytes": ("bitsandbytes", "accelerate"),
    "compressed-tensors": ("compressed_tensors",),
    "fp8": ("accelerate", "kernels"),
    "fbgemm_fp8": ("fbgemm_gpu", "accelerate"),
    "auto-round": ("auto_round",),
    "torchao": ("torchao",),
}
"""Libraries that transformers needs for weights in few bits, by ``quant_method``."""


def quantization_of(folder: Path) -> str | None:
    """How the weights of a checkpoint are quantised (``quant_method``); None where they are not."""
    stated = (read_sidecar(folder, "config.json") or {}).get("quantization_config")
    if not isinstance(stated, dict):
        return None
    bits = stated.get("load_in_4bit") or stated.get("load_in_8bit")
    return str(stated.get("quant_method") or ("bitsandbytes" if bits else "unknown"))


def check_quantization(folder: Path) -> None:
    """Make sure that what a checkpoint's quantised weights need is installed.

    Raises:
        ModelError: naming the libraries that are missing.
    """
    method = quantization_of(folder)
    missing = [name for name in _LIBRARIES.get(method or "", ()) if util.find_spec(name) is None]
    if missing:
        packages = " ".join(name.replace("_", "-") for name in missing)
        raise ModelError(f"{folder} is quantised by {method}, which needs {packages}: pip install {packages}")


def with_adapter(model: VisionLanguageModel, adapter: Path) -> VisionLanguageModel:
    """A model with a LoRA adapter merged into its weights.

    Raises:
        ModelError: where PEFT is not installed or cannot load the adapter.
    """
    try:
        from peft import PeftModel
    except ImportError as error:
        raise ModelError(f"{adapter} is a LoRA adapter, which needs peft: pip install peft") from error
    with _readable(adapter, "loaded"):
        adapted = PeftModel.from_pretrained(cast(Any, model), adapter)
        return cast("VisionLanguageModel", adapted.merge_and_unload())


def model_for_inference(
    folder: Path, device: torch.device | None, dtype: torch.dtype, adapter: Path | None = None
) -> VisionLanguageModel:
    """The model of a checkpoint on a device, in evaluation mode, with the best attention there.

    Args:
        folder: of the checkpoint.
        device: to run on; None spreads the layers over all GPUs.
        dtype: of its weights in memory.
        adapter: folder of a LoRA adapter to merge into the weights.

    Raises:
        ModelError: it cannot be loaded, or the device cannot hold it.
    """
    attention, _ = attention_for(device or torch.device(best_device()), dtype)
    spread: str | dict[str, str] | None = None
    if device is None:
        spread = "auto"
    elif quantization_of(folder) is not None:  # such weights cannot be moved once they are loaded
        spread = {"": str(device)}
    model = read_weights(folder, dtype, attention, device_map=spread)
    if adapter is not None:
        model = with_adapter(model, adapter)
    try:
        if spread is None and device is not None:
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
