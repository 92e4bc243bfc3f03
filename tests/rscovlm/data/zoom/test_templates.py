"""Questions from templates: what is asked, and that answers are the annotation's."""

import numpy as np
import pytest

from rscovlm.data.annotations import Place, Relation
from rscovlm.data.zoom.templates import WORDINGS, alignment_of, direction_of, drafts
from tests.rscovlm.data.zoom.hand_made import harbour, image, thing
from tiling.view import Window


def asked(annotated, seeds=range(30)):
    """(question, answer) over many draws of the wordings and references."""
    return {
        (draft.text, draft.answer, draft.category)
        for seed in seeds
        for draft in drafts(annotated, np.random.default_rng(seed))
    }


def answers(annotated, start):
    return {text: answer for text, answer, _ in asked(annotated) if text.startswith(start)}


def test_every_category_is_asked_for_with_the_annotations_answer():
    found = asked(harbour())
    assert ("What color is the leftmost ship in the image?", "red", "object color") in found
    assert ("What type of ship is the red ship in the image?", "tanker", "object category") in found
    assert ("How many ships are at the harbour?", "1", "count") in found
    assert ("How many small vehicles are at the car park?", "0", "count") in found
    assert ("Are there any small vehicles at the car park?", "no", "reasoning") in found
    assert ("Are there any ships at the harbour?", "yes", "reasoning") in found
    assert ("What shape is the storage tank in the image?", "round", "object shape") in found
    assert ("What kind of place is the white ship in the image at?", "harbour", "object background") in found
    assert {category for *_, category in found} >= {"object status", "object relation", "count"}


def test_a_question_never_holds_its_own_answer():
    for text, answer, category in asked(harbour()):
        if answer not in ("yes", "no") and " or " not in text:
            assert f" {answer}" not in text, (text, category)


def test_a_color_check_is_asked_with_the_right_and_a_wrong_color():
    found = answers(harbour(), "Is the leftmost ship in the image ")
    assert found["Is the leftmost ship in the image red?"] == "yes"
    assert found["Is the leftmost ship in the image white?"] == "no"


def test_one_question_has_one_answer():
    found = [(text, answer) for text, answer, _ in asked(harbour())]
    assert len(dict(found)) == len(found)


def test_nothing_is_counted_where_a_difficult_object_might_count():
    doubtful = image(thing("ship", 200, 200), thing("ship", 900, 900, difficult=True))
    assert not answers(doubtful, "How many")


def test_a_quarter_is_counted_only_where_no_object_lies_across_its_edge():
    # One ship in a quarter, one across the middle line.
    across = image(thing("ship", 200, 200), thing("ship", 640, 200), thing("ship", 1000, 1000))
    where = {text.partition(" in ")[2] for text in answers(across, "How many")}
    assert where == {"the image?", "the bottom right quarter of the image?"}


def test_neighbours_relations_and_sizes():
    pair = image(
        thing("ship", 300, 600, 60, 30),
        thing("dock", 400, 600, 60, 60),
        thing("plane", 1000, 100, 40, 40),
        relations=(Relation(0, "docked at", 1),),
    )
    found = {text: answer for text, answer, _ in asked(pair)}
    assert found["What is the object nearest to the ship in the image?"] == "dock"
    assert found["What is the relation of the ship in the image to the dock in the image?"] == "docked at"
    side = "Where is the ship in the image relative to the dock in the image: left, right, above or below?"
    assert found[side] == "left"
    assert found["Is the ship in the image larger than the dock in the image?"] == "no"
    assert found["Is the dock in the image larger than the ship in the image?"] == "yes"


@pytest.mark.parametrize(
    ("dx", "dy", "side"), [(-100, 20, "left"), (100, -20, "right"), (10, -100, "above"), (70, 70, None)]
)
def test_direction_is_said_only_where_it_is_clear(dx, dy, side):
    assert direction_of(thing("a", 600 + dx, 600 + dy), thing("b", 600, 600)) == side


def test_alignment_is_said_only_of_long_objects_along_clear_directions():
    assert alignment_of(thing("ship", 0, 0, 90, 30)) == "horizontally"
    assert alignment_of(thing("ship", 0, 0, 30, 90)) == "vertically"
    assert alignment_of(thing("ship", 0, 0, 40, 30)) is None


def test_evidence_is_the_union_of_objects_and_of_the_place_that_is_asked_about():
    annotated = harbour()
    for draft in drafts(annotated, np.random.default_rng(0)):
        evidence = draft.evidence(annotated)
        assert all(evidence.contains(annotated.things[i].window) for i in draft.things)
        if "at the harbour?" in draft.text and draft.category == "count":
            assert evidence == Window(800, 900, 200, 200)


def test_objects_of_a_place_that_differ_have_no_common_color():
    ships = thing("ship", 200, 200, color="red"), thing("ship", 300, 200, color="white")
    place = Place("harbour", Window(100, 100, 300, 200), (0, 1), "ship")
    texts = " ".join(text for text, *_ in asked(image(*ships, places=(place,))))
    assert "ships at the harbour" in texts
    assert "What color are the ships" not in texts


def test_each_topic_has_paraphrases():
    assert all(len(set(wordings)) >= 3 for wordings in WORDINGS.values())
