"""Train nano: ``python -m rscovlm.nano.train --output runs/nano [key=value ...]``.

The training engine with a source, an objective and a starting checkpoint of nano's own. An interrupted run is
resumed by the same command.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from rscovlm.data.mix import Mix
from rscovlm.models.prompting import image_token
from rscovlm.models.weights import read_tokenizer
from rscovlm.nano.lessons import make_lesson
from rscovlm.nano.model import Shape, build_model, write_sidecars
from rscovlm.nano.objective import NanoObjective, Teacher
from rscovlm.nano.source import Lessons
from rscovlm.nano.tokenizer import build_tokenizer, number_tokens
from rscovlm.training.building import Base
from rscovlm.training.checkpoint import checkpoints
from rscovlm.training.config import TrainConfig, load_train_config
from rscovlm.training.export import export_run
from rscovlm.training.loop import Ending
from rscovlm.training.run import run_training

EASE_SHARE = 0.25
"""Part of a course from nothing over which few, large objects give way to the full range."""


def corpus(seed: int, samples: int = 1500) -> list[str]:
    """Texts for the tokenizer: what samples say, special tokens left out."""
    texts = []
    for index in range(samples):
        for message in make_lesson(seed, index).conversation.messages:
            text = message.text.replace("<tool_call>", "").replace("</tool_call>", "")
            texts += [message.role + "\n", text]
    return texts


def write_base(folder: Path, seed: int, shape: Shape | None = None, texts: int = 1500) -> Path:
    """A checkpoint that has learnt nothing yet: tokenizer, fresh weights, and the files beside them."""
    shape = shape or Shape()
    build_tokenizer(corpus(seed, texts), folder)
    tokenizer = read_tokenizer(folder)
    write_sidecars(folder, 1.2)
    build_model(shape, tokenizer, number_tokens(tokenizer), seed).save_pretrained(folder)
    return folder


def lessons_of(config: TrainConfig, base: Base, easy: bool = True) -> Mix:
    """The lessons of a course, in order.

    Args:
        config: its steps and seed.
        base: nano's checkpoint.
        easy: whether the course starts with easy ones.
    """
    length = int(config.steps or 0) * int(config.batch.samples or 0)
    ease_until = round(EASE_SHARE * length) if easy else 0
    source = Lessons(base.encoder, config.seed, length, ease_until)
    return Mix(
        {source.name: source}, {source.name: length}, config.seed, facts=f"{ease_until}", shuffled=False
    )


def train(config: TrainConfig, folder: Path, *, easy: bool = True, progress=None) -> Ending:
    """Train, or go on; the trained model stands in ``folder/checkpoint`` when the course is over.

    Args:
        config: of the run; its model is nano's own kind of checkpoint.
        folder: of the run.
        easy: see ``lessons_of``.
        progress: called with (steps done, steps).
    """
    tokenizer = read_tokenizer(Path(config.model))
    ending = run_training(
        config,
        folder,
        going_on=bool(checkpoints(folder)),
        objective=NanoObjective(image_token(tokenizer), torch.tensor(number_tokens(tokenizer))),
        heads=lambda model: Teacher(model.config.text_config.hidden_size),
        progress=progress,
        mix=lambda config, base: lessons_of(config, base, easy),
    )
    if ending.stopped_by is None and not (folder / "checkpoint").exists():
        export_run(folder, folder / "checkpoint")
    return ending


def main() -> None:
    """Parse the command line and train."""
    from rscovlm.models.checkpoints import resolve
    from rscovlm.progress import Progress

    parser = argparse.ArgumentParser(description="Train nano on synthetic scenes; a run is resumed.")
    parser.add_argument("--output", type=Path, default=Path("runs/nano"), help="folder of the run")
    parser.add_argument("--start", help="a nano checkpoint to go on from (nano: the shipped one)")
    parser.add_argument(
        "overrides", nargs="*", help="settings in place of configs/train/nano.yaml: key=value"
    )
    options = parser.parse_args()
    base = options.output / "base"
    if options.start:
        base = resolve(options.start).local
    config = load_train_config("nano", [f"model={base}", *options.overrides])
    if not options.start and not (base / "config.json").is_file():
        write_base(base, config.seed)
    with Progress("training", "steps") as progress:
        train(config, options.output, easy=not options.start, progress=progress)


if __name__ == "__main__":
    main()
