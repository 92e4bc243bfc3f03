"""AGBD's files: decoding to physical units, both layouts, and the traps of the originals."""

import h5py
import numpy as np
import pytest

from rscovlm.data.agbd import AgbdFile, degrees, gamma0_db, reflectance, write_agbd
from rscovlm.errors import DataError
from rscovlm.synth.forest import SIDE, canopy_height, make_plot, make_tile


@pytest.fixture(scope="module")
def plots():
    return [make_plot(1, make_tile(1, tile), index) for tile in range(2) for index in range(3)]


@pytest.fixture(params=[False, True], ids=["agbd", "agbd-lite"])
def file(request, tmp_path, plots):
    path = tmp_path / "plots.h5"
    write_agbd(path, plots, lite=request.param)
    with AgbdFile(path) as opened:
        yield opened


def test_what_was_written_is_read_in_physical_units(file, plots):
    found = list(file)
    assert len(file) == len(found) == 6
    assert sorted(file.counts.values()) == [3, 3]
    if not file.lite:  # HDF5 lists groups by name
        plots = sorted(plots, key=lambda plot: plot.tile.name)
    for one, plot in zip(found, plots, strict=True):
        assert one.tile == plot.tile.name
        np.testing.assert_allclose(one.reflectance, plot.reflectance, atol=1.01e-4)
        np.testing.assert_allclose(one.gamma0_db, plot.gamma0_db, atol=0.05)
        assert (one.land_cover == plot.land_cover).all()
        assert one.numbers["agbd"] == pytest.approx(plot.agbd, rel=1e-6)
        assert one.numbers["lat"] == pytest.approx(plot.lat, abs=1e-5)
        assert one.numbers["lon"] == pytest.approx(plot.lon, abs=1e-5)
        assert one.elevation_m.shape == (SIDE, SIDE)
        np.testing.assert_allclose(one.canopy_height_m, canopy_height(plot.biomass), atol=0.5)
    assert len({one.key for one in found}) == 6


def test_decibels_of_stored_amplitudes():
    assert gamma0_db([5000, 1, 0])[:2] == pytest.approx([-9.02, -83], abs=0.005)
    assert np.isnan(gamma0_db(0))


def test_the_offset_of_newer_products_is_taken_off_and_no_reflectance_is_negative():
    assert reflectance([1500, 900, 0], boa_offset=1)[:2].tolist() == [0.05, 0]
    assert reflectance([1500]).tolist() == [0.15]
    assert np.isnan(reflectance([0], boa_offset=1)).all()


@pytest.mark.parametrize(
    ("offset", "decimal", "expected"),
    [(12, 0.25, 12.25), (12, -0.25, -12.25), (0, -0.5, -0.5), (12, 0.0, 12.0), (0, 0.0, 0.0)],
)
def test_places_are_put_together_with_the_sign_of_their_fraction(offset, decimal, expected):
    assert degrees(offset, decimal) == expected


def test_missing_pixels_are_not_numbers(tmp_path, plots):
    path = tmp_path / "holes.h5"
    write_agbd(path, plots[:1])
    with h5py.File(path, "r+") as raw:
        group = raw[plots[0].tile.name]
        group["S2_bands"][0, 3, 4] = 0
        group["ALOS_bands"][0, 5, 6] = 0
        group["DEM"][0, 0, 0] = -9999
        group["CH/ch"][0, 7, 8] = 255
    with AgbdFile(path) as opened:
        (one,) = opened
    assert np.isnan(one.reflectance[3, 4]).all()
    assert np.isnan(one.gamma0_db[5, 6]).all()
    assert np.isnan(one.elevation_m[0, 0])
    assert np.argwhere(np.isnan(one.canopy_height_m)).tolist() == [[7, 8]]
    assert np.isfinite(one.reflectance[0, 0]).all()


def test_a_file_of_another_layout_is_refused_with_the_layout(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as raw:
        raw.create_group("10SEG").create_dataset("S2_bands", data=np.zeros((1, 25, 25, 12)))
    with pytest.raises(DataError, match="group '10SEG' has no ALOS_bands, GEDI; AGBD keeps"):
        AgbdFile(tmp_path / "other.h5")


def test_a_file_that_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        AgbdFile(tmp_path / "text.h5")


def test_a_write_that_fails_leaves_nothing(tmp_path, plots):
    with pytest.raises(AttributeError):
        write_agbd(tmp_path / "new.h5", [plots[0], None])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lite", [False, True])
def test_later_dates_of_a_plot_are_read_beside_the_first(tmp_path, lite):
    made = [make_plot(6, make_tile(6, 0), index, dates=3) for index in range(3)]
    write_agbd(tmp_path / "dates.h5", made, lite=lite)
    with AgbdFile(tmp_path / "dates.h5") as opened:
        assert opened.dates == 3
        for plot, read in zip(made, opened, strict=True):
            assert len(read.later) == 2
            for (_, seen), stored in zip(plot.later, read.later, strict=True):
                np.testing.assert_allclose(stored, seen, atol=6e-5)
            np.testing.assert_allclose(read.reflectance, plot.reflectance, atol=6e-5)


def test_a_file_of_one_date_has_no_later_ones(file):
    assert file.dates == 1
    assert next(iter(file)).later == ()
