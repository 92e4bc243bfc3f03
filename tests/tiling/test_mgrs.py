"""Squares of MGRS by place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from tiling.mgrs import in_tile, is_tile, squares


@pytest.mark.parametrize(
    ("lat", "lon", "name"),
    [
        (47.3769, 8.5417, "32TMT"),  # Zurich
        (48.8582, 2.2945, "31UDQ"),  # Paris
        (40.7484, -73.9857, "18TWL"),  # New York
        (51.5007, -0.1246, "30UXC"),  # London
        (-33.8568, 151.2153, "56HLH"),  # Sydney
        (-1.2864, 36.8172, "37MBU"),  # Nairobi
        (0.0, 9.0, "32NNF"),  # on the equator
    ],
)
def test_places_lie_in_the_squares_of_published_maps(lat, lon, name):
    assert squares([lat], [lon]).tolist() == [name]


def test_places_without_a_square_have_no_name():
    lat, lon = [np.nan, -85, 84.5, 10], [0, 0, 0, 200]
    assert squares(lat, lon).tolist() == [""] * 4


places = st.tuples(st.floats(-79.9, 83.9), st.floats(-180, 180))


@given(places)
def test_a_square_is_in_the_zone_and_band_of_its_own_name(place):
    lat, lon = place
    name = str(squares([lat], [lon])[0])
    assert is_tile(name)
    assert in_tile(name, lat, lon, margin=0.01)


@given(places, st.floats(-300, 300), st.floats(-300, 300))
def test_places_of_one_square_are_less_than_a_diagonal_apart(place, east, north):
    lat, lon = place
    zone = int((lon + 180) // 6) % 60 + 1
    utm = Transformer.from_crs(4326, (32700 if lat < 0 else 32600) + zone, always_xy=True)
    x, y = utm.transform(lon, lat)
    other = utm.transform(x + 1000 * east, y + 1000 * north, direction="INVERSE")
    both = squares([lat, other[1]], [lon, other[0]])
    if both[0] == both[1]:
        assert np.hypot(east, north) < 142


@pytest.mark.parametrize(
    ("tile", "lat", "lon", "inside"),
    [
        ("30UWB", 52.0, -2.0, True),
        ("30UWB", 52.0, 2.0, False),  # another sign of longitude
        ("30UWB", -52.0, -2.0, False),  # another sign of latitude
        ("01CAA", -76.0, 179.5, True),  # over the date line
        ("60XAA", 83.0, 177.0, True),  # the northernmost band is 12 degrees high
    ],
)
def test_places_and_tiles(tile, lat, lon, inside):
    assert in_tile(tile, lat, lon) is inside


def test_names_that_are_none_of_tiles():
    assert [is_tile(name) for name in ("30UWB", "3", "plots", "30IWB")] == [True, False, False, False]
