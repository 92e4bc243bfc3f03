"""Tables of further numbers by key."""

import numpy as np
import pytest

from rscovlm.data.number_tables import further_numbers
from rscovlm.errors import DataError

KEYS = ["plots/10SEG/0", "plots/10SEG/1", "plots/22NKF/0"]


def write(path, text):
    path.write_text(text)
    return path


def test_columns_become_numbers_of_the_plots_that_rows_name(tmp_path):
    table = write(
        tmp_path / "a.csv", "key,taught,cloud\nplots/22NKF/0,120.5,0.25\nplots/10SEG/0,7,\nother/1/2,9,9\n"
    )
    found = further_numbers([table], KEYS)
    np.testing.assert_array_equal(found["taught"], [7, np.nan, 120.5])
    np.testing.assert_array_equal(found["cloud"], [np.nan, np.nan, 0.25])


def test_tables_fill_each_others_gaps(tmp_path):
    first = write(tmp_path / "a.csv", "key,taught\nplots/10SEG/0,1\n")
    second = write(tmp_path / "b.csv", "key,taught\nplots/10SEG/1,2\n")
    np.testing.assert_array_equal(further_numbers([first, second], KEYS)["taught"], [1, 2, np.nan])
    assert further_numbers([], KEYS) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "key,taught\nplots/1/2,1\n",
            "names none of these plots; its keys are FILE/TILE/ROW, like plots/10SEG/0",
        ),
        ("plot,taught\n1,1\n", "is no table of numbers by key: 'key'"),
        ("key,taught\nplots/10SEG/0,many\n", "could not convert string to float: 'many'"),
    ],
)
def test_another_table_is_refused(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        further_numbers([write(tmp_path / "a.csv", text)], KEYS)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        further_numbers([tmp_path / "none.csv"], KEYS)
