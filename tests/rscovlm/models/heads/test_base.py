"""What every head has."""

import pytest
import torch

from rscovlm.models.heads import HEADS
from rscovlm.models.heads.base import Head

EXAMPLES = {"cells": {"names": 0.25}, "numbers": {"target": "agb_mg_ha", "deviation": 30.0}}


@pytest.mark.parametrize("name", HEADS)
def test_settings_make_the_same_head_anew(name):
    head = HEADS[name](8, **EXAMPLES[name])
    again = HEADS[name](8, **head.settings)
    assert again.settings == head.settings
    assert EXAMPLES[name].items() <= head.settings.items()
    again.load_state_dict(head.state_dict())
    assert head.at_inference is (name == "numbers"), "only a number is asked for after training"


def test_a_head_without_terms_is_not_whole():
    head = Head(8, weight=2.0)
    assert head.settings == {"weight": 2.0}
    assert not head.at_inference
    with pytest.raises(NotImplementedError):
        head.terms(torch.nn.Identity(), [], None)
