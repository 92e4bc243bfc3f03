"""Statistics of regions: those of a region, and of all plots where it is not known."""

import numpy as np
import pytest

from rscovlm.models.regions import Regions

NAMES = np.array(["forest"] * 4 + ["crops"] * 3 + [""])
AGB = np.array([100.0, 200.0, 300.0, np.nan, 4.0, 6.0, 8.0, 50.0])


def test_each_region_has_its_own_mean_and_deviation():
    found = Regions.of("cover", NAMES, {"agb": AGB}, least=3)
    assert found.names == ("crops", "forest")
    assert found.numbers("forest") == {
        "region_mean/agb": 200.0,
        "region_deviation/agb": pytest.approx(np.std([100, 200, 300])),
    }
    assert found.own["agb"]["forest"].plots == 3


@pytest.mark.parametrize("region", [None, "", "ice"])
def test_one_that_is_not_known_has_those_of_all_plots(region):
    found = Regions.of("cover", NAMES, {"agb": AGB}, least=3).numbers(region)
    assert found["region_mean/agb"] == pytest.approx(np.nanmean(AGB))
    assert found["region_deviation/agb"] == pytest.approx(np.nanstd(AGB))


def test_few_plots_and_equal_ones_have_no_statistics_of_their_own():
    few = Regions.of("cover", NAMES, {"agb": AGB}, least=4)
    assert few.names == ()
    equal = Regions.of("cover", NAMES, {"agb": np.where(NAMES == "crops", 5.0, AGB), "none": AGB * np.nan}, 3)
    assert equal.names == ("forest",)
    assert set(equal.overall) == {"agb"}


def test_plots_of_unknown_regions_are_counted():
    found = Regions.of("cover", NAMES, {"agb": AGB}, least=3)
    assert found.told(["forest", "ice", None]).startswith("2 of 3 plots lie in no region (cover)")
    assert found.told(["forest", "crops"]) == ""


def test_they_are_read_as_they_were_written():
    found = Regions.of("cover", NAMES, {"agb": AGB}, least=3)
    assert Regions.model_validate(found.model_dump(mode="json")) == found
