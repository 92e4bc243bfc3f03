"""Archives and folders given in place of a raster: which path inside them to give instead."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

PICTURES = (".png", ".jpg", ".jpeg")
RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".nc", ".h5", ".hdf", ".ntf", *PICTURES)
MOST_ENTRIES = 10_000
"""Entries of a folder or archive that are looked at."""


def hint(path: Path) -> str | None:
    """Path to give instead of a folder or an archive; None for anything else."""
    if path.is_dir():
        inside = (str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
        return _said(path, "a folder", _likeliest(inside), f"{path}/")
    if not path.is_file():
        return None
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _said(path, "an archive", _likeliest(archive.namelist()), f"/vsizip/{path}/")
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                inside = (member.name for member in archive)
                return _said(path, "an archive", _likeliest(inside), f"/vsitar/{path}/")
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, tarfile.TarError, EOFError):
        return f"{path} is an archive that is damaged or cut off"
    if path.suffix.lower() == ".gz":
        return f"{path} is compressed as a whole; give /vsigzip/{path}"
    return None


def _said(path: Path, kind: str, found: str | None, before: str) -> str:
    if found is None:
        return f"{path} is {kind}; give a raster file (there is none in it that is known by its name)"
    return f"{path} is {kind}; give a raster file in it, such as {before}{found}"


def _likeliest(names: Iterable[str]) -> str | None:
    """The entry that shows most: a true-colour image, the largest scale's file of a product, any raster."""
    rasters = [
        name for name in islice(names, MOST_ENTRIES) if _is_product(name) or name.lower().endswith(RASTERS)
    ]
    return min(rasters, key=_order, default=None)


def _is_product(name: str) -> bool:
    """Whether GDAL opens a whole satellite product by this file."""
    last = name.rsplit("/", 1)[-1]
    return last == "manifest.safe" or (last.startswith("MTD_MSI") and last.endswith(".xml"))


def _order(name: str) -> tuple[bool, bool, bool, int, str]:
    last = name.rsplit("/", 1)[-1].lower()
    hidden = name.startswith("__MACOSX") or last.startswith(".")
    preview = last.startswith(("quicklook", "preview", "thumb")) or last.endswith(PICTURES)
    return hidden, "_tci" not in last, preview, name.count("/"), name
