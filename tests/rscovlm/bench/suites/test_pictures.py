"""Images of a benchmark: in folders, under other suffixes, inside archives that GDAL reads in place."""

import tarfile
import zipfile

import pytest

from rscovlm.bench.suites.pictures import MISSING, Pictures
from rscovlm.data.readers.common import Account
from tests.rscovlm.data.published import image
from tiling.scene import Scene


@pytest.fixture
def account():
    return Account()


def test_names_are_found_in_any_folder_and_with_another_suffix(tmp_path, account):
    image(tmp_path / "images" / "a.png")
    image(tmp_path / "other" / "b.jpg")
    found = Pictures(tmp_path, ("images", "other", "gone"), account)
    assert found.locate("a.png") == str(tmp_path / "images" / "a.png")
    assert found.locate("b.png") == str(tmp_path / "other" / "b.jpg")
    assert found.locate("set/sub/a.png") == str(tmp_path / "images" / "a.png")  # by its last part
    assert found.locate(r"set\sub\a.png") == str(tmp_path / "images" / "a.png")
    assert found.locate("gone.png", "b.png") == str(tmp_path / "other" / "b.jpg")
    assert found.locate(str(tmp_path / "other" / "b.jpg")) == str(tmp_path / "other" / "b.jpg")
    assert not account.changed


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_images_inside_archives_are_read_without_unpacking(tmp_path, account, kind):
    source = image(tmp_path / "somewhere" / "set" / "a.png", 64, 48)
    (tmp_path / "root").mkdir()
    archive = tmp_path / "root" / f"images.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
            members.write(source, "images/set/a.png")
    else:
        with tarfile.open(archive, "w") as members:
            members.add(source, "images/set/a.png")
    found = Pictures(tmp_path / "root", (".",), account)

    for name in ("a.png", "set/a.png", "images/set/a.jpg", "anywhere/else/a.png"):
        path = found.locate("anywhere/a.png", "a.png") if name.startswith("anywhere") else found.locate(name)
        assert path == f"/vsi{kind}/{archive}/images/set/a.png"
    with Scene(path) as scene:
        assert (scene.height, scene.width) == (48, 64)
    assert found.size(path) == (48, 64)
    assert sorted(entry.name for entry in (tmp_path / "root").iterdir()) == [archive.name]


def test_a_missing_image_is_named_where_it_should_be_and_counted(tmp_path, account):
    found = Pictures(tmp_path, ("images", "."), account)
    assert found.locate("a/b.png") == str(tmp_path / "images" / "a" / "b.png")
    assert account.changed == {MISSING: 1}
    assert found.size(str(tmp_path / "images" / "a" / "b.png")) is None


def test_a_damaged_archive_hides_nothing_else(tmp_path, account):
    (tmp_path / "images.zip").write_bytes(b"PK\x03\x04 cut off")
    image(tmp_path / "a.png")
    found = Pictures(tmp_path, (".",), account)
    assert found.locate("a.png") == str(tmp_path / "a.png")
    found.locate("b.png")
    assert account.changed == {MISSING: 1}


@pytest.mark.parametrize(
    "name", ["images.tar.gz", "images.tgz", "images.tar.gz.part0", "images.7z", "images.z01"]
)
def test_archives_that_have_to_be_unpacked_are_named_where_an_image_is_missing(tmp_path, account, name):
    (tmp_path / name).write_bytes(b"")
    image(tmp_path / "a.png")
    found = Pictures(tmp_path, (".",), account)
    found.locate("a.png")
    assert not account.changed
    found.locate("b.png")
    assert account.changed == {
        MISSING: 1,
        f"images may be in {name}, which cannot be read in place: unpack it": 1,
    }


def test_a_name_that_several_members_share_is_none_of_them(tmp_path, account):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as members:
        for name in ("Airport/1.jpg", "Beach/1.jpg", "Beach/2.jpg"):
            members.writestr(name, b"")
    found = Pictures(tmp_path, (".",), account)
    assert found.locate("AID/Beach/1.jpg") == f"/vsizip/{tmp_path}/images.zip/Beach/1.jpg"
    assert found.locate("2.jpg") == f"/vsizip/{tmp_path}/images.zip/Beach/2.jpg"
    assert found.locate("Forest/1.jpg") == str(tmp_path / "Forest" / "1.jpg")
    assert account.changed == {MISSING: 1}
