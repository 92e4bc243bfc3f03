"""The contracts of model families: each can ask for classes, and is known by its own name."""

import pytest

from detection_eval.text.contract import detection_prompt
from detection_eval.text.contracts import CONTRACTS


def test_a_contract_is_known_by_its_own_name():
    assert all(contract.name == name for name, contract in CONTRACTS.items())


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_contract_asks_for_the_classes_by_their_spoken_names(name):
    _, user = detection_prompt(CONTRACTS[name], ["small-vehicle", "bridge"])
    assert 0 <= user.index("bridge") < user.index("small vehicle")
