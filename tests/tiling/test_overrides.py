"""What a user states about a file."""

import pytest

from tiling.errors import SceneError
from tiling.overrides import AS_STORED, Overrides


def test_only_what_differs_from_the_file_is_listed():
    assert str(AS_STORED) == ""
    assert str(Overrides(nodata=0.0, crs="EPSG:32631")) == "nodata 0.0, crs EPSG:32631"
    assert Overrides(crs="EPSG:32631").read_crs().to_epsg() == 32631
    assert AS_STORED.read_crs() is None


@pytest.mark.parametrize("gsd", [0, -1, float("inf"), float("nan")])
def test_a_ground_sampling_distance_is_a_length(gsd):
    with pytest.raises(SceneError, match="give metres > 0"):
        Overrides(gsd_m=gsd)


def test_an_unknown_crs_is_refused_at_once():
    with pytest.raises(SceneError, match="no coordinate reference system 'EPSG:1'"):
        Overrides(crs="EPSG:1")
