"""Names of classes: codes in words, the column that holds names, tables of what names stand for."""

import numpy as np
import pytest

from tiling.class_names import class_name, column_of, identity_of, listed, read_names
from tiling.errors import ThematicMapError

KNOWN = ("forest", "crops")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (20, "20"),
        (20.0, "20"),
        (np.uint8(20), "20"),
        (np.float32(2.5), "2.5"),
        (1234567.0, "1234567"),
        (" wet forest ", "wet forest"),
        (np.nan, ""),
        (None, ""),
    ],
)
def test_a_class_is_named_as_people_write_it(value, name):
    assert class_name(value) == name


def test_the_only_column_with_known_names_holds_them():
    columns = {"id": ["1", "2"], "class": ["forest", "lake"], "note": [""]}
    assert column_of("m.gpkg", columns, KNOWN, None) == "class"
    assert column_of("m.gpkg", columns, KNOWN, "class") == "class"


@pytest.mark.parametrize(
    ("columns", "stated", "words"),
    [
        (
            {"a": ["forest"], "b": ["crops"]},
            None,
            "columns a, b of m.gpkg hold known names",
        ),
        ({"a": ["lake", ""]}, None, "holds none of the names crops, forest; its columns are a: lake"),
        ({"a": ["lake"], "b": ["forest"]}, "a", "holds none of the names crops, forest"),
        ({"a": ["forest"]}, "c", "m.gpkg has no column 'c'; it has a"),
        ({}, None, "its columns are none"),
    ],
)
def test_a_column_that_cannot_be_told_is_one_clear_line(columns, stated, words):
    with pytest.raises(ThematicMapError, match=words):
        column_of("m.gpkg", columns, KNOWN, stated)


def test_a_table_says_what_names_stand_for(tmp_path):
    table = tmp_path / "names.csv"
    table.write_text("value,name\n10, forest\n20,crops\n")
    assert read_names(table) == {"10": "forest", "20": "crops"}
    table.write_text("code,class\n10,forest\n")
    with pytest.raises(ThematicMapError, match="needs the columns value and name; it holds code, class"):
        read_names(table)
    with pytest.raises(ThematicMapError, match="is no table of names"):
        read_names(tmp_path / "absent.csv")


def test_a_map_is_another_once_its_file_or_its_names_are(tmp_path):
    path = tmp_path / "m.geojson"
    path.write_text("{}")
    first = identity_of([path], {"column": "a"})
    assert first == identity_of([path], {"column": "a"})
    assert first != identity_of([path], {"column": "b"})
    path.write_text("{ }")
    assert first != identity_of([path], {"column": "a"})


def test_long_lists_are_cut():
    assert listed(map(str, range(10))) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"
    assert listed([]) == "none"
