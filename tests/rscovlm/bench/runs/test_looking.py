"""What a model is shown of an item."""

from dataclasses import replace

import pytest

from rscovlm.bench.runs.looking import GRAY, direct_resolution, first_view, gray, shuffled_images
from rscovlm.models.checkpoints import Checkpoint, resolve
from rscovlm.models.families import FAMILIES
from tests.rscovlm.bench.made import VIEW, item
from tests.rscovlm.scripted import write_raster
from tiling.scene import Scene

NANO = FAMILIES["nano"].resolution


@pytest.fixture
def scene(tmp_path):
    with Scene(write_raster(tmp_path / "a.tif", 1024, 1024)) as opened:
        yield opened


def test_the_overview_shows_all_and_the_oracle_the_evidence_with_its_margin(scene):
    asked = item("a", evidence=(100.0, 200.0, 300.0, 400.0))
    assert first_view(scene, asked, "off", NANO).window == scene.window
    shown = first_view(scene, asked, "oracle", NANO).window
    # 200 px and a twentieth on each side
    assert shown.bounds == pytest.approx((90, 190, 310, 410))


def test_without_evidence_an_oracle_shows_the_whole(scene):
    assert first_view(scene, item("a"), "oracle", NANO).window == scene.window


def test_direct_is_what_the_checkpoint_itself_allows():
    served = Checkpoint("http://host/v1#x", "http", FAMILIES["qwen2.5-vl"], url="http://host/v1")
    assert direct_resolution(served).max_pixels == 16_384 * 28**2
    shipped = resolve("nano")
    small = replace(shipped, family=shipped.family.with_max_pixels(64 * 64))
    assert direct_resolution(small).max_pixels == NANO.max_pixels


def test_grey_has_the_size_of_the_view():
    assert gray(VIEW).shape == (50, 100, 3)
    assert (gray(VIEW) == GRAY).all()


def test_shuffling_gives_every_item_anothers_image_whatever_the_order_of_items():
    items = [item(str(number), image=f"{number // 2}.tif") for number in range(12)]
    shown = shuffled_images(items, seed=0)
    assert all(shown[each.key] != each.images for each in items)
    assert set(shown.values()) == {each.images for each in items}
    assert shuffled_images(items[::-1], seed=0) == shown
    assert shuffled_images(items, seed=1) != shown


def test_of_a_single_image_there_is_no_other():
    assert shuffled_images([item("a")], 0) == {"a": ("a.tif",)}
