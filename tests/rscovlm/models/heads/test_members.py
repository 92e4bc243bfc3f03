"""Heads that read other heads of the same model."""

from types import SimpleNamespace

import pytest

from rscovlm.models.heads.members import members_of, states_of_members, taps_of
from rscovlm.models.heads.numbers.head import NumberHead


def heads():
    plain = NumberHead(8, "agb")
    deep, other = (
        NumberHead(8, "agb", {"name": "mixer"}, taps=taps, vision_width=6) for taps in ((1, 3), (2,))
    )
    return {"plain": plain, "deep": deep, "other": other, "cells": object()}


def test_members_stand_in_the_order_of_their_names_and_read_the_layers_of_one():
    found = members_of(heads(), ["deep", "plain"])
    assert [head.taps for head in found] == [(1, 3), ()]
    assert taps_of(found) == (1, 3)
    assert taps_of(()) == ()


def test_layers_of_the_tower_go_to_those_that_read_them():
    seen = []

    def reading(taps):
        return SimpleNamespace(taps=taps, states=lambda model, hidden, pack, tapped: seen.append(tapped))

    states_of_members([reading(()), reading((1,))], None, [], None, "features")
    assert seen == [None, "features"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["plain", "cells"], "no head of numbers is called 'cells'"),
        (["plain", "age"], "no head of numbers is called 'age'"),
        (["deep", "other"], "its members read different layers of the vision tower"),
    ],
)
def test_what_cannot_be_a_member_is_told(names, words):
    with pytest.raises(TypeError, match=words):
        members_of(heads(), names)


def test_members_beside_models_of_their_own_read_their_own_layers():
    assert len(members_of(heads(), ["deep", "other"], apart=True)) == 2
