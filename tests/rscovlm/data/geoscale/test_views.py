"""Views at many scales: pixels are reduced and never invented, and the scale is that of what is shown."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from rscovlm.data.annotations import Annotated
from rscovlm.data.geoscale.tiers import TIERS
from rscovlm.data.geoscale.views import COARSEST_M, FINEST_M, annotated_views, synthetic_views
from rscovlm.synth.catalogue import OBJECT_CLASSES
from tests.rscovlm.data.geoscale.material import thing


@pytest.fixture
def image(tmp_path):
    """2000 x 1600 px at 0.5 m with a ship of 80 m."""
    path = tmp_path / "harbour.png"
    Image.fromarray(np.zeros((1600, 2000, 3), np.uint8)).save(path)
    return Annotated("harbour", path, 2000, 1600, (thing("ship", 900, 700, 160, 40),), gsd_m=0.5)


def test_an_image_is_shown_in_each_tier_that_its_pixels_and_size_allow(image):
    left_out = Counter()
    found = list(annotated_views([image], 100, 3, 0, left_out))
    # From 0.5 m as it is to 1600 px * 0.5 m / 100 px = 8 m: no land cover.
    assert Counter(view.tier.name for view in found) == {"objects": 3, "structures": 3}
    assert all(0.5 <= view.gsd_m <= 8 for view in found)
    assert left_out == {"image too small or too coarse for land cover": 1}
    assert found[0].picture.read().shape == (100, 100, 3)
    assert len({view.id for view in found}) == 6


def test_things_are_as_large_on_the_ground_in_every_view(image):
    for view in annotated_views([image], 100, 4, 1, Counter()):
        for ship in view.things:
            assert ship.sides[0] * view.gsd_m == pytest.approx(80)
            assert view.tier.low_m <= view.gsd_m < view.tier.high_m


def test_an_image_of_unknown_scale_is_left_out_and_counted(image):
    left_out = Counter()
    unknown = Annotated("bare", image.path, 2000, 1600)
    assert list(annotated_views([unknown], 100, 1, 0, left_out)) == []
    assert left_out == {"image of unknown scale": 1}


def test_synthetic_views_go_through_the_tiers_and_are_functions_of_the_seed():
    found = list(synthetic_views(6, 32, 7))
    assert [view.tier for view in found] == [*TIERS, *TIERS]
    for view in found:
        assert max(view.tier.low_m, FINEST_M) <= view.gsd_m <= min(view.tier.high_m, COARSEST_M)
        assert view.width_m == pytest.approx(32 * view.gsd_m)
    again = list(synthetic_views(6, 32, 7))
    assert [view.gsd_m for view in again] == [view.gsd_m for view in found]
    assert np.array_equal(again[0].picture.read(), found[0].picture.read())
    assert [view.gsd_m for view in synthetic_views(6, 32, 8)] != [view.gsd_m for view in found]


def test_the_scale_of_a_synthetic_view_is_that_of_its_objects():
    classes = {each.name: each for each in OBJECT_CLASSES}
    seen = 0
    for view in synthetic_views(60, 64, 3):
        for each in view.things:
            whole = each.polygon.min() >= 0 and each.polygon.max() <= view.side
            # Objects that have to fit somewhere may be shorter than others of their kind.
            if whole and each.name in ("small vehicle", "tennis court") and max(each.sides) > 4:
                low, high = classes[each.name].kind(each.attributes["kind"]).length_m
                assert 0.95 * low <= max(each.sides) * view.gsd_m <= 1.05 * high
                seen += 1
    assert seen > 5
