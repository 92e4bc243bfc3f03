"""``rscovlm ask``."""

from __future__ import annotations

import json

import pytest

from rscovlm.cli.ask import read_questions
from tests.rscovlm.cli.conftest import MODEL
from zoom_chain.chat import Reply
from zoom_chain.trace import Trace

ZOOM = (
    '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [500, 500, 750, 750], "label": "x"}}'
    "</tool_call>"
)


def zooms_once(conversation):
    return ZOOM if len(conversation.messages) < 3 else "red"


def echoes(conversation):
    return conversation.messages[-1].text.upper()


def test_one_question_prints_the_answer_alone_and_each_zoom_on_stderr(run, scripted, scene):
    scripted(zooms_once)
    done = run("ask", scene, "What colour?", "--model", MODEL)
    assert (done.code, done.out) == (0, "red\n")
    # 250 of 1000 of 1024 px is 256 px, shown at 128 px: 2 scene px of 0.3 m each per pixel.
    assert done.err == "  zoom 1: 256 x 256 px at (512, 512), 4.0x, 0.6 m/px\n"


def test_several_questions_go_in_one_batch_and_print_a_line_each(run, scripted, scene):
    engine = scripted(echoes)
    done = run("ask", scene, "one?", "two?", "--model", MODEL, "--zoom", "off")
    assert (done.code, done.out) == (0, "ONE?\nTWO?\n")
    assert [len(batch) for batch in engine.batches] == [2]
    assert done.err == "one?\ntwo?\n"


def test_an_answer_of_several_lines_prints_as_one(run, scripted, scene):
    scripted(lambda conversation: "a\n b")
    assert run("ask", scene, "one?", "--model", MODEL).out == "a b\n"


def test_questions_come_from_text_files_and_json_lines(tmp_path):
    text = tmp_path / "questions.txt"
    text.write_text("one?\n\n two? \n")
    assert [item.question for item in read_questions(text)] == ["one?", "two?"]
    lines = tmp_path / "questions.jsonl"
    lines.write_text('{"question": "how many?", "answer": 3, "topic": "count"}\n{"question": "why?"}\n')
    assert [(item.question, item.expected) for item in read_questions(lines)] == [
        ("how many?", "3"),
        ("why?", None),
    ]


def test_questions_with_options_are_put_by_letter_and_scored_by_either(run, scripted, scene, tmp_path):
    file = tmp_path / "questions.jsonl"
    record = {"question": "Colour?", "options": ["red", "blue"], "answer": "B"}
    file.write_text(json.dumps(record) + "\n" + json.dumps(record | {"answer": "blue"}) + "\n")
    asked = []
    scripted(lambda conversation: asked.append(conversation.messages[-1].text) or "(B)")
    done = run("ask", scene, "--questions", file, "--model", MODEL, "--zoom", "off", "--json")
    assert asked == ["Colour?\nA. red\nB. blue\nAnswer with the option's letter."] * 2
    assert [answer["as_expected"] for answer in json.loads(done.out)["answers"]] == [True, True]
    assert done.err.splitlines()[-1] == "2 of 2 answers as expected"
    run("ask", scene, "--questions", file, "--model", MODEL, "--config", "rscovlm/lrs-vqa", "--zoom", "off")
    assert asked[2].startswith("Colour? The choices are listed below: \n(A) red\n")
    file.write_text('{"question": "Colour?", "options": "red"}\n')
    done = run("ask", scene, "--questions", file, "--model", MODEL)
    assert (done.code, done.err.endswith('give a list of texts: ["red", "white"]\n')) == (2, True)


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


def test_zoom_options_override_the_configuration(run, scripted, scene):
    engine = scripted(lambda conversation: "yes" if conversation.messages[-1].text == "Answer now." else ZOOM)
    done = run("ask", scene, "any?", "--model", MODEL, "--max-zooms", 0, "--json")
    [answer] = json.loads(done.out)["answers"]
    assert (answer["stop_reason"], len(answer["views"])) == ("zoom_budget", 1)
    assert len(engine.batches) == 2


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


def test_a_dialect_is_taken_by_name_or_from_a_file(run, scene, tmp_path):
    shown = run("ask", scene, "What?", "--model", MODEL, "--dialect", "mini-o3", "--dry-run")
    assert "<grounding>" in shown.out
    file = tmp_path / "mine.yaml"
    file.write_text("base: qwen3-vl\nuser_suffix: ' Look closely.'\n")
    shown = run("ask", scene, "What?", "--model", MODEL, "--dialect", str(file), "--dry-run")
    assert "user: What? Look closely.\n" in shown.out
    failed = run("ask", scene, "What?", "--model", MODEL, "--dialect", "mini-o4")
    assert failed.code == 2
    assert "dialect 'mini-o4' is unknown; choose from" in failed.err


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


def test_several_greedy_runs_are_refused(run, scene):
    done = run("ask", scene, "What?", "--model", MODEL, "--n", "3")
    assert done.code == 2
    assert "--n 3 would draw the same reply 3 times; give --sampling temperature=0.7" in done.err


@pytest.mark.parametrize("policy", ["tree", "retrieve"])
def test_a_search_says_what_it_ranked_and_what_it_answers_from(run, scene, policy):
    """With the model that ships, which states probabilities; ``--max-views`` bounds the ranking."""
    done = run(
        *("ask", scene, "What colour are the planes?", "--model", "nano", "--zoom", policy),
        *("--max-views", 4),
    )
    assert done.code == 0
    assert "4 views ranked" in done.err
    assert "shows what is asked about with probability" in done.err or "is the likeliest to show" in done.err


def test_a_search_without_probabilities_is_refused_in_one_line(run, scripted, scene):
    engine = scripted(lambda conversation: "Blue.")
    engine.scores = "none"
    done = run("ask", scene, "What colour?", "--model", MODEL, "--zoom", "tree")
    assert done.code == 2
    assert "zoom policy tree needs probabilities of answers" in done.err
    assert "Traceback" not in done.err


def test_structured_replies_are_held_to_a_pattern(run, scripted, scene):
    engine = scripted(lambda conversation: "red")
    assert run("ask", scene, "any?", "--model", MODEL, "--structured").code == 0
    assert engine.options[-1].pattern is not None
    assert run("ask", scene, "any?", "--model", MODEL).code == 0
    assert engine.options[-1].pattern is None
