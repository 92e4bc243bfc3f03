"""``rscovlm reo inspect`` and ``audit``."""

import json

import pytest

from tests.rscovlm.reo.material import plots_file


@pytest.fixture
def plots(tmp_path):
    return plots_file(tmp_path, tiles=8, plots=2)


def test_inspect_tells_layout_units_and_labels(run, plots):
    done = run("reo", "inspect", plots, "--plots", 4)
    assert done.code == 0
    assert done.out.startswith("AGBD-Lite: 16 samples in 8 tiles, 1 file\n")
    assert "B8A" in done.out
    assert "synthetic plots" in done.out
    assert json.loads(run("reo", "inspect", plots, "--plots", 4, "--json").out)["samples"] == 16


def test_audit_writes_a_table_and_its_exit_code_follows_the_option(run, plots, tmp_path):
    page = tmp_path / "audit.md"
    done = run("reo", "audit", plots, "--no-sensors", "--output", page)
    assert done.code == 0
    assert page.read_text().startswith("# Audit of AGBD-Lite, 16 samples")
    assert "| leakage | tiles | met |" in page.read_text()
    strict = run("reo", "audit", plots, "--no-sensors", "--fail-on", "doubtful")
    assert strict.code == 1
    assert "checks are not met: " in strict.err


def test_splits_are_stated_by_file(run, plots, tmp_path):
    other = tmp_path / "b.h5"
    other.write_bytes(plots.read_bytes())
    done = run(
        "reo", "audit", f"train={plots}", f"test={other}", "--no-sensors", "--json", "--fail-on", "failed"
    )
    assert done.code == 1
    found = {each["name"]: each for each in json.loads(done.out)}
    assert found["tiles"]["numbers"]["shared"] == 8
    assert found["distance to test"]["numbers"]["overlapping"] == 16
    assert run("reo", "audit", f"tset={plots}").code == 2


def test_a_sensitivity_that_is_none_is_refused(run, plots, tmp_path):
    (tmp_path / "s.json").write_text("{}")
    done = run("reo", "audit", plots, "--sensitivity", tmp_path / "s.json")
    assert (done.code, done.err.count("\n")) == (2, 1)
