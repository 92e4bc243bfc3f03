"""Measuring of a trained method: its answers under each condition, and what gates and head have learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rscovlm.data.geoscale.build import STATED
from rscovlm.data.rendering import gsd_words
from rscovlm.data.sample import Sample
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import resolve
from rscovlm.models.scale.gates import SigmoidGate
from rscovlm.scale.conditions import Told
from rscovlm.scale.methods import Method
from rscovlm.scoring.answers import same_answer
from rscovlm.scoring.distributions import Calibration
from rscovlm.scoring.statistics import bootstrap_mean
from zoom_chain.chat import Conversation, Generation, ImagePart

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHORT = Generation(max_new_tokens=8)
_TOGETHER = 32


@dataclass(frozen=True)
class TestItem:
    """A question of the test.

    Attributes:
        sample: with its question, answer, scale and attributes.
        pixels: (side, side, 3) uint8.
    """

    __test__ = False

    sample: Sample
    pixels: NDArray[np.uint8]

    @property
    def view(self) -> str:
        """Name of the view."""
        return str(self.sample.attributes["scene"])

    @property
    def gsd_m(self) -> float:
        """True metres per pixel."""
        assert self.sample.gsd_m is not None
        return self.sample.gsd_m


def read_items(samples: Sequence[Sample], folder: Path) -> list[TestItem]:
    """Items with the pixels of their views."""
    from PIL import Image

    return [
        TestItem(sample, np.asarray(Image.open(folder / sample.images[0].path).convert("RGB")))
        for sample in samples
    ]


def open_trained(model: Path, side: int) -> TransformersEngine:
    """The engine of an export, with adapters and heads, for images of one size."""
    found = resolve(str(model))
    bounds = found.family.with_max_pixels(side**2)
    return TransformersEngine.of_checkpoint(
        found.local, bounds, str(model), adapter=found.adapter, keep_tokens=0, max_batch=_TOGETHER
    )


def question(item: TestItem, method: Method, gsd_m: float | None) -> Conversation:
    """An item as a method is asked it when it is told a scale."""
    words = item.sample.turns[0].text.removeprefix("<image>")
    if method.stated:
        words = STATED.removeprefix("<image>").replace("<gsd>", gsd_words(gsd_m)) + words
    return Conversation().say("user", ImagePart(item.pixels, gsd_m=gsd_m), words)


def hits(engine: TransformersEngine, method: Method, items: Sequence[TestItem], told: Told) -> list[bool]:
    """Whether each item is answered rightly."""
    asked = [question(item, method, told(item.view, item.gsd_m)) for item in items]
    replies = engine.chat(asked, _SHORT)
    return [
        same_answer(reply.text.strip(), item.sample.turns[1].text)
        for reply, item in zip(replies, items, strict=True)
    ]


def accuracy(right: Sequence[bool], items: Sequence[TestItem]) -> dict[str, Any]:
    """Share of right answers with its interval over views, and by kind and tier."""
    views = [item.view for item in items]
    found = bootstrap_mean([float(each) for each in right], views)
    groups: dict[str, Any] = {}
    for name in ("kind", "tier", "topic"):
        values = sorted({str(item.sample.attributes[name]) for item in items})
        chosen = {
            value: [
                hit for hit, item in zip(right, items, strict=True) if item.sample.attributes[name] == value
            ]
            for value in values
        }
        groups[name] = {value: {"share": float(np.mean(own)), "n": len(own)} for value, own in chosen.items()}
    return {"share": found.value, "low": found.low, "high": found.high, "n": len(right), **groups}


def predictions(engine: TransformersEngine, items: Sequence[TestItem]) -> dict[str, tuple[float, float]]:
    """(low, high) of the central 90 % of the scale of each view, by the head; empty without one."""
    estimate = engine.estimate_gsd
    if estimate is None:
        return {}
    found = {item.view: estimate(ImagePart(item.pixels)) for item in items}
    return {view: (ends.low, ends.high) for view, ends in found.items()}


def head_scores(found: Mapping[str, tuple[float, float]], items: Sequence[TestItem]) -> dict[str, float]:
    """Error of the head in decades, coverage of its intervals and its calibration ratio."""
    truth = {item.view: item.gsd_m for item in items}
    ends = np.log10([found[view] for view in truth])
    mean, deviation = ends.mean(axis=1), (ends[:, 1] - ends[:, 0]) / (2 * NormalDist().inv_cdf(0.95))
    true = np.log10(list(truth.values()))
    counted = Calibration.of(mean, deviation, true, [NormalDist().cdf(z) for z in (true - mean) / deviation])
    return {
        "views": float(counted.n),
        "error_decades": float(np.abs(true - mean).mean()),
        "constant_decades": float(np.abs(true - np.median(true)).mean()),
        "coverage_50": counted.coverage(0.5),
        "coverage_90": counted.coverage(0.9),
        "calibration_ratio": counted.error_ratio,
    }


def gates_of(engine: TransformersEngine) -> list[SigmoidGate]:
    """Sigmoid gates of the model, each once."""
    return [module for module in engine.model.modules() if isinstance(module, SigmoidGate)]


def thresholds(gates: Sequence[SigmoidGate]) -> dict[str, Any]:
    """Read-out of what was learnt: thresholds in metres by tier with their spread, and the slope."""
    tier = gates[0].get_buffer("tier")
    tau = torch.stack([gate.tau.detach() for gate in gates])
    return {
        "gates": len(gates),
        "sharpness": float(torch.stack([gate.sharpness.detach() for gate in gates]).mean()),
        "tiers": [
            {
                "mean_m": 10 ** float(tau[:, tier == number].mean()),
                "deviation_decades": float(tau[:, tier == number].std()),
            }
            for number in range(int(tier.max()) + 1)
        ],
    }


@contextmanager
def without_tier(gates: Sequence[SigmoidGate], number: int) -> Iterator[None]:
    """Gates with the dimensions of one tier closed while the context is open."""
    kept = [gate.tau.detach().clone() for gate in gates]
    try:
        with torch.no_grad():
            for gate in gates:
                gate.tau[gate.get_buffer("tier") == number] = -1e6
        yield
    finally:
        with torch.no_grad():
            for gate, tau in zip(gates, kept, strict=True):
                gate.tau.copy_(tau)
