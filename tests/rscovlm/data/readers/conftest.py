"""Images that small copies of published data sets refer to."""

import pytest

from tests.rscovlm.data.published import image


@pytest.fixture
def images(tmp_path):
    for name in ("a.png", "rsvg/b.jpg", "7.tif"):
        image(tmp_path / "images" / name)
    return tmp_path / "images"
