"""``rscovlm bench judge`` on the folder of a run."""

import json

import pytest

from rscovlm.bench.runs.folder import open_log, record, write_manifest
from tests.rscovlm.bench.protocols.test_judging import ROWS, judge
from tests.rscovlm.cli.conftest import MODEL
from zoom_chain.chat import Reply


@pytest.fixture
def folder(tmp_path):
    return logged(tmp_path / "run", "vrsbench-vqa")


def logged(folder, benchmark):
    facts = {"model": "m"}
    with open_log(folder, facts, resume=False, overwrite=False) as (journal, _):
        record(journal, ROWS)
    write_manifest(folder, "m", facts, {"name": benchmark, "items": len(ROWS)})
    return folder


def test_a_run_is_judged_and_scored(run, scripted, folder):
    engine = scripted(judge)
    done = run("bench", "judge", folder, "--model", MODEL, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert (found["protocol"], found["judged"], found["left_open"]) == ("vrsbench-vqa/judged/1", 2, 2)
    assert found["metrics"]["micro"] == 0.5
    assert len(engine.batches[0]) == 2
    lines = [json.loads(line) for line in (folder / "judgements.jsonl").read_text().splitlines()]
    assert "Reply: a port" in json.dumps(lines[1])


def test_what_is_judged_is_not_asked_again(run, scripted, folder):
    def fails_on_beaches(conversation):
        text = conversation.messages[0].text
        return Reply("", "error", error="no route") if "a beach" in text else "yes"

    scripted(fails_on_beaches)
    first = run("bench", "judge", folder, "--model", MODEL)
    assert first.code == 1
    assert "1 of 2 requests failed; ask again with --resume" in first.err
    again = run("bench", "judge", folder, "--model", MODEL)
    assert again.code != 0  # neither --resume nor --overwrite
    engine = scripted(judge)
    resumed = run("bench", "judge", folder, "--model", MODEL, "--resume")
    assert resumed.code == 0
    assert "2 of 2 replies judged" in resumed.out
    assert [len(batch) for batch in engine.batches] == [1]


def test_other_benchmarks_leave_nothing_to_a_judge(run, no_model, tmp_path):
    done = run("bench", "judge", logged(tmp_path / "other", "lrs-vqa"), "--model", MODEL)
    assert done.code == 2
    assert "is of lrs-vqa; a judge has a part in vrsbench-vqa alone" in done.err
    assert run("bench", "judge", tmp_path / "none", "--model", MODEL).code == 2
