"""Each benchmark starts, says what it measures, and measures small files where nothing else would notice."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def test_there_are_benchmarks():
    assert len(SCRIPTS) > 10


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_starts_and_says_what_it_measures(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    said = capsys.readouterr().out
    [first, *_] = script.read_text(encoding="utf-8").removeprefix('"""').splitlines()
    assert " ".join(first.split()) in " ".join(said.split())


def test_the_two_ways_to_load_a_sample_make_the_same_tokens(tmp_path, monkeypatch):
    from benchmarks import training_loader

    monkeypatch.setattr(training_loader, "TILES", 1)
    monkeypatch.setattr(training_loader, "ZOOMS", 1)
    monkeypatch.setattr(training_loader, "SCENE", 2048)
    training_loader.make_files(tmp_path)
    for source in ("tiles", "zooms"):
        assert training_loader.ours(tmp_path, source)(0) == training_loader.recipe(tmp_path, source)(0)


def test_the_samples_of_packing_are_packed():
    from benchmarks import training
    from rscovlm.data.packing import collate

    samples = training.paper_samples(3)
    assert collate(samples, training.SPEC, training.IMAGE).length == sum(len(each.ids) for each in samples)
