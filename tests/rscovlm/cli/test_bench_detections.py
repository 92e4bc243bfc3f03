"""``rscovlm bench detections`` on files."""

from __future__ import annotations

import csv
import json

import pytest
from PIL import Image

from detection_eval.detections import Detections
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
    done = run(*arguments(files, "--output", out, "--json", "--published", "rscovlm-dota"))
    assert done.code == 0, done.err
    names = ["images.csv", "report.html", "results.json", "table.csv", "table.md", "table.tex"]
    names += ["verdicts.csv", "verdicts.parquet"]
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
    first = run(
        *arguments(files, "--output", files / "val", "--threshold", "oracle", "--per-class-threshold")
    )
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
        (("--iou", "2"), "IoU must be in [0.1, 1), not '2'"),
        (("--threshold", "high"), "none of oracle, kfold, val:FILE and a number"),
        (("--threshold", "0.3", "--per-class-threshold"), "needs thresholds that are chosen"),
        (("--threshold", "val:missing.json"), "missing.json"),
        (("--published", "nothing"), "no published table is called 'nothing'"),
        (("--classes", "nothing"), "no objects of the classes in --classes nothing"),
        (("--pred", "VLM=again.jsonl"), "--pred VLM is listed twice"),
        (("--pred", "again.jsonl"), "names no method; give NAME=PATH"),
        (("--pred", "new=missing.jsonl"), "missing.jsonl"),
        (("--output", "no/such/folder"), "does not exist"),
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


def test_verdicts_of_boxes_and_sums_of_images_are_tables_that_agree(run, files):
    done = run(*arguments(files, "--output", files / "out", "--json"))
    assert done.code == 0, done.err
    found = json.loads(done.out)["results"]
    boxes = list(csv.DictReader((files / "out" / "verdicts.csv").open()))
    images = list(csv.DictReader((files / "out" / "images.csv").open()))
    parquet = pytest.importorskip("pyarrow.parquet").read_table(files / "out" / "verdicts.parquet")
    assert parquet.column_names == list(boxes[0])
    assert parquet.num_rows == len(boxes)
    for name in ("VLM", "FCOS"):
        mine = [row["verdict"] for row in boxes if row["method"] == name]
        per_image = [row for row in images if row["method"] == name]
        sums = {key: sum(int(row[key]) for row in per_image) for key in ("tp", "fp", "fn", "objects")}
        assert len(per_image) == 12
        assert (mine.count("tp"), mine.count("fp"), mine.count("fn")) == (sums["tp"], sums["fp"], sums["fn"])
        assert sums["tp"] / sums["objects"] == pytest.approx(found[name]["recall_50"])
        assert sums["tp"] / (sums["tp"] + sums["fp"]) == pytest.approx(found[name]["precision_50"])
    first = next(row for row in boxes if row["verdict"] == "tp")
    assert float(first["iou"]) >= 0.5
    assert first["object"].isdigit()


def test_the_page_shows_the_pixels_of_images_that_are_there(run, files):

    (files / "images").mkdir()
    truth, _, _ = problem()
    for image in list(truth)[:6]:
        Image.new("RGB", (1024, 1024), (10, 200, 30)).save(files / "images" / f"{image}.png")
    done = run(*arguments(files, "--output", files / "out", "--images", files / "images"))
    assert done.code == 0, done.err
    page = (files / "out" / "report.html").read_text()
    shown = page.count("data:image/png;base64,")
    assert 0 < shown < page.count("<figure>")  # half of the images are missing
    assert (
        run(*arguments(files, "--images", files / "nowhere"))
        .err.strip()
        .endswith("nowhere is no folder and no file")
    )


def test_horizontal_boxes_get_cocos_own_numbers(run, tmp_path):
    for name, shift, classes in (("truth", 0, "plane 0"), ("found", 1, "plane 0")):
        (tmp_path / name).mkdir()
        x = [shift + value for value in (0, 20)]
        corners = f"{x[0]} 0 {x[1]} 0 {x[1]} 20 {x[0]} 20"
        (tmp_path / name / "a.txt").write_text(f"{corners} {classes}\n")
    call = ("bench", "detections", "--gt", tmp_path / "truth", "--pred", f"A={tmp_path / 'found'}", "--json")
    # IoU 19 / 21 = 0.905: right at nine of ten levels
    found = json.loads(run(*call, "--bootstrap", "0").out)["results"]["A"]
    assert found["coco"]["AP"] == pytest.approx(0.9)
    assert found["coco"]["AP_small"] == pytest.approx(0.9)
    assert found["coco"]["AP_large"] is None
    assert "coco" not in json.loads(run(*call, "--bootstrap", "0", "--coco", "none").out)["results"]["A"]


@pytest.mark.parametrize(
    ("options", "correct"), [((), True), (("--classes", "ship"), True), (("--classes", "plane,ship"), False)]
)
def test_results_of_coco_have_the_numbers_of_a_coco_ground_truth(run, tmp_path, options, correct):
    # Numbers with a gap, as COCO's own 80 classes have them up to 90. As many names as the ground truth has
    # are an order of their own, counted from 1.
    box = {"image_id": 1, "category_id": 9, "bbox": [10, 20, 20, 20]}
    truth = {
        "images": [{"id": 1, "file_name": "a.tif", "width": 64, "height": 64}],
        "categories": [{"id": 3, "name": "plane"}, {"id": 9, "name": "ship"}],
        "annotations": [{"id": 1, "area": 400, "iscrowd": 0, **box}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "found.json").write_text(json.dumps([box | {"score": 0.9}]))
    call = ("bench", "detections", "--gt", tmp_path / "truth.json", "--pred", f"A={tmp_path / 'found.json'}")
    done = run(*call, "--bootstrap", "0", "--threshold", "0.5", "--json", *options)
    assert done.code == (0 if correct else 2), done.err
    if correct:
        assert "whose categories are those of the ground truth" in done.err
        assert json.loads(done.out)["results"]["A"]["coco"]["AP"] == pytest.approx(1)
    else:
        assert "category 9, but 2 class names are given, counted from 1" in done.err


def test_a_detector_that_finds_nothing_scores_zero(run, files):
    (files / "none.json").write_text("[]\n")
    gt = ("bench", "detections", "--gt", files / "truth.jsonl", "--bootstrap", "0", "--json")
    done = run(*gt, "--pred", f"none={files / 'none.json'}")
    assert done.code == 0, done.err
    scores = json.loads(done.out)["results"]["none"]
    assert scores["APnc50"] == 0


def test_ignored_objects_are_mentioned(run, tmp_path):
    for name in ("truth", "found"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("0 0 20 0 20 20 0 20 plane 0\n30 0 50 0 50 20 30 20 plane 1\n")
    out = tmp_path / "out"
    call = ("bench", "detections", "--gt", tmp_path / "truth", "--pred", f"A={tmp_path / 'found'}")
    done = run(*call, "--bootstrap", "0", "--output", out)
    assert "1 object is ignored (difficult or crowds)" in done.err
    assert "1 more is difficult or crowds and" in (out / "report.html").read_text()


@pytest.fixture
def replies(tmp_path):
    """Ground truth of a plane and a ship, and replies that call them otherwise or cannot be read."""
    truth = {
        "schema": "detection_eval.predictions/1",
        "classes": ["plane", "ship"],
    }
    square = [10, 10, 50, 10, 50, 50, 10, 50]
    images = [
        {
            "image": "a",
            "size": {"width": 100, "height": 100},
            "boxes": {"polygons": [square], "labels": ["plane"]},
        },
        {
            "image": "b",
            "size": {"width": 100, "height": 100},
            "boxes": {"polygons": [square], "labels": ["ship"]},
        },
    ]
    box = '[{"bbox_2d": [10, 10, 50, 50], "label": "%s"}]'
    texts = {"a": box % "airplane", "b": box % "boat" + ' and [{"bbox_2d": [1, 2], "label": "ship"}]'}
    said = [
        {"image": image, "size": {"width": 100, "height": 100}, "reply": text, "contract": "qwen2.5-vl"}
        for image, text in texts.items()
    ]
    for name, lines in (("truth", images), ("said", said)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (truth, *lines)))
    return tmp_path


def test_aliases_give_replies_their_classes_and_losses_are_said_on_the_terminal(run, replies):
    command = ("bench", "detections", "--gt", replies / "truth.jsonl", "--bootstrap", "0", "--json")
    command += ("--pred", f"VLM={replies / 'said.jsonl'}")
    plain = run(*command)
    assert plain.code == 0, plain.err
    assert "VLM: 2 boxes left out whose label is not among the classes: airplane 1, boat 1" in plain.err
    assert "VLM: 1 box dropped: too few numbers 1" in plain.err
    assert json.loads(plain.out)["results"]["VLM"]["APnc50"] == 0

    named = run(*command, "--aliases", "dota")
    assert named.code == 0, named.err
    assert "left out whose label" not in named.err
    found = json.loads(named.out)
    assert found["results"]["VLM"]["APnc50"] == 1
    assert found["provenance"]["aliases"] == "dota"

    own = replies / "words.txt"
    own.write_text("airplane = plane\ntree = forest\n")
    partly = run(*command, "--aliases", own)
    assert "--aliases: no such class, left out: forest" in partly.err
    assert "VLM: 1 box left out whose label is not among the classes: boat 1" in partly.err


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("tree = forest\n", "has words for forest; none of them is a class: plane, ship"),
        ("tree\n", "expected"),
    ],
)
def test_aliases_that_are_of_no_use_are_refused(run, replies, content, line):
    (replies / "words.txt").write_text(content)
    done = run(
        *("bench", "detections", "--gt", replies / "truth.jsonl", "--pred", f"VLM={replies / 'said.jsonl'}"),
        *("--aliases", replies / "words.txt"),
    )
    assert done.code == 2
    assert line in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_conversion_takes_aliases_and_says_what_was_not_read(run, replies):
    command = ("bench", "convert", replies / "said.jsonl", "--classes", replies / "classes.txt")
    (replies / "classes.txt").write_text("plane\nship\n")
    done = run(*command, "--output", replies / "dota", "--aliases", "dota")
    assert done.code == 0, done.err
    assert "1 box dropped: too few numbers 1" in done.err
    assert "2 images, 2 boxes" in done.out
    refused = run(
        "bench", "convert", replies / "said.jsonl", "--output", replies / "more", "--aliases", "dota"
    )
    assert (refused.code, "give --classes" in refused.err) == (2, True)


SQUARES = ("0 0 20 0 20 20 0 20", "30 0 50 0 50 20 30 20", "60 0 80 0 80 20 60 20")


@pytest.fixture
def labelled(tmp_path):
    """labelTxt of two patches with a point in their names; a plane is in one, a ship in both."""
    (tmp_path / "labelTxt").mkdir()
    (tmp_path / "labelTxt" / "P1__0.5__0___0.txt").write_text(f"{SQUARES[0]} ship 0\n{SQUARES[1]} plane 0\n")
    (tmp_path / "labelTxt" / "P1__0.5__824___0.txt").write_text(f"{SQUARES[2]} ship 0\n")
    return tmp_path


def scored(run, folder, pred, *more):
    call = ("bench", "detections", "--gt", folder / "labelTxt", "--pred", f"A={pred}", "--bootstrap", "0")
    done = run(*call, "--threshold", "0.1", "--json", *more)
    assert done.code == 0, done.err
    return json.loads(done.out)["results"]["A"], done.err


def test_task1_matches_with_suffixes_and_points_in_its_names(run, labelled):
    (labelled / "out").mkdir()
    (labelled / "out" / "Task1_ship.txt").write_text(
        f"P1__0.5__0___0.png 0.9 {SQUARES[0]}\nP1__0.5__824___0 0.8 {SQUARES[2]}\n"
    )
    (labelled / "out" / "Task1_plane.txt").write_text(f"P1__0.5__0___0.png 0.7 {SQUARES[1]}\n")
    found, said = scored(run, labelled, labelled / "out")
    assert (found["APnc50"], found["AP50"]) == (1, 1)
    assert "not in the" not in said


def test_results_of_other_images_are_an_error_that_shows_both_sides(run, labelled):
    (labelled / "out").mkdir()
    (labelled / "out" / "Task1_ship.txt").write_text(f"P9 0.9 {SQUARES[0]}\n")
    done = run("bench", "detections", "--gt", labelled / "labelTxt", "--pred", f"A={labelled / 'out'}")
    assert (done.code, done.out) == (2, "")
    assert "--pred A: no image of the results is in the ground truth: 'P9' in the results" in done.err
    assert "'P1__0.5__0___0'" in done.err


def test_a_constant_score_does_not_make_a_method_scored(run, labelled):
    (labelled / "out").mkdir()
    for name, rows in (("ship", (0, 2)), ("plane", (1,))):
        places = {0: "P1__0.5__0___0", 1: "P1__0.5__0___0", 2: "P1__0.5__824___0"}
        (labelled / "out" / f"Task1_{name}.txt").write_text(
            "".join(f"{places[row]} 1.0 {SQUARES[row]}\n" for row in rows)
        )
    call = ("bench", "detections", "--gt", labelled / "labelTxt", "--pred", f"A={labelled / 'out'}")
    done = run(*call, "--bootstrap", "0", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["results"]["A"]["AP50"] is None
    assert "A: all boxes have the score 1, which ranks nothing" in done.err


def test_results_of_mmrotate_0_need_the_order_of_images_and_of_classes(run, labelled):
    truth = {"P1__0.5__824___0": [(SQUARES[2], 1)], "P1__0.5__0___0": [(SQUARES[0], 1), (SQUARES[1], 0)]}
    images = {}
    for image, rows in truth.items():
        quads = [[float(x) for x in row.split()] for row, _ in rows]
        found = Detections(quads, [label for _, label in rows], ("plane", "ship"), [0.9, 0.8][: len(rows)])
        images[image] = ImageBoxes(found)
    pickled = labelled / "results.pkl"
    write(pickled, Collection(images, ("plane", "ship")), "mmrotate-0.x")
    call = ("bench", "detections", "--gt", labelled / "labelTxt", "--pred", f"A={pickled}")
    refused = run(*call)
    assert refused.code == 2
    assert "holds numbers of classes, and --gt states no order of its classes; give --classes" in refused.err
    (labelled / "names.txt").write_text("plane\nship\n")
    refused = run(*call, "--classes", labelled / "names.txt")
    assert refused.code == 2
    assert "name no images; give the ids in the order of the data set, one a line (--images" in refused.err
    (labelled / "order.txt").write_text("\n".join(f"{image}.png" for image in truth))
    more = ("--classes", labelled / "names.txt", "--images", labelled / "order.txt")
    found, _ = scored(run, labelled, pickled, *more)
    assert (found["APnc50"], found["AP50"]) == (1, 1)


@pytest.mark.parametrize("sizes", [("--size", "100x50"), ("--images", "sizes.txt"), ("--images", "images")])
def test_labels_of_ultralytics_compare_with_labeltxt(run, labelled, monkeypatch, sizes):
    monkeypatch.chdir(labelled)
    (labelled / "images").mkdir()
    for image in ("P1__0.5__0___0", "P1__0.5__824___0"):
        Image.new("RGB", (100, 50)).save(labelled / "images" / f"{image}.png")
    (labelled / "images" / "damaged.png").write_bytes(b"\x89PNG")
    (labelled / "names.txt").write_text("ship\nplane\n")
    (labelled / "sizes.txt").write_text("P1__0.5__0___0.png 100 50\nP1__0.5__824___0.png 100 50\n")
    (labelled / "labels").mkdir()
    for image, rows in (("P1__0.5__0___0", (0, 1)), ("P1__0.5__824___0", (2,))):
        lines = []
        for row in rows:
            parts = [float(x) / side for x, side in zip(SQUARES[row].split(), (100, 50) * 4)]
            lines.append(" ".join(map(str, [int(row == 1), *parts, 0.9 - row / 10])) + "\n")
        (labelled / "labels" / f"{image}.txt").write_text("".join(lines))
    found, _ = scored(run, labelled, "labels", "--classes", "names.txt", *sizes)
    assert (found["APnc50"], found["AP50"]) == (1, 1)
