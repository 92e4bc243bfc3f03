"""The JSON files beside a checkpoint's weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rscovlm.errors import ModelError

OWN = "rscovlm.json"
"""Facts about a checkpoint beyond its own files: family, dialect, box format, bounds."""


def read_sidecar(folder: Path, name: str) -> dict[str, Any] | None:
    """The content of a file beside the weights; None where there is no such file.

    Raises:
        ModelError: for a file that is not a JSON object.
    """
    path = folder / name
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} holds a {type(data).__name__}; a JSON object is needed")
    return data


RECALIBRATION = "recalibration"
"""Entry of ``OWN`` about the spread of heads."""

OF_WEIGHTS = ("heads", "inputs", RECALIBRATION)
"""Entries of ``OWN`` about heads that stand beside the very weights, and how they are shown images."""


def spoken_facts(folder: Path) -> dict[str, Any]:
    """Facts of ``OWN`` that hold for a model with other weights, too: how it sees and is spoken to.

    Raises:
        ModelError: see ``read_sidecar``.
    """
    known = read_sidecar(folder, OWN) or {}
    return {name: value for name, value in known.items() if name not in OF_WEIGHTS}


def image_processor(folder: Path) -> dict[str, Any] | None:
    """How a checkpoint wants its images: sizes, means and deviations; None where no file says so.

    Processors of transformers 5 are saved to ``processor_config.json``, older ones to
    ``preprocessor_config.json``, which counts where both are there.
    """
    older = read_sidecar(folder, "preprocessor_config.json")
    if older is not None:
        return older
    newer = read_sidecar(folder, "processor_config.json") or {}
    found = newer.get("image_processor")
    return found if isinstance(found, dict) else None
