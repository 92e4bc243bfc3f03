"""Jobs: what is read, what identifies them, and that nothing is asked twice."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rscovlm.bench.item import Truth
from rscovlm.bench.results.scores import score_rows
from rscovlm.bench.runs.folder import SAMPLES, read_run
from rscovlm.bench.runs.job import carry_out, read_questions
from rscovlm.bench.suites.synth import SYNTH
from rscovlm.bench.synthetic import write_benchmark
from rscovlm.engines.http import HttpEngine
from rscovlm.errors import DataError, JournalError, UsageError
from rscovlm.models.families import FAMILIES
from tests.rscovlm.bench.made import item, picture
from tests.rscovlm.bench.runs.asked import benchmark, job_about, one_of_each, write_files
from tests.rscovlm.engines.server import ModelServer
from tests.rscovlm.scripted import ScriptedEngine
from zoom_chain.chat import Reply

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def items(tmp_path):
    write_files(tmp_path)
    return one_of_each(tmp_path)


def always(text):
    return ScriptedEngine(lambda conversation: text)


def asked_by(engine):
    return [c.messages[-1].text for batch in engine.batches for c in batch]


# --- what is read ------------------------------------------------------------------------------------


def test_a_draw_is_even_in_file_order_and_the_same_for_a_seed(tmp_path):
    items = [item(str(number)) for number in range(100)]
    drawn = [int(each.key) for each in read_questions(benchmark(items), tmp_path, limit=10, seed=4).items]
    assert drawn == sorted(drawn)
    assert len(set(drawn)) == 10
    assert max(drawn) > 50
    again = read_questions(benchmark(items), tmp_path, limit=10, seed=4)
    assert [int(each.key) for each in again.items] == drawn
    assert again.facts()["items_in_files"] == 100
    assert again.facts()["items_published"] == 9


def test_what_cannot_be_asked_is_said(tmp_path):
    with pytest.raises(UsageError, match="no split 'train'; choose from test, val"):
        read_questions(benchmark([item("a")]), tmp_path, "train")
    with pytest.raises(UsageError, match="is no folder"):
        read_questions(benchmark([item("a")]), tmp_path / "gone")
    with pytest.raises(DataError, match=r"nothing in it makes an item of .*: it is empty"):
        read_questions(benchmark([]), tmp_path)
    with pytest.raises(DataError, match="two items 'a'"):
        read_questions(benchmark([item("a"), item("a")]), tmp_path)


def test_the_hash_of_questions_follows_truth_and_pictures_but_not_the_folder(tmp_path):
    def hash_in(name, size=64, answer="yes"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        path = picture(folder / "a.png", size)
        return read_questions(benchmark([item("a", answer, image=str(path))]), folder).hash

    assert hash_in("one") == hash_in("two")
    assert len({hash_in("one"), hash_in("two", 128), hash_in("one", answer="no")}) == 3


# --- what identifies a job -----------------------------------------------------------------------------


def test_every_choice_that_may_change_a_reply_is_in_the_facts(tmp_path, items):
    def facts(**more):
        return job_about(tmp_path, items, **more).facts(always(""))

    plain = facts(mode="off")
    assert plain == facts(mode="off")
    for other in ({"mode": "chain"}, {"mode": "off", "blind": "gray"}, {"mode": "off", "batch_size": 3}):
        assert facts(**other) != plain
    assert job_about(tmp_path, items[:-1], mode="off").facts(always("")) != plain


def test_a_blind_run_has_nothing_to_look_at_closer(tmp_path, items):
    with pytest.raises(UsageError, match="leave out --zoom chain"):
        job_about(tmp_path, items, mode="chain", blind="text")
    assert job_about(tmp_path, items, blind="text").asking.mode == "off"
    with pytest.raises(UsageError, match="no other to show"):
        job_about(tmp_path, items[:1], blind="shuffle")


# --- that nothing is asked twice -----------------------------------------------------------------------


def test_a_run_that_ends_early_goes_on_with_what_is_left(tmp_path, items):
    seen = []

    def script(conversation):
        seen.append(conversation.messages[-1].text)
        if len(seen) == 6:
            raise KeyboardInterrupt
        return "yes"

    job = job_about(tmp_path, items, mode="off", batch_size=2)
    with pytest.raises(KeyboardInterrupt):
        carry_out(job, ScriptedEngine(script), tmp_path / "run")
    answered = {row.item.key for row in read_run(tmp_path / "run").rows}
    assert 0 < len(answered) < len(items)
    engine, told = always("yes"), []
    rows = carry_out(job, engine, tmp_path / "run", resume=True, progress=lambda *done: told.append(done))
    assert [row.item.key for row in rows] == [item.key for item in items]
    assert len(asked_by(engine)) == len(items) - len(answered)
    assert told[0] == (len(answered), len(items))
    assert told[-1] == (len(items), len(items))


def test_what_failed_is_asked_again_and_nothing_else(tmp_path, items):
    def script(conversation):
        failed = "Which?" in conversation.messages[-1].text
        return Reply("", "error", error="lost") if failed else "yes"

    job = job_about(tmp_path, items, mode="off")
    rows = carry_out(job, ScriptedEngine(script), tmp_path / "run")
    assert [row.item.key for row in rows if row.error] == ["choice"]
    engine = always("B")
    rows = carry_out(job, engine, tmp_path / "run", resume=True)
    assert len(asked_by(engine)) == 1
    assert not any(row.error for row in rows)
    assert len(read_run(tmp_path / "run").rows) == len(items)


def test_a_changed_job_is_refused_by_name(tmp_path, items):
    carry_out(job_about(tmp_path, items, mode="off"), always("yes"), tmp_path / "run")
    changed = [replace(items[0], truth=Truth(("sand",))), *items[1:]]
    with pytest.raises(JournalError, match=r"parameters: items: other content\. Use"):
        carry_out(job_about(tmp_path, changed, mode="off"), always("yes"), tmp_path / "run", resume=True)
    with pytest.raises(JournalError, match=r"items: other content; number of items was \d+, now 2"):
        carry_out(job_about(tmp_path, items[:2], mode="off"), always("yes"), tmp_path / "run", resume=True)
    with pytest.raises(JournalError, match='blind was "none", now "gray"'):
        carry_out(job_about(tmp_path, items, blind="gray"), always(""), tmp_path / "run", resume=True)


KILLED = """
import sys
from pathlib import Path
from rscovlm.bench.prompts import load_profile
from rscovlm.bench.runs.job import carry_out, plan_job, read_questions
from rscovlm.bench.suites.synth import SYNTH
from rscovlm.models.checkpoints import resolve
from rscovlm.tasks.recipe import Recipe
from tests.rscovlm.scripted import ScriptedEngine

folder, asked = Path(sys.argv[1]), Path(sys.argv[2])

def script(conversation):
    with asked.open("a") as file:
        file.write(repr(conversation.messages[-1].text) + chr(10))
    import time
    time.sleep(0.02)
    return "yes"

checkpoint = resolve("http://scripted/v1#nano")
questions = read_questions(SYNTH, folder)
job = plan_job(questions, checkpoint, Recipe(), load_profile("default"), mode="off", batch_size=2)
carry_out(job, ScriptedEngine(script), folder / "run", resume=True)
"""


def test_kill_9_loses_no_line_that_was_written_and_asks_none_again(tmp_path):
    write_benchmark(tmp_path, each=4, scenes=0)
    log, asked = tmp_path / "run" / SAMPLES, tmp_path / "asked.txt"
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(asked)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    while not (log.exists() and log.read_bytes().count(b"\n") >= 7):
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = _keys(log)
    assert 6 <= len(before) < 24
    asked.unlink()
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    keys = _keys(log)
    assert keys[: len(before)] == before
    assert len(keys) == len(set(keys)) == 24
    assert len(asked.read_text().splitlines()) == 24 - len(before)


def _keys(log):
    whole = log.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line)["key"] for line in whole.splitlines()[1:]]


# --- engines -------------------------------------------------------------------------------------------


def test_a_server_and_an_engine_in_process_give_the_same_scores(tmp_path, items):
    def script(conversation):
        text = conversation.messages[-1].text
        size = conversation.images[-1].size if conversation.images else (0, 0)
        return {"Wh": f"B {size[0]}", "Ho": "2", "Cl": "sea"}.get(
            text[:2], "ship 156,156,625,156,625,625,156,625"
        )

    scores = []
    with ModelServer(factor=16, model="nano", owner="vllm") as server:
        server.answer, server.delay_s = script, 0.05
        with HttpEngine(server.url, None, FAMILIES["nano"]) as served:
            for name, engine in (("http", served), ("process", ScriptedEngine(script))):
                job = job_about(tmp_path, items, mode="off")
                rows = carry_out(job, engine, tmp_path / name)
                strict = score_rows(rows, SYNTH.protocols["strict"], label=name, benchmark="made")
                scores.append((strict.micro, strict.verdicts, [(row.text, row.views) for row in rows]))
        assert server.most_at_once > 1
    assert scores[0] == scores[1]
    assert scores[0][0].value > 0.4


def test_a_job_takes_the_zoom_that_the_familys_settings_name(tmp_path, items):
    job = job_about(tmp_path, items)
    assert job.asking.mode == "chain"
    assert job.label == "http://scripted/v1#nano, chain"
    assert job_about(tmp_path, items, mode="off").label == "http://scripted/v1#nano, overview"
    assert job_about(tmp_path, items, blind="text").label == "http://scripted/v1#nano, blind (text)"
    shuffled = job_about(tmp_path, items, mode="oracle", blind="shuffle")
    assert shuffled.label == "http://scripted/v1#nano, oracle, blind (shuffle)"
