"""Plots in Parquet: the same as from HDF5, whatever columns and units hold them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rscovlm.data.agbd import AgbdFile, as_stored, write_agbd
from rscovlm.data.agbd_raw import CHANNELS, RawFile
from rscovlm.data.agbd_raw_writing import write_agbd_raw
from rscovlm.errors import DataError
from rscovlm.synth.forest import make_plot, make_tile

LAYERS = ("reflectance", "gamma0_db", "land_cover", "elevation_m", "canopy_height_m")


@pytest.fixture(scope="module")
def plots():
    return [make_plot(1, make_tile(1, tile), index) for tile in range(2) for index in range(3)]


@pytest.fixture(scope="module")
def hdf5(plots, tmp_path_factory):
    path = tmp_path_factory.mktemp("hdf5") / "plots.h5"
    write_agbd(path, plots, lite=True)
    with AgbdFile(path) as opened:
        return list(opened)


@pytest.fixture(scope="module")
def raw(plots, tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "plots.parquet"
    write_agbd_raw(path, plots, row_group=4)
    return path


def changed(raw, folder, change):
    """The table with other columns."""
    columns = pq.read_table(raw).to_pydict()
    change(columns)
    pq.write_table(pa.table(columns), folder / "plots.parquet")
    return folder / "plots.parquet"


def same(one, other):
    assert (one.key, one.tile) == (other.key, other.tile)
    for name in LAYERS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_plots_are_those_of_hdf5_to_the_bit(raw, hdf5):
    with RawFile(raw) as opened:
        assert (len(opened), opened.lite, opened.synthetic) == (6, True, True)
        for one, other in zip(opened, hdf5, strict=True):
            same(one, other)
            for name in ("agbd", "agbd_se", "rh98", "patch_count", "activity"):
                assert one.numbers[name] == other.numbers[name]
            assert one.numbers["lat"] == pytest.approx(other.numbers["lat"], abs=1e-5)
            assert one.numbers["S2_date"] >= 0
        assert opened.cover("", 3) == hdf5[3].land_cover[12, 12]
        assert opened.number("", "GEDI/rh98", 2) == hdf5[2].numbers["rh98"]
        assert opened.number("", "GEDI/none", 2) is None


def test_patches_that_upstream_has_turned_stand_north_up_again(raw, hdf5, tmp_path):
    def turn(columns):
        columns["input"] = np.swapaxes(np.array(columns["input"], np.float32), 2, 3).tolist()

    with RawFile(changed(raw, tmp_path, turn)) as opened:
        for one, other in zip(opened, hdf5, strict=True):
            same(one, other)


def hdf5_columns(plots, how):
    """The data sets of HDF5 as columns, by names in another case."""
    stored = as_stored(plots, 1)
    patches = {"s2_BANDS": "S2_bands", "Alos_Bands": "ALOS_bands", "lc": "LC", "dem": "DEM", "CH": "CH/ch"}
    found = {own: how(stored[name]) for own, name in patches.items()}
    return found | {
        "AGBD": stored["GEDI/agbd"].tolist(),
        "MGRS_Tile": [plot.tile.name for plot in plots],
        "boa_offset": stored["Sentinel_metadata/S2_boa_offset"].tolist(),
        "Split": ["train", "train", "val", "test", "validation", ""],
    }


WAYS = {
    "lists": lambda values: values.tolist(),
    "flat": lambda values: values.reshape(len(values), -1).tolist(),
    "bytes": lambda values: [each.tobytes() for each in values],
    "bands first": lambda values: (np.moveaxis(values, -1, 1) if values.ndim == 4 else values).tolist(),
}


@pytest.mark.parametrize("way", WAYS)
def test_columns_may_be_those_of_hdf5_in_other_cases_and_forms(plots, hdf5, tmp_path, way):
    pq.write_table(pa.table(hdf5_columns(plots, WAYS[way])), tmp_path / "plots.parquet")
    with RawFile(tmp_path / "plots.parquet") as opened:
        for one, other in zip(opened, hdf5, strict=True):
            same(one, other)
        assert opened.splits("")[[2, 4]].tolist() == ["val", "validation"]


def test_without_tiles_plots_are_of_the_squares_they_lie_in(plots, tmp_path):
    write_agbd_raw(tmp_path / "plots.parquet", plots, tiles=False)
    with RawFile(tmp_path / "plots.parquet") as opened:
        ((_, tiles, _),) = opened.tables([])
        for tile, plot in zip(tiles.tolist(), plots, strict=True):
            assert int(tile[:2]) == int((plot.lon + 180) // 6) + 1
            assert (tile[2] >= "N") == (plot.lat >= 0)


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ({"input"}, r"no patches \(a column input, or S2_bands and ALOS_bands\)"),
        ({"label"}, r"no biomass \(label or agbd\)"),
        ({"tile", "metadata"}, r"no tile \(or lat and lon to find it by\)"),
        ({"label", "input"}, r"no patches .*, no biomass .*; its columns are metadata, tile"),
    ],
)
def test_a_table_that_lacks_something_says_what(raw, tmp_path, gone, told):
    with pytest.raises(DataError, match=told) as error:
        RawFile(changed(raw, tmp_path, lambda columns: [columns.pop(name) for name in gone]))
    assert "\n" not in str(error.value)


def normalised(columns):
    values = np.array(columns["input"], np.float32)
    radar = [CHANNELS.index("HH"), CHANNELS.index("HV")]
    values[:, radar] = np.clip((values[:, radar] + 30) / 30, 0, 1)
    columns["input"] = values.tolist()


def standardised(columns):
    columns["input"] = (np.array(columns["input"], np.float32) - 0.2).tolist()


def cut_down(columns):
    columns["input"] = np.array(columns["input"], np.float32)[:, :24].tolist()


def emptied(columns):
    columns["input"][1] = None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (normalised, "radar lies between 0.* and .*: normalised, where dB is due"),
        (standardised, "optical bands reach -0.*: normalised, where reflectance is due"),
        (cut_down, "input has 24 x 25 x 25 values, not 32 x 25 x 25, as in AGBD_raw"),
        (emptied, "input is empty"),
    ],
)
def test_patches_of_other_kinds_are_refused_and_nothing_is_guessed(raw, tmp_path, change, told):
    with RawFile(changed(raw, tmp_path, change)) as opened, pytest.raises(DataError, match=f"row 1 .*{told}"):
        opened.read("", 1)


def test_values_without_data_are_not_known(raw, tmp_path):
    def spoil(columns):
        values = np.array(columns["input"], np.float32)
        for name, value in {"B04": 0, "HH": -9999, "lc": 255, "ch": 255, "dem": -9999}.items():
            values[0, CHANNELS.index(name), 3, 4] = value
        columns["input"] = values.tolist()
        columns["label"][0] = None

    with RawFile(changed(raw, tmp_path, spoil)) as opened:
        plot = opened.read("", 0)
        assert np.isnan([plot.reflectance[3, 4, 3], plot.gamma0_db[3, 4, 0]]).all()
        assert np.isnan([plot.elevation_m[3, 4], plot.canopy_height_m[3, 4]]).all()
        assert plot.land_cover[3, 4] == 255
        assert np.isfinite(plot.reflectance[3, 5]).all()
        assert "agbd" not in plot.numbers
