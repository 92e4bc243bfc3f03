"""SVG drawings as lists of shapes, written by a template that escapes whatever they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from detection_eval.html import environment


@dataclass(frozen=True)
class Shape:
    """One element of a drawing.

    Attributes:
        tag: element name.
        attributes: by name; ``class`` among them.
        text: text content.
        title: words that appear under the mouse, or "".
    """

    tag: str
    attributes: dict[str, Any]
    text: str = ""
    title: str = ""


def text(x: float, y: float, words: str, kind: str) -> Shape:
    """Words at a place, styled by a class."""
    return Shape("text", {"class": kind, "x": f"{x:.1f}", "y": f"{y:.1f}"}, words)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Shape:
    """A straight line, styled by a class."""
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return Shape("line", {"class": kind, **{name: f"{value:.1f}" for name, value in ends.items()}})


def drawing(shapes: Sequence[Shape], view_box: Sequence[float], **attributes: Any) -> Markup:
    """The SVG element of some shapes.

    Args:
        shapes: from back to front.
        view_box: left, top, width, height.
        attributes: element attributes; ``class_`` and ``aria_label`` stand for ``class`` and ``aria-label``.
    """
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    box = " ".join(f"{round(value, 2):.10g}" for value in view_box)
    macros: Any = environment("detection_eval").get_template("macros.html").module
    return Markup(macros.svg(shapes, {"viewBox": box, **named}))
