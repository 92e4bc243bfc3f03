"""Train nano: ``python -m rscovlm.training.nano.train --folder runs/nano --samples 200000``.

Sample i is a pure function of (seed, i), so a resumed run sees exactly the samples that the interrupted one
would have seen. Checkpoints are written whole, then renamed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from rscovlm.training.nano.batches import GRID, Batch, Encoder, collate, patches_of
from rscovlm.training.nano.loss import token_losses
from rscovlm.training.nano.model import Shape, build_model, write_sidecars
from rscovlm.training.nano.samples import DETECT_GSD_M, make_sample
from rscovlm.training.nano.speedups import patch_embed_as_matmul
from rscovlm.training.nano.tokenizer import build_tokenizer, number_tokens


@dataclass(frozen=True)
class Course:
    """Every number of a training run.

    Attributes:
        seed: of samples and initial weights.
        batch: samples per step.
        rate: peak learning rate.
        warmup: steps of linear warm-up.
        decay_from, samples: the rate is constant until ``decay_from``, then falls to 5 % at ``samples``.
        ease_until: samples over which few, large objects give way to the full range.
        spread_first, spread_last: tolerance of coordinates in thousandths, at the start and the end.
        weight_decay: of matrices.
        save_minutes: between checkpoints.
    """

    seed: int = 1
    batch: int = 16
    rate: float = 1.2e-3
    warmup: int = 150
    samples: int = 100_000
    decay_from: int = 66_000
    ease_until: int = 25_000
    spread_first: float = 30.0
    spread_last: float = 16.0
    weight_decay: float = 0.05
    save_minutes: float = 2.0

    def rate_at(self, step: int) -> float:
        """Learning rate of a step: warm-up, plateau, linear fall."""
        seen = step * self.batch
        fall = max(0.0, (seen - self.decay_from) / max(1, self.samples - self.decay_from))
        return self.rate * min(1.0, (step + 1) / self.warmup) * (1 - 0.95 * min(1.0, fall))

    def spread_at(self, seen: int) -> float:
        """Tolerance of coordinates after ``seen`` samples, falling geometrically over most of the run."""
        progress = min(1.0, seen / (0.75 * self.samples))
        return self.spread_first * (self.spread_last / self.spread_first) ** progress


class Lessons(Dataset):
    """Encoded samples by index; the ease of a sample depends on its index alone."""

    def __init__(self, course: Course, encoder: Encoder, start: int, end: int):
        self.course, self.encoder, self.start, self.end = course, encoder, start, end

    def __len__(self) -> int:
        return max(0, self.end - self.start)

    def __getitem__(self, offset: int):
        index = self.start + offset
        ease = max(0.0, 1.0 - index / self.course.ease_until)
        return self.encoder.encode(make_sample(self.course.seed, index, ease))


def corpus(seed: int, samples: int = 1500) -> list[str]:
    """Texts for the tokenizer: what samples say, special tokens left out."""
    texts = []
    for index in range(samples):
        for message in make_sample(seed, index).conversation.messages:
            text = message.text.replace("<tool_call>", "").replace("</tool_call>", "")
            texts += [message.role + "\n", text]
    return texts


def prepare(folder: Path, course: Course, shape: Shape):
    """Build tokenizer and fresh model in ``folder``; returns (tokenizer, model, number ids)."""
    from transformers import AutoTokenizer

    checkpoint = folder / "checkpoint"
    build_tokenizer(corpus(course.seed), checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    numbers = number_tokens(tokenizer)
    write_sidecars(checkpoint, DETECT_GSD_M)
    return tokenizer, build_model(shape, tokenizer, numbers, course.seed), numbers


@dataclass(frozen=True)
class Tokens:
    """Token ids that the loss needs: the image placeholder's, and those of the numbers 0 to 1000."""

    image: int
    numbers: torch.Tensor


def loss_of(
    model, teacher, batch: Batch, tokens: Tokens, spread: float
) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of a packed batch, and its parts for the log: mean token loss by task, and that of cells."""
    output = model.model(
        input_ids=batch.input_ids,
        position_ids=batch.positions,
        pixel_values=patches_of(batch.images.numpy()),
        image_grid_thw=torch.tensor([[1, GRID, GRID]]).expand(len(batch.images), 3),
        use_cache=False,
        output_hidden_states=True,
    )
    hidden = output.last_hidden_state
    target = batch.learnt[:, 1:]
    logits = model.lm_head(hidden[:, :-1][target])
    labels, soft = batch.input_ids[:, 1:][target], batch.soft[:, 1:][target]
    losses = token_losses(logits, labels, soft, tokens.numbers, spread)
    owner = batch.sample[:, 1:][target]
    count = torch.bincount(owner, minlength=len(batch.tasks))
    # Between a mean over tokens and one over samples: long answers count more, but do not drown short ones.
    weight = count[owner].float() ** -0.5
    by_sample = torch.zeros(len(batch.tasks)).index_add(0, owner, losses.detach()) / count
    tasks = defaultdict(list)
    for task, value in zip(batch.tasks, by_sample.tolist(), strict=True):
        tasks[task].append(value)
    middle = output.hidden_states[len(output.hidden_states) // 2]
    cells, outline = cell_losses(model, teacher, middle[batch.input_ids == tokens.image], batch)
    parts = {task: sum(v) / len(v) for task, v in tasks.items()} | {
        "cells": cells.item(),
        "outline": outline.item(),
    }
    return (losses * weight).sum() / weight.sum() + 0.5 * cells + 4 * outline, parts


class Teacher(torch.nn.Module):
    """Reads names and outlines off visual tokens half-way up the language model; dropped after training."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = torch.nn.RMSNorm(width)
        self.outline = torch.nn.Linear(width, 12)  # bounds and corners


def cell_losses(
    model, teacher: Teacher, middle: torch.Tensor, batch: Batch
) -> tuple[torch.Tensor, torch.Tensor]:
    """How badly visual tokens name what they show (nats), and outline it (parts of the image's side).

    Both count each object as much as each other, however many cells show it; names count each cell, too.

    Args:
        middle: (visual tokens, width) the language model's hidden states there, half-way up, so that the
            layers above can look up what it knows.
    """
    known = teacher.norm(middle)
    each = torch.nn.functional.cross_entropy(model.lm_head(known), batch.cell_ids.flatten(), reduction="none")
    shares = batch.shares.flatten()
    drawn = shares > 0
    if not drawn.any():
        return each.mean(), each.mean() * 0
    weight = shares[drawn] / shares[drawn].sum()
    guess, corners = teacher.outline(known[drawn]).sigmoid(), batch.outlines.flatten(0, 1)[drawn]
    points = corners.unflatten(1, (4, 2))
    bounds = torch.cat([points.amin(1), points.amax(1)], dim=1)
    miss = (guess - torch.cat([bounds, corners], dim=1)).abs().mean(dim=1)
    return each.mean() + (each[drawn] * weight).sum(), (miss * weight).sum()


def optimizer_of(model, teacher, course: Course) -> torch.optim.AdamW:
    """AdamW with decay on matrices only."""
    parameters = [*model.parameters(), *teacher.parameters()]
    matrices = [p for p in parameters if p.ndim >= 2]
    rest = [p for p in parameters if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": course.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=course.rate, betas=(0.9, 0.97), fused=True)


def save(folder: Path, model, teacher, optimizer, step: int) -> None:
    """Write weights and optimiser state, each whole before it replaces the last."""
    model.save_pretrained(folder / "checkpoint", max_shard_size="1GB")
    state = folder / "state.pt.partial"
    parts = {"model": model, "teacher": teacher, "optimizer": optimizer}
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, state)
    os.replace(state, folder / "state.pt")


def train(
    folder: Path,
    course: Course,
    shape: Shape | None = None,
    *,
    minutes: float = float("inf"),
    stop_at: int | None = None,
) -> None:
    """Train until the course ends; a folder with a state is resumed.

    Args:
        folder: gets ``checkpoint/`` (what ``--model`` loads), ``state.pt`` and ``log.jsonl``.
        course: the numbers of the run.
        shape: of a new model; a resumed one has to be the same.
        minutes: stop after this long, to be resumed later.
        stop_at: stop after this many samples, to be resumed later.
    """
    from transformers import AutoTokenizer

    shape = shape or Shape()
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / "state.pt"
    state = torch.load(state_file, weights_only=True) if state_file.exists() else None
    if state:
        tokenizer = AutoTokenizer.from_pretrained(folder / "checkpoint")
        numbers = number_tokens(tokenizer)
        model = build_model(shape, tokenizer, numbers, course.seed)
        model.load_state_dict(state["model"])
    else:
        tokenizer, model, numbers = prepare(folder, course, shape)
    teacher = Teacher(shape.width)
    optimizer = optimizer_of(model, teacher, course)
    if state:
        teacher.load_state_dict(state["teacher"])
        optimizer.load_state_dict(state["optimizer"])
    record = {**asdict(course), "shape": asdict(shape)}
    (folder / "course.json").write_text(json.dumps(record, indent=2) + "\n")
    patch_embed_as_matmul(model)
    step = state["step"] if state else 0
    end = course.samples if stop_at is None else min(stop_at, course.samples)
    _loop(folder, course, model, teacher, optimizer, tokenizer, step, end, minutes)


def _loop(folder, course, model, teacher, optimizer, tokenizer, step, end, minutes) -> None:
    encoder = Encoder(tokenizer, number_tokens(tokenizer))
    tokens = Tokens(encoder.image_id, torch.tensor(number_tokens(tokenizer)))
    loader = DataLoader(
        Lessons(course, encoder, step * course.batch, end),
        batch_size=course.batch,
        num_workers=1,
        prefetch_factor=8,
        drop_last=True,
        collate_fn=_Collate(encoder.image_id, tokenizer.pad_token_id),
    )
    started = saved = time.monotonic()
    smooth: dict[str, float] = {}
    model.train()
    with (folder / "log.jsonl").open("a") as log:
        for batch in loader:
            for group in optimizer.param_groups:
                group["lr"] = course.rate_at(step)
            loss, tasks = loss_of(model, teacher, batch, tokens, course.spread_at(step * course.batch))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            for task, value in {**tasks, "all": loss.item()}.items():
                smooth[task] = value if task not in smooth else 0.97 * smooth[task] + 0.03 * value
            now = time.monotonic()
            if step % 50 == 0:
                line = {
                    "step": step,
                    "samples": step * course.batch,
                    "minutes": round((now - started) / 60, 2),
                }
                log.write(json.dumps({**line, **{k: round(v, 4) for k, v in sorted(smooth.items())}}) + "\n")
                log.flush()
            if now - saved > course.save_minutes * 60:
                save(folder, model, teacher, optimizer, step)
                saved = now
            if now - started > minutes * 60:
                break
    save(folder, model, teacher, optimizer, step)


@dataclass(frozen=True)
class _Collate:
    image_id: int
    pad_id: int

    def __call__(self, samples) -> Batch:
        return collate(samples, self.image_id, self.pad_id)


def main() -> None:
    """Parse the command line and train."""
    defaults = Course()
    parser = argparse.ArgumentParser(
        description="Train nano on synthetic scenes; a folder with a state is resumed."
    )
    parser.add_argument("--folder", type=Path, required=True, help="where the checkpoint, state and log go")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this long")
    for name in ("seed", "batch", "samples", "decay_from"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(defaults, name))
    parser.add_argument("--rate", type=float, default=defaults.rate)
    options = vars(parser.parse_args())
    folder, minutes = options.pop("folder"), options.pop("minutes")
    train(folder, Course(**options), minutes=minutes)


if __name__ == "__main__":
    main()
