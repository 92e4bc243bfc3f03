"""Defaults: tiers that ascend, and a slope that gates without being a step."""

import torch

from rscovlm.models.scale.defaults import NEUTRAL_M, SHARPNESS, TIERS_M
from rscovlm.models.scale.gates import SigmoidGate


def test_tiers_are_open_where_their_things_are_seen_and_closed_a_decade_above():
    gate = SigmoidGate(3, TIERS_M, SHARPNESS)
    for tier, metres in enumerate(TIERS_M):
        finer, coarser = gate(torch.log10(torch.tensor([metres / 10, metres * 10])))[:, tier].tolist()
        assert finer > 0.95
        assert coarser < 0.05
    assert TIERS_M[0] < NEUTRAL_M < TIERS_M[-1]
