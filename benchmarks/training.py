"""What training here saves: packing, chunked cross-entropy, plans of packs, reading by window.

Run: python benchmarks/training.py [--only packing] [--device cpu] [--repeats 5] [--json result.json]

Lengths follow the paper's mix: six in ten answers are of 3 tokens (question answering), a quarter of 60
(captions), the rest of 1500 (detection), each after an image of 16 to 100 visual tokens. Both ways of a
section compute the same samples on the same weights in alternation, and what they compute is compared. The
medians of CPU seconds are printed on a CPU, which other programs disturb least, else of wall-clock seconds.
Peak memory is that of a process of its own per way.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from benchmarks.training_loader import loading
from rscovlm.data.example import Encoded, Key
from rscovlm.data.packing import NOT_LEARNT, collate, model_inputs, shifted_targets
from rscovlm.data.planning import Batching, ExampleFlops, deal, fill, fit, imbalance, steps_of_windows
from rscovlm.models.cost import CostModel
from rscovlm.models.patches import PatchSpec, normalise, patchify
from rscovlm.models.positions import RopeSpec, mrope_positions
from rscovlm.training.loss import linear_cross_entropy
from tiling.view import Size

IMAGE, START, END = 5, 3, 4  # token ids
SPEC = PatchSpec(16, 2, 2, (0.5,) * 3, (0.5,) * 3)
QWEN_VOCABULARY = 151_936


def random_model(device: str) -> PreTrainedModel:
    """A random Qwen3-VL of some million parameters, all of which learn."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [16, 8, 8], "mrope_interleaved": True}
    text = {
        "vocab_size": 8192,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 64,
        "rope_parameters": rope,
    }
    vision = {
        "depth": 4,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_heads": 4,
        "out_hidden_size": 128,
        "num_position_embeddings": 256,
        "deepstack_visual_indexes": [1],
    }
    special: dict[str, Any] = {
        "image_token_id": IMAGE,
        "video_token_id": 6,
        "vision_start_token_id": START,
        "vision_end_token_id": END,
    }
    torch.manual_seed(0)
    config = Qwen3VLConfig(text_config=text, vision_config=vision, **special)
    model: PreTrainedModel = Qwen3VLForConditionalGeneration(config)
    model.to(torch.device(device))  # type: ignore[arg-type]  # transformers hides torch's signature
    model.train()
    return model


class Noise:
    """A picture of random pixels."""

    gsd_m = None

    def __init__(self, side: int, seed: int):
        self.size, self.seed = Size(side, side), seed

    def read(self) -> np.ndarray:
        """(side, side, 3) uint8."""
        return np.random.default_rng(self.seed).integers(0, 256, (*self.size, 3), dtype=np.uint8)


def paper_samples(count: int) -> list[Encoded]:
    """Samples with the paper's spread of lengths."""
    rng = np.random.default_rng(0)
    samples = []
    for index in range(count):
        side, answer = int(rng.integers(4, 11)), int(rng.choice([3, 60, 1500], p=[0.6, 0.25, 0.15]))
        words = rng.integers(10, 8192, 30 + answer)
        ids = np.concatenate([[START], np.full(side**2, IMAGE), [END], words])
        grids = np.array([[1, 2 * side, 2 * side]])
        samples.append(
            Encoded(
                ids,
                np.arange(len(ids)) >= len(ids) - answer,
                mrope_positions(ids, grids, RopeSpec(IMAGE)),
                (Noise(32 * side, index),),
                grids,
                Key("paper", index, 0),
                "any",
            )
        )
    return samples


def clock(device: str) -> float:
    """Seconds that measure work on the device."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def alternate(ways: Mapping[str, Callable[[], object]], device: str, repeats: int) -> dict[str, float]:
    """Median seconds of each way, taken in turns after one untimed round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            began = clock(device)
            way()
            if turn:
                seconds[name].append(clock(device) - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def padded_batch(samples: list[Encoded], device: str) -> tuple[dict[str, Any], torch.Tensor]:
    """The usual collator: rows padded to the longest on the right, with a mask; inputs and targets."""
    shape = (len(samples), max(len(sample.ids) for sample in samples))
    ids, mask = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.int64)
    positions, targets = torch.zeros((3, *shape), dtype=torch.int64), torch.full(shape, NOT_LEARNT)
    for row, sample in enumerate(samples):
        length = len(sample.ids)
        ids[row, :length], mask[row, :length] = torch.from_numpy(sample.ids), 1
        positions[:, row, :length] = torch.from_numpy(sample.positions)
        targets[row, :length] = torch.from_numpy(shifted_targets(sample.ids, sample.learnt))
    patches = np.concatenate([patchify(sample.pictures[0].read(), SPEC) for sample in samples])
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": positions,
        "pixel_values": normalise(torch.from_numpy(patches), SPEC),
        "image_grid_thw": torch.from_numpy(np.concatenate([sample.grids for sample in samples])),
    }
    moved: dict[str, Any] = {name: value.to(device) for name, value in inputs.items()}
    return moved | {"use_cache": False}, targets.to(device)


def packing(device: str, repeats: int, rows: int = 8, count: int = 24) -> dict[str, float]:
    """Tokens per second of forward and backward passes: packs against batches of the same samples.

    The peers are padded batches in the order of the mix, padded batches of samples of like length, and one
    sample at a time, which needs no padding and is what the paper's run did.
    """
    model, samples = random_model(device), paper_samples(count)
    lengths = [len(sample.ids) for sample in samples]
    tokens = sum(lengths)
    orders = {"padded": range(count), "grouped": sorted(range(count), key=lengths.__getitem__)}
    batches = {
        name: [
            padded_batch([samples[i] for i in order[at : at + rows]], device) for at in range(0, count, rows)
        ]
        for name, order in orders.items()
    }
    for name, groups in {"one by one": [[i] for i in range(count)], "packed": fit(lengths, 2048)}.items():
        packs = [collate([samples[i] for i in group], SPEC, IMAGE).to(device) for group in groups]
        batches[name] = [(model_inputs(pack), pack.targets) for pack in packs]
    losses = {}

    def passes(name: str) -> None:
        losses[name] = 0.0
        for inputs, targets in batches[name]:
            hidden = model.model(**inputs).last_hidden_state.flatten(0, 1)
            weights = torch.full((len(hidden),), 1 / tokens, device=device)
            loss, _ = linear_cross_entropy(hidden, model.lm_head.weight, targets.flatten(), weights)
            loss.backward()
            losses[name] += loss.item()
        model.zero_grad()

    seconds = alternate({name: partial(passes, name) for name in batches}, device, repeats)
    found: dict[str, float] = {"tokens": tokens}
    for name in batches:
        slots = sum(inputs["input_ids"].numel() for inputs, _ in batches[name])
        found[f"{name}: share of slots that hold a token"] = tokens / slots
        found[f"{name}: tokens/s"] = tokens / seconds[name]
    for name in ("padded", "grouped", "one by one"):
        found[f"packed is faster than {name} by"] = seconds[name] / seconds["packed"]
    found["largest difference of losses"] = max(abs(loss / losses["packed"] - 1) for loss in losses.values())
    return found


class Largest(TorchDispatchMode):
    """Notes the most elements of a tensor of logits; the weight, its gradient too, is (vocabulary, width)."""

    def __init__(self, vocabulary: int):
        super().__init__()
        self.vocabulary, self.elements = vocabulary, 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and look at what it returns."""
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.ndim == 2 and out.shape[1] == self.vocabulary:
            self.elements = max(self.elements, out.numel())
        return out


def head(way: str, device: str, rows: int, width: int) -> Callable[[], torch.Tensor]:
    """One forward and backward pass of a head over Qwen's vocabulary."""
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(rows, width, generator=draw).to(device).requires_grad_()
    weight = (0.02 * torch.randn(QWEN_VOCABULARY, width, generator=draw)).to(device).requires_grad_()
    targets = torch.randint(QWEN_VOCABULARY, (rows,), generator=draw).to(device)
    weights = torch.full((rows,), 1 / rows, device=device)

    def plain() -> torch.Tensor:
        loss = F.cross_entropy(hidden @ weight.T, targets)
        loss.backward()
        return loss.detach()

    def chunked() -> torch.Tensor:
        loss, _ = linear_cross_entropy(hidden, weight, targets, weights, chunk=256)
        loss.backward()
        return loss.detach()

    def run() -> torch.Tensor:
        hidden.grad = weight.grad = None
        return plain() if way == "plain" else chunked()

    return run


def resident(name: str) -> int:
    """Bytes of this process in memory, now (VmRSS) or at most (VmHWM)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if name in line)
    return 1024 * int(line.split()[1])


def peak_bytes(arguments: tuple[str, str, int, int]) -> tuple[int, int, float]:
    """In a fresh process: what a pass needs above its inputs, its largest logits, its loss."""
    way, device, rows, width = arguments
    run = head(way, device, rows, width)
    if device == "cpu":
        # Forgets the peak that imports and inputs had (Linux, proc(5)).
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        loss = run()
        peak = resident("VmHWM") - before
    else:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        loss = run()
        peak = torch.cuda.max_memory_allocated() - before
    with Largest(QWEN_VOCABULARY) as largest:
        run()
    return peak, 4 * largest.elements, loss.item()


def cross_entropy(device: str, repeats: int, rows: int = 1024, width: int = 256) -> dict[str, float]:
    """Seconds and memory of a head over 151,936 tokens: chunked against plain."""
    ways = {way: head(way, device, rows, width) for way in ("plain", "chunked")}
    seconds = alternate(ways, device, repeats)
    del ways
    context = multiprocessing.get_context("spawn")
    peak, logits, loss = {}, {}, {}
    for way in ("plain", "chunked"):
        with context.Pool(1) as pool:
            peak[way], logits[way], loss[way] = pool.map(peak_bytes, [(way, device, rows, width)])[0]
    return {
        "learnt tokens": rows,
        "plain: seconds": seconds["plain"],
        "chunked: seconds": seconds["chunked"],
        "ratio of seconds": seconds["plain"] / seconds["chunked"],
        "plain: peak MB": peak["plain"] / 1e6,
        "chunked: peak MB": peak["chunked"] / 1e6,
        "ratio of peaks": peak["plain"] / peak["chunked"],
        "plain: largest logits MB": logits["plain"] / 1e6,
        "chunked: largest logits MB": logits["chunked"] / 1e6,
        "difference of losses": abs(loss["plain"] - loss["chunked"]) / loss["plain"],
    }


def planning(
    device: str, repeats: int, count: int = 4096, packs: int = 32, world: int = 8
) -> dict[str, float]:
    """How full packs are, and how long ranks wait: planned against first come, first served."""
    samples = paper_samples(count)
    cost = ExampleFlops(CostModel.of_config(random_model("cpu").config))
    lengths = np.array([len(sample.ids) for sample in samples])
    flops = np.array([cost(sample) for sample in samples])
    began = time.process_time()
    steps = steps_of_windows(lengths, Batching(packs=packs, max_tokens=6144), 0, 0)
    seconds = time.process_time() - began
    first_come: list[list[int]] = [[]]
    for index, length in enumerate(lengths):
        if lengths[first_come[-1]].sum() + length > 6144:
            first_come.append([])
        first_come[-1].append(index)
    turns = [range(rank, packs, world) for rank in range(world)]
    waits: dict[str, list[float]] = {"first come": [], "planned": []}
    for at, step in enumerate(steps[:-1]):
        naive = [flops[pack].sum() for pack in first_come[packs * at : packs * (at + 1)]]
        ours = [flops[pack].sum() for pack in step]
        waits["first come"].append(imbalance(naive, turns))
        waits["planned"].append(imbalance(ours, deal(ours, world)))
    return {
        "samples": count,
        "seconds to plan": seconds,
        "first come: fill": fill(lengths, first_come, 6144),
        "planned: fill": fill(lengths, [pack for step in steps for pack in step], 6144),
        "first come: costliest rank over mean": statistics.mean(waits["first come"]),
        "planned: costliest rank over mean": statistics.mean(waits["planned"]),
    }


SECTIONS: dict[str, Callable[[str, int], dict[str, float]]] = {
    "packing": packing,
    "cross-entropy": cross_entropy,
    "planning": planning,
    "loading": loading,
}


def main() -> None:
    """Run the sections and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=SECTIONS, action="append", help="section; repeat for more")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the numbers there, too")
    options = parser.parse_args()
    results = {}
    for name in options.only or SECTIONS:
        results[name] = SECTIONS[name](options.device, options.repeats)
        print(f"\n{name}: {(SECTIONS[name].__doc__ or '').splitlines()[0]}")
        for key, value in results[name].items():
            print(f"  {key:44} {value:12.4g}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
