"""``rscovlm ask``."""

from __future__ import annotations

import json

import pytest

from rscovlm.cli.ask import Zoom
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.cli.talk import ZOOM, echoes, zooms_once
from zoom_chain.policies import POLICIES


def test_every_policy_can_be_asked_for():
    assert [each.value for each in Zoom] == list(POLICIES)


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


def test_zoom_options_override_the_configuration(run, scripted, scene):
    engine = scripted(lambda conversation: "yes" if conversation.messages[-1].text == "Answer now." else ZOOM)
    done = run("ask", scene, "any?", "--model", MODEL, "--max-zooms", 0, "--json")
    [answer] = json.loads(done.out)["answers"]
    assert (answer["stop_reason"], len(answer["views"])) == ("zoom_budget", 1)
    assert len(engine.batches) == 2


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
