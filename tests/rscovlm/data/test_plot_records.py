"""Plots by their index: names, and what files say of each."""

import h5py
import numpy as np
import pytest

from rscovlm.data.agbd import AgbdFile, write_agbd
from rscovlm.data.plot_places import Places, plot_files
from rscovlm.data.plot_records import PlotRecords
from rscovlm.errors import DataError
from rscovlm.synth.forest import LAND_COVERS, SIDE, make_plot, make_tile

PLOTS = [make_plot(8, make_tile(8, tile), index) for tile in range(3) for index in range(2)]


def records(folder, *files) -> PlotRecords:
    found = PlotRecords()
    found.files = plot_files(folder, files)
    found.places = Places.of(found.files, "all")
    return found


@pytest.fixture
def made(tmp_path):
    for name, plots in (("a", PLOTS[:2]), ("b", PLOTS[2:])):
        write_agbd(tmp_path / f"{name}.h5", plots, lite=True)
    return records(tmp_path, "a.h5", "b.h5")


def test_plots_of_several_files_are_counted_through_and_named_by_file_tile_and_row(made):
    assert len(made) == 6
    assert made.keys[0] == f"a/{PLOTS[0].tile.name}/0"
    assert made.keys[5] == made.key(5) == f"b/{PLOTS[5].tile.name}/3"
    assert made.place(5).endswith("b.h5: plots 3")


def test_what_a_file_says_of_a_plot_is_that_of_the_plot(made):
    for index, plot in enumerate(PLOTS):
        assert made.cover(index) == LAND_COVERS[int(plot.land_cover[SIDE // 2, SIDE // 2])]
        assert made.gedi(index, "patch_count") == plot.patches
        np.testing.assert_allclose(made.footprint(index).reflectance, plot.reflectance, atol=1e-4)
    assert made.gedi(0, "no_such_number") is None
    assert made.covers().tolist() == [made.cover(index) for index in range(6)]


def test_a_plot_without_a_land_cover_has_none_in_the_list_and_is_refused_alone(made):
    with h5py.File(made.files[0], "r+") as file:
        file["LC"][1, SIDE // 2, SIDE // 2, 0] = 255
    fresh = records(made.files[0].parent, "a.h5")
    with AgbdFile(made.files[0]) as opened:
        assert len(opened) == 2
    assert fresh.covers()[1] == ""
    with pytest.raises(DataError, match=r"a\.h5: plots 1 has no land cover in the middle"):
        fresh.cover(1)


def test_land_covers_of_all_plots_are_read_once(made, monkeypatch):
    first = made.covers().tolist()
    monkeypatch.setattr(PlotRecords, "cover", lambda *_: pytest.fail("read again"))
    assert made.covers().tolist() == first
