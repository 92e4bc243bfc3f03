"""The answers of ``rscovlm ask``: how they are told and written, and what is said of what is missing."""

from __future__ import annotations

import json

from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.cli.talk import echoes, zooms_once
from zoom_chain.chat import Reply
from zoom_chain.trace import Trace


def test_an_answer_of_several_lines_prints_as_one(run, scripted, scene):
    scripted(lambda conversation: "a\n b")
    assert run("ask", scene, "one?", "--model", MODEL).out == "a b\n"


def test_expected_answers_are_printed_beside_and_counted(run, scripted, scene, tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "red?", "answer": "RED?"}\n{"question": "blue?", "answer": "no"}\n')
    scripted(echoes)
    done = run("ask", scene, "--questions", file, "--model", MODEL, "--zoom", "off")
    assert done.out == "RED?\t(expected: RED?)\nBLUE?\t(expected: no)\n"
    assert done.err.splitlines()[-1] == "1 of 2 answers as expected"
    assert done.code == 0


def test_json_holds_answers_views_and_costs(run, scripted, scene):
    scripted(zooms_once)
    done = run("ask", scene, "What colour?", "--model", MODEL, "--json")
    found = json.loads(done.out)
    assert (found["scene"], found["model"]) == (str(scene), "scripted")
    [answer] = found["answers"]
    assert (answer["question"], answer["answer"], answer["stop_reason"]) == (
        "What colour?",
        "red",
        "answered",
    )
    assert [view["window"] for view in answer["views"]] == [
        {"x": 0, "y": 0, "width": 1024, "height": 1024},
        {"x": 512, "y": 512, "width": 256, "height": 256},
    ]
    # Two views of 128 x 128 px, in tokens of 16 x 16 px.
    assert answer["visual_tokens"] == 2 * 64


def test_output_takes_what_stdout_would_have(run, scripted, scene, tmp_path):
    scripted(echoes)
    common = ("ask", scene, "one?", "two?", "--model", MODEL, "--zoom", "off")
    assert run(*common, "--output", tmp_path / "answers.txt")[:2] == (0, "")
    assert (tmp_path / "answers.txt").read_text() == "ONE?\nTWO?\n"
    run(*common, "--output", tmp_path / "answers.json")
    answers = json.loads((tmp_path / "answers.json").read_text())["answers"]
    assert [answer["answer"] for answer in answers] == ["ONE?", "TWO?"]


def test_traces_are_written_as_a_page_or_as_json(run, scripted, scene, tmp_path):
    scripted(zooms_once)
    page, data = tmp_path / "trace.html", tmp_path / "trace.json"
    for path in (page, data):
        assert run("ask", scene, "What <colour>?", "--model", MODEL, "--trace", path).code == 0
    assert "What &lt;colour&gt;?" in page.read_text()
    [trace] = json.loads(data.read_text())
    assert len(Trace.from_json(json.dumps(trace)).views) == 2


def test_a_question_without_a_whole_answer_exits_with_1(run, scripted, scene):
    scripted(lambda conversation: Reply("", "error", error="server gone"))
    done = run("ask", scene, "any?", "--model", MODEL)
    assert done.code == 1
    assert done.err.splitlines()[-1] == "rscovlm: 1 of 1 question without a whole answer: server gone"
    scripted(lambda conversation: Reply("and so on and so", "length"))
    done = run("ask", scene, "any?", "--model", MODEL)
    assert (done.code, done.out) == (1, "and so on and so\n")
    assert "cut off" in done.err.splitlines()[-1]


def test_a_sweep_that_examined_parts_alone_says_why(run, scripted, scene):
    said = iter([Reply("", "error", error="server gone")])
    scripted(lambda conversation: next(said, "There are none."))
    done = run("ask", scene, "How many planes are there?", "--model", MODEL, "--zoom", "sweep")
    assert (done.code, done.out) == (1, "0\n")
    assert done.err.splitlines()[-1].endswith("without a whole answer: 1 tile was not examined: server gone")


def test_several_runs_vote_and_say_how_far_they_agree(run, scripted, scene):
    said = iter(["red", "Blue.", "red", "the red", "blue"] * 2)
    engine = scripted(lambda conversation: next(said))
    drawn = ("ask", scene, "What?", "--model", MODEL, "--n", "5", "--sampling", "temperature=0.7")
    done = run(*drawn)
    assert (done.code, done.out) == (0, "red\n")
    assert "60% of the runs agree on 'red'; others said 'Blue.'" in done.err
    assert len({options.seed for options in engine.options}) == 5
    votes = json.loads(run(*drawn, "--json").out)["answers"][0]["votes"]
    assert votes == {"agreement": 0.6, "answers": {"red": 3, "Blue.": 2}}


def test_a_run_that_failed_is_told_though_the_others_agree(run, scripted, scene, tmp_path):
    said = iter(["red", Reply("", "error", error="busy"), "red"])
    output = tmp_path / "answers.txt"
    drawn = ("ask", scene, "What?", "--model", MODEL, "--n", "3", "--sampling", "temperature=0.7")
    scripted(lambda _: next(said))
    done = run(*drawn, "--output", output)
    assert (done.code, output.read_text()) == (1, "red\n")
    assert "1 of 1 question with runs that failed: busy; --resume asks again" in done.err
    engine = scripted(lambda _: "red")
    assert run(*drawn, "--output", output, "--resume").code == 0
    assert sum(map(len, engine.batches)) == 1
