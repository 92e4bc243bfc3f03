"""``rscovlm zoom-data``."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from rscovlm.data.store import SampleFile
from rscovlm.synth.dataset import write_dataset
from tests.rscovlm.cli.conftest import MODEL
from zoom_chain.chat import Reply


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_dataset(folder, 4, seed=4, size=1400)
    return folder


def colors(conversation):
    """Asks for the color, as the annotation in the prompt tells it, and answers blind what it was told."""
    text = conversation.messages[-1].text
    if len(conversation.messages[-1].images) == 2:
        phrase = text.partition('exactly "')[2].partition('"')[0]
        color = text.partition("- color: ")[2].partition("\n")[0]
        colors.told[f"What color is {phrase}?"] = color
        return json.dumps([{"question": f"What color is {phrase}?", "answer": color}])
    return colors.told[text.split("\n")[1]]


colors.told = {}


def test_templates_and_choices_of_a_synthetic_data_set(run, no_model, dataset, tmp_path):
    output, report = tmp_path / "zoom.jsonl", tmp_path / "report.json"
    done = run("zoom-data", dataset, "--output", output, "--report", report, "--family", "nano")
    assert (done.code, done.out) == (0, f"{output}\n"), done.err
    samples = list(SampleFile(output))
    assert {sample.task for sample in samples} == {"zoom"}
    assert len({sample.id for sample in samples}) == len(samples) > 30
    found = json.loads(report.read_text())
    assert found["samples"] == len(samples)
    assert found["way"] == dict(Counter(sample.attributes["way"] for sample in samples))
    assert found["yes"] == found["no"]
    assert "category" in done.err
    for sample in samples:
        assert (tmp_path / sample.images[0].path).is_file()
        x0, y0, x1, y1 = *sample.boxes[0].polygon.min(axis=0), *sample.boxes[0].polygon.max(axis=0)
        a0, b0, a1, b1 = sample.attributes["evidence"]
        assert x0 <= a0 + 0.02
        assert y0 <= b0 + 0.02
        assert a1 <= x1 + 0.02
        assert b1 <= y1 + 0.02


def test_margin_and_words_of_lrs_vqa_zoom(run, dataset, tmp_path):
    output = tmp_path / "zoom.jsonl"
    options = ("--family", "nano", "--margin", "30px", "--choice-words", "mme-realworld")
    assert run("zoom-data", dataset, "--output", output, *options).code == 0
    records = [json.loads(line) for line in output.read_text().splitlines()]
    for record in records:
        x0, y0, x1, y1 = record["attributes"]["evidence"]
        polygon = np.reshape(record["boxes"][0]["polygon"], (-1, 2))
        size = record["images"][0]["size"]
        wide = [max(0, x0 - 30), max(0, y0 - 30), min(size["width"], x1 + 30), min(size["height"], y1 + 30)]
        np.testing.assert_allclose([*polygon.min(0), *polygon.max(0)], wide, atol=0.02)
    chosen = [record for record in records if record["attributes"]["way"] == "choice"]
    assert chosen
    assert all(record["turns"][0][1].endswith("\nThe best answer is:") for record in chosen)


def test_the_same_seed_gives_the_same_bytes(run, dataset, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert (
            run(
                "zoom-data",
                dataset,
                "--output",
                tmp_path / f"{name}.jsonl",
                "--seed",
                seed,
                "--family",
                "nano",
            ).code
            == 0
        )
    a, b, c = ((tmp_path / f"{name}.jsonl").read_bytes() for name in "abc")
    assert a == b != c


def test_images_that_are_held_out_go_to_a_file_of_their_own(run, dataset, tmp_path):
    output = tmp_path / "zoom.jsonl"
    arguments = ("--family", "nano", "--held-out", 0.5, "--seed", 1)
    assert run("zoom-data", dataset, "--output", output, *arguments).code == 0
    apart = {s.images[0].path for s in SampleFile(tmp_path / "zoom.held_out.jsonl")}
    rest = {s.images[0].path for s in SampleFile(output)}
    assert apart
    assert rest
    assert not apart & rest


def test_a_teacher_is_asked_and_its_journal_goes_with_success(run, scripted, dataset, tmp_path):
    scripted(colors)
    output = tmp_path / "zoom.jsonl"
    arguments = ("--ways", "teacher,choice", "--teacher", MODEL, "--family", "nano")
    done = run("zoom-data", dataset, "--output", output, *arguments)
    assert done.code == 0, done.err
    ways = Counter(sample.attributes["way"] for sample in SampleFile(output))
    assert set(ways) == {"teacher", "choice"}
    assert [path.name for path in tmp_path.iterdir()] == ["zoom.jsonl"]


def test_failed_requests_make_the_result_incomplete_and_are_asked_again(run, scripted, dataset, tmp_path):
    output = tmp_path / "zoom.jsonl"
    arguments = ("zoom-data", dataset, "--output", output, "--ways", "teacher", "--teacher", MODEL)
    arguments += ("--family", "nano")
    calls = Counter()

    def flaky(conversation):
        calls["all"] += 1
        return Reply("", "error", error="too busy") if calls["all"] % 3 == 0 else colors(conversation)

    scripted(flaky)
    first = run(*arguments)
    assert first.code == 1
    assert "requests to the teacher failed (too busy); --resume asks again" in first.err
    assert run(*arguments).code == 2, "an unfinished run is neither lost nor continued by chance"
    engine = scripted(colors)
    second = run(*arguments, "--resume")
    assert second.code == 0, second.err
    asked = sum(map(len, engine.batches))
    assert 0 < asked < calls["all"]
    scripted(colors)
    assert run(*arguments[:3], tmp_path / "whole.jsonl", *arguments[4:]).code == 0
    assert output.read_text() == (tmp_path / "whole.jsonl").read_text()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--ways", "magic"], "ways magic are unknown; choose from templates, teacher, choice"),
        (["--ways", "teacher"], "--ways teacher needs a model; name one with --teacher"),
        (["--teacher", "nano"], "--teacher nano has nothing to do; add teacher to --ways"),
        (["--family", "magic"], "family 'magic' is unknown"),
        (["--resume", "--overwrite"], "give one of them"),
        (
            ["--margin", "wide"],
            "--margin 'wide' is no margin; give a part such as 0.25, or pixels",
        ),
        (["--margin", "-5px"], "margin_px -5.0 is below 0"),
        (["--choice-words", "x"], "choice words 'x' are unknown; choose from plain, several, mme-realworld"),
        (["--images", "nowhere"], "--images nowhere is no folder"),
        (["--max-pixels", "100000000"], "no question needs zooming"),
    ],
)
def test_bad_usage_is_one_line_and_writes_nothing(run, no_model, dataset, tmp_path, arguments, line):
    done = run("zoom-data", dataset, "--output", tmp_path / "zoom.jsonl", *arguments)
    assert done.code == 2
    assert line in done.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_annotations_that_are_not_there_and_an_odd_suffix(run, tmp_path):
    assert "do not exist" in run("zoom-data", tmp_path / "x", "--output", tmp_path / "a.jsonl").err
    done = run("zoom-data", tmp_path, "--output", tmp_path / "a.csv")
    assert (done.code, "ends in .jsonl" in done.err) == (2, True)
