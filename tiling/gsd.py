"""Ground sampling distance of a scene: metres per pixel, how they were found, and how sure that is.

The first of these that says anything counts:

| source | found in | interval |
|---|---|---|
| ``stated`` | the user's own word | the value itself |
| ``transform`` | geodesic size of pixels at centre and corners, in a plane grid its unit | least to largest |
| ``gcp``, ``rpc`` | the same, by points or coefficients | 5 % more |
| ``tag`` | metadata of the product, or labels beside the picture | 10 % |
| ``sensor table`` | a satellite that metadata or the file's name gives away | its range |
| ``dataset default`` | a data set that the caller names | as its authors state it |
| ``predicted`` | a model's estimate | the model's |
| ``unknown`` | | 0.01 m to 10 km |

The dots per inch that TIFF and JPEG files state are no ground sampling distance and never taken for one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tiling.errors import SceneError

if TYPE_CHECKING:
    from rasterio.crs import CRS

    from tiling.scene import Scene
    from tiling.view import View

Source = Literal[
    "stated", "transform", "gcp", "rpc", "tag", "sensor table", "dataset default", "predicted", "unknown"
]

LEAST_M, LARGEST_M = 0.01, 10_000.0
"""Ground sampling distances of anything that is photographed from above."""

_OF_POINTS = 0.05  # relative uncertainty of ground control points and RPC without an elevation model
_OF_TAGS = 0.10


class Range(NamedTuple):
    """Ground sampling distances that are possible, in metres."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Geometric mean: the middle on the scale on which distances differ."""
        return math.sqrt(self.low * self.high)


ANYTHING = Range(LEAST_M, LARGEST_M)

SENSORS: Mapping[str, Range] = MappingProxyType(
    {
        "sentinel-2": Range(10, 60),
        "landsat": Range(15, 30),
        "alos-2 palsar-2 mosaic": Range(25, 25),
        "naip": Range(0.6, 1.0),
    }
)
"""Sensors by name; Sentinel-2 and Landsat have bands of several distances."""

_SIGNS: tuple[tuple[str, str], ...] = (
    (r"\bsentinel-?2[abc]?\b|(?<![a-z0-9])s2[abc]_(?:msi|oper)", "sentinel-2"),
    (r"\blandsat|(?<![a-z0-9])l[ceto]0?[45789]_?l[12]", "landsat"),
    (r"palsar-?2?.*mosaic|(?<![a-z0-9])[ns]\d{2}[ew]\d{3}_\d{2}_sl_h[hv]", "alos-2 palsar-2 mosaic"),
    (r"\bnaip\b|(?<![a-z0-9])m_\d{7}_[ns][ew]_\d{2}_", "naip"),
)
"""Patterns in metadata and names of files, in lower case."""

_STATED_IN_NAME = re.compile(r"(?<![0-9a-z])r?([0-9]{1,3})m(?![0-9a-z])")
"""Resolution in the name of a band's file of Sentinel-2, such as ``..._B02_10m.jp2`` or ``R20m``."""

DATASETS: Mapping[str, Range] = MappingProxyType(
    {
        "aid": Range(0.5, 8.0),
        "hrsc2016": Range(0.4, 2.0),
        "nwpu-resisc45": Range(0.2, 30.0),
        "rsvqa-hr": Range(0.15, 0.15),
        "rsvqa-lr": Range(10.0, 10.0),
        "ucmerced": Range(0.3048, 0.3048),
        "whu-rs19": Range(0.3, 0.5),
    }
)
"""Data sets of pictures without georeference, as their authors state them."""

_TAGS = re.compile(
    r"(?:^|[._:])(?:mean_?(?:product|collected)_?gsd|product_?gsd|gsd|ground_?sampl(?:e|ing)_?distance|gsd_m"
    r"|pixel_?size_?m|resolution_?m)$",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\s*([0-9]+(?:\.[0-9]+)?(?:e-?[0-9]{1,2})?)\s*(?:m|met(?:er|re)s?)?\s*\Z", re.IGNORECASE
)


@dataclass(frozen=True)
class Gsd:
    """Ground sampling distance of a scene.

    Attributes:
        metres: per pixel, the root of a pixel's area on the ground; None where unknown.
        x_m, y_m: along x and y at the centre; None where only one figure is known.
        interval: in which it lies.
        source: how it was found.
        detail: the same in words.
        corners: metres at the four corners, clockwise from the top left; None where it is one figure.
    """

    metres: float | None
    interval: Range
    source: Source
    detail: str
    x_m: float | None = None
    y_m: float | None = None
    corners: tuple[float, float, float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """In metres per pixel, sides and ends by name."""
        sides = None if self.x_m is None or self.y_m is None else {"x": self.x_m, "y": self.y_m}
        return {
            "m": self.metres,
            "xy_m": sides,
            "interval_m": {"low": self.interval.low, "high": self.interval.high},
            "source": self.source,
            "detail": self.detail,
            "corners_m": None if self.corners is None else list(self.corners),
        }

    def scaled(self, factor: float) -> Gsd:
        """That of the same ground in pixels ``factor`` times as large: a view, a resized picture."""
        return Gsd(
            None if self.metres is None else self.metres * factor,
            Range(self.interval.low * factor, self.interval.high * factor),
            self.source,
            self.detail,
            None if self.x_m is None else self.x_m * factor,
            None if self.y_m is None else self.y_m * factor,
        )


def resolve_gsd(
    scene: Scene, *, dataset: str | None = None, predicted: Range | None = None, widest: float = 4.0
) -> Gsd:
    """The ground sampling distance of a scene; never raises.

    Args:
        scene: any open scene.
        dataset: name in ``DATASETS``; other names say nothing.
        predicted: what a model estimates from the pixels.
        widest: largest ratio of the ends of a prediction that is still taken.
    """
    found = _stated(scene) or _measured(scene) or _tagged(scene) or _by_sensor(scene)
    if found is None and dataset is not None:
        found = _of_range(DATASETS.get(dataset.lower()), "dataset default", f"images of {dataset}")
    if found is None and predicted is not None and predicted.high <= widest * predicted.low:
        found = _of_range(predicted, "predicted", "estimated by the model")
    return found or Gsd(None, ANYTHING, "unknown", "nothing states it")


def gsd_of_view(scene: Scene, view: View, gsd: Gsd) -> Gsd:
    """The ground sampling distance of what a view shows, from that of its scene.

    Where it was measured it is measured again at the middle of the view. ``x_m`` and ``y_m`` are along the
    scene's axes.
    """
    across, down = view.scale
    shown = gsd.scaled(math.sqrt(across * down))
    x_m = None if gsd.x_m is None else gsd.x_m * across
    y_m = None if gsd.y_m is None else gsd.y_m * down
    shown = replace(shown, x_m=x_m, y_m=y_m)
    metres = scene.gsd_of(view)
    if gsd.source not in ("transform", "gcp", "rpc") or metres is None:
        return shown
    interval = Range(min(shown.interval.low, metres), max(shown.interval.high, metres))
    return replace(shown, metres=metres, interval=interval)


def range_of_scene(shown: Range, view: View) -> Range:
    """Ground sampling distances of a scene from those of a view of it: the inverse of ``gsd_of_view``."""
    factor = math.sqrt(view.scale[0] * view.scale[1])
    return Range(shown.low / factor, shown.high / factor)


def _stated(scene: Scene) -> Gsd | None:
    metres = scene.overrides.gsd_m
    return (
        None if metres is None else Gsd(metres, Range(metres, metres), "stated", "as stated", metres, metres)
    )


def _measured(scene: Scene) -> Gsd | None:
    if scene.gsd_m is None or scene.gsd_xy_m is None:
        return None
    width, height = scene.width, scene.height
    places = ((0.5, 0.5), (width - 0.5, 0.5), (width - 0.5, height - 0.5), (0.5, height - 0.5))
    corners = tuple(scene.pixel_side_m(x, y) or scene.gsd_m for x, y in places)
    kind: Source = scene.located_by or "transform"
    slack = 0.0 if kind == "transform" else _OF_POINTS
    sides = (*corners, scene.gsd_m)
    return Gsd(
        scene.gsd_m,
        Range(min(sides) * (1 - slack), max(sides) * (1 + slack)),
        kind,
        f"pixels measured {_measured_on(scene.crs)} of {_short(scene.crs_name)}",
        *scene.gsd_xy_m,
        corners=(corners[0], corners[1], corners[2], corners[3]),
    )


def _measured_on(crs: CRS | None) -> str:
    from pyproj import CRS as ProjCRS

    from tiling.georeference import plane_unit_m

    plane = crs is not None and plane_unit_m(ProjCRS.from_wkt(crs.to_wkt())) is not None
    return "in the plane grid" if plane else "on the ellipsoid"


def _short(name: str | None) -> str:
    return name if name is not None and len(name) < 40 else "the scene's CRS"


def _tagged(scene: Scene) -> Gsd | None:
    """From metadata of the file, or the ``gsd:`` line of labels in DOTA's form beside it."""
    for name, value in _tags_of(scene).items():
        metres = _metres(value) if _TAGS.search(name) else None
        if metres is not None:
            return _near(metres, f"metadata {name}")
    for labels in _labels_beside(Path(scene.source)):
        metres = _metres(_dota_gsd(labels) or "")
        if metres is not None:
            return _near(metres, f"gsd: in {labels.name}")
    return None


def _tags_of(scene: Scene) -> Mapping[str, str]:
    try:
        return scene.tags
    except SceneError:
        return {}


def _near(metres: float, detail: str) -> Gsd:
    return Gsd(metres, Range(metres * (1 - _OF_TAGS), metres * (1 + _OF_TAGS)), "tag", detail)


def _metres(text: str) -> float | None:
    match = _NUMBER.match(text)
    metres = float(match[1]) if match else 0.0
    return metres if LEAST_M <= metres <= LARGEST_M else None


def _labels_beside(image: Path) -> list[Path]:
    """Where DOTA keeps the labels of an image: ``labelTxt`` beside ``images``, or the same folder."""
    name = f"{image.stem}.txt"
    folders = (image.parent, image.parent / "labelTxt", image.parent.parent / "labelTxt")
    return [folder / name for folder in folders if (folder / name).is_file()]


def _dota_gsd(labels: Path) -> str | None:
    try:
        with labels.open(encoding="utf-8", errors="replace") as lines:
            for _, line in zip(range(2), lines):
                if line.lower().startswith("gsd:"):
                    return line[4:].strip()
    except OSError:
        pass
    return None


def _by_sensor(scene: Scene) -> Gsd | None:
    name = Path(scene.source).name.lower()
    said = " ".join([name, *_tags_of(scene).values()]).lower()[:20_000]
    for pattern, sensor in _SIGNS:
        if not re.search(pattern, said):
            continue
        possible = SENSORS[sensor]
        exact = _STATED_IN_NAME.search(name)
        if exact and possible.low <= float(exact[1]) <= possible.high:
            possible = Range(float(exact[1]), float(exact[1]))
        return _of_range(possible, "sensor table", sensor)
    return None


def _of_range(possible: Range | None, source: Source, detail: str) -> Gsd | None:
    return None if possible is None else Gsd(possible.middle, possible, source, detail)
