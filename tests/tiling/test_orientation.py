from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tiling.mappings import apply_affine
from tiling.orientation import Storage
from tiling.scene import Scene
from tiling.view import Size, View, Window

STORED = Size(height=48, width=64)
values = st.integers(1, 8)


def assert_alike(found: np.ndarray, expected: np.ndarray) -> None:
    """The same picture; GDAL's JPEG decoder rounds unlike Pillow's, and neighbours differ by 3 and 5."""
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.fixture
def photograph(tmp_path):
    """A JPEG with an EXIF orientation, and what Pillow makes of it upright."""

    def make(value: int) -> tuple[str, np.ndarray]:
        ramp = np.zeros((*STORED, 3), dtype=np.uint8)
        ramp[..., 0] = np.arange(STORED.width) * 3
        ramp[..., 1] = np.arange(STORED.height)[:, None] * 5
        exif = Image.Exif()
        exif[0x0112] = value
        path = tmp_path / f"{value}.jpg"
        Image.fromarray(ramp).save(path, exif=exif, quality=100, subsampling=0)
        return str(path), np.asarray(ImageOps.exif_transpose(Image.open(path)))

    return make


@pytest.mark.parametrize("value", range(1, 9))
def test_each_exif_orientation_shows_what_pillow_shows(photograph, value):
    path, upright = photograph(value)
    with Scene(path) as scene:
        assert (scene.height, scene.width) == upright.shape[:2]
        whole = scene.read(View(scene.window, Size(scene.height, scene.width)))
        assert_alike(whole.pixels, upright)


@pytest.mark.parametrize("value", range(1, 9))
def test_windows_are_cut_from_the_upright_image(photograph, value):
    path, upright = photograph(value)
    with Scene(path) as scene:
        part = scene.read(View(Window(5, 9, 30, 20), Size(20, 30)))
        assert_alike(part.pixels, upright[9:29, 5:35])
        beyond = scene.read(View(Window(-10, -20, 30, 40), Size(40, 30)))
        assert_alike(beyond.pixels[20:, 10:], upright[:20, :20])
        assert not beyond.mask[:20].any()
        assert not beyond.mask[:, :10].any()
        assert beyond.mask[20:, 10:].all()


@given(value=values, window=st.builds(Window, *[st.floats(-20, 80)] * 2, *[st.floats(0.1, 50)] * 2))
def test_windows_and_points_turn_alike(value, window):
    storage = Storage.from_exif(value, STORED)
    x0, y0, x1, y1 = window.bounds
    turned = Window.around(apply_affine(storage.to_stored, [(x0, y0), (x1, y1)]))
    np.testing.assert_allclose(storage.stored_window(window).bounds, turned.bounds, atol=1e-9)


@pytest.mark.parametrize("value", range(1, 9))
def test_pixels_and_points_turn_alike(value):
    storage = Storage.from_exif(value, STORED)
    stored = np.arange(STORED.width * STORED.height).reshape(STORED)
    upright = storage.upright(stored)
    assert upright.shape == storage.size
    for x, y in ((0, 0), (7, 3), (storage.size.width - 1, storage.size.height - 1)):
        column, row = np.floor(apply_affine(storage.to_stored, (x + 0.5, y + 0.5))).astype(int)
        assert upright[y, x] == stored[row, column]


def test_an_unknown_orientation_means_upright():
    assert Storage.from_exif(0, STORED) == Storage.from_exif(1, STORED)
