"""Scene: a raster of any size, read through views at the resolution at which they are needed."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from rasterio.crs import CRS

from detection_eval.closing import Closing
from tiling.bands import RGB, band_indexes, band_layout, bands_of, shown_bands
from tiling.contrast import automatic_contrast
from tiling.errors import EmptyScene, NotGeoreferenced, NoValidPixels, OutsideScene, SceneUnreadable
from tiling.georeference import Georeference, Kind
from tiling.handles import HandlePool, file_identity
from tiling.locating import crs_name, locate
from tiling.orientation import Storage, nearest_to_north_up
from tiling.overrides import AS_STORED, Overrides
from tiling.pyramid import Pyramid
from tiling.raster import Raster
from tiling.resolution import Resolution
from tiling.square_views import fitted_view, scaled_view, stretch_to_square
from tiling.stretch import Stretch
from tiling.view import UPRIGHT, Orientation, Size, View, Window

MOST_PYRAMIDS = 4
"""Choices of bands, besides those shown, of which levels are kept; each may hold one in memory."""


class _OpenedWith(NamedTuple):
    """The arguments of a scene, by which another process opens it again."""

    source: str
    bands: tuple[int | str, ...] | None
    stretch: Stretch | None
    overrides: Overrides
    north_up: bool


class Scene(Closing):
    """A raster of any size that GDAL reads; a context manager, safe to use from threads.

    ``read_bands`` gives the values of any bands, ``read`` a rendering of one or three of them for the eye.

    Opening reads the header only. Nothing ever decodes the whole image at once: a view is read from the
    overview that just has its detail, or averaged strip by strip where the file has none. Two limits are
    the formats' own: PNG and JPEG have no random access, so that GDAL decodes them from their first row on
    for each part that its cache does not hold (bounded in memory, not in time), and a TIFF that is one single
    compressed strip is decoded whole (``gdal_translate -of COG`` mends both).

    Args:
        source: a path, or what else GDAL opens (``/vsicurl/...``, ``s3://...``, ``https://...``).
        bands: one or three bands to show, 1-based numbers or names; None takes those marked red, green and
            blue, else the first three, else the first.
        stretch: how values become 8 bits; None keeps 8-bit values as they are (but for a single band with
            few grey levels) and stretches others from the 2nd to the 98th percentile of the valid pixels,
            per band, once for the whole scene.
        overrides: what goes before the file's own word about validity, CRS and ground sampling distance.
        north_up: views made by ``view`` are turned by quarters so that north is as nearly up as that allows,
            and never mirrored; False shows the pixels as the file has them.

    Attributes:
        source: path or URL as given.
        width: px, after EXIF orientation.
        height: px, after EXIF orientation.
        band_count: bands in the file, alpha included.
        all_bands: name, unit, scale and wavelength of each band in the file.
        colours: what the file marks each of them as: ``red``, ``gray``, ``alpha``, ``undefined``, ...
        bands: 1-based numbers of the bands shown.
        dtype: number type of the bands shown, as stored.
        nodata: the value that stands for no data in the first of them, if any.
        nodata_values: the same for each of them.
        validity: what says which pixels are valid.
        overviews: reductions of the overviews in the file, finest first.
        block_size: height and width of the blocks in which the file is stored.
        crs: coordinate reference system, None where unknown. A file may state one although its pixels have
            no place in it; ``georeferenced`` says whether they have.
        transform: scene pixels to map coordinates, None without one (also for ground control points and RPC).
        gsd_xy_m: metres per pixel along x and y at the centre, None where unknown.
        gsd_m: square root of the area of a pixel on the ground, at the centre, in metres; None where unknown.
        warnings: what is odd about the file and how it was taken, one line each; computing the stretch may
            add one.
        orientation: how the views of this scene lie in its pixels.

    Raises:
        SceneError: SceneNotFound, EmptyScene, SceneUnreadable or BandError, with one clear line.
    """

    def __init__(
        self,
        source: str | Path,
        bands: Sequence[int | str] | None = None,
        stretch: Stretch | None = None,
        overrides: Overrides = AS_STORED,
        north_up: bool = True,
    ) -> None:
        self.source = str(source)
        chosen = None if bands is None else tuple(bands)
        self._opened_with = _OpenedWith(self.source, chosen, stretch, overrides, north_up)
        self._pool = HandlePool(self.source)
        with self._pool.borrow() as dataset:
            if dataset.count == 0:
                inside = ", ".join(dataset.subdatasets) or "nothing that GDAL knows"
                raise SceneUnreadable(f"{self.source} holds no bands itself; open one of its parts: {inside}")
            if dataset.width == 0 or dataset.height == 0:
                raise EmptyScene(f"{self.source} is {dataset.width} x {dataset.height} px")
            shown = shown_bands(dataset, chosen)
            layout = band_layout(dataset, shown.indexes, chosen is not None, overrides)
            self.all_bands = bands_of(dataset)
            self.colours = tuple(kind.name for kind in dataset.colorinterp)
            exif = dataset.tags().get("EXIF_Orientation", "1")
            self._storage = Storage.from_exif(
                int(exif) if exif.isdigit() else 1, Size(dataset.height, dataset.width)
            )
            located = locate(dataset, self._storage.to_stored, overrides)
            self.band_count: int = dataset.count
            self.overviews: list[int] = dataset.overviews(layout.indexes[0])
            self.block_size = Size(*layout.block_size)
        self.height, self.width = self._storage.size
        self.bands = layout.indexes
        self.dtype = layout.dtype
        self.nodata = layout.nodata[0]
        self.nodata_values = layout.nodata
        self.validity = layout.validity
        self.overrides = overrides
        self.warnings: list[str] = [*located.warnings, *([shown.warning] if shown.warning else [])]
        self._georeference: Georeference | None = located.georeference
        self.crs: CRS | None = located.crs
        self.transform: Affine | None = self._georeference.transform if self._georeference else None
        self.gsd_xy_m = self._georeference.gsd_at(*self.window.center) if self._georeference else None
        self.gsd_m = self._georeference.pixel_side_m(*self.window.center) if self._georeference else None
        if overrides.gsd_m is not None:
            self._assume_gsd(overrides.gsd_m)
        turned = north_up and self._georeference is not None
        self.orientation: Orientation = (
            nearest_to_north_up(self.axes_at(self.window.center)) if turned else UPRIGHT
        )
        self._pyramid = Pyramid(self._pool, layout)
        self._others: dict[tuple[int | str, ...] | None, Pyramid] = {}
        self._stretch = stretch
        self._stretching = threading.Lock()
        self._choosing = threading.Lock()

    def _assume_gsd(self, gsd_m: float) -> None:
        """Take a stated ground sampling distance for that of the file, and say so where it differs."""
        own = self.gsd_m
        if own is not None and abs(gsd_m - own) > 0.01 * own:
            self.warnings.append(f"its ground sampling distance of {own:.3g} m is taken as {gsd_m:.3g} m")
        self.gsd_xy_m, self.gsd_m = (gsd_m, gsd_m), gsd_m

    def __repr__(self) -> str:
        return f"Scene({self.source!r}, {self.width} x {self.height} px, bands {self.bands}, {self.dtype})"

    def __reduce__(self) -> tuple[type[Scene], tuple[object, ...]]:
        return Scene, tuple(self._opened_with)

    def close(self) -> None:
        """Close the file; views can no longer be read."""
        self._pool.close()

    @property
    def window(self) -> Window:
        """The full scene."""
        return Window(0, 0, self.width, self.height)

    @property
    def georeferenced(self) -> bool:
        """Whether scene pixels have map coordinates in a known CRS."""
        return self._georeference is not None and self.crs is not None

    @property
    def located_by(self) -> Kind | None:
        """Kind of the georeference; None without one."""
        return None if self._georeference is None else self._georeference.kind

    @cached_property
    def tags(self) -> dict[str, str]:
        """Metadata of the file, ``DOMAIN:name`` outside the default domain.

        Raises:
            SceneError: where the file cannot be opened any more.
        """
        with self._pool.borrow() as dataset:
            tags = dict(dataset.tags())
            for domain in dataset.tag_namespaces():
                tags |= {f"{domain}:{name}": value for name, value in dataset.tags(ns=domain).items()}
        return tags

    @property
    def crs_name(self) -> str | None:
        """Authority and code of the CRS, else its WKT; None where it is unknown."""
        return None if self.crs is None else crs_name(self.crs)

    @property
    def identity(self) -> str:
        """Identity of a scene in a journal: the file's path, size and time of change, bands and stretch."""
        unseen = f"{self.source}|{self.width}x{self.height}x{self.band_count} {self.dtype}"
        file = file_identity(Path(self.source)) or unseen
        stated = f"|{self.overrides}" if self.overrides != AS_STORED else ""
        shown = "" if self._opened_with.north_up else "|orientation of the file"
        return (
            f"{file}|bands {','.join(map(str, self.bands))}|stretch {self._opened_with.stretch or 'auto'}"
            f"{stated}{shown}"
        )

    @property
    def stretch(self) -> Stretch:
        """The stretch of each view of this scene; computed on first use, from pixels where it has to be.

        Raises:
            NoValidPixels: where percentiles are needed and there are none.
        """
        with self._stretching:
            if self._stretch is None:
                found = automatic_contrast(self._pyramid, self.overrides)
                if found is None:
                    raise NoValidPixels(
                        f"{self.source} has no valid pixels: all are nodata, transparent or NaN"
                    )
                self._stretch = found.stretch
                self.warnings += found.warnings
            return self._stretch

    def require_pixels(self) -> None:
        """Make sure that there is something to look at.

        Raises:
            NoValidPixels: where each pixel is nodata, transparent or NaN.
        """
        if not self.has_valid(self.window):
            raise NoValidPixels(f"{self.source} has no valid pixels: all are nodata, transparent or NaN")

    def overview(self, resolution: Resolution) -> View:
        """The whole scene at the size that fits a model.

        Raises:
            NoValidPixels: where there is nothing to look at.
        """
        self.require_pixels()
        return self.view(self.window, resolution)

    def view(self, window: Window, resolution: Resolution, reduction: float | None = None) -> View:
        """A window at the size that fits a model, its pixels square on the ground, in ``orientation``.

        The window is cut to the scene. A strip more than 100 times as long as it is wide is widened, beyond
        the scene if need be, since no model takes it as it is.

        Args:
            window: in scene pixels.
            resolution: the sizes that the model accepts.
            reduction: scene pixels per view pixel (geometric mean) before the size is made to fit; None
                keeps all detail that the model's bounds allow.

        Raises:
            OutsideScene: for a window outside the scene.
        """
        inside = window.intersection(self.window)
        if inside is None:
            raise OutsideScene(
                f"window {tuple(round(v, 1) for v in window.bounds)} lies outside the scene of "
                f"{self.width} x {self.height} px"
            )
        return fitted_view(inside, self._to_square(inside), self.orientation, resolution, reduction)

    def plain_view(self, window: Window, scale: float) -> View:
        """A window at ``scale`` view pixels per scene pixel (geometric mean), in the scene's orientation."""
        return scaled_view(window, self._to_square(window), self.orientation, scale)

    @property
    def square_xy(self) -> tuple[float, float]:
        """How many times as long as its mean side a square of the ground is along x and along y, in pixels.

        Both are 1 where pixels are square on the ground, to within 1 %.
        """
        wider, taller = self._to_square(self.window)
        return math.sqrt(taller / wider), math.sqrt(wider / taller)

    def _to_square(self, window: Window) -> tuple[float, float]:
        """``stretch_to_square`` of the pixels in the middle of a window."""
        ground = self.gsd_xy_m
        if self._georeference is not None:
            ground = self._georeference.gsd_at(*window.center) or ground
        return stretch_to_square(ground)

    def read(self, view: View) -> Raster:
        """A view rendered for the eye: the bands shown as uint8 red, green and blue; black where invalid.

        Values are stretched to 8 bits before the last step of resampling, which is faster than the other
        way round.

        Raises:
            SceneUnreadable: where the file is corrupt.
            NoValidPixels: where a stretch has to be computed and no pixel is valid.
        """
        raster = self._read(self._pyramid, view, self.stretch)
        pixels = raster.pixels
        return replace(
            raster, pixels=pixels if len(raster.bands) == 3 else pixels.repeat(3, axis=2), bands=RGB
        )

    def read_bands(self, view: View, bands: Sequence[int | str] | None = None) -> Raster:
        """The values of a view, with no rendering.

        Stored values (magnitudes of complex ones, colours of a palette) where the view shows whole pixels at
        their own size; elsewhere means and a bicubic filter of the valid ones, float32 unless they are 8-bit.
        ``Raster.physical`` applies the bands' scale and offset.

        Args:
            view: view to read.
            bands: 1-based numbers or names; None takes all but alpha.

        Raises:
            SceneUnreadable: where the file is corrupt.
            BandError: for a band that does not exist.
        """
        return self._read(self._pyramid_of(bands), view)

    def _read(self, pyramid: Pyramid, view: View, rendering: Stretch | None = None) -> Raster:
        block = pyramid.read(self._storage.stored_view(view.untransposed), rendering)
        pixels, coverage = (
            np.ascontiguousarray(view.orientation.turned(self._storage.upright(part))) for part in block
        )
        return Raster(pixels, coverage, pyramid.layout.bands, view, self.gsd_of(view))

    def _pyramid_of(self, bands: Sequence[int | str] | None) -> Pyramid:
        """The levels of some bands, kept for the next view of the same ones."""
        asked = None if bands is None else tuple(bands)
        with self._choosing:
            if asked not in self._others:
                with self._pool.borrow() as dataset:
                    layout = band_layout(
                        dataset, band_indexes(dataset, asked), asked is not None, self.overrides
                    )
                while len(self._others) >= MOST_PYRAMIDS:
                    del self._others[next(iter(self._others))]
                same = layout.indexes == self.bands
                self._others[asked] = self._pyramid if same else Pyramid(self._pool, layout)
            return self._others[asked]

    def valid_fraction(self, window: Window) -> float:
        """The part of a window that shows something, 0-1; 0 only where not a single pixel does."""
        return self._pyramid.valid_fraction(self._storage.stored_window(window))

    def has_valid(self, window: Window) -> bool:
        """Whether a window shows anything at all; quicker than ``valid_fraction``."""
        return self._pyramid.has_valid(self._storage.stored_window(window))

    def gsd_of(self, view: View) -> float | None:
        """Metres per pixel of a view at its centre (root of the pixel's area), None where unknown."""
        ground = self.gsd_m
        if self._georeference is not None and self.overrides.gsd_m is None:
            ground = self._georeference.pixel_side_m(*view.window.center) or ground
        return None if ground is None else ground * math.sqrt(view.scale[0] * view.scale[1])

    def pixel_side_m(self, x: float, y: float) -> float | None:
        """Root of the area on the ground of the pixel at scene pixel (x, y) in metres, None where unknown."""
        return None if self._georeference is None else self._georeference.pixel_side_m(x, y)

    def axes_at(self, points: ArrayLike) -> NDArray[np.float64]:
        """Metres east and north of one pixel along x and one along y, (..., 2, 2), at scene pixels (..., 2).

        NaN where the place on the ground is unknown.
        """
        if self._georeference is None:
            return np.full((*np.shape(points), 2), np.nan)
        return self._georeference.axes_at(points)

    def to_map(self, points: ArrayLike) -> NDArray[np.float64]:
        """Scene pixels (..., 2) as map coordinates in the CRS.

        Raises:
            NotGeoreferenced: where the scene has none.
        """
        return self._located().to_map(points)

    def from_map(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map coordinates (..., 2) as scene pixels.

        Raises:
            NotGeoreferenced: where the scene has none.
        """
        return self._located().from_map(points)

    def to_lonlat(self, points: ArrayLike) -> NDArray[np.float64]:
        """Scene pixels (..., 2) as WGS84 longitude and latitude in degrees.

        Raises:
            NotGeoreferenced: where the scene has no CRS, or one without relation to the Earth.
        """
        return self._located().to_lonlat(points)

    def from_lonlat(self, points: ArrayLike) -> NDArray[np.float64]:
        """WGS84 longitudes and latitudes (..., 2) in degrees as scene pixels.

        Raises:
            NotGeoreferenced: where the scene has no CRS, or one without relation to the Earth.
        """
        return self._located().from_lonlat(points)

    def _located(self) -> Georeference:
        if self._georeference is None:
            stated = "" if self.crs is None else f" (it states {self.crs_name}, and no place in it)"
            raise NotGeoreferenced(
                f"{self.source} has no georeference: no transform, ground control points or RPC{stated}"
            )
        return self._georeference
