"""Forest plots: the physics that a regression is to find again."""

from itertools import pairwise

import numpy as np
import pytest

from rscovlm.synth.forest import (
    ACTIVITIES,
    BANDS,
    LAND_COVERS,
    SIDE,
    canopy_height,
    canopy_reflectance,
    count_patches,
    leaf_on,
    make_plot,
    make_tile,
)


@pytest.fixture(scope="module")
def plots():
    return [make_plot(1, make_tile(1, tile), index) for tile in range(12) for index in range(50)]


def test_the_same_seed_gives_the_same_plot():
    one, again = (make_plot(3, make_tile(3, 2), 5) for _ in range(2))
    assert np.array_equal(one.reflectance, again.reflectance)
    assert one.agbd == again.agbd
    assert make_plot(4, make_tile(4, 2), 5).agbd != one.agbd
    assert make_plot(3, make_tile(3, 2), 6).agbd != one.agbd


def test_values_are_such_as_sensors_give(plots):
    reflectance = np.stack([plot.reflectance for plot in plots])
    gamma0 = np.stack([plot.gamma0_db for plot in plots])
    assert reflectance.shape[1:] == (SIDE, SIDE, len(BANDS))
    assert 0 < reflectance.min() < 0.01
    assert reflectance.max() < 0.6
    assert -35 < gamma0.min() < gamma0.max() < 3
    labels = np.array([plot.agbd for plot in plots])
    assert labels.min() >= 0
    assert labels.max() <= 500
    assert 50 < labels.mean() < 200
    assert 60 < labels.std() < 130
    assert {int(code) for plot in plots for code in np.unique(plot.land_cover)} <= LAND_COVERS.keys()
    assert {plot.activity for plot in plots} == set(ACTIVITIES)


def middle(plots, read):
    return np.array(
        [read(plot)[SIDE // 2 - 1 : SIDE // 2 + 2, SIDE // 2 - 1 : SIDE // 2 + 2].mean() for plot in plots]
    )


def slope(signal, biomass, low, high):
    """Change of a signal for 100 Mg/ha, in deviations of what is left of it, within a range of biomass."""
    inside = (biomass >= low) & (biomass < high)
    coefficients = np.polyfit(biomass[inside], signal[inside], 1)
    left = signal[inside] - np.polyval(coefficients, biomass[inside])
    return abs(coefficients[0]) * 100 / left.std()


def test_the_optical_signal_saturates_before_backscatter_does(plots):
    inner = slice(SIDE // 2 - 1, SIDE // 2 + 2)
    plots = [plot for plot in plots if np.ptp(plot.land_cover[inner, inner]) == 0]  # no edges of stands
    biomass = middle(plots, lambda plot: plot.biomass)
    red = middle(plots, lambda plot: plot.reflectance[..., BANDS.index("B04")])
    cross = middle(plots, lambda plot: plot.gamma0_db[..., 1])
    assert slope(red, biomass, 0, 100) > 1
    assert slope(red, biomass, 180, 350) < 0.65
    assert slope(cross, biomass, 180, 350) > 1.25 * slope(red, biomass, 180, 350)


def test_the_label_is_that_of_the_middle_and_not_of_the_whole_plot(plots):
    labels = np.array([plot.agbd for plot in plots])
    centre = np.array([plot.biomass[SIDE // 2, SIDE // 2] for plot in plots])
    whole = np.array([plot.biomass.mean() for plot in plots])
    errors = np.array([plot.agbd_se for plot in plots])
    assert np.sqrt(np.mean((labels - centre) ** 2)) < 2 * errors.mean()
    assert np.corrcoef(labels, centre)[0, 1] > np.corrcoef(labels, whole)[0, 1] + 0.05


def test_plots_of_a_tile_are_alike(plots):
    # Backscatter of grass: tiles differ by what their moisture adds.
    grass = {
        plot.tile.moisture_db: np.median(plot.gamma0_db[(plot.land_cover == 30) & (plot.biomass < 20), 1])
        for plot in plots
        if ((plot.land_cover == 30) & (plot.biomass < 20)).sum() > 30
    }
    moisture, decibels = np.array(list(grass.items())).T
    assert np.abs(decibels - moisture - np.median(decibels - moisture)).max() < 0.5 < np.ptp(decibels)
    closed = {plot.tile.name: plot.tile.forest for plot in plots}
    for plot in plots:
        trees = set(np.unique(plot.land_cover).tolist()) & {111, 112, 114}
        assert trees <= {closed[plot.tile.name]}


def test_height_rises_with_biomass_and_levels_off():
    heights = [canopy_height(biomass) for biomass in (0, 100, 200, 400)]
    steps = np.diff(heights)
    assert heights[0] == 0
    assert (steps > 0).all()
    assert steps[1] < steps[0]


def test_patches_are_joined_by_sides():
    forest = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 1]], dtype=bool)
    assert count_patches(forest) == 3
    assert count_patches(np.zeros((3, 3), dtype=bool)) == 0
    assert count_patches(np.ones((3, 3), dtype=bool)) == 1


def test_later_dates_leave_the_first_as_it_is():
    one, three = (make_plot(3, make_tile(3, 2), 5, dates) for dates in (1, 3))
    assert one.later == ()
    assert np.array_equal(one.reflectance, three.reflectance)
    assert (one.agbd, one.lat, one.day) == (three.agbd, three.lat, three.day)
    days = [three.day, *(day for day, _ in three.later)]
    assert all(45 <= after - before <= 110 for before, after in pairwise(days))
    assert not np.array_equal(three.later[0][1], three.reflectance)


def test_leaves_fall_in_autumn_and_come_back_in_spring():
    assert [leaf_on(day) for day in (200, 305, 340, 365 + 30, 365 + 75, 365 + 120)] == [1, 0.5, 0, 0, 0.5, 1]


def test_without_leaves_deciduous_forest_lets_the_ground_through_and_evergreen_does_not():
    """At 120 Mg/ha leaves hide the ground; stems and twigs hide 1 - exp(-30 / 32) of it."""
    tile, biomass = make_tile(3, 2), np.full((SIDE, SIDE), 120.0)

    def red(code, leaves):
        cover = np.full((SIDE, SIDE), code, np.uint8)
        light = np.ones((SIDE, SIDE))
        seen = canopy_reflectance(np.random.default_rng(0), tile, biomass, cover, light, leaves)
        return seen[..., BANDS.index("B04")].mean()

    assert red(114, 0.0) > 2 * red(114, 1.0)
    assert red(112, 0.0) == red(112, 1.0)
