"""Contents of files of plots, and the traps of such files."""

import h5py
import numpy as np
import pytest

from rscovlm.data.agbd import AgbdFile, write_agbd
from rscovlm.reo.inspection import inspect, statistics
from rscovlm.synth.forest import BANDS, make_plot, make_tile
from tests.rscovlm.reo.test_facts import parquet


def plots(tiles=3, each=3):
    return [make_plot(4, make_tile(4, tile), index) for tile in range(tiles) for index in range(each)]


def told(path, about):
    return [f"{trap.kind}: {trap.what}" for trap in inspect([path], 6).traps if trap.about == about]


@pytest.fixture
def file(tmp_path):
    write_agbd(tmp_path / "plots.h5", plots())
    return tmp_path / "plots.h5"


def changed(path, name, change):
    """Replace a data set in each tile."""
    with h5py.File(path, "r+") as opened:
        for group in opened.values():
            values, attributes = group[name][:], dict(group[name].attrs)
            del group[name]
            group.create_dataset(name, data=change(values))
            group[name].attrs.update(attributes)
    return path


def test_a_sound_file_has_no_trap_but_what_it_says_of_itself(file):
    found = inspect([file], 9)
    assert (found.stored, found.samples, found.tiles) == ("AGBD", 9, 3)
    assert [trap.kind for trap in found.traps] == ["note"]
    assert 0.01 < found.channels["B04"]["median"] < 0.3
    assert -20 < found.channels["HV"]["median"] < -8
    assert sum(found.bins.values()) == 9


def test_bands_in_another_order_are_told_and_read_by_their_names(file):
    with AgbdFile(file) as opened:
        before = opened.read(*next(opened.keys())).reflectance
    turned = list(reversed(BANDS))
    changed(file, "S2_bands", lambda values: values[..., ::-1])
    with h5py.File(file, "r+") as opened:
        for group in opened.values():
            group["S2_bands"].attrs["order"] = turned
    assert "bands stand as B12, B11" in told(file, "S2_bands")[0]
    with AgbdFile(file) as opened:
        np.testing.assert_array_equal(opened.read(*next(opened.keys())).reflectance, before)


def test_red_and_blue_that_are_swapped_in_silence_are_found(file):
    def spoil(values):
        blue, red = np.random.default_rng(0).integers(1200, 2500, (2, *values.shape[:3]))
        values[..., 0], values[..., 4] = blue, red  # B01 goes with blue, B05 with red
        values[..., 1], values[..., 3] = red, blue
        return values

    changed(file, "S2_bands", spoil)
    assert "B04 and B02 look swapped" in told(file, "agbd")[0]


def test_an_offset_that_was_taken_off_already_is_found(file):
    changed(file, "S2_bands", lambda values: np.maximum(values.astype(int) - 1000, 1).astype(np.uint16))
    assert told(file, "S2_boa_offset")[0].startswith("wrong: ")
    assert "taken off twice" in told(file, "S2_boa_offset")[0]


def test_an_offset_that_is_not_stated_is_found(file):
    changed(file, "Sentinel_metadata/S2_boa_offset", np.zeros_like)
    assert "as if one of 1000 were in them" in told(file, "S2_boa_offset")[0]


def test_numbers_that_were_normalised_are_found(file):
    changed(file, "S2_bands", lambda values: (values / 10_000).astype(np.float32))
    assert any("changed or normalised" in line for line in told(file, "S2_bands"))


def test_labels_out_of_range_and_on_the_edge(file):
    def spoil(values):
        values[:2] = 500, 501
        return values

    changed(file, "GEDI/agbd", spoil)
    lines = told(file, "agb_mg_per_ha")
    assert "3 above 500" in lines[0]
    assert "3 labels are 500 exactly" in lines[1]


def test_a_middle_without_data_is_told(file):
    def spoil(values):
        values[:, 12, 12] = 0
        return values

    changed(file, "S2_bands", spoil)
    assert any("no data in the middle" in line for line in told(file, "S2_bands"))


def test_places_outside_of_their_tile_are_found(file):
    with h5py.File(file, "r+") as opened:
        opened.attrs["source"] = "elsewhere"
    assert "not in the zone of their tile" in told(file, "lat, lon")[0]


def test_channels_of_tables_are_counted(tmp_path):
    found = inspect([parquet(tmp_path / "a.parquet")], 2)
    assert found.layers["input"] == "n x 14 x 25 x 25"
    assert len(found.channels) == 14
    assert found.channels["channel 0"]["median"] == pytest.approx(0.1)


def test_statistics_leave_out_what_is_no_number():
    assert statistics(np.array([1.0, np.nan, 3.0])) == {
        "n": 2,
        "mean": 2,
        "deviation": 1,
        "least": 1,
        "median": 2,
        "greatest": 3,
    }
    assert statistics(np.array([np.nan])) == {"n": 0}
