"""Views of plots: which band is which channel, how values become 0-255, and sizes."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.data.agbd import AgbdFile, write_agbd
from rscovlm.data.plot_views import (
    CHANNELS,
    RADAR,
    VIEWS,
    PlotPicture,
    channels,
    check_views,
    read_scaling,
    render_view,
    scaling_of,
)
from rscovlm.errors import DataError
from rscovlm.models.inputs import Scaling
from rscovlm.synth.forest import BANDS, SIDE, make_plot, make_tile


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("plots") / "plots.h5"
    write_agbd(path, [make_plot(1, make_tile(1, 0), index) for index in range(3)])
    return path


@pytest.fixture(scope="module")
def plot(file):
    with AgbdFile(file) as opened:
        return next(iter(opened))


UNIT = Scaling.of(dict.fromkeys(CHANNELS, (0.0, 1.0)))


@pytest.mark.parametrize("view", [name for name in VIEWS if name not in RADAR])
def test_channels_are_the_bands_of_reo_vlm_in_their_order(plot, view):
    pixels = np.zeros((SIDE, SIDE, 12))
    for index, band in enumerate(VIEWS[view]):
        pixels[..., BANDS.index(band)] = (index + 1) / 5
    shown = render_view(replace(plot, reflectance=pixels), view, UNIT, SIDE, "upsample")
    assert shown.shape == (SIDE, SIDE, 3)
    assert (shown == [51, 102, 153]).all()


def test_the_third_channel_of_radar_is_the_mean_of_both_in_decibels(plot):
    backscatter = np.full((SIDE, SIDE, 2), (-8.0, -16.0))
    scaling = Scaling.of(dict.fromkeys(("HH", "HV", "mean"), (-20.0, 0.0)))
    shown = render_view(replace(plot, gamma0_db=backscatter), "sar", scaling, SIDE, "upsample")
    assert (shown == [153, 51, 102]).all()


def test_radar_may_be_linear(plot):
    """-10 and -20 dB are 0.1 and 0.01, their mean 0.055."""
    backscatter = np.full((SIDE, SIDE, 2), (-10.0, -20.0))
    scaling = Scaling.of(dict.fromkeys(("HH power", "HV power", "mean power"), (0.0, 0.13)))
    shown = render_view(replace(plot, gamma0_db=backscatter), "sar_power", scaling, SIDE, "upsample")
    assert shown[0, 0].tolist() == [196, 20, 108]
    kept = scaling_of([plot]).model_dump(mode="json")
    assert read_scaling(kept, ["sar_power"]).limits["mean power"][0] > 0
    old = {end: {name: value for name, value in kept[end].items() if "power" not in name} for end in kept}
    assert read_scaling(old, ["sar"]).limits
    with pytest.raises(DataError, match="ranges of channels are incomplete: HH power is missing"):
        read_scaling(old, ["sar_power"])


def test_ranges_are_percentiles_of_the_data_set_and_come_back_from_json(plot):
    pixels = np.tile(np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE, 1), (1, 1, 12))
    pixels[0, 0] = np.nan
    scaling = scaling_of([replace(plot, reflectance=pixels)], (10, 90))
    assert scaling.low["B04"] == pytest.approx(0.1, abs=0.005)
    assert scaling.high["B04"] == pytest.approx(0.9, abs=0.005)
    assert read_scaling(scaling.model_dump(mode="json")) == scaling
    with pytest.raises(DataError, match="ranges of channels are incomplete"):
        read_scaling({"low": {}})
    with pytest.raises(DataError, match="ranges of channels are incomplete: B01 is missing"):
        read_scaling({"low": {"B02": 0}, "high": {"B02": 1}})
    with pytest.raises(DataError, match=r"channel B01 is 0\.2 nearly everywhere"):
        scaling_of([replace(plot, reflectance=np.full((SIDE, SIDE, 12), 0.2))])


@pytest.mark.parametrize("side", [25, 64, 80])
def test_a_picture_has_the_plot_in_its_middle_under_both_policies(plot, side):
    pixels = np.zeros((SIDE, SIDE, 12))
    pixels[SIDE // 2, SIDE // 2] = 1.0
    for fit in ("upsample", "pad"):
        shown = render_view(replace(plot, reflectance=pixels), "natural", UNIT, side, fit).astype(float)
        rows, columns = (shown[..., 0].sum(axis=axis) for axis in (1, 0))
        middle = (np.arange(side) @ rows) / rows.sum()
        assert middle == pytest.approx((side - 1) / 2, abs=0.51)
        np.testing.assert_allclose(rows, columns)


def test_padding_keeps_pixels_and_mirrors_them_and_does_not_shrink(plot):
    kept = render_view(plot, "natural", UNIT, SIDE, "upsample")
    padded = render_view(plot, "natural", UNIT, 35, "pad")
    assert (padded[5:30, 5:30] == kept).all()
    assert (padded[4] == padded[5]).all()
    with pytest.raises(DataError, match=r"25 px does not fit into 24 px; use fit: upsample"):
        render_view(plot, "natural", UNIT, 24, "pad")


def test_a_picture_is_read_when_it_is_asked_for_and_the_same_in_another_process(file, plot):
    import pickle

    with AgbdFile(file) as opened:
        group, row = next(iter(opened.keys()))
    picture = PlotPicture(file, group, row, "swir", UNIT, 48, "upsample")
    assert picture.size == (48, 48)
    expected = render_view(plot, "swir", UNIT, 48, "upsample")
    assert (pickle.loads(pickle.dumps(picture)).read() == expected).all()


@pytest.mark.parametrize(
    ("views", "words"), [(["rgb"], "view 'rgb' is unknown"), ([], "no view is asked for")]
)
def test_views_that_do_not_exist_are_refused(views, words):
    with pytest.raises(DataError, match=f"{words}; choose from red_edge, geology"):
        check_views(views)


def test_a_view_of_a_later_date_shows_it_by_the_ranges_of_all_dates(tmp_path):
    write_agbd(tmp_path / "p.h5", [make_plot(6, make_tile(6, t), 0, dates=2) for t in range(4)])
    with AgbdFile(tmp_path / "p.h5") as opened:
        plots = list(opened)
    scaling = scaling_of(plots)
    red = np.stack([[plot.reflectance[..., 3], plot.later[0][..., 3]] for plot in plots])
    assert scaling.limits["B04"] == pytest.approx(np.percentile(red, (1, 99)))
    later = replace(plots[0], reflectance=plots[0].later[0], later=())
    shown = render_view(plots[0], "swir@2", scaling, 80, "upsample")
    np.testing.assert_array_equal(shown, render_view(later, "swir", scaling, 80, "upsample"))
    assert channels(plots[0])["B04@2"] is not None
    with pytest.raises(DataError, match="has 1 date, and views of date 2 are asked for"):
        render_view(later, "swir@2", scaling, 80, "upsample")


def test_radar_has_one_date():
    assert check_views(["natural", "natural@2", "sar"]) == ("natural", "natural@2", "sar")
    with pytest.raises(DataError, match="view 'sar@2' is unknown"):
        check_views(["natural", "sar@2"])
