"""Templates: the same pixels have other answers at another scale, and what is in doubt is not asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.data.geoscale.questions import LENGTHS_M, nearest, questions_of, typical_lengths
from tests.rscovlm.data.geoscale.material import thing, view

TYPICAL = {"ship": 80.0, "small vehicle": 11.0, "plane": 45.0}


def answers(shown, typical=TYPICAL, seed=0):
    """Answers by topic and, of legibility, by class."""
    found = {}
    for question in questions_of(shown, typical, np.random.default_rng(seed)):
        found.setdefault(question.topic, {})[question.text] = question.answer
    return found


@pytest.mark.parametrize(
    ("gsd_m", "length", "width", "tier"),
    [
        (0.5, "20 m", None, "objects"),  # 40 px are 20 m; 50 m across lie between 20 and 200 m
        (1.9, None, "200 m", "structures"),  # 76 m lie between 50 and 100 m
        (2.5, "100 m", "200 m", "structures"),
        (20.0, None, "2 km", "land cover"),  # 800 m lie beyond the longest option
    ],
)
def test_the_same_pixels_have_other_answers_at_another_scale(gsd_m, length, width, tier):
    found = answers(view(gsd_m, thing("plane", 30, 40, 40, 10)))
    assert next(iter(found["tier"].values())) == tier
    assert list(found.get("width", {}).values()) == ([] if width is None else [width])
    if length is not None:
        assert list(found["length"].values()) == [length]


def test_the_place_of_an_option_does_not_tell_the_length():
    shown, places = view(2.5, thing("plane", 30, 40, 40, 10)), set()  # 100 m
    for seed in range(40):
        ((text, answer),) = answers(shown, seed=seed)["length"].items()
        options = text.removesuffix("?").split("about ")[1].replace(" or ", ", ").split(", ")
        places.add(options.index(answer))
    assert places == {0, 1, 2}


def test_a_limit_is_as_often_too_long_as_too_short():
    found = [answers(view(2.0), seed=seed)["limit"] for seed in range(200)]  # 200 m across
    told = {text: answer for each in found for text, answer in each.items()}
    assert told == {
        **{f"Is the area shown wider than {limit} m?": "yes" for limit in (20, 50, 100)},
        **{f"Is the area shown wider than {limit}?": "no" for limit in ("500 m", "1 km")},
    }
    yes = sum("yes" in each.values() for each in found)
    assert 70 < yes < 130


@given(st.floats(0.1, 30), st.integers(0, 50))
def test_the_rule_of_a_question_gives_its_answer_and_others_at_other_scales(gsd_m, seed):
    shown = view(gsd_m, thing("plane", 30, 40, 40, 10))
    for question in questions_of(shown, TYPICAL, np.random.default_rng(seed)):
        assert question.rule(gsd_m) == question.answer
        elsewhere = {question.rule(gsd_m * factor) for factor in (0.01, 0.1, 10.0, 1000.0)}
        assert (elsewhere == {question.answer}) == (question.topic == "class")


def test_what_can_be_made_out_depends_on_its_length_in_pixels():
    # 80 m, 45 m and 11 m: at 1 m all are 8 px and more, at 20 m none is 5 px, at 4 m 20, 11 and 2.75 px.
    def by_class(gsd_m):
        texts = {}
        for seed in range(30):
            texts |= answers(view(gsd_m), seed=seed).get("legibility", {})
        return {text.split()[2]: answer for text, answer in texts.items()}

    assert set(by_class(1.0).values()) == {"yes"}
    assert set(by_class(40.0).values()) == {"no"}
    assert by_class(4.0) == {"ships": "yes", "planes": "yes", "small": "no"}


def test_a_class_is_asked_for_among_classes_that_are_not_there():
    found = answers(view(1.0, thing("ship", 10, 10, 60, 20)))
    ((text, answer),) = found["class"].items()
    assert answer == "ship"
    assert "plane" in text
    assert "small vehicle" in text
    assert "class" not in answers(view(1.0, thing("ship", 10, 10, 60, 20)), {"ship": 80.0})


def test_objects_that_are_cut_or_too_small_are_not_asked_about():
    assert not {"class", "length"} & answers(view(1.0, thing("ship", 70, 10, 60, 20))).keys()
    assert not {"class", "length"} & answers(view(1.0, thing("ship", 10, 10, 6, 2))).keys()
    two = answers(view(2.5, thing("ship", 10, 10, 40, 10), thing("ship", 10, 60, 40, 10)))
    assert "length" not in two  # which of them?


@given(st.floats(1, 2000))
def test_an_option_is_taken_only_where_it_is_clearly_the_nearest(metres):
    found = nearest(metres, LENGTHS_M)
    apart = sorted(abs(np.log(metres / each)) for each in LENGTHS_M)
    if found is None:
        assert apart[0] > 0.5 * apart[1]
    else:
        assert abs(np.log(metres / found)) == apart[0]
        assert apart[0] < 0.55 * apart[1]


def test_usual_lengths_are_those_of_whole_objects():
    views = [
        view(2.0, thing("ship", 10, 10, 40, 10)),
        view(1.0, thing("ship", 5, 5, 70, 9), thing("ship", 80, 5, 90, 9)),
    ]
    assert typical_lengths(views) == {"ship": pytest.approx(75.0)}
