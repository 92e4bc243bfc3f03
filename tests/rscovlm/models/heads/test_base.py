"""What every head has."""

import pytest
import torch

from rscovlm.models.heads import HEADS
from rscovlm.models.heads.base import Head, PredictiveHead

EXAMPLES = {
    "cells": {"names": 0.25},
    "numbers": {"target": "agb_mg_ha", "deviation": 30.0},
    "dense": {"target": "height_m", "inner": 8, "detail": 2},
    "gsd": {"taps": (1,), "vision_width": 4, "hidden": 16},
    "ensembles": {"members": ["one", "other"]},
    "constraints": {"whole": "all", "parts": ["one", "other"]},
}


@pytest.mark.parametrize("name", HEADS)
def test_settings_make_the_same_head_anew(name):
    head = HEADS[name](8, **EXAMPLES[name])
    again = HEADS[name](8, **head.settings)
    assert again.settings == head.settings
    assert EXAMPLES[name].items() <= head.settings.items()
    again.load_state_dict(head.state_dict())
    assert head.at_inference is (name not in ("cells", "constraints")), "these are for training alone"


def test_a_head_without_terms_is_not_whole():
    head = Head(8, weight=2.0)
    assert head.settings == {"weight": 2.0}
    assert not head.at_inference
    with pytest.raises(NotImplementedError):
        head.terms(torch.nn.Identity(), [], None)


def test_a_head_of_numbers_says_which_and_reads_what_it_is_called_with():
    head = PredictiveHead(8, target="agb_mg_ha")
    assert (head.target, head.taps, head.at_inference) == ("agb_mg_ha", (), True)
    with pytest.raises(NotImplementedError):
        head.states(torch.nn.Identity(), [], None)
    with pytest.raises(NotImplementedError):
        head(None)
