"""Conversations: one form for what is asked of a model and what one is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tiling.view import Size
from zoom_chain.chat import Conversation, ImagePart, PngPart, digest_of

RGB = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


@dataclass(frozen=True)
class Unread:
    """A picture that is read when it is needed."""

    size: Size
    gsd_m: float | None = None

    def read(self) -> np.ndarray:
        return RGB


def test_pictures_are_in_reading_order_and_read_when_they_are_needed():
    held, unread = ImagePart(RGB), Unread(Size(2, 4))
    conversation = Conversation().say("user", unread, "first, ", held, "then").say("assistant", "yes")
    assert conversation.images == (unread, held)
    assert conversation.messages[0].text == "first, then"
    assert ImagePart.of(held) is held
    assert ImagePart.of(unread) == held
    assert held.size == unread.size == (2, 4)


def test_pictures_have_any_number_of_bands_of_bytes_or_floats():
    image = ImagePart(np.zeros((2, 4, 12), np.float32))
    assert not image.is_rgb
    assert not ImagePart(RGB.astype(np.float32)).is_rgb
    assert ImagePart(RGB, ("B04", "B03", "B02")).is_rgb
    with pytest.raises(ValueError, match=r"image is float64 \(2, 4, 12\); a message takes"):
        ImagePart(np.zeros((2, 4, 12)))
    with pytest.raises(ValueError, match="image has 12 bands and 2 names; name each band or none"):
        ImagePart(image.pixels, ("VV", "VH"))


def test_identity_is_that_of_the_pixels():
    assert ImagePart(RGB) == ImagePart(RGB.copy())
    assert ImagePart(RGB) != ImagePart(RGB.reshape(4, 2, 3))
    assert len({ImagePart(RGB), ImagePart(RGB.copy()), ImagePart(RGB + np.uint8(1))}) == 2


def test_the_same_pixels_at_another_scale_are_another_image():
    assert ImagePart(RGB, gsd_m=0.3) == ImagePart(RGB, gsd_m=0.3)
    assert len({ImagePart(RGB), ImagePart(RGB, gsd_m=0.3), ImagePart(RGB, gsd_m=0.6)}) == 3
    assert ImagePart.of(Unread(Size(2, 4), 0.3)).gsd_m == 0.3


def test_a_picture_kept_as_a_file_is_the_same_picture():
    image = ImagePart(np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8), gsd_m=0.3)
    kept = PngPart.of(image)
    assert (kept.size, kept.gsd_m) == (image.size, 0.3)
    np.testing.assert_array_equal(kept.read(), image.pixels)
    assert digest_of(kept) == digest_of(image) == image.digest
    assert kept == PngPart.of(ImagePart(image.pixels.copy(), gsd_m=0.3))
