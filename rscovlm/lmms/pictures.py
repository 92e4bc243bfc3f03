"""Images of a task, as files that a scene reads by windows.

A task may give a path, which is opened as it is, with its georeference; nothing is decoded. It may give a PIL
image that is opened and not yet decoded: then its file is opened in the same way. An image that is decoded
already is what the task made of it (cropped, drawn upon, converted), and its pixels are written to a file
without compression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageFile

from rscovlm.errors import UsageError

_EXACT = ("L", "RGB", "I;16", "I", "F")
"""Modes of PIL that are written as they are; others become RGB, as tasks convert them. More than 8 bits are
stretched when the scene is shown, where PIL would clip them."""


def picture_sources(visuals: Any, folder: Path, name: str) -> list[str]:
    """Files of what a task gave: a picture, or a list of them, also nested.

    Args:
        visuals: as ``doc_to_visual`` returns it; None and empty lists hold no picture.
        folder: for pixels that are in memory only.
        name: of the request, for names of files there.

    Raises:
        UsageError: for what is no picture, such as video or audio.
        OSError: where pixels cannot be decoded or written.
    """
    flat = list(_flat(visuals))
    return [_source(visual, folder / f"{name}_{index}.tif") for index, visual in enumerate(flat)]


def field_sources(document: Mapping[str, Any], field: str, root: Path | None) -> list[str]:
    """Files that a field of a document names, relative to a folder.

    Raises:
        UsageError: where there is no such field, or it holds something else than names of files.
    """
    value = document.get(field)
    names = [value] if isinstance(value, str | Path) else value
    if not isinstance(names, list | tuple) or not all(isinstance(each, str | Path) for each in names):
        raise UsageError(
            f"image_field={field}: it holds {type(value).__name__} and no name of a file; "
            f"the document has {', '.join(document)}"
        )
    return [str(each) if root is None else str(root / each) for each in names]


def _flat(visuals: Any) -> Sequence[Any]:
    if visuals is None:
        return []
    if not isinstance(visuals, list | tuple):
        return [visuals]
    return [each for visual in visuals for each in _flat(visual)]


def _source(visual: Any, place: Path) -> str:
    if isinstance(visual, str | Path):
        return str(visual)
    if not isinstance(visual, Image.Image):
        raise UsageError(f"the task shows {type(visual).__name__}; rscovlm looks at images and files of them")
    file = _undecoded_file(visual)
    if file is not None:
        return file
    pixels = visual if visual.mode in _EXACT else visual.convert("RGB")
    pixels.save(place, "TIFF", compression=None)
    return str(place)


def _undecoded_file(image: Image.Image) -> str | None:
    """The file of an image of which nothing has been decoded yet, if it has one."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile or getattr(image, "n_frames", 1) != 1:
        return None
    name = image.filename
    return str(name) if name and Path(str(name)).is_file() else None
