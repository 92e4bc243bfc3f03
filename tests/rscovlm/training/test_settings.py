"""The sections of a training configuration: what stands for a setting that is left out."""

import pytest
from pydantic import ValidationError

from rscovlm.training.settings import GROUPS, Optimizer, Rates, TrainConfig

LEAST = {"model": "nano", "mix": "synth", "steps": 1, "batch": {"samples": 1}, "optimizer": {"lr": 1e-3}}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_takes_the_optimizers_rates_where_it_has_none_of_its_own(group):
    optimizer = Optimizer.model_validate({"lr": 1e-3, "weight_decay": 0.2, group: {"lr": 1e-5}})
    assert optimizer.rates(group) == (1e-5, 0.2)
    assert all(optimizer.rates(other) == (1e-3, 0.2) for other in GROUPS if other != group)


def test_a_decay_of_zero_is_a_groups_own():
    config = TrainConfig.model_validate(
        LEAST | {"optimizer": {"lr": 1e-3, "merger": Rates(weight_decay=0.0)}}
    )
    assert config.optimizer.rates("merger") == (1e-3, 0.0)
    assert config.own_rates == ["merger"]


def test_a_setting_cannot_be_changed_once_it_is_read():
    config = TrainConfig.model_validate(LEAST)
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3
