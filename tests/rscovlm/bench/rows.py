"""Rows of a log, made by hand."""

import json

from detection_eval.geometry.quads import bounds
from rscovlm.bench.item import Item, Truth
from rscovlm.bench.row import Row
from tiling.view import Size, View, Window

VIEW = View(Window(0, 0, 200, 100), Size(50, 100))
"""An image of 200 x 100 px, shown at half its size."""


def row(text, answers=(), kind="open", *, key="1", view=VIEW, **fields):
    """A row whose other fields go to the row, or else to the item; polygons and labels to the truth."""
    truth = {name: fields.pop(name) for name in ("polygons", "labels", "ignored") if name in fields}
    of_row = {name: fields.pop(name) for name in ("error", "contract", "views", "user") if name in fields}
    answers = (answers,) if isinstance(answers, str) else tuple(answers)
    item = Item(key, ("a.png",), kind, fields.pop("subject", ""), Truth(answers, **truth), **fields)
    return Row(item, text, view, "stop", **of_row)


def summed(protocol, rows):
    """The summary of rows as the protocol judges them."""
    return protocol.summarise(rows, [protocol.judge(each) for each in rows])


WHOLE = View(Window(0, 0, 1000, 1000), Size(1000, 1000))
"""An image shown as it is."""


def right_row(item):
    """A row with a right reply to an item, about an image of 1000 x 1000 px shown as it is."""
    if item.kind == "ground":
        x0, y0, x1, y1 = bounds(item.truth.polygons[0]).tolist()
        return Row(item, f"[{x0}, {y0}, {x1}, {y1}]", WHOLE, "stop", contract="qwen2.5-vl")
    if item.kind == "detect":
        corners = item.truth.polygons.reshape(-1, 8).tolist()
        boxes = [{"bbox_2d": box, "label": label} for box, label in zip(corners, item.truth.labels)]
        return Row(item, json.dumps(boxes), WHOLE, "stop", contract="rscovlm-json-quad")
    several = item.kind == "choice"
    return Row(item, "".join(item.truth.answers) if several else item.truth.answers[0], WHOLE, "stop")
