"""Pictures from files: read by window, at the size drawn."""

import numpy as np
import pytest
from PIL import Image

from rscovlm.data.pictures import FilePicture, check_size, open_scene
from rscovlm.errors import DataError
from tiling.errors import SceneError
from tiling.view import Size, View, Window


@pytest.fixture
def path(tmp_path):
    """40 px wide and 20 high; the left half black, the right half white."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, 20:] = 255
    Image.fromarray(pixels).save(tmp_path / "halves.png")
    return str(tmp_path / "halves.png")


def test_only_the_window_is_shown_at_the_size_of_its_view(path):
    picture = FilePicture(path, View(Window(24, 0, 16, 8), Size(8, 16)))
    assert picture.size == Size(8, 16)
    assert picture.read().shape == (8, 16, 3)
    assert (picture.read() == 255).all()
    across = FilePicture(path, View(Window(10, 0, 20, 20), Size(20, 20))).read()
    assert (across[:, :9] == 0).all()
    assert (across[:, 11:] == 255).all()


def test_a_file_of_another_size_than_stated_is_refused_when_checked_and_when_read(path):
    view = View(Window(0, 0, 20, 20), Size(20, 20))
    right, swapped = FilePicture(path, view, Size(20, 40)), FilePicture(path, view, Size(40, 20))
    right.check()
    right.read()
    for use in (swapped.check, swapped.read):
        with pytest.raises(DataError, match="has 40 x 20 px, its sample states 20 x 40 px"):
            use()
    check_size(path, Size(1, 2), None)  # nothing is stated


def test_a_file_that_cannot_be_opened_is_an_error_in_both(tmp_path):
    (tmp_path / "torn.png").write_bytes(b"no image")
    picture = FilePicture(str(tmp_path / "torn.png"), View(Window(0, 0, 1, 1), Size(1, 1)))
    for use in (picture.check, picture.read):
        with pytest.raises((SceneError, OSError)):
            use()


def test_a_scene_stays_open_for_the_next_sample(path):
    assert open_scene(path) is open_scene(path)
