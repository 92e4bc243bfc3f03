"""``rscovlm data``: what it prints, what it writes, and what it says about bad input."""

import json

import numpy as np
import pytest
from PIL import Image

from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.store import SampleFile, write_samples
from tests.rscovlm.data.published import image, write_json


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A DOTA folder of two images, of which one is missing, in the current folder."""
    monkeypatch.chdir(tmp_path)
    image(tmp_path / "images" / "P1.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "P1.txt").write_text("30 20 20 30 10 20 20 10 ship 0\n")
    (tmp_path / "labels" / "P2.txt").write_text("")
    return tmp_path


@pytest.fixture
def samples(here):
    """A sample file of three tasks."""
    box = Box(np.array([[20, 10], [30, 20], [20, 30], [10, 20]]), "ship")
    ref = ImageRef("images/P1.png", size=(100, 200))
    zoom = [
        ("user", "<image>What?"),
        ("assistant", "<zoom 0>"),
        ("user", "<crop 0>"),
        ("assistant", "red one"),
    ]
    write_samples(
        here / "s.jsonl",
        [
            Sample("a", "detection", (ref,), boxes=(box,), classes=("ship",), gsd_m=0.5, source="dota"),
            Sample("b", "zoom", (ref,), tuple(Turn(*turn) for turn in zoom), (box,), source="lrs"),
            Sample("c", "chat", turns=(Turn("user", "Hi you"), Turn("assistant", "Ho")), source="talk"),
        ],
    )
    return here / "s.jsonl"


def test_convert_says_what_was_written_and_what_was_left_out(run, here):
    command = "data convert labels --from dota --images images --output out.jsonl"
    done = run(*command.split(), "--report", "r.json")
    assert done.code == 1  # incomplete
    assert done.out == "out.jsonl: 1 sample (detection 1), 1 image, 1 box; 1 left out\n"
    assert done.err == (
        "1 left out: its image is missing\n  labels: image P2: P2\n"
        "rscovlm: 1 record of labels made no sample\n"
    )
    (sample,) = SampleFile(here / "out.jsonl")
    assert (sample.id, sample.source, sample.images[0].path) == ("P1", "dota", "images/P1.png")
    report = json.loads((here / "r.json").read_text())
    assert report["places"] == [{"reason": "its image is missing", "place": "labels: image P2: P2"}]


def test_a_complete_conversion_exits_with_0_also_to_parquet_and_as_json(run, here):
    (here / "labels" / "P2.txt").unlink()
    command = "data convert labels --from dota --images images --output out.parquet --source DOTA --json"
    done = run(*command.split(), "--classes", "dota-v1.0", "--geometry", "hbb", "--limit", "5")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "output": "out.parquet",
        "samples": 1,
        "images": 1,
        "boxes": 1,
        "tasks": {"detection": 1},
        "left_out": {},
        "changed": {},
    }
    (sample,) = SampleFile(here / "out.parquet")
    assert (sample.source, len(sample.classes), sample.boxes[0].horizontal) == ("DOTA", 15, True)


def test_convert_takes_targets_and_tasks(run, here):
    row = {"image": "P1.png", "question": "How high?", "answer": "21.5 m", "rh98": 21.5}
    write_json(here / "r.json", [row])
    options = "--images images --output out.jsonl --target height_m=rh98"
    assert run(*f"data convert r.json --from reo-instruct {options}".split()).code == 0
    assert dict(SampleFile(here / "out.jsonl")[0].targets) == {"height_m": 21.5}


def test_inspect_prints_a_sample_that_can_be_read_back(run, samples):
    for which, name in (([], "a"), (["--index", "1"], "b"), (["--index", "-1"], "c"), (["--id", "b"], "b")):
        done = run("data", "inspect", samples, *which)
        assert done.code == 0
        found = Sample.from_json(json.loads(done.out))
        assert found == next(sample for sample in SampleFile(samples) if sample.id == name)
        assert done.err == f"{samples}:{'abc'.index(name) + 1}\n"
    assert '  ["assistant", "<zoom 0>"],\n' in run("data", "inspect", samples, "--id", "b").out


def test_stats_count_over_files(run, samples):
    done = run("data", "stats", samples, samples, "--json")
    report = json.loads(done.out)
    assert (done.code, report["samples"], report["samples_without_turns"]) == (0, 6, 2)
    assert report["tasks"] == {"detection": 2, "zoom": 2, "chat": 2}
    assert report["images"]["files"] == 1
    assert report["images"]["width_px"]["most"] == 200
    assert report["images"]["gsd_m"]["mean"] == 0.5
    assert report["boxes"] == {"count": 4, "horizontal": 0, "difficult": 0}
    assert report["labels"] == {"ship": 4}
    assert report["boxes_per_sample"] == {"least": 1, "median": 1, "p95": 1, "most": 1, "mean": 1}
    assert report["answer_words"]["mean"] == 1  # "", "red one" and "Ho", twice
    text = run("data", "stats", samples).out
    assert "tasks (3): detection 1, zoom 1, chat 1\n" in text
    assert "boxes: count 2, horizontal 0, difficult 0\n" in text


def test_stats_count_broken_samples_by_reason_and_name_the_first(run, samples, here):
    lines = samples.read_text().splitlines()
    missing = lines[0].replace("P1.png", "P9.png").replace('"a"', '"gone"')
    swapped = (
        lines[0]
        .replace('{"width": 200, "height": 100}', '{"width": 100, "height": 200}')
        .replace('"a"', '"swapped"')
    )
    null = lines[0].replace('"label": "ship"', '"label": null')
    (here / "b.jsonl").write_text("\n".join([*lines, missing, swapped, null, null, "{"]) + "\n")
    done = run("data", "stats", here / "b.jsonl", "--json")
    report = json.loads(done.out)
    assert (done.code, report["samples"]) == (1, 3)
    assert [entry["samples"] for entry in report["broken"]] == [2, 1, 1, 1]
    assert "2 broken: boxes.#.label: input should be a valid string, not None\n" in done.err
    path = here / "b.jsonl"
    assert f"  {path}:6: sample 'a': boxes.0.label: input should be a valid string, not None\n" in done.err
    assert f"  {path}:4: sample 'gone': " in done.err
    assert "P1.png has 200 x 100 px, its sample states 100 x 200 px" in done.err
    assert f"  {path}:8: not JSON" in done.err
    assert done.err.endswith("rscovlm: 5 of 8 samples are broken\n")
    unopened = json.loads(run("data", "stats", path, "--no-open-images", "--json").out)
    assert (unopened["samples"], sum(entry["samples"] for entry in unopened["broken"])) == (5, 3)


def test_inspect_shows_a_sample_whose_image_does_not_fit_and_says_so(run, samples, here):
    text = samples.read_text().replace('{"width": 200, "height": 100}', '{"width": 100, "height": 200}')
    samples.write_text("{broken\n" + text)
    done = run("data", "inspect", samples, "--id", "b")
    assert (done.code, json.loads(done.out)["id"]) == (1, "b")
    assert "its sample states 100 x 200 px" in done.err
    assert f"{samples}:1: not JSON" in run("data", "inspect", samples, "--index", "0").err


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_preview_draws_each_box_where_it_is(run, samples, here):
    done = run("data", "preview", samples, "--output", here / "sheet.png", "--count", "3", "--seed", "1")
    assert (done.code, done.out, done.err) == (0, f"{here / 'sheet.png'}\n", "")
    sheet = pixels(here / "sheet.png")
    red = (sheet[..., 0] > 200) & (sheet[..., 1] < 130) & (sheet[..., 2] < 130)
    assert red.sum() > 100  # the outline of the one class
    again = run("data", "preview", samples, "--output", here / "again.png", "--count", "3", "--seed", "1")
    assert again.code == 0
    assert np.array_equal(pixels(here / "again.png"), sheet)


def test_preview_draws_what_a_family_is_shown(run, samples, here):
    done = run("data", "preview", samples, "--output", here, "--family", "qwen3-vl")
    assert (done.code, done.out) == (0, f"{here / 's.png'}\n")
    sheet = pixels(here / "s.png")
    assert ((sheet[..., 0] > 200) & (sheet[..., 1] < 130)).sum() > 100


def test_preview_shows_what_cannot_be_read_in_its_place(run, samples, here):
    (here / "images" / "P1.png").write_bytes(b"no image")
    for more in ([], ["--family", "nano"]):
        assert run("data", "preview", samples, "--output", here / "sheet.png", "--overwrite", *more).code == 0
        sheet = pixels(here / "sheet.png")
        assert ((sheet[..., 0] > 200) & (sheet[..., 1] < 130)).sum() > 100  # words in red


BAD = [
    ("convert labels --from voc --output o.jsonl", "unknown format 'voc'; choose dota, "),
    ("convert gone --from dota --output o.jsonl", "gone does not exist"),
    ("convert labels --from dota --output o.json", ".jsonl"),
    ("convert labels --from dota --output no/o.jsonl", "no"),
    ("convert labels --from dota --images gone --output o.jsonl", "gone is no folder of images"),
    ("convert labels --from dota --output o.jsonl", "nothing in it makes a sample of dota: 2 x its image is"),
    (
        "convert labels --from llava --output o.jsonl",
        "labels does not hold what --from llava reads; use --from dota",
    ),
    ("convert labels --from dota --geometry round --output o.jsonl", "--geometry 'round' is unknown"),
    ("convert labels --from dota --boxes 0-5 --output o.jsonl", "'0-5' is unknown"),
    ("convert labels --from dota --unreadable mend --output o.jsonl", "--unreadable 'mend'"),
    ("convert labels --from dota --task guess --output o.jsonl", "--task 'guess' is unknown"),
    ("convert labels --from dota --target x --output o.jsonl", "--target 'x'"),
    ("convert labels --from dota --classes plane --images images --output o.jsonl", "P1.txt:1"),
    ("convert bad.jsonl --from llava --output o.jsonl", "bad.jsonl:2: not JSON"),
    ("convert bad.json --from coco --output o.jsonl", "bad.json:1: not JSON"),
    ("convert labels --from dota --limit 0 --output o.jsonl", "--limit"),
    ("inspect gone.jsonl", "gone.jsonl"),
    ("inspect s.txt", "s.txt: a sample file ends in .jsonl or .parquet"),
    ("inspect s.jsonl --index 3", "s.jsonl holds 3 samples; there is no sample 3"),
    ("inspect s.jsonl --id zz", "s.jsonl holds no sample 'zz'"),
    ("inspect s.jsonl --id a --index 1", "--index and --id"),
    ("inspect torn.jsonl", "torn.jsonl:1: not JSON"),
    ("stats torn.jsonl", "torn.jsonl:1: not JSON"),
    ("preview s.jsonl --output o.jpg", ".png"),
    ("preview s.jsonl --output o.png --count 0", "--count"),
    ("preview s.jsonl --output o.png --family gpt", "--family 'gpt' is unknown; choose from qwen2.5-vl"),
    ("preview torn.jsonl --output o.png", "torn.jsonl:1"),
    ("preview empty.jsonl --output o.png", "empty.jsonl holds no samples"),
]


@pytest.mark.parametrize(("command", "says"), BAD, ids=[command for command, _ in BAD])
def test_bad_input_gets_one_line_and_exit_code_2_and_leaves_nothing(run, samples, here, command, says):
    good = {"id": 1, "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
    (here / "bad.jsonl").write_text(json.dumps(good) + "\n{torn\n")
    (here / "bad.json").write_text("{torn")
    (here / "torn.jsonl").write_text('{"id": "a", \n')
    (here / "empty.jsonl").touch()
    before = sorted(str(path) for path in here.rglob("*"))
    done = run("data", *command.split())
    assert (done.code, done.out) == (2, ""), done
    assert done.err.startswith("rscovlm: ")
    assert done.err.count("\n") == 1, done.err
    assert says in done.err
    assert sorted(str(path) for path in here.rglob("*")) == before


def test_no_command_shows_the_help(run):
    done = run("data")
    assert (done.code, done.err) == (2, "")
    for name in ("convert", "inspect", "stats", "preview"):
        assert name in done.out
