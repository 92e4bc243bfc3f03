"""Measuring of a trained method: its answers under each condition, and what gates and head have learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rscovlm.data.sample import Sample
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import resolve
from rscovlm.models.heads.gsd import LogGsd
from rscovlm.models.scale.gates import SigmoidGate
from rscovlm.models.scale_words import stated
from rscovlm.scale.conditions import Told
from rscovlm.scale.methods import Method
from rscovlm.scoring.answers import same_answer
from rscovlm.scoring.statistics import bootstrap_mean, paired_difference
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
    asked = Conversation().say("user", ImagePart(item.pixels, gsd_m=gsd_m), words)
    return stated(asked) if method.stated else asked


def hits(engine: TransformersEngine, method: Method, items: Sequence[TestItem], told: Told) -> list[bool]:
    """Whether each item is answered rightly."""
    asked = [question(item, method, told(item.view, item.gsd_m)) for item in items]
    replies = engine.chat(asked, _SHORT)
    return [
        same_answer(reply.text.strip(), item.sample.turns[1].text)
        for reply, item in zip(replies, items, strict=True)
    ]


def accuracy(right: Sequence[bool], items: Sequence[TestItem]) -> dict[str, Any]:
    """Share of right answers with its interval over views; by kind, tier and topic; and which were right."""
    found = bootstrap_mean([float(each) for each in right], [item.view for item in items])
    groups: dict[str, dict[str, Any]] = {}
    for hit, item in zip(right, items, strict=True):
        own = item.sample.attributes
        for name in ("kind", "tier", "topic"):
            groups.setdefault(name, {}).setdefault(str(own[name]), []).append(hit)
        groups.setdefault("tier and topic", {}).setdefault(f"{own['tier']}, {own['topic']}", []).append(hit)
    shares = {
        name: {value: {"share": float(np.mean(hits)), "n": len(hits)} for value, hits in sorted(own.items())}
        for name, own in groups.items()
    }
    whole = {"share": found.value, "low": found.low, "high": found.high, "n": len(right)}
    return {**whole, **shares, "right": [int(each) for each in right]}


def lead(first: Sequence[int], second: Sequence[int], items: Sequence[TestItem]) -> dict[str, float]:
    """How much more often the first answers rightly than the second, with the interval over views."""
    found = paired_difference(first, second, [item.view for item in items])
    return {"share": found.value, "low": found.low, "high": found.high}


def predictions(engine: TransformersEngine, items: Sequence[TestItem]) -> dict[str, LogGsd]:
    """The scale of each view by the head; empty without one."""
    if engine.estimate_gsd is None:
        return {}
    images = {item.view: item.pixels for item in items}
    return {view: engine.gsd_of(ImagePart(pixels)) for view, pixels in images.items()}


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
