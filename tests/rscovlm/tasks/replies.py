"""How replies are put before a task, and what their images are."""

from __future__ import annotations

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from rscovlm.tasks.task import score_reply
from tiling.view import Size

SIZE = Size(200, 400)
QUAD = CONTRACTS["rscovlm-quad"]


def right(task, reply, expected) -> bool:
    """Whether a task with a single yes-or-no metric takes a reply for right."""
    counts = score_reply(task, reply, expected, SIZE)
    [hits] = [value for name, value in counts.items() if name.endswith("/hits")]
    [of] = [value for name, value in counts.items() if name.endswith("/of")]
    assert of == 1
    return hits == 1


def listed(*items) -> str:
    """A right reply to a detection prompt: boxes (x0, y0, x1, y1) in pixels, each with its class."""
    polygons = box_quads(np.array([corners for corners, _ in items], dtype=float).reshape(-1, 4))
    labels = np.array([("plane", "ship").index(name) for _, name in items], dtype=np.int64)
    return render_response(Detections(polygons, labels, ("plane", "ship")), QUAD, SIZE.width, SIZE.height)
