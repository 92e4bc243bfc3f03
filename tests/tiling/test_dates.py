"""Names of bands and views at several dates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiling.dates import bands_at, dated, parted


@given(st.text(st.characters(exclude_characters="@"), min_size=1), st.integers(1, 99))
def test_a_name_and_its_date_come_back(name, date):
    assert parted(dated(name, date)) == (name, date)


@pytest.mark.parametrize("name", ["B04", "B04@1", "B04@0", "B04@02", "B04@", "@2", "B04@two", "B04@²"])
def test_other_names_are_of_the_first_date(name):
    assert parted(name) == (name, 1)


def test_the_second_date_is_marked():
    assert dated("B04", 1) == "B04"
    assert dated("B04", 2) == "B04@2"


def test_radar_is_the_same_at_all_dates():
    assert bands_at(("B04", "HH", "HV"), 1) == ("B04", "HH", "HV")
    assert bands_at(("B04", "HH", "HV"), 2) == ("B04@2", "HH", "HV")
