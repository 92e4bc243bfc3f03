"""The page about a run."""

import json

from rscovlm.training.summary import write_summary


def test_the_page_shows_the_first_and_the_last_evaluation_and_every_source(tmp_path):
    lines = [{"step": 0, "eval/loss": 2.0, "eval/loss/zoom": 2.0, "eval/zoom/accuracy": 0.125}]
    lines += [
        {"step": s, "loss/source/zoom": 2 - s / 200, "loss/source/<b>": 1.0, "seen/samples": 16.0 * s}
        for s in range(1, 201)
    ]
    lines += [{"step": 200, "eval/loss": 1.0, "eval/loss/zoom": 1.0, "eval/zoom/accuracy": 0.75}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 2')
    page = write_summary(tmp_path).read_text()
    assert "<td>0.125</td><td>0.750</td>" in page
    assert "<td>2.000</td><td>1.000</td>" in page
    assert "<th>step 0</th><th>step 200</th>" in page
    assert "200 steps, 3,200 samples" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "://" not in page


def test_a_run_without_a_step_yet_has_a_page_too(tmp_path):
    assert "Nothing has been logged yet" in write_summary(tmp_path).read_text()


def test_updates_and_thresholds_of_adapters_are_drawn(tmp_path):
    lines = [
        {
            "step": step,
            "loss/source/a": 1.0,
            "update/q_proj": 0.1 * step,
            "gate/tau_0_m": 0.5,
            "gate/tau_1_m": 5.0,
        }
        for step in (1, 2)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = write_summary(tmp_path).read_text()
    assert "Update of layers by adapters" in page
    assert "Thresholds of gates by tier" in page
    assert page.count("<svg") == 3
