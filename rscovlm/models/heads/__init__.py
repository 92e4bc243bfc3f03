"""Modules that learn beside a model: the table of their names, and how they are kept for inference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from detection_eval.files import write_json
from rscovlm.errors import ModelError
from rscovlm.models.heads.base import Head
from rscovlm.models.heads.cells import CellsHead
from rscovlm.models.heads.constraints import ConstraintHead
from rscovlm.models.heads.dense.head import DenseHead
from rscovlm.models.heads.ensemble import EnsembleHead
from rscovlm.models.heads.gsd import GsdHead
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.recalibration import read_recalibration
from rscovlm.models.sidecars import RECALIBRATION
from rscovlm.models.taps import tap_layers

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageConfig, VisionLanguageModel

HEADS: dict[str, type[Head]] = {
    "cells": CellsHead,
    "numbers": NumberHead,
    "dense": DenseHead,
    "ensembles": EnsembleHead,
    "constraints": ConstraintHead,
    "gsd": GsdHead,
}
"""Kinds of heads by the names that configurations use."""

SEVERAL = frozenset({"numbers", "dense", "ensembles", "constraints"})
"""Kinds of which a model has any number, each by a name of its own."""

WEIGHTS, SIDECAR, ENTRY = "heads/weights.safetensors", "rscovlm.json", "heads"
"""The weights have a folder of their own: vLLM takes all safetensors beside those of the model for its."""


def make_heads(model: VisionLanguageModel, settings: Mapping[str, Mapping[str, Any]]) -> nn.ModuleDict:
    """Fresh heads for a model, by name: a kind's own, or the names that its heads were given.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL.
        settings: of each head by its kind; of kinds in ``SEVERAL``, those of each head by its name.

    Raises:
        ModelError: for a kind that is not in ``HEADS``, two heads of one name, or settings that a head does
            not take.
    """
    width = model.config.get_text_config().hidden_size
    made: dict[str, Head] = {}
    for kind, name, own in _each(settings):
        if kind not in HEADS:
            raise ModelError(f"head {kind!r} is unknown; choose from {', '.join(HEADS)}")
        if name in made:
            raise ModelError(f"two heads are called {name!r}; give each a name of its own")
        try:
            made[name] = HEADS[kind](width, **_with_taps(model, own))
        except TypeError as error:
            raise ModelError(f"head {name!r}: {error}") from error
    for name, head in made.items():
        try:
            head.bind(made)
        except TypeError as error:
            raise ModelError(f"head {name!r}: {error}") from error
    return nn.ModuleDict(made)


def _each(settings: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Kind, name and settings of each head."""
    for kind, own in settings.items():
        if kind in SEVERAL:
            yield from ((kind, name, one) for name, one in own.items())
        else:
            yield kind, kind, own


def _with_taps(model: VisionLanguageModel, own: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the layers that ``taps`` stands for, and the width of the tower that they are of."""
    taps = own.get("taps", ())
    if not taps:
        return dict(own)
    config: VisionLanguageConfig = model.config
    vision = config.vision_config
    layers = tap_layers(taps, vision.depth)
    return {**own, "taps": layers, "vision_width": vision.hidden_size}


def write_heads(folder: Path, heads: nn.ModuleDict) -> None:
    """Put the heads that inference needs beside the weights of a checkpoint; none leave nothing.

    The weights go to ``heads/weights.safetensors`` as float32, the settings to the entry ``heads`` of
    ``rscovlm.json``. A recalibration of heads that stood there before is taken away.
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
    (folder / WEIGHTS).parent.mkdir(exist_ok=True)
    save_file(weights, folder / WEIGHTS)
    sidecar = folder / SIDECAR
    known = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
    known.pop(RECALIBRATION, None)
    write_json(sidecar, known | {ENTRY: _settings_of(kept)}, indent=2)


def calibrate_gsd(folder: Path, factor: float) -> None:
    """Multiply the deviations of the head of ground sampling distance beside a checkpoint.

    Raises:
        ModelError: there is no such head.
    """
    sidecar = folder / SIDECAR
    facts = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
    own = facts.get(ENTRY, {}).get("gsd")
    if own is None:
        raise ModelError(f"{folder} has no head of ground sampling distance; train one: heads: {{gsd: {{}}}}")
    own["calibration"] = factor * own.get("calibration", 1.0)
    write_json(sidecar, facts, indent=2)


def _settings_of(heads: Mapping[str, Head]) -> dict[str, Any]:
    """What ``make_heads`` makes the same heads of."""
    kinds = {kind: name for name, kind in HEADS.items()}
    found: dict[str, Any] = {}
    for name, head in heads.items():
        kind = kinds[type(head)]
        if kind in SEVERAL:
            found.setdefault(kind, {})[name] = head.settings
        else:
            found[kind] = head.settings
    return found


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
            read_recalibration(folder, heads)
    except (OSError, ValueError, RuntimeError, AttributeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"the heads beside {folder} cannot be read: {reason}") from error
    return heads.to(next(model.parameters()).device).eval()
