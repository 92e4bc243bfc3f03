"""Modules that learn beside a model: the table of their names, and how they are kept for inference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from detection_eval.files import write_json
from rscovlm.errors import ModelError
from rscovlm.models.heads.base import Head
from rscovlm.models.heads.cells import CellsHead
from rscovlm.models.heads.regression import RegressionHead

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageModel

HEADS: dict[str, type[Head]] = {"cells": CellsHead, "regression": RegressionHead}
"""Heads by the names that configurations use."""

WEIGHTS, SIDECAR, ENTRY = "heads.safetensors", "rscovlm.json", "heads"


def make_heads(model: VisionLanguageModel, settings: Mapping[str, Mapping[str, Any]]) -> nn.ModuleDict:
    """Fresh heads for a model.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL.
        settings: of each head, by its name.

    Raises:
        ModelError: for a name that is not in ``HEADS``, or settings that a head does not take.
    """
    width = model.config.get_text_config().hidden_size
    made = {}
    for name, own in settings.items():
        if name not in HEADS:
            raise ModelError(f"head {name!r} is unknown; choose from {', '.join(HEADS)}")
        try:
            made[name] = HEADS[name](width, **own)
        except TypeError as error:
            raise ModelError(f"head {name!r}: {error}") from error
    return nn.ModuleDict(made)


def write_heads(folder: Path, heads: nn.ModuleDict) -> None:
    """Put the heads that inference needs beside the weights of a checkpoint; none leave nothing.

    The weights go to ``heads.safetensors`` as float32, the settings to the entry ``heads`` of
    ``rscovlm.json``.
    """
    from safetensors.torch import save_file

    kept = {name: head for name, head in heads.items() if isinstance(head, Head) and head.at_inference}
    if not kept:
        return
    weights = {
        f"{name}.{part}": value.detach().float().cpu().contiguous()
        for name, head in kept.items()
        for part, value in head.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS)
    sidecar = folder / SIDECAR
    known = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
    write_json(sidecar, known | {ENTRY: {name: head.settings for name, head in kept.items()}}, indent=2)


def read_heads(folder: Path, model: VisionLanguageModel) -> nn.ModuleDict:
    """The heads that stand beside a checkpoint, on the device of its model; empty where there are none.

    Raises:
        ModelError: they cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    sidecar = folder / SIDECAR
    try:
        settings = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
        heads = make_heads(model, settings.get(ENTRY, {}))
        if len(heads):
            heads.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, RuntimeError, AttributeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"the heads beside {folder} cannot be read: {reason}") from error
    return heads.to(next(model.parameters()).device).eval()
