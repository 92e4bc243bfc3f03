"""``rscovlm classify``."""

from __future__ import annotations

import json

import numpy as np
import psutil

from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.tasks.classify import TOGETHER
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.scripted import write_raster


def test_one_scene_prints_its_class_alone(run, scripted, scene):
    engine = scripted(lambda conversation: "Forest.")
    assert run("classify", scene, "--model", MODEL) == (0, "forest\n", "")
    # The family's own classes are offered by default.
    assert ", ".join(LAND_COVERS) in engine.batches[0][0].messages[0].text


def test_several_scenes_print_a_line_each(run, scripted, scene):
    scripted(lambda conversation: "port")
    model = "http://scripted/v1#Qwen3-VL-8B"  # of a family that takes any class
    done = run("classify", scene, scene, "--model", model, "--classes", "port, city")
    assert (done.code, done.out) == (0, f"{scene}\tport\n{scene}\tport\n")


def test_scenes_are_named_by_patterns_folders_and_lists_too(run, scripted, tmp_path):
    scenes = [write_raster(tmp_path / f"{name}.tif", 64, 64) for name in "ab"]
    (tmp_path / "list.txt").write_text(f"{scenes[1]}\n")
    scripted(lambda conversation: "water")
    for given, expected in (("*.tif", scenes), ("", scenes), ("@", scenes[1:])):
        text = f"@{tmp_path / 'list.txt'}" if given == "@" else tmp_path / given
        done = run("classify", text, "--model", MODEL, "--json")
        assert [result["source"] for result in json.loads(done.out)] == [str(path) for path in expected]


def test_many_scenes_are_never_open_all_at_once(run, scripted, tmp_path):
    count, most = 3 * TOGETHER + 1, []

    def script(conversation):
        mine = [file for file in psutil.Process().open_files() if file.path.startswith(str(tmp_path))]
        most.append(len(mine))
        return "water"

    scenes = [write_raster(tmp_path / f"{number}.tif", 64, 64) for number in range(count)]
    scripted(script)
    done = run("classify", *scenes, "--model", MODEL)
    assert done.code == 0
    assert [line.split("\t") for line in done.out.splitlines()] == [[str(path), "water"] for path in scenes]
    assert 1 <= max(most) <= TOGETHER


def test_a_missing_scene_costs_its_own_class_only(run, scripted, scene, tmp_path):
    scripted(lambda conversation: "water")
    done = run("classify", scene, tmp_path / "none.tif", scene, "--model", MODEL)
    assert done.code == 1
    assert [line.split("\t")[1] for line in done.out.splitlines()] == ["water", "?", "water"]
    assert "none.tif does not exist" in done.err
    alone = run("classify", tmp_path / "none.tif", "--model", MODEL)
    assert (alone.code, alone.out) == (2, "")


def test_a_reply_that_names_no_class_exits_with_1(run, scripted, scene):
    scripted(lambda conversation: "a picture")
    done = run("classify", scene, "--model", MODEL, "--json")
    assert done.code == 1
    assert json.loads(done.out) == [{"source": str(scene), "label": None, "text": "a picture", "error": None}]
    assert "'a picture'" in done.err


def test_a_scene_that_cannot_be_read_is_named_beside_the_others_classes(run, scripted, scene, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (3, 512, 512), dtype=np.uint8)
    corrupt = write_raster(tmp_path / "corrupt.tif", pixels=noise, compress="deflate")
    content = bytearray(corrupt.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 5000] = b"\xff" * 5000
    corrupt.write_bytes(content)
    scripted(lambda conversation: "water")
    done = run("classify", scene, corrupt, "--model", MODEL)
    assert (done.code, done.out) == (1, f"{scene}\twater\n{corrupt}\t?\n")
    assert f"1 of 2 scenes without a class: {corrupt} cannot be read" in done.err
    # Where there is no other, the input is bad and there is no result.
    done = run("classify", corrupt, "--model", MODEL)
    assert (done.code, done.out) == (2, "")


def test_a_family_without_classes_of_its_own_asks_for_some(run, no_model, scene):
    done = run("classify", scene, "--model", "http://server/v1#Qwen3-VL-8B")
    assert (done.code, done.out) == (2, "")
    assert "--classes a,b,c" in done.err
