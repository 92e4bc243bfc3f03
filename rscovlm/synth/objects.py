"""Objects of a scene with their pose, and the boxes that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth.catalogue import ObjectClass


@dataclass(frozen=True)
class SceneObject:
    """One object with its pose in scene pixels.

    Attributes:
        kind_of: its class.
        kind: its sub-type.
        colour: name of its paint.
        x, y: centre in scene pixels.
        length, width: sides in scene pixels, along and across the heading.
        angle_rad: heading, clockwise on the image from +x.
        moving: a vehicle that drives or a ship under way.
    """

    kind_of: ObjectClass
    kind: str
    colour: str
    x: float
    y: float
    length: float
    width: float
    angle_rad: float
    moving: bool = False

    @cached_property
    def frame(self) -> NDArray[np.float64]:
        """(2, 3) affine from the unit frame [-1, 1]^2 to scene pixels."""
        return frames([self])[0]

    @cached_property
    def polygon(self) -> NDArray[np.float64]:
        """(4, 2) corners in scene pixels, clockwise on the image."""
        return corners([self])[0]


def frames(objects: Sequence[SceneObject]) -> NDArray[np.float64]:
    """(n, 2, 3) affines from the unit frame to scene pixels."""
    poses = np.array([(o.x, o.y, o.length, o.width, o.angle_rad) for o in objects]).reshape(-1, 5)
    c, s = np.cos(poses[:, 4]), np.sin(poses[:, 4])
    long, wide = poses[:, 2] / 2, poses[:, 3] / 2
    return np.stack(
        [np.stack([c * long, -s * wide, poses[:, 0]], 1), np.stack([s * long, c * wide, poses[:, 1]], 1)],
        axis=1,
    )


def corners(objects: Sequence[SceneObject]) -> NDArray[np.float64]:
    """(n, 4, 2) corners in scene pixels, clockwise on the image."""
    unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
    found = frames(objects)
    return np.einsum("kc,nrc->nkr", unit, found[:, :, :2]) + found[:, None, :, 2]


def make_object(
    rng: np.random.Generator,
    kind_of: ObjectClass,
    x: float,
    y: float,
    gsd_m: float,
    *,
    colour: str | None = None,
    kind: str | None = None,
    angle_rad: float | None = None,
    longest_m: float = np.inf,
    moving: bool = False,
) -> SceneObject:
    """Draw an object of a class at a place; what is not given is random.

    Args:
        rng: the source of randomness.
        kind_of: its class.
        x, y: centre in scene pixels.
        gsd_m: metres per scene pixel.
        colour, kind, angle_rad: as of ``SceneObject``.
        longest_m: bound on its length in metres.
        moving: as of ``SceneObject``.
    """
    kind = kind or str(rng.choice(kind_of.kinds))
    shape = kind_of.kind(kind)
    length = min(float(np.exp(rng.uniform(*np.log(shape.length_m)))), longest_m) / gsd_m
    heading = float(rng.uniform(-np.pi, np.pi)) if angle_rad is None else float(angle_rad)
    return SceneObject(
        kind_of,
        kind,
        colour or str(rng.choice(kind_of.colours)),
        float(x),
        float(y),
        length,
        length / float(rng.uniform(*shape.aspect)),
        0.0 if kind_of.is_round else heading,
        moving,
    )
