"""``rscovlm doctor``: the report as a table and as JSON."""

import json

import pytest

from rscovlm.doctor import Row

ROWS = [Row("torch", "ok", "2.9"), Row("flash-attn", "not in use", "needs CUDA"), Row("x", "missing", "")]


@pytest.fixture(autouse=True)
def report(monkeypatch):
    monkeypatch.setattr("rscovlm.doctor.diagnose", lambda *_: ROWS)


def test_columns_are_aligned_and_lines_end_without_spaces(run):
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "torch       ok          2.9",
        "flash-attn  not in use  needs CUDA",
        "x           missing",
    ]


def test_json_holds_a_row_for_each_part(run):
    done = run("doctor", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)[1] == {"name": "flash-attn", "state": "not in use", "detail": "needs CUDA"}
