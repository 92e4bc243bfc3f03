"""``rscovlm classify``."""

from __future__ import annotations

import json

from tests.rscovlm.cli.conftest import MODEL


def test_one_scene_prints_its_class_alone(run, scripted, scene):
    engine = scripted(lambda conversation: "Forest.")
    assert run("classify", scene, "--model", MODEL) == (0, "forest\n", "")
    # The family's own classes are offered by default.
    assert "water, forest, farmland, urban, desert" in engine.batches[0][0].messages[0].text


def test_several_scenes_print_a_line_each(run, scripted, scene):
    scripted(lambda conversation: "port")
    done = run("classify", scene, scene, "--model", MODEL, "--classes", "port, city")
    assert (done.code, done.out) == (0, f"{scene}\tport\n{scene}\tport\n")


def test_a_reply_that_names_no_class_exits_with_1(run, scripted, scene):
    scripted(lambda conversation: "a picture")
    done = run("classify", scene, "--model", MODEL, "--json")
    assert done.code == 1
    assert json.loads(done.out) == [{"source": str(scene), "label": None, "text": "a picture", "error": None}]
    assert "'a picture'" in done.err


def test_a_family_without_classes_of_its_own_asks_for_some(run, no_model, scene):
    done = run("classify", scene, "--model", "http://server/v1#Qwen3-VL-8B")
    assert (done.code, done.out) == (2, "")
    assert "--classes a,b,c" in done.err
