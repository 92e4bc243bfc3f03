"""Heads that a configuration asks for, and the names that it may give them."""

import pytest
from pydantic import ValidationError

from rscovlm.training.head_settings import Heads


def test_heads_that_are_asked_for_are_told_by_kind_and_by_name():
    assert Heads().chosen == {}
    asked = Heads.model_validate({"cells": {"names": 0.1}, "numbers": {"agb": {"target": "agb_mg_per_ha"}}})
    assert list(asked.chosen) == ["cells", "numbers"]
    assert asked.chosen["cells"]["names"] == 0.1
    assert asked.chosen["numbers"]["agb"]["target"] == "agb_mg_per_ha"


@pytest.mark.parametrize("name", ["canopy height", "2nd", "numbers"])
def test_a_head_has_a_name_that_no_kind_of_head_has(name):
    with pytest.raises(ValidationError, match=f"not {name!r}"):
        Heads.model_validate({"dense": {name: {"target": "canopy_height_m"}}})


def test_numbers_that_heads_cannot_do_without_are_named_with_their_settings():
    agb = {"target": "agb_mg_per_ha", "teacher": "taught", "mean": 100, "deviation": 90}
    taller = {"number": "agb", "along": "canopy_height_m"}
    heads = Heads.model_validate({"numbers": {"agb": agb}, "constraints": {"taller": taller}})
    assert heads.wanted == {
        "agb_mg_per_ha": "heads.numbers.agb.target",
        "taught": "heads.numbers.agb.teacher",
        "canopy_height_m": "heads.constraints.taller.along",
    }
