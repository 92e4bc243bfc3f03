"""The size of boxes on the ground, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import CRS
from rasterio.crs import CRS as RasterioCRS

from tiling.ground import Ground, Plane, ground_under

SCALE = 0.9996
"""Map metres for a metre on the ground, on the central meridian of a UTM zone."""


def measured(*corners: tuple[float, float]) -> dict[str, float]:
    """The measures of one box, in metres east and south of a point on the central meridian at 45 N."""
    ground = Ground.of(RasterioCRS.from_epsg(32632))
    assert ground is not None
    found = ground.measure(
        lambda points: np.asarray(points) * (1, -1) + (500_000, 4_983_000), np.array([corners])
    )
    return {name: float(column[0]) for name, column in found.items()}


def test_length_and_width_are_the_means_of_opposite_edges() -> None:
    # A trapezium: parallel edges of 30 and 10 m, 6 m apart; the others are the root of 10^2 + 6^2 long.
    found = measured((0, 0), (30, 0), (20, 6), (10, 6))
    assert found["length_m"] == pytest.approx(20 / SCALE, abs=0.002)
    assert found["width_m"] == pytest.approx((10**2 + 6**2) ** 0.5 / SCALE, abs=0.002)
    assert found["area_m2"] == pytest.approx(20 * 6 / SCALE**2, rel=1e-4)


@pytest.mark.parametrize("first", range(4))
def test_the_corner_that_a_box_begins_with_does_not_matter(first: int) -> None:
    corners = [(0, 0), (40, 0), (40, 10), (0, 10)]
    found = measured(*corners[first:], *corners[:first])
    assert found["length_m"] == pytest.approx(40 / SCALE, abs=0.002)
    assert found["width_m"] == pytest.approx(10 / SCALE, abs=0.002)
    assert found["azimuth_deg"] == pytest.approx(90, abs=0.01)


def test_azimuth_runs_clockwise_from_north() -> None:
    # Its long edges run 3 east and 4 north: atan(3 / 4).
    found = measured((0, 0), (30, -40), (34, -37), (4, 3))
    assert found["azimuth_deg"] == pytest.approx(np.degrees(np.arctan2(3, 4)), abs=0.01)
    assert found["length_m"] == pytest.approx(50 / SCALE, abs=0.002)


def local(unit: str) -> RasterioCRS:
    return RasterioCRS.from_wkt(CRS.from_wkt(f'LOCAL_CS["site",{unit}]').to_wkt("WKT1_GDAL"))


@pytest.mark.parametrize(
    ("unit", "unit_m"),
    [('UNIT["metre",1]', 1), ('UNIT["foot",0.3048]', 0.3048), ('UNIT["km",1000]', 1000)],
)
def test_in_a_plane_that_is_tied_to_no_ellipsoid_boxes_are_measured_in_its_unit(unit, unit_m) -> None:
    plane = ground_under(local(unit))
    assert isinstance(plane, Plane)
    # 50 units long, 3 east and 4 north of each 5; 5 units wide.
    box = np.array([[(0, 0), (30, 40), (34, 37), (4, -3)]], dtype=float)
    found = {name: float(column[0]) for name, column in plane.measure(np.asarray, box).items()}
    sides = found["length_m"], found["width_m"]
    assert sides == pytest.approx((50 * unit_m, 5 * unit_m), abs=0.001)
    assert found["area_m2"] == pytest.approx(250 * unit_m**2, abs=0.001)
    assert found["azimuth_deg"] == pytest.approx(np.degrees(np.arctan2(3, 4)), abs=0.01)


def test_a_plane_whose_unit_is_no_length_has_no_ground() -> None:
    assert ground_under(local('UNIT["degree",0.0174532925199433]')) is None
    assert isinstance(ground_under(RasterioCRS.from_epsg(32632)), Ground)
