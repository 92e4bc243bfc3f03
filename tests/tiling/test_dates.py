"""Names of bands and views at several dates."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiling.dates import acquired, bands_at, dated, parted


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


@pytest.mark.parametrize(
    ("tags", "taken"),
    [
        ({"ACQUISITION_DATE": "2021-07-01"}, date(2021, 7, 1)),
        ({"PRODUCT_START_TIME": "2021-07-01T10:30:31.024Z"}, date(2021, 7, 1)),
        ({"IMAGERY:ACQUISITIONDATETIME": "2021-07-01 10:30:31"}, date(2021, 7, 1)),
        ({"DATE_ACQUIRED": " 20210701"}, date(2021, 7, 1)),
        ({"datetime": "2021/07/01"}, date(2021, 7, 1)),
        ({"ACQUISITION_DATE": "unknown", "SENSING_TIME": "2021-07-01"}, date(2021, 7, 1)),
        ({"ACQUISITION_DATE": "2021-13-01"}, None),
        ({"TIFFTAG_DATETIME": "2021:07:01 10:00:00"}, None),
        ({}, None),
    ],
)
def test_files_say_when_they_were_taken_and_not_when_they_were_written(tags, taken):
    assert acquired(tags) == taken
