"""Phrases mean one object: resolved here by another reading of their words, also on shaken boxes."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rscovlm.data.references import references
from tests.rscovlm.data.zoom.hand_made import harbour, image, thing

PLACES = {
    "top left corner": (0, 0),
    "top right corner": (1280, 0),
    "bottom left corner": (0, 1280),
    "bottom right corner": (1280, 1280),
    "center": (640, 640),
}


def meant(text, annotated, shake=None):
    """Indices of the objects that a phrase means, by reading its words."""
    centers = np.array([t.center for t in annotated.things])
    if shake is not None:
        centers = centers + shake
    rest = text.removeprefix("the ")
    best, order = None, re.match(r"(leftmost|rightmost|topmost|bottommost|largest|smallest) ", rest)
    if order:
        rest = rest[order.end() :]
        areas = np.array([t.area for t in annotated.things])
        best = {
            "leftmost": centers[:, 0],
            "rightmost": -centers[:, 0],
            "topmost": centers[:, 1],
            "bottommost": -centers[:, 1],
            "largest": -areas,
            "smallest": areas,
        }[order[1]]
    inside = np.full(len(centers), True)
    if found := re.search(r" closest to the (.+) of the image$", rest):
        best, rest = np.hypot(*(centers - PLACES[found[1]]).T), rest[: found.start()]
    elif found := re.search(r" nearest to the (.+)$", rest):
        (helper,) = [i for i, t in enumerate(annotated.things) if t.name == found[1]]
        best, rest = np.hypot(*(centers - centers[helper]).T), rest[: found.start()]
    elif found := re.search(r" in the (top|bottom) (left|right) quarter of the image$", rest):
        inside = (centers[:, 1] < 640) == (found[1] == "top")
        inside &= (centers[:, 0] < 640) == (found[2] == "left")
        rest = rest[: found.start()]
    rest = rest.removesuffix(" in the image")
    fitting = [i for i, t in enumerate(annotated.things) if rest in names(t) and inside[i]]
    if best is None:
        return fitting
    least = min(best[i] for i in fitting)
    return [i for i in fitting if best[i] == least]


def names(t):
    color, kind = t.attributes.get("color"), t.attributes.get("kind")
    return {t.name, f"{color} {t.name}", f"{t.name} of type {kind}", kind}


things = st.builds(
    thing,
    st.sampled_from(["ship", "plane", "tank"]),
    st.integers(60, 1220),
    st.integers(60, 1220),
    st.integers(10, 100),
    st.integers(10, 60),
    color=st.sampled_from(["red", "white"]),
    kind=st.sampled_from(["tanker", "cargo ship"]),
    difficult=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(things, min_size=1, max_size=7), st.integers(0, 2**31))
def test_a_phrase_means_exactly_its_target_even_if_every_box_is_off_by_ten_pixels(listed, seed):
    annotated = image(*listed)
    shake = np.random.default_rng(seed).uniform(-10, 10, (len(listed), 2))
    for index, phrases in references(annotated).items():
        assert not listed[index].difficult
        for phrase in phrases:
            assert meant(phrase.text, annotated) == [index], phrase
            if "quarter" not in phrase.text:
                assert meant(phrase.text, annotated, shake) == [index], phrase
            told = {"color": listed[index].attributes["color"], "kind": listed[index].attributes["kind"]}
            for attribute, value in told.items():
                assert (f"{value} " in phrase.text) <= (attribute in phrase.uses), phrase


def phrases_of(annotated, index):
    return {phrase.text for phrase in references(annotated).get(index, ())}


def test_the_ways_to_name_an_object():
    found = phrases_of(harbour(), 0)
    assert {
        "the leftmost ship in the image",
        "the smallest ship in the image",
        "the red ship in the image",
        "the ship of type tanker in the image",
        "the ship in the top left quarter of the image",
        "the ship closest to the top left corner of the image",
    } <= found
    assert "the ship at the harbour" in phrases_of(harbour(), 1)


def test_an_object_is_named_by_the_only_one_of_a_class_that_it_is_clearly_nearest_to():
    ships = thing("ship", 200, 200), thing("ship", 230, 900), thing("tank", 300, 200)
    assert "the ship nearest to the tank" in phrases_of(image(*ships), 0)
    assert "the ship nearest to the tank" not in phrases_of(image(*ships), 1)


def test_twins_have_no_name():
    twins = image(thing("ship", 630, 630), thing("ship", 650, 650))
    assert references(twins) == {}


def test_an_object_that_annotators_found_difficult_is_not_meant_but_takes_the_name_away():
    pair = image(thing("ship", 200, 200), thing("ship", 205, 210, difficult=True))
    assert references(pair) == {}


def test_a_color_names_nothing_where_that_of_another_is_unknown():
    some = image(thing("ship", 630, 630, color="red"), thing("ship", 650, 650))
    assert references(some) == {}


def test_an_annotated_relation_names_its_only_subject():
    from rscovlm.data.annotations import Relation

    ships = thing("ship", 630, 630), thing("ship", 650, 650), thing("dock", 640, 800)
    found = phrases_of(image(*ships, relations=(Relation(1, "docked at", 2),)), 1)
    assert found == {"the ship that is docked at the dock"}
    both = (Relation(0, "docked at", 2), Relation(1, "docked at", 2))
    assert phrases_of(image(*ships, relations=both), 1) == set()
