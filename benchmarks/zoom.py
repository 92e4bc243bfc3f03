"""Zoom chains with the key-value cache kept between turns, against the same chains prefilled anew each turn.

Run: python benchmarks/zoom.py [--model nano] [--zooms 3] [--questions 4] [--repeats 3]

The peer is what the published inference code and plain ``generate`` loops do: each turn computes the whole
conversation again. Both run in this process on the same weights and images, turn by turn in alternation, and
their replies are compared. Without ``--model`` a random Qwen3-VL with views of 448 px is measured besides
nano, since the saving grows with the number of visual tokens. Seconds are CPU seconds on a CPU, which other
programs on the machine disturb least, and wall-clock seconds on an accelerator.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import NANO_FOLDER
from zoom_chain.chat import Conversation, Generation, ImagePart


def random_model(folder: Path) -> Path:
    """A random Qwen3-VL of about 35 million parameters that takes views of 448 px."""
    import json

    import torch
    from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

    from rscovlm.nano.model import Shape, build_config, write_sidecars
    from rscovlm.nano.tokenizer import build_tokenizer

    build_tokenizer(["What colour are the planes? You can zoom in."], folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    shape = Shape(
        vision_width=256, vision_depth=8, vision_heads=8, width=512, depth=8, heads=16, kv_heads=8, mlp=1536
    )
    torch.manual_seed(0)
    Qwen3VLForConditionalGeneration(build_config(shape, tokenizer)).save_pretrained(folder)
    write_sidecars(folder, 1.0)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings["size"] = {"shortest_edge": 448**2, "longest_edge": 448**2}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def clock(engine) -> float:
    """Seconds that measure work on the engine's device."""
    if engine.device.type == "cpu":
        return time.process_time()
    import torch

    torch.cuda.synchronize() if engine.device.type == "cuda" else torch.mps.synchronize()
    return time.perf_counter()


def chain(engine, seed: int, zooms: int, tokens: int) -> tuple[float, int, list[str]]:
    """One question with a fixed number of zooms: seconds, prefilled tokens, replies."""
    dialect, resolution = engine.family.dialect, engine.family.resolution
    side = int(resolution.max_pixels**0.5) // resolution.factor * resolution.factor
    rng = np.random.default_rng(seed)

    def image() -> ImagePart:
        return ImagePart(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))

    conversation: Conversation = dialect.opening(image(), "What colour are the planes?", zoom=True)
    seconds, prefilled, replies = 0.0, 0, []
    for turn in range(zooms + 1):
        began = clock(engine)
        reply = engine.chat([conversation], Generation(max_new_tokens=tokens))[0]
        seconds += clock(engine) - began
        prefilled += reply.prefilled_tokens
        replies.append(reply.text)
        if turn < zooms:
            conversation = dialect.crop_turn(conversation.say("assistant", reply.text), image())
    return seconds, prefilled, replies


def compare(name: str, folder: Path, options: argparse.Namespace) -> None:
    """Measure one checkpoint with and without the kept cache and print a line."""
    kept = load_model(str(folder), device=options.device)
    anew = TransformersEngine.of_checkpoint(folder, kept.family, "anew", device=options.device, keep_tokens=0)
    chain(kept, -1 & 0xFFFF, 1, 2)  # warm up
    chain(anew, -1 & 0xFFFF, 1, 2)
    ratios, lines = [], []
    for repeat in range(options.repeats):
        for question in range(options.questions):
            seed = repeat * options.questions + question
            a = chain(kept, seed, options.zooms, options.tokens)
            b = chain(anew, seed, options.zooms, options.tokens)
            if a[2] != b[2]:
                raise SystemExit(f"{name}: the replies differ, {a[2]} against {b[2]}")
            ratios.append(b[0] / a[0])
            lines.append((a[0], b[0], a[1], b[1]))
    kept_s, anew_s, kept_tokens, anew_tokens = (statistics.median(column) for column in zip(*lines))
    print(
        f"{name}: {options.zooms} zooms a question, {options.tokens} tokens a reply | "
        f"kept {kept_s:.3f} s, {kept_tokens:.0f} tokens prefilled | "
        f"anew {anew_s:.3f} s, {anew_tokens:.0f} tokens prefilled | "
        f"{statistics.median(ratios):.2f}x faster (median of {len(ratios)}), same replies"
    )


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder of a checkpoint; default: nano and a random one")
    parser.add_argument("--zooms", type=int, default=3)
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=32, help="length of a reply")
    parser.add_argument("--device", default=None)
    options = parser.parse_args()
    if options.model:
        compare(options.model.name, options.model, options)
        return
    if (NANO_FOLDER / "model.safetensors").is_file():
        compare("nano", NANO_FOLDER, options)
    with tempfile.TemporaryDirectory() as folder:
        compare("random 448 px", random_model(Path(folder)), options)


if __name__ == "__main__":
    main()
