"""Scenes as command lines name them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.cli.scenes import distinct, read_scenes, scene_names
from rscovlm.errors import UsageError


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with rasters by name, and what lies beside rasters."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.tif", "a.tif", "a.tif.aux.xml", "a.tif.ovr", "notes.txt", "deep/c.JP2", "x[1].tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_file_is_itself_and_is_the_only_thing_that_is_not_several(here):
    assert read_scenes(["a.tif"]).sources == ("a.tif",)
    assert not read_scenes(["a.tif"]).several
    assert read_scenes(["a.tif", "a.tif"]).sources == ("a.tif", "a.tif")
    for given_one in (["a.tif", "b.tif"], ["a*.tif"], ["deep"], ["a.tif", "a.tif"]):
        assert read_scenes(given_one).several, given_one


def test_a_pattern_stands_for_files_in_the_order_of_their_names(here):
    assert read_scenes(["*.tif"]).sources == ("a.tif", "b.tif", "x[1].tif")
    assert read_scenes(["**/*.JP2"]).sources == ("deep/c.JP2",)
    with pytest.raises(UsageError, match=r"no file matches 'q\*\.tif'"):
        read_scenes(["q*.tif"])


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(here):
    assert read_scenes(["x[1].tif"]).sources == ("x[1].tif",)


def test_a_folder_stands_for_the_rasters_right_inside_it(here):
    assert read_scenes([str(here)]).sources == tuple(
        str(here / name) for name in ("a.tif", "b.tif", "x[1].tif")
    )
    assert read_scenes(["deep"]).sources == ("deep/c.JP2",)


def test_a_satellite_product_and_a_folder_without_rasters_are_left_to_gdal(here):
    product = here / "S2A.SAFE"
    product.mkdir()
    (product / "quicklook.jpg").touch()
    (product / "MTD_MSIL1C.xml").touch()
    (here / "store.zarr").mkdir()
    assert read_scenes(["S2A.SAFE", "store.zarr"]).sources == ("S2A.SAFE", "store.zarr")


def test_a_list_names_a_scene_a_line_of_any_kind(here):
    (here / "list.txt").write_text("# of today\n\nb.tif\n/vsizip/q.zip/w*.tif\na*.tif\ndeep\n")
    given_list = read_scenes(["@list.txt"])
    assert given_list.sources == ("b.tif", "/vsizip/q.zip/w*.tif", "a.tif", "deep/c.JP2")
    assert [str(path) for path in given_list.lists] == ["list.txt"]
    (here / "none.txt").write_text("# nothing\n")
    with pytest.raises(UsageError, match=r"@none\.txt names no scenes"):
        read_scenes(["@none.txt"])
    with pytest.raises(OSError, match="gone"):
        read_scenes(["@gone.txt"])


@pytest.mark.parametrize(
    "source", ["https://host/a.tif?size=*", "s3://bucket/*.tif", "NETCDF:a.nc:band", "@", "a\0b", "none.tif"]
)
def test_what_is_no_file_here_is_left_to_gdal(here, source):
    assert read_scenes([source]).sources == (source,)


def test_a_scene_counts_once_however_it_is_spelt(here):
    (here / "link.tif").symlink_to("a.tif")
    assert distinct(["a.tif", "./a.tif", "b.tif", "link.tif", "no.tif", "no.tif"]) == (
        "a.tif",
        "b.tif",
        "no.tif",
    )


def test_names_are_of_files_with_as_much_of_their_folders_as_tells_them_apart():
    assert scene_names(["a/x.tif", "b/x.tif", "b/y.tif", "/q/b/x.tif"]) == {
        "a/x.tif": "a_x",
        "b/x.tif": "b_x",
        "b/y.tif": "y",
        "/q/b/x.tif": "q_b_x",
    }
    assert list(scene_names(["https://h/k.tif?z=1", 'NETCDF:"q/w.nc":band', "x.jp2", "x.tif"]).values()) == [
        "k",
        "w.nc_band",
        "x",
        "x_2",
    ]


@given(st.lists(st.text("ab/._ :*\\", min_size=1, max_size=8), unique=True))
def test_every_scene_has_a_name_of_its_own_that_a_file_may_have(sources):
    names = scene_names(sources)
    assert list(names) == sources
    assert len(set(names.values())) == len(sources)
    assert all(name and not set(name) & set("/\\:* ") for name in names.values())
    assert not {".", ".."} & set(names.values())
