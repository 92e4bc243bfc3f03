"""Recalibration beside the heads of a checkpoint."""

import json

import pytest
import torch

from rscovlm.engines import load_model
from rscovlm.errors import ModelError
from rscovlm.models.heads import write_heads
from rscovlm.models.heads.recalibration import write_recalibration
from rscovlm.models.inputs import read_inputs
from rscovlm.scoring.predictions import LEVELS
from rscovlm.scoring.quantile_steps import QuantileSteps
from tests.rscovlm.regression import number_checkpoint

STEPS = QuantileSteps((), (tuple(2 * level - 1 for level in LEVELS),), 80)


@pytest.fixture
def folder(tmp_path):
    return number_checkpoint(tmp_path / "model")


def estimate(folder):
    import numpy as np

    inputs = read_inputs(folder)
    assert inputs is not None
    shown = inputs.conversation(np.full((25, 25, 3), 0.1, np.float32), inputs.bands)
    with load_model(str(folder), device="cpu") as engine:
        return engine.estimate([shown], ["agb"])[0], engine.heads


def test_a_head_that_is_asked_states_moved_quantiles(folder):
    before, _ = estimate(folder)
    write_recalibration(folder, {"agb": (STEPS, ["10SEG", "10SEG", "10SEH"])})
    after, heads = estimate(folder)
    torch.testing.assert_close(after.mean, before.mean)
    deviation = before.variance.sqrt()
    torch.testing.assert_close(after.quantile(0.95), before.quantile(0.95) + 0.9 * deviation)
    torch.testing.assert_close(after.quantile(0.05), before.quantile(0.05) - 0.9 * deviation)
    kept = json.loads((folder / "rscovlm.json").read_text())["recalibration"]["agb"]
    assert (kept["tiles"], kept["plots"]) == (["10SEG", "10SEH"], 80)
    write_heads(folder, heads)
    assert "recalibration" not in json.loads((folder / "rscovlm.json").read_text()), (
        "of heads that were there"
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [({"height": STEPS.stated()}, "height"), ({"agb": {"edges": []}}, "no steps of quantiles"), ([], "list")],
)
def test_what_cannot_be_is_told(folder, entry, words):
    known = json.loads((folder / "rscovlm.json").read_text())
    (folder / "rscovlm.json").write_text(json.dumps(known | {"recalibration": entry}))
    with pytest.raises(ModelError, match=words):
        estimate(folder)
