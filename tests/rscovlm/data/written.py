"""Sample files written by hand."""

from __future__ import annotations

import numpy as np

from rscovlm.data.sample import Box, ImageRef, Sample


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
