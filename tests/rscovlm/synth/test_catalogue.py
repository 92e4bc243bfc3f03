"""What scenes are made of: every name has a meaning of its own, and sizes are those of real things."""

import pytest

from rscovlm.synth.catalogue import (
    BRIDGE,
    CAR,
    CLASS_NAMES,
    COLOURS,
    LAND_COVERS,
    OBJECT_CLASSES,
    PLANE,
    SITES,
)


def test_no_word_of_an_answer_means_two_things():
    kinds = [kind for kind_of in OBJECT_CLASSES for kind in kind_of.kinds]
    words = [*LAND_COVERS, *COLOURS, *CLASS_NAMES, *kinds, *(site.name for site in SITES)]
    assert len(words) == len(set(words)) == 7 + 7 + 10 + 25 + 8


def test_classes_are_listed_in_alphabetical_order():
    assert CLASS_NAMES[0] == "bridge"
    assert list(CLASS_NAMES) == sorted(kind.name for kind in OBJECT_CLASSES)


def test_each_class_gathers_somewhere_and_comes_in_known_colours():
    gathered = {kind_of for site in SITES for kind_of in (site.objects, *site.others)}
    assert gathered == set(OBJECT_CLASSES)
    assert all(set(kind_of.colours) <= COLOURS.keys() for kind_of in OBJECT_CLASSES)
    assert all(len(kind_of.kinds) >= 2 for kind_of in OBJECT_CLASSES)


def test_a_car_is_as_long_as_a_car_and_an_airliner_as_an_airliner():
    assert CAR.kind("car").length_m == (3.9, 4.9)
    assert PLANE.kind("airliner").length_m[1] == 64
    for kind_of in OBJECT_CLASSES:
        for kind in kind_of.types:
            assert 0 < kind.length_m[0] < kind.length_m[1] <= 160
            assert 0.8 <= kind.aspect[0] <= kind.aspect[1]
            assert (kind.aspect == (1.0, 1.0)) == kind_of.is_round


def test_an_unknown_kind_is_named_with_the_choices():
    with pytest.raises(
        ValueError, match=r"bridge has no kind 'ford'; choose from road bridge, railway bridge"
    ):
        BRIDGE.kind("ford")
