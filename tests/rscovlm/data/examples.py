"""Encoded examples made of random tokens and images, and tiny models that read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rscovlm.data.example import Encoded, Key
from rscovlm.models.patches import PatchSpec
from rscovlm.models.positions import RopeSpec, mrope_positions
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from tiling.view import Size

FAMILIES = {"qwen2.5-vl": tiny_qwen25_vl, "qwen3-vl": tiny_qwen3_vl}


@dataclass(frozen=True)
class Noise:
    """A picture of random pixels."""

    size: Size
    seed: int
    gsd_m: float | None = None

    def read(self):
        return np.random.default_rng(self.seed).integers(0, 256, (*self.size, 3), dtype=np.uint8)


@dataclass(frozen=True)
class Subject:
    """A model with what is needed to make packs for it."""

    model: torch.nn.Module
    spec: PatchSpec
    rope: RopeSpec


def load_subject(folder, family):
    """A tiny random model of the family, in single precision and evaluation mode."""
    from transformers import AutoModelForImageTextToText

    FAMILIES[family](folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    spec = PatchSpec.of_checkpoint(folder, model.config.vision_config)
    return Subject(model, spec, RopeSpec.of_config(model.config))


def encoded(
    spec, rope, index, question=9, answer=4, images=(), source="noise", task="vqa", visit=0, vocabulary=300
):
    """An example: images of (rows, columns) visual tokens, a question, an answer that is learnt."""
    rng = np.random.default_rng([index, visit])
    words = rng.integers(20, vocabulary, question + answer)
    ids = np.concatenate(
        [*([19, *[rope.image_token_id] * (rows * columns), 19] for rows, columns in images), words]
    ).astype(np.int64)
    grids = np.array([(1, spec.merge * r, spec.merge * c) for r, c in images], dtype=np.int64).reshape(-1, 3)
    learnt = np.zeros(len(ids), dtype=bool)
    learnt[len(ids) - answer :] = True
    pictures = tuple(
        Noise(Size(spec.factor * rows, spec.factor * columns), 1000 * index + i)
        for i, (rows, columns) in enumerate(images)
    )
    positions = mrope_positions(ids, grids, rope)
    return Encoded(ids, learnt, positions, pictures, grids, Key(source, index, visit), task)
