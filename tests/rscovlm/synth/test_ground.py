"""Land covers: colours, patches of a second cover, and the choices that there are."""

import numpy as np
import pytest

from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.synth.ground import patch_share, render_ground

SIDE = np.arange(0.0, 12_000.0, 64.0)


def test_an_unknown_land_cover_is_named_with_the_choices():
    with pytest.raises(ValueError, match=r"'swamp'.*choose from water"):
        render_ground("swamp", "water", np.arange(4.0), np.arange(4.0), 1.0, 0)


@pytest.mark.parametrize(
    ("cover", "brightest"), [("water", "blue"), ("forest", "green"), ("desert", "red")], ids=str
)
def test_a_cover_has_its_own_colour(cover, brightest):
    colour = render_ground(cover, cover, SIDE, SIDE, 64.0, 5).mean(axis=(0, 1))
    assert ("red", "green", "blue")[colour.argmax()] == brightest


def test_the_second_cover_lies_where_its_share_says_and_the_first_elsewhere():
    share = patch_share(SIDE, SIDE, 64.0, 5)
    mixed, first = (render_ground("desert", patch, SIDE, SIDE, 64.0, 5) for patch in ("water", "desert"))
    assert 0.05 < (share == 1).mean() < 0.5
    np.testing.assert_array_equal(mixed[share == 0], first[share == 0])
    assert (mixed[share == 1][:, 2] > mixed[share == 1][:, 0]).all(), "water is blue where desert is red"


@pytest.mark.parametrize("cover", LAND_COVERS)
def test_a_view_of_a_whole_county_keeps_the_cover_but_not_its_grain(cover):
    fine = render_ground(cover, cover, np.arange(128.0), np.arange(128.0), 1.0, 5)
    coarse = render_ground(cover, cover, np.arange(128.0), np.arange(128.0), 4000.0, 5)
    assert coarse.std(axis=(0, 1)).max() < fine.std(axis=(0, 1)).max()
