"""A scene of squares with a colour each, and a model that finds them by their colours.

What the model reports depends on nothing but the pixels that it is shown, so that tiles, coordinate frames,
journals and merging are tested through the images themselves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from tests.rscovlm.scripted import ONE_SCALE, write_raster
from zoom_chain.chat import Conversation

FAMILY = ONE_SCALE
"""Sees 128 x 128 px, writes 0-1000: a step is 0.128 px of a tile at full resolution."""

SIDE, SQUARE = 448, 20
PLACES = np.array([(x, y) for y in range(30, 420, 65) for x in range(25, 420, 70)])
"""Left and top of each square; some lie on the seams between tiles."""

TRUTH = box_quads(np.concatenate([PLACES, PLACES + SQUARE], axis=1).astype(float))


def paint(path: Path, **profile: object) -> Path:
    """A scene of 448 x 448 px without georeference: square i has the grey value 10 + i on black."""
    pixels = np.zeros((3, SIDE, SIDE), dtype=np.uint8)
    for number, (x, y) in enumerate(PLACES):
        pixels[:, y : y + SQUARE, x : x + SQUARE] = 10 + number
    return write_raster(path, pixels=pixels, **{"gsd_m": None, **profile})


def find_squares(conversation: Conversation) -> str:
    """What a perfect model would reply: a ship around each grey value."""
    grey = conversation.messages[-1].images[0].pixels[..., 0]
    boxes = []
    for value in np.unique(grey[grey > 0]):
        y, x = np.nonzero(grey == value)
        boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
    polygons = box_quads(np.array(boxes, dtype=float).reshape(-1, 4))
    found = Detections(polygons, np.zeros(len(boxes), dtype=np.int64), ("ship",))
    return render_response(found, CONTRACTS[FAMILY.detection], grey.shape[1], grey.shape[0])
