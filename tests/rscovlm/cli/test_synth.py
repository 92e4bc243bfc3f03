"""``rscovlm synth``."""

from __future__ import annotations

import json

import pytest
import rasterio

from rscovlm.cli.ask_questions import read_questions


def test_a_scene_comes_with_labels_and_questions_that_ask_can_read(run, tmp_path):
    path = tmp_path / "scene.tif"
    done = run("synth", "scene", path, "--size", "900x700", "--seed", 3, "--gsd", 0.5)
    assert (done.code, done.out) == (0, f"{path}\n")
    with rasterio.open(path) as dataset:
        assert (dataset.width, dataset.height, dataset.res) == (900, 700, (0.5, 0.5))
    header, gsd, *labels = (tmp_path / "scene.txt").read_text().splitlines()
    assert header == "imagesource:scene.tif"
    assert float(gsd.removeprefix("gsd:")) == pytest.approx(0.5, rel=1e-3)
    assert labels
    assert {len(line.split()) for line in labels} == {10}
    asked = read_questions(tmp_path / "scene.questions.jsonl")
    assert asked
    assert all(item.expected for item in asked)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(run, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        assert run("synth", "scene", tmp_path / name / "s.tif", "--size", 300, "--seed", seed).code == 0
    for file in ("s.tif", "s.txt", "s.questions.jsonl"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a" / "s.tif").read_bytes() != (tmp_path / "c" / "s.tif").read_bytes()


def test_a_cloud_optimised_scene_of_one_cover(run, tmp_path):
    path = tmp_path / "scene.tif"
    assert run("synth", "scene", path, "--size", 600, "--cover", "water", "--cog").code == 0
    with rasterio.open(path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    records = (tmp_path / "scene.questions.jsonl").read_text().splitlines()
    assert {json.loads(record)["scene_class"] for record in records} <= {"water"}


def test_a_data_set_has_scenes_labels_and_questions(run, tmp_path):
    folder = tmp_path / "data"
    done = run("synth", "dataset", folder, "--count", 2, "--size", 256, "--seed", 5)
    assert (done.code, done.out) == (0, f"{folder}\n"), done.err
    images = sorted(path.stem for path in (folder / "images").iterdir())
    assert len(images) == 2
    assert sorted(path.stem for path in (folder / "labelTxt").iterdir()) == images


def test_forest_plots_and_a_scene_to_map_with_its_truth(run, tmp_path):
    from rscovlm.data.agbd import AgbdFile

    plots, scene, truth = (tmp_path / name for name in ("plots.h5", "s2.tif", "agb.tif"))
    assert run("synth", "plots", plots, "--tiles", 2, "--each", 3, "--dates", 2, "--seed", 4).code == 0
    with AgbdFile(plots) as opened:
        assert (len(opened), opened.dates) == (6, 2)
    assert run("synth", "forest", scene, "--size", 60, "--truth", truth).out == f"{scene}\n"
    with rasterio.open(scene) as shown, rasterio.open(truth) as known:
        assert (shown.count, shown.shape, known.shape) == (12, (60, 60), (60, 60))
    before = plots.read_bytes(), truth.read_bytes()
    for again in (("plots", plots), ("forest", tmp_path / "new.tif", "--truth", truth)):
        done = run("synth", *again)
        assert done.code == 2
        assert "--overwrite" in done.err
    assert (plots.read_bytes(), truth.read_bytes()) == before
    assert not (tmp_path / "new.tif").exists()
