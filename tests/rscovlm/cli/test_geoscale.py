"""``rscovlm geoscale``."""

from __future__ import annotations

import json

import pytest

from rscovlm.data.store import SampleFile
from rscovlm.synth.dataset import write_dataset
from tests.rscovlm.cli.conftest import MODEL
from zoom_chain.chat import Reply


def test_synthetic_views_become_samples_with_their_images(run, no_model, tmp_path):
    output, report = tmp_path / "scale.jsonl", tmp_path / "report.json"
    done = run("geoscale", "--synthetic", 12, "--side", 32, "--output", output, "--report", report)
    assert (done.code, done.out.strip()) == (0, str(output))
    samples = list(SampleFile(output))
    assert {sample.attributes["tier"] for sample in samples} == {"objects", "structures", "land cover"}
    assert all((tmp_path / sample.images[0].path).is_file() for sample in samples)
    assert json.loads(report.read_text())["samples"] == len(samples)
    assert "land cover" in done.err


def test_annotated_images_are_shown_at_the_scales_that_they_allow(run, no_model, tmp_path):
    write_dataset(tmp_path / "set", 2, seed=4, size=1400)
    output = tmp_path / "scale.jsonl"
    assert run("geoscale", tmp_path / "set", "--side", 64, "--output", output, "--stated").code == 0
    samples = list(SampleFile(output))
    # 0.3 m per pixel as it is, and 1400 * 0.3 / 64 = 6.6 m at the coarsest.
    assert {sample.attributes["tier"] for sample in samples} == {"objects", "structures"}
    assert all("<gsd>" in sample.turns[0].text for sample in samples)


def test_a_teacher_is_asked_and_its_replies_are_kept_until_the_end(run, scripted, tmp_path):
    pairs = json.dumps([{"question": "What covers the ground?", "answer": "water"}])
    scripted(lambda conversation: Reply(pairs if "JSON" in conversation.messages[-1].text else "water"))
    output = tmp_path / "scale.jsonl"
    done = run(
        "geoscale",
        "--synthetic",
        3,
        "--side",
        32,
        "--ways",
        "teacher",
        "--teacher",
        MODEL,
        "--output",
        output,
    )
    assert done.code == 0, done.err
    assert {sample.turns[1].text for sample in SampleFile(output)} == {"water"}
    assert [path.name for path in tmp_path.glob("*.journal*")] == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "there is nothing to ask about"),
        (["--synthetic", "3", "--ways", "teacher"], "--ways teacher needs a model"),
        (["--synthetic", "3", "--teacher", "nano"], "--teacher nano has nothing to do"),
        (["--synthetic", "3", "--ways", "guessing"], "ways guessing are unknown"),
    ],
)
def test_what_makes_nothing_is_one_line(run, no_model, tmp_path, options, told):
    done = run("geoscale", "--output", tmp_path / "scale.jsonl", *options)
    assert done.code == 2
    assert told in done.err
    assert not list(tmp_path.iterdir())
