"""What options of ``rscovlm bench`` say about files: images, sizes and overlaps."""

import pytest
from PIL import Image

from detection_eval.errors import FormatError
from rscovlm.cli.bench import _read_nms, read_options
from rscovlm.errors import UsageError


def images(folder, text):
    path = folder / "images.txt"
    path.write_text(text, encoding="utf-8")
    return path


def options(classes=None, images=None, size=None, contract=None):
    return read_options(classes, images, size, contract)


def test_a_list_of_images_names_them_without_suffix_and_may_state_sizes(tmp_path):
    read = options(images=images(tmp_path, "\ufeffP1.png 1024 768\n\nP2.tif 10 20\n"))
    assert list(read.images) == ["P1", "P2"]
    assert read.sizes == {"P1": (1024, 768), "P2": (10, 20)}
    assert options(images=images(tmp_path, "P1.png\n")).sizes is None
    assert options(size="1024X768").sizes == (1024, 768)
    assert list(options(classes="plane,ship").classes) == ["plane", "ship"]


def test_a_folder_of_images_states_their_sizes(tmp_path):
    with pytest.raises(UsageError, match="holds no images"):
        options(images=tmp_path)
    Image.new("RGB", (30, 20)).save(tmp_path / "P1__0.5__0___0.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: shown on its side
    Image.new("RGB", (30, 20)).save(tmp_path / "b.jpg", exif=turned)
    (tmp_path / "c.png").write_bytes(b"damaged")
    (tmp_path / "b.txt").touch()
    read = options(images=tmp_path)
    assert read.images is None  # a folder has no order
    assert read.sizes == {"P1__0.5__0___0": (30, 20), "b": (20, 30)}
    assert options(images=tmp_path, size="9x9").sizes == (9, 9)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("P1 1024\n", r"images\.txt:1: 'P1 1024' is neither an id nor an id with width and height"),
        ("P1 10 10\nP2 0 20\n", r"images\.txt:2: '0x20' is no size"),
        ("\n", "no images; write an id a line"),
    ],
)
def test_a_line_that_is_no_image_is_named(tmp_path, text, line):
    with pytest.raises(UsageError, match=line):
        options(images=images(tmp_path, text))


def test_a_list_that_is_no_text_is_one_line(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"P1\n\xff")
    with pytest.raises(FormatError, match=r"x\.txt:2: not UTF-8 text \(byte 0\)"):
        options(images=tmp_path / "x.txt")


def test_sizes_are_given_once(tmp_path):
    with pytest.raises(UsageError, match="say the same; give one of them"):
        options(images=images(tmp_path, "P1 10 10\n"), size="10x10")
    for size in ("10", "x10", "10x0", "-1x10"):
        with pytest.raises(UsageError, match=f"--size '{size}' is no size"):
            options(size=size)


def test_an_overlap_is_a_number_from_0_to_1_or_none():
    assert [_read_nms(text) for text in ("0", "0.5", "1", " None ")] == [0, 0.5, 1, None]
    for text in ("1.1", "-0.1", "nan", "much"):
        with pytest.raises(UsageError, match=r"IoU must be in \[0, 1\]; give a number, or none"):
            _read_nms(text)
