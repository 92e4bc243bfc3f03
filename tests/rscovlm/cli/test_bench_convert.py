"""``rscovlm bench convert``."""

from __future__ import annotations

import json

import pytest

CORNERS = "10 20 30 20 30 40 10 40"


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """A folder of DOTA labels, and the current folder around it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "labelTxt"
    folder.mkdir()
    (folder / "P1.txt").write_text(f"imagesource:GoogleEarth\ngsd:0.5\n{CORNERS} ship 1\n{CORNERS} plane 0\n")
    (folder / "P2.txt").write_text("gsd:null\n")
    (tmp_path / "images.txt").write_text("P1.png 1024 768\nP2.png 512 512\n")
    return tmp_path


def test_labels_become_coco_and_come_back_with_every_byte(run, labels):
    done = run("bench", "convert", "labelTxt", "--output", "gt.json", "--images", "images.txt")
    assert (done.code, done.out) == (0, "gt.json: coco, 2 images, 2 boxes\n")
    assert done.err == "gt.json does not hold the header (source, GSD) of 1 image\n"
    assert json.loads((labels / "gt.json").read_text())["images"][1]["width"] == 512
    assert run("bench", "convert", "gt.json", "--output", "back:dota").code == 0
    assert (labels / "back" / "P1.txt").read_text() == f"{CORNERS} ship 1\n{CORNERS} plane 0\n"
    assert (labels / "back" / "P2.txt").read_text() == ""


def test_what_the_target_cannot_hold_is_said_beside_the_result(run, labels):
    done = run("bench", "convert", "labelTxt:dota", "--output", "out:task1", "--score", 1, "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert (told["source"], told["target"], told["boxes"]) == ("dota", "task1", 2)
    assert "out does not hold the difficulty of objects in 1 image" in done.err
    assert "out does not hold 1 image without boxes" in done.err
    assert (labels / "out" / "Task1_ship.txt").read_text() == f"P1 1 {CORNERS}\n"


def test_results_of_mmrotate_go_through_with_ids_and_classes(run, labels):
    assert run("bench", "convert", "labelTxt", "--output", "r.pkl:mmrotate-0.x", "--score", 0.5).code == 0
    done = run("bench", "convert", "r.pkl", "--output", "r.jsonl")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("rscovlm: r.pkl: holds numbers of classes and no names")
    (labels / "names.txt").write_text("plane\nship\n")
    told = ("--classes", "names.txt", "--images", "images.txt")
    assert run("bench", "convert", "r.pkl", "--output", "r.jsonl", *told).code == 0
    assert '"labels": ["plane", "ship"], "scores": [0.5, 0.5]' in (labels / "r.jsonl").read_text()


def test_patches_are_merged_with_a_line_about_suppression(run, labels):
    for x in (0, 5):
        (labels / "patches").mkdir(exist_ok=True)
        (labels / "patches" / f"P1__1024__{x}___0.txt").write_text(f"{CORNERS} ship 0\n")
    done = run("bench", "convert", "patches", "--output", "scenes", "--merge", "mmrotate")
    assert done.out == "scenes: dota, 1 image, 1 box\n"
    assert "2 patches merged to 1 scene: 1 of 2 boxes suppressed, 2 by nothing but the order" in done.err
    plain = ("patches", "--output", "all", "--merge", "mmrotate", "--nms", "none")
    assert run("bench", "convert", *plain).out == "all: dota, 1 image, 2 boxes\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nothing", "--output", "a.json"), "nothing: No such file or directory"),
        (
            ("labelTxt:coc", "--output", "a.json"),
            "'labelTxt:coc': unknown format 'coc'; choose predictions",
        ),
        (("labelTxt", "--output", "a.xyz"), "no format for suffix .xyz; give"),
        (("labelTxt", "--output", "labelTxt"), "--output labelTxt is a folder with files in it"),
        (("images.txt:dota", "--output", "images.txt"), "--output images.txt is what is read"),
        (("labelTxt", "--output", "a.json"), "COCO demands the image's size and it is not known"),
        (("labelTxt", "--output", "a.pkl"), "MMRotate results need scores and there are none"),
        (
            ("labelTxt", "--output", "a/b.json", "--size", "9x9"),
            "folder a of output b.json does not exist",
        ),
        (
            ("labelTxt", "--output", "a.json", "--size", "9"),
            "--size '9' is no size; give width and height",
        ),
        (
            ("labelTxt", "--output", "out", "--classes", "dota"),
            "'dota' is no class list; did you mean dota-v1.0 or",
        ),
        (
            ("labelTxt", "--output", "out", "--classes", "rsar"),
            "P1.txt:4: category 'plane' is none of ship",
        ),
        (("labelTxt", "--output", "out", "--merge", "x"), "unknown naming 'x' of patches"),
        (("labelTxt", "--output", "out", "--nms", "2"), "--nms '2': IoU must be in"),
        (("broken.pkl", "--output", "a.jsonl"), "broken.pkl: byte 0: the pickle asks for os.system"),
        (("words.txt", "--output", "a.jsonl"), "words.txt: format not recognised; give"),
        (("labelTxt", "--output", "a", "--images", "words.txt"), "words.txt:1: 'just some words here'"),
        (
            ("out.json:rscovlm", "--output", "a", "--contract", "x"),
            "unknown contract 'x'; choose rscovlm",
        ),
    ],
)
def test_mistakes_give_one_line_and_exit_2_and_write_nothing(run, labels, arguments, line):
    (labels / "broken.pkl").write_bytes(b"cos\nsystem\n(S'touch trap'\ntR.")
    (labels / "words.txt").write_text("just some words here\n")
    (labels / "out.json").write_text('[{"output": "x", "file_name": "a"}]')
    before = sorted(labels.rglob("*"))
    done = run("bench", "convert", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert line in done.err
    assert sorted(labels.rglob("*")) == before
