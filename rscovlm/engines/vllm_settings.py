"""How vLLM in process is started: arguments that a user states, and those that a LoRA adapter needs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rscovlm.errors import ModelError, UsageError
from rscovlm.models.checkpoints import ADAPTER
from rscovlm.models.sidecars import read_sidecar

OURS = ("model", "dtype", "seed", "mm_processor_kwargs", "enable_lora")
"""Arguments of vLLM that follow from the model and the options of the command."""

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""At which vLLM 0.32 holds adapters (its ``MaxLoRARanks``); 16 unless told otherwise."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"
"""The file of PEFT that holds an adapter's weights."""


def read_settings(lines: Sequence[str]) -> dict[str, Any]:
    """Arguments of vLLM from ``NAME=VALUE`` lines, in which values are JSON or else text.

    Raises:
        UsageError: for a line of another form, or an argument that follows from other options.
    """
    settings: dict[str, Any] = {}
    for line in lines:
        name, equals, value = line.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if not equals or not name.isidentifier():
            raise UsageError(f"--vllm {line!r} is no argument; give NAME=VALUE, as tensor_parallel_size=2")
        if name in OURS:
            raise UsageError(f"--vllm {line!r}: {name} follows from --model, --dtype and --max-pixels")
        settings[name] = _value(value.strip())
    return settings


def _value(text: str) -> Any:
    """A value as JSON, where it is some, with Python's words for true and false."""
    try:
        return json.loads({"True": "true", "False": "false"}.get(text, text))
    except ValueError:
        return text


def require_known(settings: Mapping[str, Any], known: Sequence[str]) -> None:
    """Make sure that the installed vLLM has the arguments.

    Args:
        settings: that a user states.
        known: names of vLLM's own.

    Raises:
        ModelError: naming what comes close.
    """
    for name in settings:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"; {close[0]} is one" if close else ", see vllm serve --help=all"
            raise ModelError(f"vLLM has no argument {name!r}{meant}")


def adapter_settings(adapters: Sequence[Path], ranks: Sequence[int] = RANKS) -> dict[str, Any]:
    """Arguments without which vLLM would refuse adapters, or leave their layers of the vision tower out.

    Args:
        adapters: folders of LoRA adapters as PEFT writes them.
        ranks: at which vLLM holds adapters.

    Raises:
        ModelError: for an adapter without weights as safetensors, or of too high a rank.
    """
    rank = max(map(_rank, adapters))
    enough = [each for each in sorted(ranks) if each >= rank]
    if not enough:
        named = " and ".join(map(str, adapters))
        raise ModelError(f"{named}: a LoRA of rank {rank}; vLLM takes up to {max(ranks)}: merge it")
    names = [name for adapter in adapters for name in _tensor_names(adapter / ADAPTER_WEIGHTS)]
    return {
        "enable_lora": True,
        "max_loras": len(adapters),
        "max_lora_rank": enough[0],
        "enable_tower_connector_lora": any(".visual." in name for name in names),
    }


def serving_arguments(adapters: Sequence[Path]) -> str:
    """The end of a command line ``vllm serve BASE ...`` that serves adapters under their folders' names.

    Raises:
        ModelError: as ``adapter_settings``.
    """
    words = []
    for name, value in adapter_settings(adapters).items():
        option = "--" + name.replace("_", "-")
        words += [option] * value if isinstance(value, bool) else [f"{option} {value}"]
    return " ".join([*words, "--lora-modules", *(shlex.quote(f"{each.name}={each}") for each in adapters)])


def _rank(adapter: Path) -> int:
    """The largest rank of any layer."""
    stated = read_sidecar(adapter, ADAPTER) or {}
    return max([int(stated.get("r") or 1), *map(int, (stated.get("rank_pattern") or {}).values())])


def _tensor_names(file: Path) -> list[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as tensors:
            return list(tensors.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file} cannot be read, which holds a LoRA adapter's weights: {error}") from error
