"""Numbers of a contract <-> quadrilaterals in pixels of the shown image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.quads import Floats, bounds, box_quads, canonical
from detection_eval.geometry.rotated import boxes_to_quads, quads_to_boxes, regularize
from detection_eval.text.contract import Angle, Contract, VertexForm


def decode(numbers: Floats, contract: Contract, width: int, height: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Written numbers (n, k) as quadrilaterals (n, 4, 2) in pixels, vertices in the order written.

    Returns:
        The quadrilaterals, and (n,) which boxes had corners or the sign of a side the wrong way round.
    """
    coordinates, angle = _split_angle(
        np.asarray(numbers, dtype=np.float64).reshape(-1, contract.form.count), contract
    )
    points = coordinates.reshape(len(coordinates), coordinates.shape[1] // 2, 2)
    if contract.yx:
        points = points[..., ::-1]
    if contract.binned:
        points = points + 0.5
    points = contract.space.to_pixels(points, width, height)
    if contract.form is VertexForm.QUAD:
        return points, np.zeros(len(points), dtype=bool)
    if contract.form is VertexForm.ROTATED:
        centre, size = points[:, 0], points[:, 1]
        inverted = np.asarray((size < 0).any(axis=1))
        return boxes_to_quads(np.column_stack([centre, np.abs(size), angle])), inverted
    low, high = points.min(axis=1), points.max(axis=1)
    inverted = np.asarray((points[:, 0] > points[:, 1]).any(axis=1))
    if contract.form is VertexForm.HORIZONTAL:
        return box_quads(np.column_stack([low, high])), inverted
    return boxes_to_quads(np.column_stack([(low + high) / 2, high - low, angle])), inverted


def encode(polygons: Floats, contract: Contract, width: int, height: int) -> Floats:
    """Quadrilaterals (n, 4, 2) in pixels as the numbers (n, k) that the contract writes, already rounded.

    Vertices of a quadrilateral are ordered after rounding, since that can make another one the topmost.
    """
    quads = canonical(polygons)
    if contract.form is VertexForm.QUAD:
        points = canonical(_quantize(contract.space.from_pixels(quads, width, height), contract))
        return _flat(points, contract)
    if contract.form is VertexForm.HORIZONTAL:
        corners = bounds(quads).reshape(-1, 2, 2)
        return _flat(_quantize(contract.space.from_pixels(corners, width, height), contract), contract)
    boxes = _whole_angles(quads_to_boxes(quads, _angle_of(contract).convention), contract)
    centre, size = boxes[:, :2], boxes[:, 2:4]
    pair = [centre, size] if contract.form is VertexForm.ROTATED else [centre - size / 2, centre + size / 2]
    points = _quantize(contract.space.from_pixels(np.stack(pair, axis=1), width, height), contract)
    written = np.degrees(boxes[:, 4]) * (1 if _angle_of(contract).clockwise else -1)
    return np.column_stack([_flat(points, contract), np.round(written, _angle_of(contract).decimals) + 0.0])


def _angle_of(contract: Contract) -> Angle:
    assert contract.angle is not None
    return contract.angle


def _split_angle(numbers: Floats, contract: Contract) -> tuple[Floats, Floats]:
    if contract.angle is None:
        return numbers, np.zeros(len(numbers))
    return numbers[:, :-1], np.radians(numbers[:, -1]) * (1 if contract.angle.clockwise else -1)


def _whole_angles(boxes: Floats, contract: Contract) -> Floats:
    """Boxes with the angle rounded as written, and then put back into the convention's range."""
    angle = _angle_of(contract)
    rounded = boxes.copy()
    rounded[:, 4] = np.radians(np.round(np.degrees(boxes[:, 4]), angle.decimals))
    return regularize(rounded, angle.convention)


def _quantize(values: Floats, contract: Contract) -> Floats:
    if contract.binned:
        assert contract.space.extent is not None
        return np.clip(np.floor(values), 0, contract.space.extent - 1)
    return np.round(values, contract.decimals) + 0.0  # -0.0 would be written with its sign


def _flat(points: Floats, contract: Contract) -> Floats:
    if contract.yx:
        points = points[..., ::-1]
    return points.reshape(len(points), points.shape[1] * 2)
