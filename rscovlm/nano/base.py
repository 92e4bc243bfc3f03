"""The checkpoint from which nano's course starts: a tokenizer and weights that have learnt nothing."""

from __future__ import annotations

from pathlib import Path

from rscovlm.models.families import FAMILIES
from rscovlm.nano.lessons import make_lesson
from rscovlm.nano.model import Shape, build_model, write_sidecars
from rscovlm.nano.tokenizer import build_tokenizer, number_tokens


def corpus(seed: int, lessons: int = 1500) -> list[str]:
    """Texts for the tokenizer: what lessons say, special tokens left out."""
    texts = []
    for index in range(lessons):
        for message in make_lesson(seed, index).conversation.messages:
            text = message.text.replace("<tool_call>", "").replace("</tool_call>", "")
            texts += [message.role + "\n", text]
    return texts


def write_base(folder: Path, seed: int, shape: Shape | None = None, lessons: int = 1500) -> None:
    """A checkpoint that has learnt nothing yet: tokenizer, fresh weights, and the files beside them.

    Args:
        folder: to write into.
        seed: of the lessons that the tokenizer is built from, and of the weights.
        shape: of the two towers; None for nano's own.
        lessons: that the tokenizer is built from.
    """
    from rscovlm.models.weights import read_tokenizer

    build_tokenizer(corpus(seed, lessons), folder)
    family = FAMILIES["nano"]
    write_sidecars(folder, family.detect_gsd_m, family.class_gsd_m)
    tokenizer = read_tokenizer(folder)
    build_model(shape or Shape(), tokenizer, number_tokens(tokenizer), seed).save_pretrained(folder)
