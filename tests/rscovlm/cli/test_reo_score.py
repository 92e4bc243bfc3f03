"""``rscovlm reo score``."""

import json

import pytest

from tests.rscovlm.reo.test_score import records


@pytest.fixture
def files(tmp_path):
    paths = {}
    for name, seed in (("test", 1), ("val", 2)):
        rows = records([f"{name}{i}" for i in range(6)], seed)
        paths[name] = tmp_path / f"{name}.jsonl"
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def test_predictions_are_scored_recalibrated_and_written(run, files, tmp_path):
    page, again = tmp_path / "s.html", tmp_path / "again.csv"
    done = run(
        *("reo", "score", files["test"], "--validation", files["val"], "--recalibrate", "temperature"),
        *("--output", page, "--recalibrated", again),
    )
    assert (done.code, done.err) == (0, f"{page}\n")
    assert done.out.startswith("Scores, Mg/ha\n")
    assert "<svg" in page.read_text()
    found = json.loads(run("reo", "score", again, "--json").out)
    assert found["form"] == "quantiles"
    assert found["spread"]["as stated"]["coverage_90"] == pytest.approx(0.9, abs=0.05)


def test_test_tiles_in_validation_are_refused(run, files):
    done = run("reo", "score", files["test"], "--validation", files["test"], "--recalibrate", "all")
    assert done.code == 2
    assert "validation and test share 6 tiles" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--recalibrate", "magic", "--validation", "VAL"), "'magic' is unknown"),
        (("--recalibrate", "all"), "give --validation"),
        (("--validation", "VAL"), "--recalibrate says how"),
        (("--columns", "truth"), "write what it holds and its name"),
        (("--columns", "truth=gone"), "no column 'gone'"),
    ],
)
def test_options_that_do_not_fit_are_one_line(run, files, arguments, told):
    named = [files["val"] if each == "VAL" else each for each in arguments]
    done = run("reo", "score", files["test"], *named)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert told in done.err
