"""Rows of our own making, and a small benchmark on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from rscovlm.bench.item import Item, Truth
from rscovlm.bench.protocols.strict import generic
from rscovlm.bench.row import Row
from tiling.view import Size, View, Window

STRICT, ANSWERED = generic("set").values()
VIEW = View(Window(0, 0, 200, 100), Size(50, 100))
"""A scene of 200 x 100 px at half its size."""


def item(key: str, answer: str = "yes", *, kind: str = "open", image: str = "a.tif", **more) -> Item:
    """An item whose one answer is in words."""
    category = more.pop("category", "presence")
    fields = {"subject": f"Question {key}?", "truth": Truth((answer,)), "groups": {"category": category}}
    return Item(key, (image,), kind, **{**fields, **more})


def row(asked: Item, text: str, **more) -> Row:
    """The row of an item that was shown whole."""
    fields = {"user": asked.subject, "views": (VIEW,), "visual_tokens": 8, "reply_tokens": 2, "seconds": 0.5}
    return Row(asked, text, VIEW, "stop", **{**fields, **more})


def picture(path: Path, side: int = 64, value: int = 90) -> Path:
    """A PNG of one colour."""
    pixels = np.full((side, side, 3), value, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
