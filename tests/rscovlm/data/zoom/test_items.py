"""Questions on the way to samples."""

import json
from dataclasses import replace

from rscovlm.data.sample import Sample
from rscovlm.data.zoom.items import to_sample
from tests.rscovlm.data.zoom.hand_made import harbour, item


def test_a_prompt_lists_its_options_and_asks_for_the_letter():
    choice = item(options=("blue", "red"), answer="B", way="choice")
    assert choice.prompt == "What color is it?\nA. blue\nB. red\nAnswer with the option's letter."


def test_a_sample_is_question_zoom_crop_and_answer_and_survives_its_file(tmp_path):
    annotated = replace(harbour(), path=tmp_path / "images" / "a.png", gsd_m=0.5)
    sample = to_sample(item(category="count", answer="2"), annotated, tmp_path / "out", "train")
    assert [(turn.role, turn.text) for turn in sample.turns] == [
        ("user", "<image>What color is it?"),
        ("assistant", "<zoom 0>"),
        ("user", "<crop 0>"),
        ("assistant", "2"),
    ]
    assert sample.images[0].path == "../images/a.png"
    assert (sample.images[0].size, sample.gsd_m) == ((1280, 1280), 0.5)
    assert sample.boxes[0].polygon.tolist() == [[100, 100], [140, 100], [140, 120], [100, 120]]
    assert Sample.from_json(json.loads(sample.to_line())) == sample


def test_the_same_question_has_the_same_key_however_it_is_written():
    assert item("What COLOR is it ?").key == item().key
    assert item(options=("red", "blue"), answer="A").key != item().key
    assert item(number=1).key != item().key


def test_what_is_meant_is_the_option_of_the_letter():
    assert item(options=("blue", "red"), answer="B").meant == "red"
    assert item(answer="red").meant == "red"


def test_a_digest_depends_on_all_that_makes_a_question_and_not_on_notes():
    same = {item().digest, item(notes={"verified": "by hand"}).digest}
    others = {
        item(number=1).digest,
        item("Which?").digest,
        item(answer="blue").digest,
        item(way="teacher").digest,
        item(options=("red", "blue"), answer="A").digest,
    }
    assert len(same) == 1
    assert len(others | same) == 6
    assert {len(digest) for digest in others} == {12}


def test_a_sample_keeps_split_evidence_and_the_answer_of_a_choice_in_words(tmp_path):
    choice = item(options=("blue", "red"), answer="B", way="choice", notes={"made_from": "templates"})
    sample = to_sample(choice, harbour(), tmp_path, "held_out")
    assert sample.attributes == {
        "category": "object color",
        "way": "choice",
        "split": "held_out",
        "evidence": [100, 100, 140, 120],
        "answer_text": "red",
        "made_from": "templates",
    }
    assert "answer_text" not in to_sample(item(), harbour(), tmp_path, "train").attributes
