"""Step metrics: loss by source and task, throughput, MFU, memory.

Sums are kept apart from what they are divided by, so that those of packs, micro-steps and ranks add up.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from rscovlm.data.packing import Pack
from rscovlm.models.cost import CostModel, Counts, Gradients, gradients_of
from rscovlm.training.loss import sample_losses
from rscovlm.training.modules import Learner, full_size, group_of

PEAK_FLOPS = {
    "A100": 312e12,
    "A800": 312e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H800": 989e12,
    "H200": 989e12,
    "H20": 148e12,
    "B200": 2250e12,
    "A6000": 155e12,
    "6000 Ada": 364e12,
    "L40S": 362e12,
    "L40": 181e12,
    "L20": 119e12,
    "A40": 150e12,
    "A30": 165e12,
    "A10": 125e12,
    "4090": 165e12,
    "3090": 71e12,
    "V100": 125e12,
}
"""Dense bfloat16 FLOP/s (V100: float16) by a part of the device's name, from NVIDIA's data sheets."""


def peak_flops(device_name: str) -> float | None:
    """Dense half-precision FLOP/s of a device; None where it is not known, and for CPUs."""
    # The longest match wins: an H200 is no H20.
    known = [name for name in PEAK_FLOPS if name.lower() in device_name.lower()]
    return PEAK_FLOPS[max(known, key=len)] if known else None


@dataclass(frozen=True)
class StepFlops:
    """FLOPs of the forward and backward pass over a pack.

    Attributes:
        model: of the checkpoint's shape.
        gradients: what the backward pass computes in each part.
    """

    model: CostModel
    gradients: Mapping[str, Gradients]

    @classmethod
    def of(cls, learner: Learner) -> StepFlops:
        """Those of a learner as it is set to learn; before an engine partitions its weights."""
        parameters = [
            (part, full_size(parameter), parameter.requires_grad)
            for name, parameter in learner.named_parameters()
            if (part := _part_of(name))
        ]
        output = learner.model.lm_head.weight
        # Tied to the embeddings, it is not among the parameters by this name.
        parameters.append(("head", full_size(output), output.requires_grad))
        return cls(CostModel.of_config(learner.model.config), gradients_of(parameters))

    def __call__(self, pack: Pack) -> float:
        """FLOPs of a pack on the CPU."""
        grids = [(int(frames), int(rows), int(columns)) for frames, rows, columns in pack.image_grid_thw]
        counts = Counts(pack.cu_seqlens.diff().tolist(), grids, int(pack.learnt.sum()))
        return self.model.cost(counts).training(self.gradients)


def _part_of(name: str) -> str | None:
    """The part of the model that a learner's parameter belongs to; None for embeddings and heads."""
    group = group_of(name)
    return None if group == "heads" or "embed_tokens" in name or "lm_head" in name else group


@dataclass
class Tally:
    """Sums over the packs of one or more steps on this rank.

    Attributes:
        numbers: sums by name; ``a/b/c`` groups them.
    """

    numbers: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _pending: list[tuple[list[str], torch.Tensor]] = field(default_factory=list)

    def add_pack(self, pack: Pack, capacity: int, flops: float) -> None:
        """Count what a pack holds; the tensors of a pack on the CPU."""
        count = self.numbers
        count["tokens"] += float(pack.length)
        count["learnt"] += float(pack.learnt.sum())
        count["samples"] += len(pack.keys)
        count["patches"] += float(pack.image_grid_thw.prod(dim=1).sum()) if pack.keys else 0.0
        count["packs"] += 1
        count["capacity"] += max(capacity, pack.length)
        count["flops"] += flops

    def add_losses(self, pack: Pack, token_losses: torch.Tensor, shares: Mapping[str, torch.Tensor]) -> None:
        """Count the losses of a pack's samples, and shares of the step's loss by name, without waiting."""
        names = list(shares)
        values = [share.detach().float().reshape(()) for share in shares.values()]
        for sample, task in enumerate(pack.tasks):
            names.append(f"source/{pack.sources[sample]}\n{task}")
        together = torch.stack(values) if values else token_losses.new_zeros(0)
        self._pending.append((names, torch.cat([together, sample_losses(token_losses, pack)])))

    def add(self, name: str, value: float) -> None:
        """Count anything else."""
        self.numbers[name] += value

    def settle(self) -> dict[str, float]:
        """All sums, read from the device at once, and start anew."""
        if self._pending:
            values = torch.cat([values for _, values in self._pending]).tolist()
            names = [name for names, _ in self._pending for name in names]
            for name, value in zip(names, values, strict=True):
                self._count_loss(name, value)
        done = dict(self.numbers)
        self.numbers.clear()
        self._pending.clear()
        return done

    def _count_loss(self, name: str, value: float) -> None:
        if not name.startswith("source/"):
            self.numbers[f"share/{name}"] += value
            return
        source, task = name.removeprefix("source/").split("\n")
        for place in (f"source/{source}", f"task/{task}"):
            self.numbers[f"sum/{place}"] += value
            self.numbers[f"count/{place}"] += 1


def summed(tallies: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Tallies of all ranks, added up."""
    total: dict[str, float] = defaultdict(float)
    for tally in tallies:
        for name, value in tally.items():
            total[name] += value
    return dict(total)


def step_numbers(
    total: Mapping[str, float], seconds: float, steps: int, processes: int, peak: float | None
) -> dict[str, float]:
    """Summary of some steps of the log.

    Args:
        total: tallies of all ranks, added up.
        seconds: that the steps took.
        steps: that were taken.
        processes: that took part.
        peak: FLOP/s of one device, where it is known.

    Returns:
        ``loss`` (mean of the steps), ``loss/source/...`` and ``loss/task/...`` (means over samples), and
        rates for all ranks together: ``speed/tokens_per_s``, ``speed/patches_per_s``, ``speed/fill`` (part
        of the packs' room that is used), ``speed/data_wait`` (part of the time spent waiting for data),
        ``speed/mfu`` where the device is known.
    """
    numbers = {
        name.removeprefix("share/"): total[name] / steps for name in total if name.startswith("share/")
    }
    for name in sorted(total):
        if name.startswith("sum/"):
            place = name.removeprefix("sum/")
            numbers[f"loss/{place}"] = total[name] / total[f"count/{place}"]
    for name in ("samples", "learnt"):
        numbers[name] = total.get(name, 0.0) / steps
    for name in ("tokens", "patches", "samples"):
        numbers[f"speed/{name}_per_s"] = total.get(name, 0.0) / seconds
    numbers["speed/seconds_per_step"] = seconds / steps
    numbers["speed/fill"] = total.get("tokens", 0.0) / max(1.0, total.get("capacity", 0.0))
    numbers["speed/data_wait"] = total.get("waited", 0.0) / (seconds * processes)
    if peak:
        numbers["speed/mfu"] = total.get("flops", 0.0) / (seconds * processes * peak)
    return numbers


def memory_numbers(device: torch.device) -> dict[str, float]:
    """GiB that this rank holds: of the device at its peak since the last call, and of the host now."""
    numbers = {"memory/host_gib": _resident_bytes() / 2**30}
    if device.type == "cuda":
        numbers["memory/peak_allocated_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
        numbers["memory/reserved_gib"] = torch.cuda.memory_reserved(device) / 2**30
        torch.cuda.reset_peak_memory_stats(device)
    return numbers


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


@contextmanager
def waiting(tally: Tally) -> Iterator[None]:
    """Count the seconds spent inside as waiting for data."""
    started = time.perf_counter()
    try:
        yield
    finally:
        tally.add("waited", time.perf_counter() - started)
