"""Sample files written by hand."""

from __future__ import annotations

import numpy as np
from PIL import Image

from rscovlm.data.sample import Box, ImageRef, Sample, Turn


def write(path, samples):
    """A sample file."""
    path.write_text("".join(sample.to_line() + "\n" for sample in samples))


def ships(count):
    """An image of so many ships, one below the other."""
    outline = np.array([[0, 0], [20, 0], [20, 9], [0, 9]])
    boxes = tuple(Box(outline + np.array([0, 15 * i]), "ship") for i in range(count))
    return Sample(
        f"n{count}", "detection", (ImageRef("x.png", size=(400, 400)),), boxes=boxes, classes=("ship",)
    )


def ships_and_talk(folder):
    """A mix of 20 lists of 0 to 19 ships, and of two conversations of 900 words; its file."""
    Image.new("RGB", (400, 400)).save(folder / "x.png")
    write(folder / "ships.jsonl", [ships(count) for count in range(20)])
    long = Turn("user", "word " * 900), Turn("assistant", "yes")
    write(folder / "talk.jsonl", [Sample("t", "chat", turns=long), Sample("u", "chat", turns=long)])
    mix = folder / "mix.yaml"
    mix.write_text("sources: [ships, talk]\ndefaults: {templates: plain}\n")
    return mix
