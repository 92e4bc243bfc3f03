"""A thematic raster: codes of classes in one band, and what the file calls them.

Codes are read as they are stored: neither the mean of two classes nor the colour of one is a class.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from uuid import uuid4
from xml.etree import ElementTree

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.shutil import copy as copy_raster
from rasterio.shutil import delete, exists

from detection_eval.words import counted
from tiling.bands import band_indexes, band_layout
from tiling.class_names import class_name, column_of, identity_of
from tiling.errors import ThematicMapError
from tiling.handles import HandlePool
from tiling.locating import locate
from tiling.pyramid import MOSTLY_VALID, Pyramid
from tiling.reading import Cells
from tiling.scene import Scene
from tiling.stack import map_places

Points = NDArray[np.float64]

CATEGORIES, CODES = "category names", "codes"
"""What stands for the columns of a raster without an attribute table."""

MOST_READ = 2048 * 2048
"""Pixels that are read at once; places farther apart than that are read in parts."""

_BORDER = 33
"""Places along each side of a scene by which it is seen whether a map overlaps it."""

_VALUE_USES = {"5", "3", "4"}  # GFU_MinMax, GFU_Min, GFU_Max
_VALUE_NAME = re.compile(r"value|code|min|pixel.?value", re.IGNORECASE)


class ThematicRaster:
    """Classes of places by the codes of a raster; arguments as of ``tiling.thematic.open_thematic``."""

    def __init__(
        self,
        source: str,
        scene: Scene,
        known: Collection[str],
        column: str | None,
        renamed: Mapping[str, str],
    ) -> None:
        self.source = source
        self._pool = HandlePool(source)
        with self._pool.borrow() as dataset:
            indexes = band_indexes(dataset, None)
            if len(indexes) != 1:
                raise ThematicMapError(
                    f"{source} has {counted(len(indexes), 'band')}; a map of classes has one, of their codes"
                )
            layout = replace(band_layout(dataset, indexes), palette=None)
            place = locate(dataset, Affine.identity()).georeference
            if place is None or place.crs is None:
                raise ThematicMapError(
                    f"{source} states no coordinate reference system, so its place is unknown"
                )
            tables = _tables(dataset, indexes[0])
            files = sorted(dataset.files)
        self._place, self._pyramid = place, Pyramid(self._pool, layout)
        self._names = _names(source, tables, known, column, renamed)
        self._renamed = renamed
        self.identity = identity_of(files or [source], {"names": self._names, "renamed": renamed})
        inside = self._stored(scene, border(scene))
        if not np.isfinite(inside).all(axis=-1).any() or not self._inside(_nearest(inside)).any():
            raise ThematicMapError(f"{source} does not overlap {scene.source}; give a map of its place")

    def names_at(self, scene: Scene, points: Points) -> list[str]:
        """The class of the pixel that holds each place; see ``ThematicMap``."""
        found = [""] * len(points)
        pixels = _nearest(self._stored(scene, points))
        inside = np.flatnonzero(self._inside(pixels))
        for part in _parts(pixels, inside):
            (left, top), (right, bottom) = pixels[part].min(axis=0), pixels[part].max(axis=0) + 1
            block = self._pyramid.read_cells(self._pyramid.levels[0], Cells(left, top, right, bottom))
            x, y = (pixels[part] - (left, top)).T
            values, valid = block.pixels[y, x, 0], block.coverage[y, x] >= MOSTLY_VALID
            for index, value, is_valid in zip(part, values, valid, strict=True):
                code = class_name(value) if is_valid else ""
                found[index] = self._names.get(code) or self._renamed.get(code, code)
        return found

    def close(self) -> None:
        """Close the file."""
        self._pool.close()

    def _stored(self, scene: Scene, points: Points) -> Points:
        """(N, 2) places in stored pixels."""
        there = map_places(scene, points, self._place.crs)
        with np.errstate(invalid="ignore"):
            return self._place.from_map(there)

    def _inside(self, pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
        height, width = self._pyramid.size
        return np.asarray(((pixels >= 0) & (pixels < (width, height))).all(axis=-1))


def border(scene: Scene) -> Points:
    """(N, 2) pixels all over a scene, its corners and edges among them."""
    across, down = (np.linspace(0, side, _BORDER) for side in (scene.width, scene.height))
    return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)


def _nearest(places: Points) -> NDArray[np.int64]:
    """The pixels that hold places; -1 for those that have none."""
    return np.where(np.isfinite(places), np.floor(places), -1).clip(-1, 2**40).astype(np.int64)


def _parts(pixels: NDArray[np.int64], chosen: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Indexes of pixels in groups that lie close enough to be read at once."""
    if not len(chosen):
        return
    own = pixels[chosen]
    sides = own.max(axis=0) - own.min(axis=0) + 1
    if len(chosen) == 1 or int(sides[0]) * int(sides[1]) <= MOST_READ:
        yield chosen
        return
    along = int(sides.argmax())
    order = chosen[own[:, along].argsort(kind="stable")]
    for half in np.array_split(order, 2):
        yield from _parts(pixels, half)


def _names(
    source: str,
    tables: Mapping[str, Mapping[str, str]],
    known: Collection[str],
    column: str | None,
    renamed: Mapping[str, str],
) -> dict[str, str]:
    """The name of each code, from the column that holds known names; empty where codes are the names."""
    if not tables and column in (None, CODES):
        return {}
    named = {
        title: {code: renamed.get(name, name) for code, name in own.items()} for title, own in tables.items()
    }
    codes = dict.fromkeys(code for own in tables.values() for code in own)
    columns = {title: [*own.values()] for title, own in named.items()}
    held = {title for title, own in columns.items() if not set(own).isdisjoint(known)}
    if column == CODES or (column is None and not held):
        columns |= {CODES: [renamed.get(code, code) for code in codes]}
    chosen = column_of(source, columns, known, column)
    return {} if chosen == CODES else named[chosen]


def _tables(dataset: rasterio.DatasetReader, index: int) -> dict[str, dict[str, str]]:
    """Names by code, by the title of what holds them: category names, and columns of the attribute table.

    GDAL's bindings hand out neither; a virtual raster of the same file spells both out.
    """
    virtual = f"/vsimem/{uuid4().hex}.vrt"
    try:
        copy_raster(dataset, virtual, driver="VRT")
        with rasterio.open(virtual) as opened:
            text = opened.tags(ns="xml:VRT")["xml:VRT"]
    finally:
        if exists(virtual):
            delete(virtual)
    band = ElementTree.fromstring(text).find(f"VRTRasterBand[@band='{index}']")
    if band is None:
        return {}
    found: dict[str, dict[str, str]] = {}
    categories = [(each.text or "").strip() for each in band.iterfind("CategoryNames/Category")]
    if any(categories):
        found[CATEGORIES] = {str(code): name for code, name in enumerate(categories) if name}
    table = band.find("GDALRasterAttributeTable")
    return found if table is None else found | _columns(table)


def _columns(table: ElementTree.Element) -> dict[str, dict[str, str]]:
    """The columns of an attribute table, by their titles, each by the code of its row."""
    fields = [
        (each.findtext("Name", ""), each.findtext("Usage", ""), each.findtext("Type", ""))
        for each in table.iterfind("FieldDefn")
    ]
    rows = [[(cell.text or "").strip() for cell in row.iterfind("F")] for row in table.iterfind("Row")]
    codes = [place for place, (_, use, _) in enumerate(fields) if use in _VALUE_USES]
    codes += [place for place, (title, _, _) in enumerate(fields) if _VALUE_NAME.fullmatch(title)]
    if codes:
        keys = [class_name(_number(row[codes[0]])) for row in rows]
    else:
        first, step = float(table.get("Row0Min", 0)), float(table.get("BinSize", 1))
        keys = [class_name(first + step * place) for place in range(len(rows))]
    return {
        title: {key: row[place] for key, row in zip(keys, rows, strict=True) if row[place]}
        for place, (title, _, kind) in enumerate(fields)
        if kind == "2"
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
