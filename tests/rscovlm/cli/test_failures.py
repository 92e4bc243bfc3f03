"""What a command says about an error: one line and exit code 2 for mistakes, code 1 for defects."""

from __future__ import annotations

import pytest

from configs import ConfigError
from detection_eval.errors import CannotWrite, EvaluationError, FormatError, SettingError
from rscovlm.cli.failures import DEFECT, USAGE, failure
from rscovlm.errors import DataError, JournalError, ModelError, UsageError
from tests.rscovlm.scripted import write_raster
from tiling.errors import GridError, NotGeoreferenced, OutputError
from zoom_chain.errors import TraceError

ACTIONABLE = [
    *(UsageError, ModelError, DataError, JournalError, ConfigError),
    *(FormatError, SettingError, CannotWrite, EvaluationError),
    *(GridError, NotGeoreferenced, OutputError, TraceError),
]


@pytest.mark.parametrize("kind", ACTIONABLE)
def test_each_error_of_our_own_is_a_line_and_exit_code_2(kind):
    known = failure(kind("what would be right"))
    assert (known.code, known.line) == (USAGE, "what would be right")


def test_what_is_lacking_is_told_with_the_option_that_gives_it_where_there_is_one(tmp_path, run):
    (tmp_path / "a.txt").write_text("0 0 9 0 9 9 0 9 ship 0\n")
    for target, option in (("a.pkl", "score"), ("a.json", "size")):
        done = run("bench", "convert", tmp_path / "a.txt", "--output", tmp_path / target)
        assert done.code == 2
        assert done.err.endswith(f" (--{option})\n")
        assert not (tmp_path / target).exists()
    assert failure(CannotWrite("give a score", lacks="score"), ()).line == "give a score"


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("odd"), AssertionError("odd")])
def test_what_nobody_foresaw_is_no_mistake_of_the_user(error):
    assert failure(error) is None


# The computation inside each command, and what starts it.
COMPUTATIONS = [
    ("detection_eval.metrics.comparison.benchmark", "bench detections --gt gt.txt --pred A=gt.txt"),
    ("detection_eval.formats.convert", "bench convert gt.txt --output out.json"),
    ("rscovlm.data.readers.convert", "data convert gt.txt --from dota --output out.jsonl"),
    ("rscovlm.synth.world.plan_world", "synth scene out.tif --size 64"),
    ("rscovlm.tasks.passes.plan_passes", "detect scene.tif --model http://scripted/v1#nano"),
    ("rscovlm.data.zoom.build.ZoomPlan", "zoom-data gt.txt --output out.jsonl"),
]


@pytest.mark.parametrize(("place", "command"), COMPUTATIONS)
def test_a_defect_in_a_computation_is_not_reported_as_bad_usage(run, tmp_path, monkeypatch, place, command):
    monkeypatch.chdir(tmp_path)
    write_raster(tmp_path / "scene.tif", 512, 512)
    (tmp_path / "gt.txt").write_text("1 1 9 1 9 9 1 9 ship 0\n")

    def broken(*_, **__):
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr(place, broken)
    done = run(*command.split())
    assert done.code == DEFECT
    assert "this should not have happened: ValueError: operands could not be broadcast" in done.err
    assert "Traceback" in run(*command.split(), "--debug").err
