"""A number about each sample, read off its visual tokens."""

import math

import pytest
import torch

from rscovlm.models.heads.regression import RegressionHead, visual_means
from tests.rscovlm.models.heads.material import IMAGE, MODEL, pack


def head(**settings) -> RegressionHead:
    """A head that says (x - y) / sqrt((x^2 + y^2) / 2) of a mean token (x, y) before it is scaled."""
    made = RegressionHead(2, "agb", **settings)
    with torch.no_grad():
        made.value.weight.copy_(torch.tensor([[1.0, -1.0]]))
        made.value.bias.zero_()
    return made


def test_the_mean_is_over_a_samples_own_visual_tokens():
    hidden = torch.tensor([[1.0, 0], [3.0, 4], [99.0, 99], [5.0, 6], [77.0, 77]])
    means, counts = visual_means(hidden, IMAGE, pack("aa.bd"))
    assert means.tolist() == [[2.0, 2.0], [5.0, 6.0]]
    assert counts.tolist() == [2.0, 1.0]
    means, counts = visual_means(hidden[:2], IMAGE, pack("bb"))
    assert (means.tolist(), counts.tolist()) == ([[0.0, 0.0], [2.0, 2.0]], [0.0, 2.0])


def test_a_value_is_in_the_targets_unit():
    # The root mean square of (1, 0) is sqrt(1 / 2), so the scaled value is sqrt 2.
    found = head(mean=50.0, deviation=30.0)(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]))
    expected = [50 + 30 * math.sqrt(2), 50 - 30 * math.sqrt(2), 50.0]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("first", "second", "loss"),
    [
        # Scaled: sqrt 2 against 0 costs sqrt 2 - 1 / 2 (Huber), 0 against 0.4 costs 0.08.
        (50.0, 62.0, (math.sqrt(2) - 0.5 + 0.08) / 2),
        (math.nan, 62.0, 0.08),
        (math.nan, math.nan, 0.0),
    ],
)
def test_the_loss_is_the_mean_over_samples_with_a_value(first, second, loss):
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 3.0]]])
    truth = {"agb": torch.tensor([first, second])}
    term = head(mean=50.0, deviation=30.0, weight=0.3).terms(MODEL, [hidden], pack("ab", samples=truth))
    assert term["regression"].value.item() == pytest.approx(loss, abs=1e-4)
    assert term["regression"].weight == 0.3


def test_a_target_that_no_sample_has_and_a_sample_without_images_cost_nothing():
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 3.0]]])
    made = head()
    nothing = made.terms(MODEL, [hidden], pack("ab", samples={"height": torch.ones(2)}))["regression"]
    assert nothing.value.item() == 0
    nothing.value.backward()
    assert made.value.weight.grad is not None, "every rank has a gradient"
    without = made.terms(MODEL, [hidden], pack("aa", samples={"agb": torch.tensor([math.nan, 5.0])}))
    assert without["regression"].value.item() == 0
