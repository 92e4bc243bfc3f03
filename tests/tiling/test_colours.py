"""Colours belong to names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor

from detection_eval.formats.class_lists import CLASS_LISTS, classes
from tiling.colours import class_colours, numbered_colour

NAMES = st.lists(st.text("abcdefgh-", min_size=1, max_size=6), unique=True, max_size=30)


def test_the_first_forty_numbers_have_colours_of_their_own() -> None:
    colours = [numbered_colour(number) for number in range(40)]
    assert len(set(colours)) == 40
    assert all(len(ImageColor.getrgb(colour)) == 3 for colour in colours)


@pytest.mark.parametrize("name", CLASS_LISTS)
def test_the_classes_of_a_data_set_have_a_colour_each(name: str) -> None:
    colours = class_colours(classes(name))
    assert len(set(colours.values())) == len(colours) == len(classes(name))


def test_a_class_alone_has_the_colour_that_it_has_among_others_unless_they_clash() -> None:
    every = class_colours(classes("dota-v1.0"))
    alone = {name: class_colours([name])[name] for name in every}
    same = {name for name in every if every[name] == alone[name]}
    # The 15 names fall on 11 of 16 places; who comes second to a place takes another.
    assert len(set(alone.values())) == len(same) == 11
    assert {"plane", "ship", "small-vehicle", "harbor"} <= same


def test_a_colour_goes_by_the_name_as_it_is_spoken() -> None:
    written = class_colours(["small-vehicle", "Small Vehicle", "ship"])
    assert written["small-vehicle"] == written["Small Vehicle"] != written["ship"]
    assert list(written) == ["small-vehicle", "Small Vehicle", "ship"]


@given(NAMES)
def test_neither_order_nor_repeats_change_a_colour(names: list[str]) -> None:
    assert class_colours(names) == class_colours([*reversed(names), *names])
