"""Files of plots, whatever they are stored as."""

import pytest

from rscovlm.data.agbd import AgbdFile, write_agbd
from rscovlm.data.agbd_raw import RawFile
from rscovlm.data.agbd_raw_writing import write_agbd_raw
from rscovlm.data.plot_files import open_plot_file, open_plots, plot_files_in, spaced_plots
from rscovlm.errors import DataError
from rscovlm.synth.forest import make_plot, make_tile


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("plots")
    plots = [make_plot(1, make_tile(1, tile), index) for tile in range(2) for index in range(3)]
    write_agbd(path / "a.h5", plots, lite=True)
    write_agbd_raw(path / "b.PARQUET", plots[:4])
    return path


def test_the_suffix_says_how_a_file_is_read(folder):
    with open_plot_file(folder / "a.h5") as hdf5, open_plot_file(folder / "b.PARQUET") as table:
        assert (type(hdf5), type(table)) == (AgbdFile, RawFile)
        assert (len(hdf5), len(table)) == (6, 4)
    assert open_plots(folder / "b.PARQUET") is open_plots(folder / "b.PARQUET")


def test_a_folder_stands_for_its_hdf5_and_for_its_tables_where_it_has_none(folder, tmp_path):
    assert plot_files_in(folder) == [folder / "a.h5"]
    assert plot_files_in(folder / "b.PARQUET") == [folder / "b.PARQUET"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train-00000-of-00001.parquet").touch()
    assert [path.name for path in plot_files_in(tmp_path)] == ["train-00000-of-00001.parquet"]
    with pytest.raises(DataError, match="holds no plots in HDF5 or Parquet"):
        plot_files_in(_empty(tmp_path))


def _empty(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def test_plots_are_spread_evenly_over_all_files(folder):
    files = [folder / "a.h5", folder / "b.PARQUET"]
    assert [plot.key.split("/")[0] for plot in spaced_plots(files, 4)] == ["a", "a", "b", "b"]
    assert [int(plot.key.split("/")[2]) for plot in spaced_plots(files, 4)] == [0, 3, 0, 3]
    assert len(list(spaced_plots(files, 100))) == 10
