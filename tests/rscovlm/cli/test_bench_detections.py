"""``rscovlm bench detections`` on files."""

from __future__ import annotations

import csv
import json

import pytest

from detection_eval.formats import Collection, ImageBoxes, write
from tests.detection_eval.problem import CLASSES, problem


@pytest.fixture
def files(tmp_path):
    truth, detector, model = problem()
    objects = {i: ImageBoxes(t.objects, t.difficulty, size=t.size) for i, t in truth.items()}
    write(tmp_path / "truth.jsonl", Collection(objects, CLASSES), "predictions")
    for name, boxes in (("detector", detector), ("model", model)):
        write(
            tmp_path / f"{name}.jsonl",
            Collection({i: ImageBoxes(b) for i, b in boxes.items()}, CLASSES),
            "predictions",
        )
    return tmp_path


def arguments(files, *more):
    return (
        *("bench", "detections", "--gt", files / "truth.jsonl"),
        *("--pred", f"VLM={files / 'model.jsonl'}", "--pred", f"FCOS={files / 'detector.jsonl'}"),
        *("--bootstrap", "20"),
        *more,
    )


def test_the_folder_holds_json_tables_and_a_page(run, files):
    out = files / "out"
    done = run(*arguments(files, "--out", out, "--json", "--published", "rscovlm-dota"))
    assert done.code == 0, done.err
    names = ["report.html", "results.json", "table.csv", "table.md", "table.tex"]
    assert sorted(path.name for path in out.iterdir()) == names
    found = json.loads(done.out)
    assert found == json.loads((out / "results.json").read_text())
    assert found["preset"] == "strict"
    assert found["classes"] == list(CLASSES)
    assert found["results"]["VLM"]["AP50"] is None
    assert found["results"]["FCOS"]["threshold_split"] == "kfold"
    assert "VLM - FCOS" in found["paired"]
    rows = list(csv.DictReader((out / "table.csv").open()))
    assert [row["Method"] for row in rows][-2:] == ["VLM", "FCOS"]
    assert float(rows[-2]["APnc50"]) == pytest.approx(100 * found["results"]["VLM"]["APnc50"], abs=0.006)
    assert "<h2>Summary</h2>" in (out / "report.html").read_text()


def test_thresholds_chosen_on_other_images_are_taken_from_their_results(run, files):
    first = run(*arguments(files, "--out", files / "val", "--threshold", "oracle", "--per-class-threshold"))
    assert first.code == 0, first.err
    chosen = json.loads((files / "val" / "results.json").read_text())["results"]["FCOS"]["threshold"]
    assert set(chosen) == set(CLASSES)
    second = run(*arguments(files, "--json", "--threshold", f"val:{files / 'val' / 'results.json'}"))
    assert second.code == 0, second.err
    found = json.loads(second.out)["results"]["FCOS"]
    assert (found["threshold"], found["threshold_split"]) == (chosen, "val")


def test_a_number_is_the_threshold_of_every_detector(run, files):
    done = run(*arguments(files, "--threshold", "0.35", "--preset", "mmrotate-1.x", "--json"))
    found = json.loads(done.out)["results"]
    assert (found["FCOS"]["threshold"], found["VLM"]["threshold"]) == (0.35, None)


def test_without_json_the_table_is_printed(run, files):
    done = run(*arguments(files))
    assert done.out.startswith("| Method | Score | PL | SH | SV | APnc50 |")
    assert "12 images" in done.err


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (("--preset", "best"), "best"),
        (("--iou", "2"), "IoU levels lie between 0.1 and 1, and '2' does not"),
        (("--threshold", "high"), "none of oracle, kfold, val:FILE and a number"),
        (("--threshold", "0.3", "--per-class-threshold"), "needs thresholds that are chosen"),
        (("--threshold", "val:missing.json"), "missing.json"),
        (("--published", "nothing"), "no published table is called 'nothing'"),
        (("--classes", "nothing"), "no class list 'nothing'"),
        (("--pred", "VLM=again.jsonl"), "--pred VLM is there twice"),
        (("--pred", "again.jsonl"), "names no method; give NAME=PATH"),
        (("--pred", "new=missing.jsonl"), "missing.jsonl"),
        (("--out", "no/such/folder"), "does not exist"),
    ],
)
def test_what_makes_no_sense_gets_one_line_and_leaves_nothing(run, files, more, line):
    before = sorted(files.iterdir())
    done = run(*arguments(files, *more))
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert line in done.err
    assert done.out == ""
    assert sorted(files.iterdir()) == before


def test_classes_select_a_part_and_what_is_left_out_is_said(run, files):
    (files / "names.txt").write_text("plane\nship\n")
    done = run(*arguments(files, "--classes", files / "names.txt", "--json"))
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["classes"] == ["plane", "ship"]
    everything = json.loads(run(*arguments(files, "--json")).out)
    for method in ("VLM", "FCOS"):
        for name in ("plane", "ship"):  # each class is matched on its own, so its counts stay
            for key in ("objects", "AP50"):
                assert (
                    found["results"][method]["per_class"][name][key]
                    == everything["results"][method]["per_class"][name][key]
                )
    lines = [line for line in done.err.splitlines() if "left out" in line]
    objects = everything["results"]["VLM"]["per_class"]["small-vehicle"]["objects"]
    assert f"ground truth: {objects} boxes of classes that are not evaluated are left out: small-vehicle" in (
        "".join(lines)
    )
    assert [line.partition(":")[0] for line in lines] == ["VLM", "FCOS", "ground truth"]


def test_a_ground_truth_without_any_of_the_classes_is_an_error_that_names_those_it_has(run, files):
    (files / "names.txt").write_text("zebra\n")
    done = run(*arguments(files, "--classes", files / "names.txt"))
    assert done.code == 2
    assert "holds no objects of the classes in --classes" in done.err
    assert "small-vehicle (" in done.err


def test_a_single_scene_has_no_other_to_choose_a_threshold_on(run, tmp_path):
    truth, detector, _ = problem(images=3)  # three patches of P0000
    objects = {i: ImageBoxes(t.objects, size=t.size) for i, t in truth.items()}
    write(tmp_path / "truth.jsonl", Collection(objects, CLASSES), "predictions")
    found = Collection({i: ImageBoxes(b) for i, b in detector.items()}, CLASSES)
    write(tmp_path / "found.jsonl", found, "predictions")
    done = run(
        "bench", "detections", "--gt", tmp_path / "truth.jsonl", "--pred", f"A={tmp_path / 'found.jsonl'}"
    )
    assert done.code == 2
    assert "all 3 images are of one scene" in done.err
    assert "give a threshold, choose it on other images (val), or on these very ones (oracle)" in done.err
