"""Numbers of boxes in a value of a tree: lists, points, named coordinates, numbers as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from detection_eval.text.contract import Contract, VertexForm
from detection_eval.text.lexing import DIGITS, NUMBER, Percent, number
from detection_eval.text.tree import Node

_SCALAR = re.compile(rf"\s*+([+-]?{DIGITS})\s*+(%|‰|px|pixels?)?+\s*+")
_SEPARATORS = r"[\s\[\](){},;|]"
_LIST_TEXT = re.compile(rf"{_SEPARATORS}*+{NUMBER}(?:{_SEPARATORS}++{NUMBER})*+{_SEPARATORS}*+")
_NUMBERS = re.compile(NUMBER)
_PLAIN_KEY = re.compile(r"[^0-9a-z]+")

_QUAD = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
_CORNERS = (
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("minx", "miny", "maxx", "maxy"),
    ("left", "top", "right", "bottom"),
    ("xstart", "ystart", "xend", "yend"),
    ("topleftx", "toplefty", "bottomrightx", "bottomrighty"),
)
_CENTRED = (
    ("cx", "cy", "w", "h"),
    ("cx", "cy", "width", "height"),
    ("xc", "yc", "w", "h"),
    ("xcenter", "ycenter", "width", "height"),
    ("centerx", "centery", "width", "height"),
)
_SIZED = (
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
    ("x1", "y1", "width", "height"),
)
_POINTS = (
    ("topleft", "topright", "bottomright", "bottomleft"),
    ("topleft", "bottomright"),
    ("tl", "br"),
    ("p1", "p2", "p3", "p4"),
    ("p1", "p2"),
    ("start", "end"),
)
_ANGLES = ("angle", "theta", "rotation", "a")
_NAMED = frozenset(name for names in (_QUAD, *_CORNERS, *_CENTRED, *_SIZED, _ANGLES) for name in names)
_NAMED_POINTS = frozenset(name for names in _POINTS for name in names)


class Written(NamedTuple):
    """The numbers of one box as they stand in a tree.

    Attributes:
        numbers: in the order that the contract writes them.
        span: (start, stop) of the list or object that holds them; None for a text.
        repairs: what had to be mended.
        lost: why they make no box; None where they may.
    """

    numbers: Sequence[float]
    span: tuple[int, int] | None
    repairs: tuple[str, ...] = ()
    lost: str | None = None


def plain_key(key: str | None) -> str:
    """A key in lower case, letters and digits only."""
    return _PLAIN_KEY.sub("", key.lower()) if key else ""


def boxes_of(value: Any, contract: Contract, key: str = "") -> list[Written] | None:
    """The boxes that a value states, or None where it has not the shape of any.

    Args:
        value: of a tree; its depth is bounded, see ``tree.DEEPEST``.
        contract: how the model writes.
        key: that it stands under; ``xywh`` in it says what the numbers mean.
    """
    if isinstance(value, Node):
        found = _of_object(value, contract) if value.is_object else _of_list(value, contract)
    elif isinstance(value, str) and _LIST_TEXT.fullmatch(value):
        numbers = [number(text) for text in _NUMBERS.findall(value)]
        found = [Written(numbers, None, ("numbers as strings",))]
    else:
        return None
    if found and "xywh" in plain_key(key):
        found = [_from_size(box, contract, centred="cx" in plain_key(key)) for box in found]
    return found


def scalars(values: Iterable[Any]) -> Written | None:
    """Single numbers as one box, or None where something else stands among them."""
    numbers: list[float] = []
    repairs: tuple[str, ...] = ()
    lost = None
    for value in values:
        if isinstance(value, float):
            numbers.append(value)
        elif value is None:
            lost = "missing number"
        elif isinstance(value, Percent):
            lost = "percent"
        elif isinstance(value, str) and len(value) < 60 and (written := _SCALAR.fullmatch(value)):
            numbers.append(number(written[1]))
            repairs = ("numbers as strings",)
            if written[2]:
                repairs = ("numbers as strings", "units")
            if written[2] in ("%", "‰"):
                lost = "percent"
        else:
            return None
    return Written(numbers, None, repairs, lost)


def _of_list(node: Node, contract: Contract) -> list[Written] | None:
    """The boxes of a list: its numbers, its points, or those of the lists in it."""
    span = (node.start, node.stop)
    inner = [item for item in node.items if isinstance(item, Node)]
    if not inner:
        single = scalars(node.items)
        if single is None or not node.items:
            return None
        lost = "truncated" if node.cut else single.lost
        return [Written(single.numbers, span, (*node.repairs, *single.repairs), lost)]
    if len(inner) < len(node.items):
        return None
    points = [_point(item) for item in inner]
    if node.cut and points[0] is not None:
        return [Written((), span, lost="truncated")]
    if len(points) > 1 and all(point is not None for point in points):
        return [_polygon([point for point in points if point is not None], span, node, contract)]
    boxes: list[Written] = []
    for item in inner:
        found = boxes_of(item, contract)
        if found is None:
            return None
        boxes += found
    return boxes


def _point(item: Node) -> Written | None:
    """The two numbers of a point, as a list or under the names x and y."""
    if item.is_object:
        named = {plain_key(key): value for key, value in item.items}
        values = [named["x"], named["y"]] if named.keys() == {"x", "y"} else ["x"]
    else:
        values = item.items
    return scalars(values) if len(values) == 2 else None


def _polygon(
    points: Sequence[Written], span: tuple[int, int] | None, node: Node, contract: Contract
) -> Written:
    """A box of two or four points; of any other number the bounds, where the contract has upright boxes."""
    repairs = list(node.repairs)
    for point in points:
        repairs += [*point.repairs]
    lost = next((point.lost for point in points if point.lost), None)
    if lost is None and len(points) == 5 and points[0].numbers == points[-1].numbers:
        points = points[:-1]
    if lost is None and contract.form is VertexForm.HORIZONTAL and len(points) not in (2, 4):
        sides = list(zip(*(point.numbers for point in points)))
        repairs.append("polygon bounds")
        return Written([*map(min, sides), *map(max, sides)], span, tuple(repairs))
    return Written([value for point in points for value in point.numbers], span, tuple(repairs), lost)


def _of_object(node: Node, contract: Contract) -> list[Written] | None:
    found = coordinates(node, contract)
    return None if found is None else [found]


def coordinates(node: Node, contract: Contract) -> Written | None:
    """The box that the keys of an object name: corners, or a corner or the centre with the size."""
    if len(node.items) < 2:
        return None
    span = (node.start, node.stop)
    values: dict[str, Any] = {}
    points: dict[str, Any] = {}
    for key, value in node.items:
        name = plain_key(key)
        if isinstance(value, Node):
            if name in _NAMED_POINTS:
                points[name] = value
        elif name in _NAMED:
            values[name] = value
    for corners in _POINTS:
        if all(name in points for name in corners):
            written = [_point(points[name]) for name in corners]
            if None not in written:
                box = _polygon([point for point in written if point], span, node, contract)
                return box._replace(repairs=("named coordinates", *box.repairs))
    form = contract.form
    for names, kind in _candidates(form):
        if all(name in values for name in names):
            named = _named([values[name] for name in names], values, kind, contract)
            return named and named._replace(span=span)
    return None


def _candidates(form: VertexForm) -> list[tuple[tuple[str, ...], str]]:
    quad = [(_QUAD, "corners")]
    corners = [(names, "corners") for names in _CORNERS]
    sized = [(names, "size") for names in _SIZED]
    centred = [(names, "centre") for names in _CENTRED]
    if form is VertexForm.ROTATED:
        return [*centred, *sized]
    return [*quad, *corners, *centred, *sized]


def _named(chosen: list[Any], values: dict[str, Any], kind: str, contract: Contract) -> Written | None:
    box = scalars(chosen)
    if box is None:
        return None
    numbers, repairs = list(box.numbers), ("named coordinates", *box.repairs)
    if box.lost:
        return Written(numbers, None, repairs, box.lost)
    form = contract.form
    if form is not VertexForm.ROTATED:
        moved = _corners(numbers, kind)
        if kind != "corners":
            repairs = (*repairs, "centre and size" if kind == "centre" else "width and height")
        numbers = moved
    if contract.yx:
        numbers = [value for x, y in zip(numbers[::2], numbers[1::2]) for value in (y, x)]
    if form.has_angle:
        angle = scalars(values[name] for name in _ANGLES[:1] + _ANGLES[1:] if name in values)
        numbers += angle.numbers[:1] if angle else []
    return Written(numbers, None, repairs)


def _corners(numbers: list[float], kind: str) -> list[float]:
    """Two corners of a box that is given by its corners, or its size with a corner or the centre."""
    if kind == "corners":
        return numbers
    x, y, width, height = numbers
    if kind == "centre":
        x, y = x - width / 2, y - height / 2
    return [x, y, x + width, y + height]


def _from_size(box: Written, contract: Contract, centred: bool) -> Written:
    """Numbers under a key that says they are a corner, or the centre, and the size."""
    if box.lost or len(box.numbers) != 4 or contract.form.has_angle:
        return box
    kind = "centre" if centred else "size"
    repair = "centre and size" if centred else "width and height"
    numbers = list(box.numbers)
    if contract.yx:
        numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
    moved = _corners(numbers, kind)
    if contract.yx:
        moved = [moved[1], moved[0], moved[3], moved[2]]
    return box._replace(numbers=moved, repairs=(*box.repairs, repair))
