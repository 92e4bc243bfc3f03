"""``Detections`` to the text in which a model family states them: the inverse of parsing."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite
from detection_eval.geometry.quads import Floats
from detection_eval.text.contract import Contract, Json, Lines, Tagged
from detection_eval.text.labels import by_spoken_name, spoken
from detection_eval.text.vertices import encode


def render_response(
    detections: Detections, contract: Contract, width: int, height: int, *, verbatim: bool = False
) -> str:
    """The text in which a model of this family states these boxes: the inverse of ``parse_response``.

    Boxes come in the order of ``writing_order``. Without boxes it is the contract's sentence for nothing to
    find.

    Args:
        detections: in pixels of the width x height image as the model sees it.
        contract: how the model family writes.
        width: image width, pixels.
        height: likewise.
        verbatim: labels are written as they are, instead of as they are spoken: lower case, without hyphens.

    Raises:
        CannotWrite: several classes in a wire form that writes no labels.
    """
    if not len(detections):
        return contract.empty
    numbers = encode(detections.polygons, contract, width, height)
    order = _order(detections, numbers, contract)
    names = [detections.names[index] for index in order]
    labels = names if verbatim else [spoken(name) for name in names]
    decimals = _decimals(contract)
    boxes = [[_written(value, digits) for value, digits in zip(numbers[index], decimals)] for index in order]
    if isinstance(contract.syntax, Lines):
        if contract.syntax.label_first:
            return "\n".join(f"{label} {','.join(box)}" for box, label in zip(boxes, labels))
        return "".join(f"{','.join(box)} {label}\n" for box, label in zip(boxes, labels))
    if isinstance(contract.syntax, Json):
        return _render_json(boxes, labels, contract.syntax)
    return _render_tagged(boxes, labels, contract, contract.syntax)


def writing_order(detections: Detections, contract: Contract, width: int, height: int) -> NDArray[np.int64]:
    """Indices (n,) of boxes in the order in which ``render_response`` lists them.

    RSCoVLM was trained with it: by class (alphabetical as spoken), then y, then x of the first vertex, as
    these are written. Which boxes come first therefore depends on the contract and its rounding.

    Args:
        detections: in pixels of the width x height image as the model sees it.
        contract: how the model family writes.
        width: image width, pixels.
        height: likewise.
    """
    return _order(detections, encode(detections.polygons, contract, width, height), contract)


def _order(detections: Detections, numbers: Floats, contract: Contract) -> NDArray[np.int64]:
    rank = {name: index for index, name in enumerate(by_spoken_name(detections.classes))}
    ranks = np.array([rank[name] for name in detections.names])
    x, y = (1, 0) if contract.yx else (0, 1)
    return np.lexsort((numbers[:, x], numbers[:, y], ranks))


def render_box(polygon: Floats, contract: Contract, width: int, height: int) -> str:
    """One box as the contract writes it inside a sentence, without a label.

    Args:
        polygon: (4, 2) pixels of the width x height image as the model sees it.
        contract: how the model family writes.
        width: image width, pixels.
        height: likewise.
    """
    numbers = encode(np.asarray(polygon, dtype=np.float64)[None], contract, width, height)[0]
    box = [_written(value, digits) for value, digits in zip(numbers, _decimals(contract))]
    if isinstance(contract.syntax, Tagged):
        return _tagged_box(box, contract, contract.syntax)
    return f"[{', '.join(box)}]" if isinstance(contract.syntax, Json) else ",".join(box)


def _decimals(contract: Contract) -> list[int]:
    """Digits after the point of each number of a box."""
    decimals = [contract.decimals] * contract.form.count
    if contract.angle is not None:
        decimals[-1] = contract.angle.decimals
    return decimals


def _written(value: float, decimals: int) -> str:
    return str(int(value)) if decimals == 0 else f"{value:.{decimals}f}"


def _render_json(boxes: list[list[str]], labels: list[str], syntax: Json) -> str:
    key, label_key = json.dumps(syntax.key), json.dumps(syntax.label_key)
    items = [
        f"{{{key}: [{', '.join(box)}], {label_key}: {json.dumps(label, ensure_ascii=False)}}}"
        for box, label in zip(boxes, labels)
    ]
    return "```json\n[\n\t" + ",\n\t".join(items) + "\n]\n```"


def _render_tagged(boxes: list[list[str]], labels: list[str], contract: Contract, syntax: Tagged) -> str:
    if syntax.label is None and len(set(labels)) > 1:
        raise CannotWrite(
            f"contract {contract.name} writes no labels; give boxes of one class, not {set(labels)}"
        )
    groups: list[tuple[str, list[str]]] = []
    for box, label in zip(boxes, labels):
        if not groups or groups[-1][0] != label or not syntax.grouped:
            groups.append((label, []))
        groups[-1][1].append(_tagged_box(box, contract, syntax))
    return syntax.group_joiner.join(_tagged_group(label, members, syntax) for label, members in groups)


def _tagged_box(box: list[str], contract: Contract, syntax: Tagged) -> str:
    written = [syntax.number.format(int(text) if "." not in text else text) for text in box]
    angle = syntax.angle_joiner + written.pop() if contract.angle is not None else ""
    if syntax.pair[0]:
        pairs = zip(written[::2], written[1::2])
        written = [f"{syntax.pair[0]}{x}{syntax.joiner}{y}{syntax.pair[1]}" for x, y in pairs]
    return syntax.box[0] + syntax.joiner.join(written) + angle + syntax.box[1]


def _tagged_group(label: str, boxes: list[str], syntax: Tagged) -> str:
    listed = syntax.boxes[0] + syntax.box_joiner.join(boxes) + syntax.boxes[1]
    if syntax.label is None:
        return listed
    named = syntax.label[0] + label + syntax.label[1]
    return named + listed if syntax.label_first else f"{listed} {named}"
