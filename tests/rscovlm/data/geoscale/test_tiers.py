"""Tiers: every scale has one, from fine to coarse."""

from hypothesis import given
from hypothesis import strategies as st

from rscovlm.data.geoscale.tiers import TIERS, tier_of


def test_tiers_leave_no_scale_out():
    assert TIERS[0].low_m == 0
    assert TIERS[-1].high_m == float("inf")
    assert [tier.high_m for tier in TIERS[:-1]] == [tier.low_m for tier in TIERS[1:]]


@given(st.floats(0.001, 1e5))
def test_an_image_is_within_its_tier(gsd_m):
    tier = tier_of(gsd_m)
    assert tier.low_m <= gsd_m < tier.high_m
