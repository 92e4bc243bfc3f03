"""``rscovlm classify``."""

from __future__ import annotations

import json

import numpy as np
import psutil

from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.tasks.classify import TOGETHER
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.scripted import write_raster
from zoom_chain.chat import Reply


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


def test_classes_of_the_models_own_are_asked_for_in_its_spelling(run, scripted, scene):
    engine = scripted(lambda conversation: "forest")
    assert run("classify", scene, "--model", MODEL, "--classes", "Water,Forest").out == "forest\n"
    assert "water, forest" in engine.batches[0][0].messages[0].text


def test_classes_are_told_as_soon_as_they_are_known(run, scripted, scene, capsys):
    told = []

    def script(conversation):
        told.append(capsys.readouterr().out)
        return "water"

    scripted(script)
    run("classify", *[scene] * (TOGETHER + 1), "--model", MODEL)
    assert told[TOGETHER - 1 :] == ["", f"{scene}\twater\n" * TOGETHER]


def test_classes_go_to_a_table_or_to_json(run, scripted, scene, tmp_path):
    scripted(lambda conversation: "Water, I think")
    table, listed = tmp_path / "classes.csv", tmp_path / "classes.json"
    done = run("classify", scene, tmp_path / "none.tif", "--model", MODEL, "--output", table)
    assert (done.code, done.out) == (1, "")
    assert table.read_text().splitlines()[:2] == [
        "source,label,text,error",
        f'{scene},water,"Water, I think",',
    ]
    assert "none.tif does not exist" in table.read_text().splitlines()[2]
    assert run("classify", scene, "--model", MODEL, "--output", listed).code == 0
    assert json.loads(listed.read_text())[0]["label"] == "water"
    journal = "classes.csv.journal.jsonl"  # there is a scene about which there is no reply
    assert {path.name for path in tmp_path.iterdir()} == {"scene.tif", table.name, listed.name, journal}
    for output in (table, listed):
        again = run("classify", scene, "--model", MODEL, "--output", output)
        assert (again.code, again.out) == (2, "")
        assert "--overwrite" in again.err


def test_a_run_that_was_interrupted_asks_again_for_nothing_that_was_answered(run, scripted, tmp_path):
    count = TOGETHER + 4
    pixels = np.random.default_rng(0).integers(0, 255, (count, 3, 64, 64), dtype=np.uint8)
    scenes = [write_raster(tmp_path / f"{n:02}.tif", pixels=each) for n, each in enumerate(pixels)]
    asked = []

    def interrupted(conversation):
        if len(asked) == TOGETHER:
            raise KeyboardInterrupt
        asked.append(conversation)
        return "water"

    command = ("classify", *scenes, "--model", MODEL, "--output", tmp_path / "classes.csv")
    scripted(interrupted)
    done = run(*command)
    assert (done.code, done.out) == (130, "")
    assert f"interrupted after {TOGETHER} replies; the same command with --resume goes on" in done.err
    assert "--resume" in run(*command).err  # it is not silently begun anew
    engine = scripted(lambda conversation: "forest")
    assert run(*command, "--resume").code == 0
    assert sum(map(len, engine.batches)) == 4
    labels = [line.split(",")[1] for line in (tmp_path / "classes.csv").read_text().splitlines()[1:]]
    assert labels == ["water"] * TOGETHER + ["forest"] * 4


def test_an_output_that_cannot_be_is_refused_before_the_model_loads(run, no_model, scene, tmp_path):
    for given, reason in (
        (("--output", tmp_path / "a.txt"), "choose .csv or .json"),
        (("--resume",), "--resume needs the --output of the run"),
        (("--output", tmp_path / "none" / "a.csv"), "none"),
    ):
        done = run("classify", scene, "--model", MODEL, *given)
        assert (done.code, done.out) == (2, "")
        assert reason in done.err


def test_after_a_failed_request_the_others_replies_are_kept(run, scripted, tmp_path):
    scenes = [
        write_raster(tmp_path / f"{name}.tif", pixels=np.full((3, 64, 64), grey, np.uint8))
        for name, grey in (("a", 60), ("b", 90))
    ]
    replies = iter([Reply("industrial"), Reply("", "error", error="server gone")])
    scripted(lambda _: next(replies))
    output = tmp_path / "classes.csv"
    command = ("classify", *scenes, "--model", MODEL, "--classes", "industrial,water", "--output", output)
    first = run(*command)
    assert first.code == 1
    assert "1 of 2 scenes without a class: server gone; --resume asks again" in first.err
    assert "a.tif,industrial" in output.read_text()
    engine = scripted(lambda _: "water")
    second = run(*command, "--resume")
    assert second.code == 0, second.err
    assert sum(map(len, engine.batches)) == 1
    assert [line.split(",")[1] for line in output.read_text().splitlines()] == [
        "label",
        "industrial",
        "water",
    ]
    assert not list(tmp_path.glob("*.journal.jsonl"))
