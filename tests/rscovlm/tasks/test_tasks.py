"""Tasks: what is asked, what a reply states, and what counts as right."""

import pickle

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_box, render_response
from rscovlm.tasks.classify import Classification
from rscovlm.tasks.detect import Detection
from rscovlm.tasks.ground import Grounding
from rscovlm.tasks.questions import (
    ChoiceQuestion,
    NumericQuestion,
    OpenQuestion,
    is_right,
    question_with_answer,
)
from rscovlm.tasks.task import Prompt, Tally, rates, score_reply, total
from rscovlm.tasks.turns import task_of_turn
from rscovlm.tasks.zoom import ZoomRequest
from tiling.view import Size, Window
from zoom_chain.dialect import DIALECTS, RSCOVLM

SIZE = Size(200, 400)
QUAD = CONTRACTS["rscovlm-quad"]


def right(task, reply, expected) -> bool:
    """Whether a task with a single yes-or-no metric takes a reply for right."""
    counts = score_reply(task, reply, expected, SIZE)
    [hits] = [value for name, value in counts.items() if name.endswith("/hits")]
    [of] = [value for name, value in counts.items() if name.endswith("/of")]
    assert of == 1
    return hits == 1


# --- words and numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "expected", "is_the_answer"),
    [
        ("Red.", "red", True),
        ("The harbour", "harbour", True),
        ("3.5 m", "3.5 m", True),
        ("35 m", "3.5 m", False),
        ("yes", "no", False),
        ("", "no", False),
        ("<think>It may be blue.</think> red", "red", True),
    ],
)
def test_an_open_question_is_answered_by_the_same_answer(reply, expected, is_the_answer):
    assert right(OpenQuestion(), reply, expected) is is_the_answer


def test_a_numeric_question_is_answered_by_the_number_in_any_words():
    replies = ("3", "three", "There are 3 planes.", "4", "3 or 4", "none", "")
    assert [right(NumericQuestion(), reply, "3") for reply in replies] == [True] * 3 + [False] * 4
    assert right(NumericQuestion(), "There are none.", "0")
    assert right(NumericQuestion(), "-1.5", "minus 1.5")


def test_a_tolerance_is_a_share_of_the_true_number():
    within_tenth = NumericQuestion(tolerance=0.1)
    assert [right(within_tenth, reply, "200") for reply in ("180", "220", "221")] == [True, True, False]


def test_a_choice_is_answered_by_its_letter_or_by_the_option_itself():
    task = ChoiceQuestion(("red", "white"))
    assert task.prompt("Which colour?") == Prompt(
        None, "Which colour?\nA. red\nB. white\nAnswer with the option's letter."
    )
    replies = ("B", "(b)", "B. white", "It is white.", "A", "red or white", "")
    assert [right(task, reply, "B") for reply in replies] == [True] * 4 + [False] * 3


def test_an_answer_known_to_be_right_says_what_kind_of_question_it_is():
    kinds = {"A": ChoiceQuestion, "3": NumericQuestion, "two": NumericQuestion, "none": NumericQuestion}
    assert {answer: type(question_with_answer(answer)) for answer in kinds} == kinds
    for words in ("red", "3 planes", "50%", "a", "yes", ""):
        assert question_with_answer(words) == OpenQuestion()
    assert is_right("There are 3 planes", "3")
    assert not is_right("3 ships", "3 planes")
    assert not is_right("", "A")


def test_a_scene_class_is_right_if_the_reply_names_it_and_no_other():
    task = Classification(("water", "bare land"))
    assert (
        task.prompt().user == "Classify the image into one of: water, bare land. Answer with the class name."
    )
    assert right(task, "It is bare-land.", "bare land")
    assert not right(task, "water or bare land", "water")
    assert not right(task, "grass", "grass"), "a class that was not offered is never right"
    with pytest.raises(ValueError, match="no classes"):
        Classification(())


# --- boxes ------------------------------------------------------------------------------------------


def boxes(*corners):
    return box_quads(np.array(corners, dtype=float).reshape(-1, 4))


@pytest.mark.parametrize("name", ["rscovlm-quad", "rscovlm-obb", "rscovlm-hbb", "rscovlm-json-hbb"])
def test_a_grounded_box_is_right_from_half_overlap_in_every_format(name):
    task = Grounding(CONTRACTS[name])

    def written(x):
        return render_box(boxes((x, 20, x + 60, 80))[0], task.contract, SIZE.width, SIZE.height)

    # 60 px wide, moved by 20: 40 / 80 is just half; by 30: 30 / 90 is a third.
    assert right(task, written(100), written(100))
    assert right(task, written(115), written(100))
    assert not right(task, written(130), written(100))
    assert not right(task, "I see none.", written(100))
    assert not right(task, "9" * 400, written(100))


def test_a_phrase_is_asked_for_in_the_words_of_the_box_format():
    assert Grounding(QUAD).prompt("red ship").user == "find the red ship"
    assert "Locate the red ship" in Grounding(CONTRACTS["rscovlm-json-hbb"]).prompt("red ship").user


DETECTION = Detection(QUAD)


def listed(*items):
    polygons = boxes(*(corners for corners, _ in items))
    labels = np.array([("plane", "ship").index(name) for _, name in items], dtype=np.int64)
    return render_response(Detections(polygons, labels, ("plane", "ship")), QUAD, SIZE.width, SIZE.height)


def test_detections_pair_one_to_one_and_only_with_their_class():
    truth = listed(((10, 10, 50, 50), "plane"), ((100, 10, 140, 50), "ship"))
    reply = listed(((10, 10, 50, 50), "plane"), ((12, 10, 52, 50), "plane"), ((100, 10, 140, 50), "plane"))
    # Three found, two true, one of them right.
    assert DETECTION.aggregate(score_reply(DETECTION, reply, truth, SIZE)) == {
        "f1@0.5": 2 / 5,
        "precision@0.5": 1 / 3,
        "recall@0.5": 1 / 2,
    }


def test_nothing_found_where_nothing_is_is_perfect():
    nothing = score_reply(DETECTION, "There are none.", "There are none.", SIZE)
    assert DETECTION.aggregate(nothing) == {"f1@0.5": 1.0}
    missed = score_reply(DETECTION, "There are none.", listed(((10, 10, 50, 50), "plane")), SIZE)
    assert DETECTION.aggregate(missed) == {"f1@0.5": 0.0, "recall@0.5": 0.0}


# --- zooms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_a_zoom_hits_where_it_shows_the_evidence_and_not_everything(dialect):
    task = ZoomRequest(dialect)

    def call(*box):
        return dialect.render_call(box, SIZE.width, SIZE.height, "ship")

    def hits(reply):
        return right(task, reply, call(100, 50, 140, 90))

    assert hits(call(95, 45, 145, 95))
    assert not hits(call(120, 50, 160, 90)), "half of it is out of sight"
    assert not hits(call(0, 0, 400, 200)), "fifty times as large is no closer look"
    assert not hits("There are two ships.")
    assert task.parse(call(140, 50, 100, 90), SIZE) == task.parse(call(100, 50, 140, 90), SIZE)
    assert task.parse(call(100, 50, 100, 50), SIZE) is None, "no area"


def test_a_zoom_is_asked_for_with_the_tool_on_offer():
    system, user = ZoomRequest(RSCOVLM).prompt("How many ships?")
    assert "image_zoom_in" in system
    assert user.startswith("How many ships?")


def test_evidence_in_scene_pixels_is_scored_as_the_box_of_a_call_is():
    task, evidence = ZoomRequest(RSCOVLM), Window(1000, 1000, 100, 100)
    assert task.score(Window(950, 950, 200, 200), evidence)["zoom_hit/hits"] == 1
    assert task.score(None, evidence)["zoom_hit/hits"] == 0


# --- turns of samples -------------------------------------------------------------------------------


def test_a_turn_is_scored_as_the_task_that_it_belongs_to():
    def task(kind, expected):
        return task_of_turn(kind, expected, SIZE, QUAD, RSCOVLM)

    call = RSCOVLM.render_call((10, 10, 50, 50), SIZE.width, SIZE.height)
    assert task("zoom", call) == ZoomRequest(RSCOVLM)
    assert task("zoom", "A") == ChoiceQuestion()
    assert task("vqa", "3") == NumericQuestion()
    assert task("vqa", "red") == task("classification", "harbour") == OpenQuestion()
    assert task("detection", "There are none.") == Detection(QUAD)
    assert task("grounding", "10,10,50,10,50,50,10,50") == Grounding(QUAD)
    assert task("caption", "a long caption") is None


# --- tallies ----------------------------------------------------------------------------------------


def test_tallies_of_shards_add_up_to_the_tally_of_the_whole():
    number, words = NumericQuestion(), OpenQuestion()
    replies = [("a", number, "3", "3"), ("a", words, "red", "blue"), ("b", words, "red", "red")]
    replies += [("b", DETECTION, "There are none.", listed(((10, 10, 50, 50), "plane")))]
    whole, first, second = Tally(), Tally(), Tally()
    for index, (group, task, reply, truth) in enumerate(replies):
        counts = score_reply(task, reply, truth, SIZE)
        whole.add(group, task, counts)
        (first, second)[index % 2].add(group, task, counts)
    # One of two answers about a, all about b; the boxes of b are counted beside its answers.
    expected = {"a/accuracy": 0.5, "b/accuracy": 1.0, "b/f1@0.5": 0.0, "b/recall@0.5": 0.0}
    assert whole.metrics() == expected
    joined = Tally()
    joined.merge(pickle.loads(pickle.dumps(second)))
    joined.merge(first)
    assert joined.metrics() == expected
    assert joined.counts("a") == whole.counts("a") == {"accuracy/hits": 1, "accuracy/of": 2}
    assert joined.counts("c") == {}


def test_a_rate_of_nothing_is_left_out():
    assert rates({"accuracy/hits": 0.0, "accuracy/of": 0.0}, "accuracy", "recall") == {}
    assert total([]) == {}
