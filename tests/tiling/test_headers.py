"""Sizes from headers: those of the scene, whatever reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiling.errors import SceneError
from tiling.headers import image_size
from tiling.scene import Scene


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "two.mpo"])
def test_sizes_are_upright_as_a_scene_shows_them(tmp_path: Path, name: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    further = {"save_all": True, "append_images": [Image.new("RGB", (40, 20))]} if name == "two.mpo" else {}
    Image.new("RGB", (40, 20)).save(tmp_path / name, exif=exif, **further)
    with Scene(tmp_path / name) as scene:
        assert image_size(tmp_path / name) == (scene.height, scene.width)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif"])
def test_usual_photographs_are_sized_without_gdal(tmp_path: Path, suffix: str, monkeypatch) -> None:
    Image.new("RGB", (40, 20)).save(tmp_path / f"a.{suffix}")
    monkeypatch.setattr("tiling.headers.Scene", None)
    assert image_size(tmp_path / f"a.{suffix}") == (20, 40)


def test_formats_that_only_gdal_reads_are_sized_too(make_raster) -> None:
    path = make_raster(np.zeros((5, 30, 20), np.float32), "deep.img", driver="HFA")
    assert image_size(path) == (30, 20)


def test_what_is_no_image_is_a_scene_error(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_bytes(b"no image")
    with pytest.raises(SceneError, match=r"notes\.png cannot be read"):
        image_size(tmp_path / "notes.png")
