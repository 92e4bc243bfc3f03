"""What is kept of a teacher's words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.data.zoom.filters import Pair, Target, judge, parse_pairs
from tests.rscovlm.data.zoom.hand_made import harbour, image, thing
from tiling.view import Window

SHIP = Target(0, "the leftmost ship in the image", frozenset({"position"}), Window(150, 150, 100, 100))
PHRASE = SHIP.phrase


def verdict(question, answer, target=SHIP, annotated=None):
    return judge(Pair(question, answer), target, annotated or harbour())


# --- parsing ---------------------------------------------------------------------------------------


def test_pairs_are_found_in_fences_in_prose_and_in_an_object():
    listed = json.dumps(
        [{"question": "What  is it?", "answer": "A ship."}, {"question": "How many?", "answer": 2}]
    )
    expected = [Pair("What is it?", "A ship"), Pair("How many?", "2")]
    for reply in (listed, f"Sure [1]:\n```json\n{listed}\n```", f'{{"pairs": {listed}}}'):
        assert parse_pairs(reply) == (expected, 0)


def test_a_list_that_breaks_off_gives_its_whole_entries():
    reply = '[{"question": "a?", "answer": "b"}, {"question": "c?", "ans'
    assert parse_pairs(reply) == ([Pair("a?", "b")], 0)


@pytest.mark.parametrize("reply", ["", "no", "{}", "[]", "[1, 2]", "[" * 3000, '{"a": [}'])
def test_a_reply_without_pairs_is_one_malformed_entry(reply):
    assert parse_pairs(reply) == ([], 1)


def test_entries_that_are_no_pair_are_counted():
    reply = '[{"question": "a?"}, {"question": "a?", "answer": ["b"]}, 7, {"question": "c?", "answer": true}]'
    assert parse_pairs(reply) == ([Pair("c?", "yes")], 3)


@given(st.text(alphabet='[]{}":, questionaswer12\\n', max_size=80))
def test_no_text_makes_the_parser_raise(reply):
    pairs, malformed = parse_pairs(reply)
    assert pairs or malformed


# --- form ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        (f"What is {PHRASE} " + "really " * 50 + "?", "big", "too long"),
        (f"What is {PHRASE}?", "a thing with very many words in it", "too long"),
        (f"Quelle est {PHRASE}, l'été?", "red", "not English"),
        (f"What is next to {PHRASE}?", "码头", "not English"),
        (f"What is next to {PHRASE}?", "cannot be determined", "a refusal"),
        (f"What is at (12, 40) near {PHRASE}?", "water", "tells of boxes or coordinates"),
        (f"What is {PHRASE} in the red box?", "tanker", "tells of boxes or coordinates"),
        (f"In the zoomed view, what is next to {PHRASE}?", "pier", "tells of boxes or coordinates"),
        ("What color is the ship?", "red", "ambiguous reference"),
        (f"What red object is {PHRASE}?", "red", "answer stands in the question"),
        (f"What type of object is {PHRASE}?", "ship", "answer stands in the question"),
    ],
)
def test_bad_form_is_rejected_with_its_reason(question, answer, reason):
    assert verdict(question, answer).reason == reason


def test_one_of_several_offered_answers_may_stand_in_the_question():
    assert verdict(f"Is {PHRASE} red or white?", "red").reason == ""


# --- the annotation --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer", "category"),
    [
        (f"What color is {PHRASE}?", "red", "object color"),
        (f"Is {PHRASE} white?", "no", "reasoning"),
        (f"Is the color of {PHRASE} red?", "yes", "object color"),
        (f"What kind of vessel is {PHRASE}?", "a tanker", "object category"),
        (f"What surrounds {PHRASE}?", "water", "object background"),
    ],
)
def test_what_the_annotation_confirms_is_marked_as_checked(question, answer, category):
    found = verdict(question, answer)
    assert (found.reason, found.checked, found.category) == ("", True, category)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (f"What color is {PHRASE}?", "white"),
        (f"Is {PHRASE} white?", "yes"),
        (f"What kind of vessel is {PHRASE}?", "cargo ship"),
        (f"What surrounds {PHRASE}?", "farmland"),
    ],
)
def test_what_the_annotation_contradicts_is_rejected(question, answer):
    assert verdict(question, answer).reason.startswith("wrong by the annotation")


def test_what_the_annotation_does_not_know_is_left_to_the_blind_pass():
    found = verdict(f"Does {PHRASE} leave a wake?", "no")
    assert (found.reason, found.checked) == ("", False)


def test_a_count_is_checked_where_the_crop_shows_all_of_a_class_and_else_rejected():
    planes = image(thing("plane", 200, 200), thing("plane", 260, 200), thing("tank", 230, 260, 20, 20))
    tank = Target(2, "the tank in the image", frozenset(), Window(150, 150, 200, 200))
    question = "How many planes are near the tank in the image?"
    assert verdict(question, "two", tank, planes).checked
    assert verdict(question, "3", tank, planes).reason == "wrong by the annotation (count)"
    part = Target(2, tank.phrase, frozenset(), Window(150, 150, 100, 200))
    assert verdict(question, "1", part, planes).reason == "not in the annotation"
    assert verdict("How many birds are near the tank in the image?", "4", tank, planes).reason
