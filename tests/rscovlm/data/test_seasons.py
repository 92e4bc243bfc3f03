"""Seasons of dates and places."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.data.seasons import SEASONS, day_of, season_of, seasons_of


@pytest.mark.parametrize(
    ("taken", "north", "south"),
    [
        (date(2020, 1, 15), "winter", "summer"),
        (date(2020, 3, 1), "spring", "autumn"),
        (date(2020, 8, 31), "summer", "winter"),
        (date(2019, 11, 30), "autumn", "spring"),
        (date(2019, 12, 1), "winter", "summer"),
    ],
)
def test_seasons_are_three_months_and_the_south_has_those_of_half_a_year_later(taken, north, south):
    assert season_of(taken, 47.4) == season_of(taken, 0.0) == north
    assert season_of(taken, -33.9) == south


@given(st.dates(), st.floats(-90, -0.1))
def test_both_hemispheres_are_two_seasons_apart(taken, lat):
    places = [SEASONS.index(season_of(taken, each)) for each in (lat, -lat)]
    assert abs(places[0] - places[1]) == 2


def test_images_of_several_dates_name_their_seasons_once_in_order():
    april, may, july = date(2021, 4, 12), date(2021, 5, 1), date(2021, 7, 1)
    assert seasons_of([april, july], 50) == "spring, then summer"
    assert seasons_of([april, may], 50) == "spring"
    assert seasons_of([july, april], -50) == "winter, then autumn"


@pytest.mark.parametrize(("taken", "lat"), [([], 50), ([None], 50), ([date(2021, 4, 12), None], 50)])
def test_what_is_not_known_has_no_season(taken, lat):
    assert seasons_of(taken, lat) == ""
    assert seasons_of([date(2021, 4, 12)], float("nan")) == ""


def test_days_count_from_the_start_of_gedi_and_may_lie_before_it():
    assert day_of(0) == date(2019, 4, 17)
    assert day_of(-16) == date(2019, 4, 1)
    assert day_of(259) == date(2020, 1, 1)
    assert day_of(None) is day_of(float("nan")) is None
