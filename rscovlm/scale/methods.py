"""Methods that are compared: the same budget, data and base, and another way to the scale.

| method | trained | at test |
|---|---|---|
| ``cs_hlora`` | CS-HLoRA: sigmoid gates | gates are told the scale |
| ``normalised`` | the same, its weights scaled to one sum at every scale | gates are told the scale |
| ``text`` | LoRA; questions state the scale in words | questions state it |
| ``buckets`` | a mixture of LoRA of equal rank, one for each range of scales | its bucket is chosen |
| ``lora`` | LoRA | nothing is told |
| ``no_gsd`` | CS-HLoRA whose gates are always at the neutral scale | nothing is told |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from rscovlm.data.geoscale.tiers import TIERS
from rscovlm.errors import UsageError
from rscovlm.training.settings import TrainConfig

TRAIN, STATED = "train.jsonl", "train_stated.jsonl"
CALIBRATION, TEST = "calibration.jsonl", "test.jsonl"
IDEAL = "ideal.json"
RANK = 12
OURS = "cs_hlora"
"""The method whose lead over the others is told."""

Pixels = Literal["silent", "telling"]


@dataclass(frozen=True)
class Method:
    """A way of conditioning.

    Attributes:
        name: in tables.
        adapters: as a training configuration has them.
        stated: whether questions state the scale.
        told: whether what it answers depends on the scale that it is told.
        heads: trained beside the adapters.
    """

    name: str
    adapters: Mapping[str, Any]
    stated: bool = False
    told: bool = True
    heads: Mapping[str, Any] | None = None


def _sized(**more: Any) -> dict[str, Any]:
    return {"rank": RANK, "alpha": RANK, "towers": ["language"], **more}


METHODS = (
    Method(OURS, {"cs_hlora": _sized(tiers_m=[0.5, 5.0, 50.0])}, heads={"gsd": {"weight": 0.1}}),
    Method("normalised", {"cs_hlora": _sized(tiers_m=[0.5, 5.0, 50.0], normalised=True)}),
    Method("text", {"lora": _sized()}, stated=True),
    Method("buckets", {"bucketed_lora": _sized()}),
    Method("lora", {"lora": _sized()}, told=False),
    Method("no_gsd", {"cs_hlora": _sized(withheld=1.0)}, told=False),
)
"""In the order of tables."""


@dataclass(frozen=True)
class Budget:
    """Means that each method gets.

    Attributes:
        model: that they start from.
        steps: of the optimizer.
        samples: of each step.
        lr: peak learning rate.
        train_views, calibration_views, test_views: synthetic views that questions are about.
        questions: of the test.
        side: of views, px.
        pixels: ``silent`` where pictures are shown at any scale, so that only who is told it can know it;
            ``telling`` where things have the size that they have on the ground.
        left_out: tier of scale of which nothing is trained on; None trains on all.
        seed: of everything.
    """

    model: str = "nano"
    steps: int = 240
    samples: int = 16
    lr: float = 3e-3
    train_views: int = 1500
    calibration_views: int = 300
    test_views: int = 400
    questions: int = 600
    side: int = 64
    pixels: Pixels = "silent"
    left_out: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        tiers = [tier.name for tier in TIERS]
        if self.pixels not in get_args(Pixels):
            raise UsageError(f"pixels {self.pixels!r} is unknown; choose from {', '.join(get_args(Pixels))}")
        if self.left_out is not None and self.left_out not in tiers:
            raise UsageError(f"tier {self.left_out!r} is unknown; choose from {', '.join(tiers)}")

    @property
    def views(self) -> int:
        """All synthetic views."""
        return self.train_views + self.calibration_views + self.test_views


def write_mix(folder: Path, stated: bool) -> Path:
    """The mix of one of the two training files."""
    name = STATED if stated else TRAIN
    path = folder / f"mix-{Path(name).stem}.yaml"
    mix = {"root": str(folder.resolve()), "sources": [{"name": "scale", "path": name, "ratio": 1.0}]}
    path.write_text(yaml.safe_dump(mix), encoding="utf-8")
    return path


def configuration(method: Method, budget: Budget, folder: Path) -> TrainConfig:
    """The training run of a method.

    Args:
        method: to train.
        budget: of all methods.
        folder: of the data.
    """
    area = budget.side**2
    return TrainConfig.model_validate(
        {
            "model": budget.model,
            "mix": str(write_mix(folder, method.stated)),
            "steps": budget.steps,
            "batch": {"samples": budget.samples, "max_tokens": 2048},
            "resolution": {"min_pixels": area, "max_pixels": area},
            "optimizer": {"lr": budget.lr, "weight_decay": 0.0},
            "schedule": {"shape": "cosine", "warmup": 0.05},
            "adapters": dict(method.adapters),
            "heads": dict(method.heads or {}),
            "precision": "fp32",
            "checkpoints": {"minutes": 5, "keep": 1},
            "logging": {"every": 5, "tensorboard": False},
            "workers": 0,
            "seed": budget.seed,
        }
    )
