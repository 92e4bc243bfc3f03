"""Rows of a log, made by hand."""

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
