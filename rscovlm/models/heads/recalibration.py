"""Recalibration that is kept beside heads, and used wherever they are asked at inference.

The entry ``recalibration`` of ``rscovlm.json`` holds ``QuantileSteps`` by the name of the head, with the
tiles that they were fitted on (``rscovlm reo calibrate``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from detection_eval.files import write_json
from rscovlm.errors import ModelError
from rscovlm.models.heads.base import PredictiveHead
from rscovlm.models.sidecars import OWN, RECALIBRATION, read_sidecar
from rscovlm.scoring.quantile_steps import QuantileSteps


def read_recalibration(folder: Path, heads: nn.ModuleDict) -> None:
    """Give heads the steps that stand beside a checkpoint, where there are any.

    Raises:
        ModelError: they cannot be read, or are of a head that is not there.
    """
    entry = (read_sidecar(folder, OWN) or {}).get(RECALIBRATION, {})
    try:
        for name, stated in entry.items():
            head = heads[name]
            if not isinstance(head, PredictiveHead):
                raise ValueError(f"head {name!r} gives no number")
            head.steps = QuantileSteps.of(stated)
    except (AttributeError, KeyError, ValueError) as error:
        raise ModelError(f"{folder / OWN}: {RECALIBRATION}: {error}") from None


def write_recalibration(folder: Path, found: Mapping[str, tuple[QuantileSteps, Sequence[str]]]) -> None:
    """Put the steps of heads beside a checkpoint; those of other heads stay.

    Args:
        folder: of the checkpoint.
        found: steps, and the tiles that they were fitted on, by the name of the head.
    """
    known: dict[str, Any] = read_sidecar(folder, OWN) or {}
    stated = {name: steps.stated() | {"tiles": sorted(set(tiles))} for name, (steps, tiles) in found.items()}
    write_json(folder / OWN, known | {RECALIBRATION: {**known.get(RECALIBRATION, {}), **stated}}, indent=2)
