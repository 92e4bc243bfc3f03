"""Zoom chains with the key-value cache kept between turns, against the same chains prefilled anew each turn.

Run: python benchmarks/zoom.py [--model nano] [--zooms 3] [--questions 4] [--repeats 3]
     python benchmarks/zoom.py --together 4,22,64 [--kept 8192]

The peer is what the published inference code and plain ``generate`` loops do: each turn computes the whole
conversation again. Both run in this process on the same weights and images, turn by turn in alternation, and
their replies are compared. Without ``--model`` a random Qwen3-VL with views of 448 px is measured besides
nano, since the saving grows with the number of visual tokens. Seconds are CPU seconds on a CPU, which other
programs on the machine disturb least, and wall-clock seconds on an accelerator.

``--together`` asks that many questions about one scene at once, each with so many zooms, and prints for each
round which share of the prompts' tokens was computed. An ideal cache computes what is new and nothing else.
The cache is made small on purpose (``--kept``): what does not fit it is what a larger model meets with fewer
questions. Peak memory is that of the process up to then, model and scene included.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import NANO_FOLDER
from zoom_chain.chat import Conversation, Generation, ImagePart, Reply


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


def clock(engine: TransformersEngine) -> float:
    """Seconds that measure work on the engine's device."""
    if engine.device.type == "cpu":
        return time.process_time()
    import torch

    torch.cuda.synchronize() if engine.device.type == "cuda" else torch.mps.synchronize()
    return time.perf_counter()


def chain(engine: TransformersEngine, seed: int, zooms: int, tokens: int) -> tuple[float, int, list[str]]:
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
        assert reply.prefilled_tokens is not None
        prefilled += reply.prefilled_tokens
        replies.append(reply.text)
        if turn < zooms:
            conversation = dialect.crop_turn(conversation.say("assistant", reply.text), image())
    return seconds, prefilled, replies


def compare(name: str, folder: Path, options: argparse.Namespace) -> None:
    """Measure one checkpoint with and without the kept cache and print a line."""
    kept = load_model(str(folder), device=options.device)
    assert isinstance(kept, TransformersEngine)
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


class Zooming:
    """An engine whose replies are computed and then replaced by zooms, the last by an answer.

    Args:
        engine: that computes.
        zooms: of each question.
    """

    def __init__(self, engine: TransformersEngine, zooms: int) -> None:
        self.engine, self.zooms = engine, zooms
        self.kept_tokens, self.release = engine.kept_tokens, engine.release
        self.most_kept = 0

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """Real replies in every respect but their text."""
        replies = self.engine.chat(conversations, options)
        self.most_kept = max(self.most_kept, self.engine._memory.tokens)
        return [
            replace(reply, text=self._text(conversation), stop_reason="stop")
            for conversation, reply in zip(conversations, replies, strict=True)
        ]

    def _text(self, conversation: Conversation) -> str:
        said = sum(message.role == "assistant" for message in conversation.messages)
        if said >= self.zooms:
            return "white"
        # A quarter of the view before, another one for each question.
        question = next(message.text for message in conversation.messages if message.role == "user")
        number = int(question.split()[0]) + said
        left, top = 500 * (number % 2), 500 * (number // 2 % 2)
        return self.engine.family.dialect.render_call((left, top, left + 500, top + 500), 1000, 1000)


def peak_mb() -> float:
    """Most memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def together(folder: Path, options: argparse.Namespace) -> None:
    """Print the share of tokens that are computed in each round, for several numbers of questions."""
    from rscovlm.synth.dataset import write_scene
    from rscovlm.synth.world import plan_world
    from tiling.scene import Scene
    from zoom_chain.budget import Budget
    from zoom_chain.controller import ZoomChain
    from zoom_chain.looks import CropRule

    family = load_model(str(NANO_FOLDER), device=options.device).family
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "scene.tif"
        write_scene(plan_world(7, 4096, 4096), path)
        for count in map(int, options.together.split(",")):
            engine = TransformersEngine.of_checkpoint(
                folder, family, "nano", device=options.device, keep_tokens=options.kept
            )
            questions = [f"{number} What colour are the planes?" for number in range(count)]
            with Scene(path) as scene:
                asked = Zooming(engine, options.zooms)
                chain = ZoomChain(
                    asked,
                    family.dialect,
                    family.resolution,
                    Budget(max_zooms=options.zooms, max_refusals=0),
                    crops=CropRule(margin=0.0, max_aspect=1.0),
                    options=Generation(max_new_tokens=options.tokens),
                )
                began = clock(engine)
                answers = chain.ask_all([(scene, question) for question in questions])
                seconds = clock(engine) - began
            rounds = list(zip(*(answer.trace.turns for answer in answers), strict=True))
            computed = [sum(turn.prefilled_tokens or 0 for turn in each) for each in rounds]
            prompts = [sum(turn.prompt_tokens for turn in each) for each in rounds]
            shares = ", ".join(f"{a / b:.0%}" for a, b in zip(computed, prompts, strict=True))
            print(
                f"{count} questions, {len(rounds)} rounds, {options.kept:,} tokens kept | computed of the "
                f"prompts by round: {shares} | in all {sum(computed):,} of {sum(prompts):,} tokens | "
                f"{seconds:.2f} s | {asked.most_kept:,} tokens kept at most, peak memory {peak_mb():.0f} MB",
                flush=True,
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
    parser.add_argument("--together", metavar="N,N", help="numbers of questions that are asked at once")
    parser.add_argument("--kept", type=int, default=8192, help="tokens that the cache holds")
    options = parser.parse_args()
    if options.together:
        together(options.model or NANO_FOLDER, options)
        return
    if options.model:
        compare(options.model.name, options.model, options)
        return
    if (NANO_FOLDER / "model.safetensors").is_file():
        compare("nano", NANO_FOLDER, options)
    with tempfile.TemporaryDirectory() as folder:
        compare("random 448 px", random_model(Path(folder)), options)


if __name__ == "__main__":
    main()
