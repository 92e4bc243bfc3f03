"""Cost of gates by ground sampling distance: CS-HLoRA against plain LoRA of the same rank, in one run.

    python benchmarks/scale.py

Prints processor time of a training step (forward and backward over one pack) and of an answer, bytes that the
backward pass keeps, and weights that learn, each with its ratio to plain LoRA. Methods take turns, so that a
busy machine is as busy for each.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import numpy as np
import torch

from rscovlm.data.packing import collate, model_inputs
from rscovlm.engines.numbers import encoded_prompt
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.adapters import make_adapter
from rscovlm.models.checkpoints import resolve
from rscovlm.models.patches import PatchSpec
from rscovlm.models.scale.state import tell_pack
from rscovlm.models.weights import read_settings, read_tokenizer, read_weights
from zoom_chain.chat import Conversation, Generation, ImagePart

KINDS = ("lora", "cs_hlora", "bucketed_lora")
SCALES_M = (0.1, 1.0, 10.0, 30.0)


class Candidate:
    """nano with one kind of adapters, and what is measured of it."""

    def __init__(self, kind: str, rank: int, side: int) -> None:
        checkpoint = resolve("nano")
        self.model = read_weights(checkpoint.local, torch.float32)
        layers = [
            name
            for name, module in self.model.named_modules()
            if isinstance(module, torch.nn.Linear) and "language_model" in name
        ]
        self.adapter = make_adapter(kind, {"rank": rank, "alpha": float(rank)})
        self.adapter.apply(self.model, layers)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self.adapter.learns(name))
        self.spec = PatchSpec.of_checkpoint(checkpoint.local, read_settings(checkpoint.local).vision_config)
        self.engine = TransformersEngine(
            self.model, read_tokenizer(checkpoint.local), self.spec, checkpoint.family, kind, keep_tokens=0
        )
        rng = np.random.default_rng(0)
        self.asked = [
            Conversation().say(
                "user",
                ImagePart(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), gsd_m=gsd_m),
                "How many planes are at the airport?",
            )
            for gsd_m in SCALES_M
        ]
        prompts = [encoded_prompt(self.engine.prompt(each), self.spec) for each in self.asked]
        self.pack = collate(prompts, self.spec, self.model.config.image_token_id)

    @property
    def learnt(self) -> int:
        """Weights that learn."""
        return sum(each.numel() for each in self.model.parameters() if each.requires_grad)

    def step(self) -> float:
        """Processor seconds of a forward and backward pass over the pack."""
        self.model.train()
        started = time.process_time()
        tell_pack(self.model, self.pack)
        self.model(**model_inputs(self.pack)).logits.float().logsumexp(-1).mean().backward()
        self.model.zero_grad(set_to_none=True)
        return time.process_time() - started

    def kept(self) -> int:
        """Bytes that the forward pass keeps for the backward pass, weights left out."""
        weights = {each.untyped_storage().data_ptr() for each in self.model.parameters()}
        found: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                found[storage.data_ptr()] = storage.nbytes()
            return tensor

        self.model.train()
        tell_pack(self.model, self.pack)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            output = self.model(**model_inputs(self.pack)).logits
        del output
        return sum(found.values())

    def answer(self) -> float:
        """Processor seconds of an answer of 16 tokens to each question, in one batch."""
        self.model.eval()
        started = time.process_time()
        self.engine.chat(self.asked, Generation(max_new_tokens=16))
        return time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--side", type=int, default=128, help="of each of the four images, px")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    candidates = {kind: Candidate(kind, options.rank, options.side) for kind in KINDS}
    times: dict[str, dict[str, list[float]]] = {kind: {"step": [], "answer": []} for kind in KINDS}
    for turn in range(options.rounds + 1):
        for kind, candidate in candidates.items():
            measured = {"step": candidate.step(), "answer": candidate.answer()}
            if turn:  # the first one warms up
                for name, seconds in measured.items():
                    times[kind][name].append(seconds)
    rows: dict[str, dict[str, Any]] = {
        kind: {
            "step, s": median(times[kind]["step"]),
            "answer, s": median(times[kind]["answer"]),
            "kept, MB": candidate.kept() / 1e6,
            "weights, k": candidate.learnt / 1e3,
        }
        for kind, candidate in candidates.items()
    }
    plain = rows["lora"]
    print(f"{'':<14}" + "".join(f"{name:>22}" for name in plain))
    for kind, row in rows.items():
        cells = (f"{value:.3f} ({value / plain[name]:.3f}x)" for name, value in row.items())
        print(f"{kind:<14}" + "".join(f"{cell:>22}" for cell in cells))


if __name__ == "__main__":
    main()
