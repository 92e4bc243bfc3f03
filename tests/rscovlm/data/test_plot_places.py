"""Plots of a split of some files, in order."""

import numpy as np
import pytest

from rscovlm.data.plot_places import Places, plot_files
from rscovlm.errors import DataError
from tests.rscovlm.reo.material import plots_file


def test_plots_of_all_files_stand_one_after_another(tmp_path):
    file = plots_file(tmp_path, tiles=3, plots=2)
    both = Places.of([file, file], "all")
    assert len(both) == 12
    assert both.file.tolist() == [0] * 6 + [1] * 6
    assert both.row.tolist() == [*range(6), *range(6)]
    np.testing.assert_array_equal(both.numbers["agbd_se"][:6], both.numbers["agbd_se"][6:])


def test_fewer_stand_evenly_among_them(tmp_path):
    whole = Places.of([plots_file(tmp_path, tiles=3, plots=3)], "all")
    thin = whole.thinned(3)
    assert thin.row.tolist() == [0, 4, 8]
    assert len(set(thin.tile.tolist())) == 3
    assert whole.thinned(9) is whole


def test_numbers_go_by_the_names_of_the_files_as_well(tmp_path):
    file = plots_file(tmp_path, tiles=3, plots=2)
    thin = Places.of([file], "all").thinned(3)
    np.testing.assert_allclose(thin.stored([file], "agbd"), thin.numbers["agb_mg_per_ha"])
    days = thin.stored([file], "S2_date")
    assert ((days > 259 + 100) & (days < 259 + 182 + 366)).all(), "since 2019-04-17, of 2020 and 2021"
    assert thin.stored([file], "S2_vegetation_score") is None


def test_files_are_named_or_met_by_a_pattern(tmp_path):
    file = plots_file(tmp_path, tiles=1, plots=1)
    assert plot_files(tmp_path, ["*.h5"]) == plot_files(tmp_path, ["plots.h5"]) == [file]
    assert plot_files(tmp_path, ["."]) == [file]
    with pytest.raises(DataError, match=r"holds no file \*\.hdf"):
        plot_files(tmp_path, ["*.hdf"])
