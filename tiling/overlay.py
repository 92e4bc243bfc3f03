"""A picture of a scene with its detections drawn on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from detection_eval.detections import Detections
from detection_eval.files import atomic_path, check_folder
from tiling.colours import class_colours
from tiling.errors import OutputError
from tiling.raster import Raster
from tiling.scene import Scene

_CASING = "#0c1018"
_SMOOTHING = 2
_LARGEST_ENLARGEMENT = 4


def write_overlay(path: str | Path, scene: Scene, detections: Detections, max_side: int = 2048) -> None:
    """Write a PNG of the whole scene with box outlines in class colours and a legend of counts.

    The scene lies as a model sees it. It is read through its overviews, so that its size does not matter;
    small scenes are enlarged, at most four times.

    Args:
        path: destination, replaced when the picture is complete.
        scene: the scene whose pixels the boxes are in.
        detections: the boxes.
        max_side: longer side of the scene in the picture in px; the legend adds to its width.

    Raises:
        OutputError: for a suffix other than .png.
        SceneError, OSError: where the scene cannot be read or the picture cannot be written.
    """
    destination = check_overlay(path)
    scale = min(max_side / max(scene.plain_view(scene.window, 1.0).size), _LARGEST_ENLARGEMENT)
    image = scene.read(scene.plain_view(scene.window, scale))
    picture = draw_detections(image, detections)
    with atomic_path(destination) as temporary:
        picture.save(temporary, format="PNG")


def check_overlay(path: str | Path) -> Path:
    """Whether an overlay can be written to a path; to be asked before long work starts.

    Raises:
        OutputError: for a suffix other than .png.
        FileNotFoundError, NotADirectoryError, PermissionError: where the folder cannot be written.
    """
    destination = Path(path)
    if destination.suffix.lower() != ".png":
        raise OutputError(f"overlay {destination.name} is not a PNG file; give a name that ends in .png")
    check_folder(destination)
    return destination


def draw_detections(image: Raster, detections: Detections) -> Image.Image:
    """The pixels of a view with the boxes (in scene pixels) and a legend drawn on them."""
    picture = image.to_pil()
    canvas = picture.resize(
        (picture.width * _SMOOTHING, picture.height * _SMOOTHING), Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(canvas)
    stroke = max(2.0, max(picture.size) / 700) * _SMOOTHING
    corners = image.view.from_scene(detections.polygons) * _SMOOTHING
    colours_of = class_colours(detections.classes)
    # Casings first, so that no box hides the colour of its neighbour.
    for width, colours in (
        (stroke * 1.9, [_CASING] * len(corners)),
        (stroke, [colours_of[name] for name in detections.names]),
    ):
        for polygon, colour in zip(corners, colours):
            ring = [tuple(point) for point in (*polygon, *polygon[:2])]
            draw.line(ring, fill=colour, width=round(width), joint="curve")
    # Drawn larger and reduced, lines come out smooth.
    smooth = canvas.resize(picture.size, Image.Resampling.LANCZOS)
    return _with_legend(smooth, detections)


def _with_legend(picture: Image.Image, detections: Detections) -> Image.Image:
    """The picture with a panel of classes and counts beside it; as it is where there are no boxes."""
    counts = np.bincount(detections.labels, minlength=len(detections.classes))
    present = [label for label in np.argsort(-counts, kind="stable").tolist() if counts[label]]
    if not present:
        return picture
    size = int(np.clip(max(picture.size) / 64, 12, 32))
    font = ImageFont.load_default(size)
    colours, classes = class_colours(detections.classes), detections.classes
    entries = [(colours[classes[label]], classes[label], f"{counts[label]:,}") for label in present]
    row = round(size * 1.7)
    shown = entries[: max(1, (picture.height - row) // row)]
    names = max(font.getlength(name) for _, name, _ in shown)
    numbers = max(font.getlength(number) for *_, number in shown)
    width = round(size * 4.5 + names + numbers)

    result = Image.new("RGB", (picture.width + width, max(picture.height, 2 * row)), _CASING)
    result.paste(picture)
    draw = ImageDraw.Draw(result)
    left = picture.width + size
    for line, (colour, name, number) in enumerate(shown):
        middle = row * (line + 1)
        draw.rounded_rectangle(
            (left, middle - size * 0.4, left + size * 0.8, middle + size * 0.4), size * 0.15, fill=colour
        )
        draw.text((left + size * 1.3, middle), name, font=font, fill="#f0f2f5", anchor="lm")
        draw.text((result.width - size, middle), number, font=font, fill="#9aa4b2", anchor="rm")
    return result
