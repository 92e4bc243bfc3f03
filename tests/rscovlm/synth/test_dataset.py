"""Scenes and data sets on disk."""

import json

import numpy as np
import pytest
import rasterio

from rscovlm.synth.catalogue import CLASS_NAMES
from rscovlm.synth.dataset import question_record, scene_truth, write_dataset, write_scene
from rscovlm.synth.questions import all_questions
from rscovlm.synth.render import render
from rscovlm.synth.world import plan_world
from tiling.scene import Scene
from tiling.view import Size, View, Window


@pytest.fixture(scope="module")
def world():
    return plan_world(21, 1300, 1100)


@pytest.fixture(scope="module")
def scene_file(world, tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    write_scene(world, path)
    return path


def test_the_file_holds_what_was_rendered(world, scene_file):
    with Scene(scene_file) as scene:
        assert (scene.width, scene.height) == (1300, 1100)
        assert scene.overviews
        assert scene.gsd_m == pytest.approx(0.3, rel=1e-3)
        window = Window(500, 300, 400, 350)
        shown = scene.read(View(window, Size(350, 400)))
    np.testing.assert_array_equal(shown.pixels, render(world, window, Size(350, 400)))


def test_the_same_seed_gives_the_same_bytes(world, scene_file, tmp_path):
    write_scene(plan_world(21, 1300, 1100), tmp_path / "again.tif")
    assert (tmp_path / "again.tif").read_bytes() == scene_file.read_bytes()


def test_a_cog_is_laid_out_as_one(world, scene_file, tmp_path):
    write_scene(world, tmp_path / "cog.tif", cog=True)
    with rasterio.open(tmp_path / "cog.tif") as raster, rasterio.open(scene_file) as plain:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_array_equal(raster.read(), plain.read())


def test_the_smallest_scene_can_be_written_and_read(tmp_path):
    write_scene(plan_world(0, 1, 1), tmp_path / "dot.tif")
    with rasterio.open(tmp_path / "dot.tif") as raster:
        assert raster.shape == (1, 1)


def test_the_truth_is_each_object_once_clockwise_from_the_topmost_corner(world):
    truth = scene_truth(world)
    assert truth.names == [item.kind_of.name for item in world.objects]
    for polygon in truth.polygons:
        edges = np.roll(polygon, -1, axis=0) - polygon
        turn = edges[:, 0] * np.roll(edges, -1, axis=0)[:, 1] - edges[:, 1] * np.roll(edges, -1, axis=0)[:, 0]
        assert (turn > 0).all(), "clockwise, as y points down"
        assert polygon[0, 1] == polygon[:, 1].min()


def test_a_missing_folder_is_an_error_before_any_work(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; create it first"):
        write_scene(plan_world(0, 64, 64), tmp_path / "nowhere" / "scene.tif")


def test_an_interrupted_write_leaves_no_file(world, tmp_path):
    def interrupt(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scene(world, tmp_path / "scene.tif", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_question_on_disk_holds_its_evidence_in_scene_pixels(world):
    for question in all_questions(world):
        record = question_record(world, question, "scene.tif")
        x0, y0, x1, y1 = record["evidence"]
        assert 0 <= x0 < x1 <= world.width
        assert 0 <= y0 < y1 <= world.height
        assert record["scene_class"] == world.cover


def test_a_data_set_is_whole_consistent_and_continued(tmp_path):
    write_dataset(tmp_path, 2, seed=3, size=700)
    first = (tmp_path / "images" / "scene_3_00000.tif").stat().st_mtime_ns
    write_dataset(tmp_path, 3, seed=3, size=700)
    assert (tmp_path / "images" / "scene_3_00000.tif").stat().st_mtime_ns == first
    coco = json.loads((tmp_path / "annotations.json").read_text())
    names = [image["file_name"] for image in coco["images"]]
    assert sorted(f.name for f in (tmp_path / "images").iterdir()) == names
    assert [c["name"] for c in coco["categories"]] == list(CLASS_NAMES)
    assert [a["id"] for a in coco["annotations"]] == list(range(1, len(coco["annotations"]) + 1))
    for image in coco["images"]:
        labels = (tmp_path / "labelTxt" / image["file_name"]).with_suffix(".txt").read_text().splitlines()[2:]
        assert len(labels) == sum(a["image_id"] == image["id"] for a in coco["annotations"])
    scenes = [json.loads(line) for line in (tmp_path / "scenes.jsonl").read_text().splitlines()]
    assert [scene["image"] for scene in scenes] == names
    for line in (tmp_path / "questions.jsonl").read_text().splitlines():
        assert json.loads(line)["image"] in names
