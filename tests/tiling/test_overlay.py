"""The overlay: where its colours lie, and what it says about counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageColor

from detection_eval.detections import Detections
from tiling.bands import RGB
from tiling.colours import class_colours
from tiling.errors import OutputError
from tiling.overlay import write_overlay
from tiling.raster import Raster
from tiling.scene import Scene
from tiling.view import Size, View, Window

CLASSES = ("ship", "plane")
SHIP, PLANE = class_colours(CLASSES).values()


def grey_scene(width: int, height: int) -> SimpleNamespace:
    def read(view: View) -> Raster:
        pixels = np.full((*view.size, 3), 128, np.uint8)
        return Raster(pixels, np.full(view.size, 255, np.uint8), RGB, view)

    def plain_view(window: Window, scale: float) -> View:
        return View(window, Size(round(window.height * scale), round(window.width * scale)))

    return SimpleNamespace(window=Window(0, 0, width, height), read=read, plain_view=plain_view)


def square(x: float, y: float, side: float, label: int = 0) -> Detections:
    corners = np.array([[(x, y), (x + side, y), (x + side, y + side), (x, y + side)]], float)
    return Detections(corners, np.array([label]), CLASSES)


def like(pixels: np.ndarray, colour: str) -> np.ndarray:
    return (np.abs(pixels.astype(int) - ImageColor.getrgb(colour)) < 60).all(axis=-1)


def test_outlines_lie_where_the_boxes_are_and_leave_their_inside_alone(tmp_path: Path) -> None:
    # 4000 x 2000 px at a longer side of 1000: the scale is 1/4, so that the box 1000-1800 is drawn 250-450.
    write_overlay(tmp_path / "o.png", grey_scene(4000, 2000), square(1000, 400, 800), max_side=1000)
    pixels = np.asarray(Image.open(tmp_path / "o.png"))
    rows, columns = np.nonzero(like(pixels[:, :1000], SHIP))
    assert (columns.min(), columns.max()) == (pytest.approx(250, abs=2), pytest.approx(450, abs=2))
    assert (rows.min(), rows.max()) == (pytest.approx(100, abs=2), pytest.approx(300, abs=2))
    assert (pixels[110:290, 260:440] == 128).all()


def test_the_legend_stands_beside_the_scene_and_hides_nothing_of_it(tmp_path: Path) -> None:
    write_overlay(tmp_path / "o.png", grey_scene(4000, 2000), square(1000, 400, 800, label=1), max_side=1000)
    picture = Image.open(tmp_path / "o.png")
    assert picture.height == 500
    assert picture.width > 1000
    legend = np.asarray(picture)[:, 1000:]
    assert like(legend, PLANE).any()
    assert not like(legend, SHIP).any()  # no box, no entry


def test_without_detections_the_picture_is_the_scene(tmp_path: Path) -> None:
    write_overlay(tmp_path / "o.png", grey_scene(300, 100), Detections.empty(CLASSES), max_side=600)
    picture = Image.open(tmp_path / "o.png")
    assert picture.size == (600, 200)
    assert (np.asarray(picture) == 128).all()


def test_small_scenes_are_enlarged_four_times_at_most(tmp_path: Path) -> None:
    write_overlay(tmp_path / "o.png", grey_scene(30, 10), Detections.empty(CLASSES))
    assert Image.open(tmp_path / "o.png").size == (120, 40)


def test_boxes_that_leave_the_scene_are_drawn_as_far_as_they_show(tmp_path: Path) -> None:
    write_overlay(tmp_path / "o.png", grey_scene(400, 400), square(300, 300, 1000), max_side=400)
    pixels = np.asarray(Image.open(tmp_path / "o.png"))
    assert like(pixels[302:398, 296:304], SHIP).any()


def test_other_suffixes_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"overlay o\.jpg is not a PNG file"):
        write_overlay(tmp_path / "o.jpg", grey_scene(9, 9), Detections.empty(CLASSES))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_overlay(tmp_path / "none" / "o.png", grey_scene(9, 9), Detections.empty(CLASSES))


def test_an_overlay_of_a_real_orthophoto_shows_its_pixels(rasters: Path, tmp_path: Path) -> None:
    (file,) = (rasters / "rio-tiler").glob("201404*CL_1.tif")
    with Scene(file) as scene:
        write_overlay(tmp_path / "o.png", scene, square(100, 100, 40), max_side=383)
        view = View(scene.window, (scene.height, scene.width))
        expected = scene.read(view).pixels
    drawn = np.asarray(Image.open(tmp_path / "o.png"))[:, : expected.shape[1]]
    away = np.ones(expected.shape[:2], bool)
    away[90:150, 90:150] = False
    # Enlarged, drawn on and reduced again: nearly the same pixels.
    assert np.abs(drawn[away].astype(int) - expected[away]).mean() < 2
