"""Which pixels of a dataset are valid: masks, nodata values and transparency, as GDAL understands them.

GDAL chooses one of them for each band (a mask inside or beside the file, else the nodata value, else the band
marked alpha), and so does this module, unless a user states otherwise. A pixel is valid where *any* band
shown is: black in one band only is a colour.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NodataShadowWarning
from rasterio.windows import Window as RasterioWindow

from tiling.errors import BandError
from tiling.overrides import AS_STORED, Overrides

# That nodata goes before alpha is the rule here. For the process: catch_warnings is not safe in threads.
warnings.filterwarnings("ignore", category=NodataShadowWarning)


@dataclass(frozen=True)
class Validity:
    """Sources of validity of the bands shown; a pixel is valid where all of them say so.

    Attributes:
        masks: the bands whose masks GDAL is asked for; empty where it has none, or they are not to be used.
        images: whether those masks are images of their own rather than nodata values. Overviews may lack
            them, or have others.
        alpha: the band that says what is transparent.
        nodata: per band shown, the value compared here because it is not the file's own choice; None for a
            band without one.
        file: a raster that is not 0 where pixels are valid.
    """

    masks: tuple[int, ...] = ()
    images: bool = False
    alpha: int | None = None
    nodata: tuple[float | None, ...] = ()
    file: Path | None = None

    @property
    def always(self) -> bool:
        """Whether each pixel is valid, but for values that are not numbers."""
        return not self.masks and self.alpha is None and not self.nodata and self.file is None


def validity_of(
    dataset: rasterio.DatasetReader, indexes: tuple[int, ...], named: bool, stated: Overrides = AS_STORED
) -> Validity:
    """Sources of validity of some bands.

    Args:
        dataset: the open dataset.
        indexes: the 1-based bands shown.
        named: whether a user named them; the marking of a band as alpha then says nothing.
        stated: what goes before the file's own word.

    Raises:
        BandError: for an alpha band that does not exist.
    """
    flags = [dataset.mask_flag_enums[index - 1] for index in indexes]
    alpha = any(MaskFlags.alpha in each for each in flags)
    nodata = any(MaskFlags.nodata in each for each in flags)
    images = not any(
        flag in each for each in flags for flag in (MaskFlags.all_valid, MaskFlags.alpha, MaskFlags.nodata)
    )
    declared = tuple(dataset.nodatavals[index - 1] for index in indexes)
    use_images = images and stated.mask == "file"
    use_declared = nodata and stated.nodata == "file"
    compared: tuple[float | None, ...] = ()
    if isinstance(stated.nodata, float | int):
        compared = (float(stated.nodata),) * len(indexes)
    elif images and not use_images and stated.nodata == "file" and None not in declared:
        compared = declared  # the file's second choice, its mask being left out of account
    masks = indexes if use_images or use_declared else ()
    shared = use_images and all(MaskFlags.per_dataset in each for each in flags)
    return Validity(
        masks=masks[:1] if shared else masks,
        images=use_images,
        alpha=_alpha(dataset, indexes, named, stated, unsaid=alpha or not (masks or compared)),
        nodata=compared,
        file=stated.mask if isinstance(stated.mask, Path) else None,
    )


def _alpha(
    dataset: rasterio.DatasetReader, indexes: tuple[int, ...], named: bool, stated: Overrides, unsaid: bool
) -> int | None:
    """The band that says what is transparent: the one stated, else the one marked if nothing else says it."""
    if isinstance(stated.alpha, int):
        if not 1 <= stated.alpha <= dataset.count:
            raise BandError(f"no band {stated.alpha} for alpha in {dataset.name}; it has {dataset.count}")
        return stated.alpha
    kinds = dataset.colorinterp
    marked = kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds else None
    # Asked for as an image: writers mark the fourth band of four as alpha, whatever it holds.
    return None if stated.alpha == "none" or named or not unsaid or marked in indexes else marked


def read_validity(
    dataset: rasterio.DatasetReader,
    validity: Validity,
    pixels: NDArray[Any],
    window: RasterioWindow,
    images: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Coverage (height, width) of pixels, 255 where valid; a band that is not has 0 written into ``pixels``.

    Args:
        dataset: the stored pixels or an overview.
        validity: of its bands.
        pixels: (height, width, bands) as stored; changed where a band is nodata and others are not, and its
            value is no colour (a negative or fractional type).
        window: where they lie.
        images: coverage by masks that are images, where it was read elsewhere.
    """
    coverage = np.full(pixels.shape[:2], 255, np.uint8) if images is None else images.copy()
    if pixels.dtype.kind in "fc":
        coverage[~np.isfinite(pixels).all(axis=-1)] = 0
    if validity.masks and not (validity.images and images is not None):
        masks = dataset.read_masks(list(validity.masks), window=window) > 0
        _fill(pixels, masks, images=validity.images)
        coverage[~np.asarray(masks.any(axis=0))] = 0
    if validity.alpha is not None:
        coverage[dataset.read(validity.alpha, window=window) == 0] = 0
    if validity.nodata:
        coverage[_all_nodata(pixels, validity.nodata)] = 0
    return coverage


def _fill(pixels: NDArray[Any], masks: NDArray[np.bool_], images: bool) -> None:
    """Write 0 where one band is invalid and another is not, unless the value may be a colour."""
    if len(masks) != pixels.shape[-1] or len(masks) == 1 or not (images or pixels.dtype.kind in "ifc"):
        return
    mixed = np.asarray(masks.any(axis=0) & ~masks.all(axis=0))
    if mixed.any():
        pixels[np.moveaxis(~masks, 0, -1) & mixed[..., None]] = 0


def _all_nodata(pixels: NDArray[Any], nodata: tuple[float | None, ...]) -> NDArray[np.bool_]:
    """Where each band has its nodata value."""
    absent = np.ones(pixels.shape[:2], bool)
    for band, value in enumerate(nodata):
        values = pixels[..., band]
        absent &= np.zeros_like(absent) if value is None else is_value(values, value)
    return absent


def is_value(values: NDArray[Any], value: float) -> NDArray[np.bool_]:
    """Where values are a given one, to within the digits that float32 keeps of it."""
    if np.isnan(value):
        return np.isnan(values)
    if values.dtype.kind not in "fc":
        return values == value
    with np.errstate(over="ignore", invalid="ignore"):
        tolerance = 4 * float(np.finfo(np.float32).eps) * abs(value)
        return np.abs(values - value) <= tolerance if np.isfinite(value) else values == value
