"""Images of a task as files: by path where nothing is decoded yet, else the very pixels of the task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rscovlm.errors import UsageError
from rscovlm.lmms.pictures import field_sources, picture_sources
from tiling.scene import Scene
from tiling.view import Size, View


@pytest.fixture
def pixels():
    return np.random.default_rng(5).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@pytest.fixture
def stored(tmp_path, pixels):
    path = tmp_path / "stored.png"
    Image.fromarray(pixels).save(path)
    return path


def shown(source):
    with Scene(source) as scene:
        return scene.read(View(scene.window, Size(scene.height, scene.width))).pixels


def test_a_path_stays_the_path(tmp_path):
    assert picture_sources(["a.tif", Path("/data/b.png")], tmp_path, "0") == ["a.tif", "/data/b.png"]
    assert picture_sources("a.tif", tmp_path, "0") == ["a.tif"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("nothing", [None, [], [[]]])
def test_a_task_without_pictures_has_no_files(nothing, tmp_path):
    assert picture_sources(nothing, tmp_path, "0") == []


def test_the_file_of_an_image_that_is_not_decoded_is_opened(stored, tmp_path):
    image = Image.open(stored)
    assert picture_sources([image], tmp_path, "0") == [str(stored)]
    assert image.tile, "opening it must not have decoded it"


def test_what_a_task_did_to_an_image_is_what_is_shown(stored, pixels, tmp_path):
    drawn = Image.open(stored)
    ImageDraw.Draw(drawn).rectangle((0, 0, 9, 9), fill=(255, 0, 0))
    cropped = Image.open(stored).crop((10, 5, 30, 25))
    sources = picture_sources([drawn, [cropped]], tmp_path, "7")
    expected = pixels.copy()
    expected[:10, :10] = (255, 0, 0)
    np.testing.assert_array_equal(shown(sources[0]), expected)
    np.testing.assert_array_equal(shown(sources[1]), pixels[5:25, 10:30])
    assert all(Path(source).parent == tmp_path for source in sources)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "1"])
def test_images_of_8_bits_are_shown_as_pil_converts_them(mode, pixels, tmp_path):
    image = Image.fromarray(pixels).convert(mode)
    (source,) = picture_sources(image, tmp_path, "0")
    np.testing.assert_array_equal(shown(source), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_values_of_more_bits_are_stretched_and_not_clipped(dtype, tmp_path):
    values = np.linspace(1000, 3000, 30 * 40).reshape(30, 40).astype(dtype)
    (source,) = picture_sources(Image.fromarray(values), tmp_path, "0")
    with Scene(source) as scene:
        np.testing.assert_array_equal(
            scene.read_bands(View(scene.window, Size(30, 40))).pixels[:, :, 0], values
        )
    assert len(np.unique(shown(source))) > 200


@pytest.mark.parametrize("suffix", ["jpg", "tif", "png"])
def test_an_image_that_states_an_orientation_is_shown_as_the_task_has_it(suffix, pixels, tmp_path):
    path = tmp_path / f"turned.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(path, exif=exif)
    image = Image.open(path)
    image.load()  # as datasets does; whoever shows it turned has turned its pixels
    (source,) = picture_sources(image, tmp_path, "0")
    np.testing.assert_array_equal(shown(source), np.asarray(image))


@pytest.mark.parametrize("wrong", [{"video": "a.mp4"}, 5, np.zeros((4, 4, 3))])
def test_what_is_no_picture_is_told(wrong, tmp_path):
    with pytest.raises(UsageError, match=f"the task shows {type(wrong).__name__}"):
        picture_sources([wrong], tmp_path, "0")


class TestFields:
    def test_a_field_names_one_file_or_several(self):
        assert field_sources({"image": "a.tif"}, "image", None) == ["a.tif"]
        assert field_sources({"image": ["a.tif", "/b.tif"]}, "image", Path("/root")) == [
            "/root/a.tif",
            "/b.tif",
        ]

    @pytest.mark.parametrize(
        ("document", "told"),
        [
            ({"picture": "a.tif"}, "image_field=image: it holds NoneType and no name of a file; "),
            ({"image": 3, "id": 1}, "it holds int and no name of a file; the document has image, id"),
            ({"image": [3]}, "it holds list and no name"),
        ],
    )  # fmt: skip
    def test_a_field_without_a_name_of_a_file_is_told(self, document, told):
        with pytest.raises(UsageError) as caught:
            field_sources(document, "image", None)
        assert told in str(caught.value)
