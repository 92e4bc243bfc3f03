"""Number-token loss: closed forms, and numbers as tokens of a pack."""

from types import SimpleNamespace

import pytest
import torch

from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.weights import read_tokenizer
from rscovlm.nano.tokenizer import number_tokens
from rscovlm.training.number_loss import NumberLoss, distance


def chances(**given: float) -> torch.Tensor:
    found = torch.zeros(1, 11)
    for number, chance in given.items():
        found[0, int(number[1:])] = chance
    return found


def test_the_expected_distance_and_the_distance_of_the_expectation():
    split = chances(n2=0.5, n8=0.5)
    truth = torch.tensor([5])
    # Half on 2 and half on 8 about 5: 3 away either way, and right on average.
    assert distance(split, truth, "wasserstein", 1.0).item() == pytest.approx(3)
    assert distance(split, truth, "squared", 1.0).item() == pytest.approx(0)
    assert distance(split, torch.tensor([8]), "wasserstein", 2.0).item() == pytest.approx(1.5)
    assert distance(split, torch.tensor([8]), "squared", 2.0).item() == pytest.approx(2.25)


def test_a_certain_right_number_costs_nothing():
    for kind in ("wasserstein", "squared"):
        assert distance(chances(n7=1.0), torch.tensor([7]), kind, 1.0).item() == 0


def test_near_misses_cost_less_than_far_ones():
    costs = [
        distance(chances(**{f"n{number}": 1.0}), torch.tensor([5]), "wasserstein", 1.0).item()
        for number in range(11)
    ]
    assert costs == [abs(number - 5) for number in range(11)]


def pack(targets, marked):
    return SimpleNamespace(
        targets=torch.tensor([targets]),
        token_extras={"coordinate": torch.tensor([marked])},
        of_targets=lambda name: torch.tensor([marked]),
    )


LOSS = NumberLoss(torch.tensor([10, 11, 12, 13]), "wasserstein", 1.0, 0.3)
"""Tokens 10 to 13 are the numbers 0 to 3."""


def test_only_marked_numbers_count_each_with_its_weight():
    hidden = torch.zeros(4, 2, requires_grad=True)
    output = torch.zeros(20, 2)
    # All numbers alike: 3 is (3 + 2 + 1) / 4 away, 1 is (1 + 1 + 2) / 4; token 5 is no number.
    found = LOSS(
        hidden, output, pack([13, 11, 5, 12], [True, True, True, False]), torch.tensor([0.5, 1.0, 9.0, 9.0])
    )
    assert found.item() == pytest.approx(0.5 * 1.5 + 1.0)


def test_the_gradient_moves_chances_towards_the_true_number():
    hidden = torch.zeros(1, 4, requires_grad=True)
    output = torch.zeros(20, 4)
    output[10:14] = torch.eye(4)
    LOSS(hidden, output, pack([13], [True]), torch.ones(1)).backward()
    fall = -hidden.grad[0]
    assert fall[3] > fall[2] > fall[1] > fall[0]


def test_a_pack_without_numbers_costs_nothing_and_has_a_gradient():
    hidden = torch.ones(2, 2, requires_grad=True)
    LOSS(hidden, torch.ones(20, 2), pack([1, 2], [False, True]), torch.ones(2)).backward()
    assert hidden.grad.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(("kind", "unit"), [("wasserstein", 1.0), ("squared", 1.0), ("squared", 7.0)])
@pytest.mark.parametrize("digits", [True, False])
def test_it_is_that_of_ntloss(kind, unit, digits):
    """The library of the loss's authors needs all logits at every place; ours those of numbers there."""
    from ntloss import NTLoss, NTLossDotProduct

    tokenizer = read_tokenizer(NANO_FOLDER)
    if digits:
        ids = torch.tensor([tokenizer.convert_tokens_to_ids(str(digit)) for digit in range(10)])
    else:
        ids = torch.tensor(number_tokens(tokenizer))
    peer = {"wasserstein": NTLoss, "squared": NTLossDotProduct}[kind](
        tokenizer, vocab_size=len(tokenizer), digit_level=digits, reweigh=False
    )
    torch.manual_seed(0)
    hidden, output = torch.randn(6, 4), torch.randn(len(tokenizer), 4)
    hidden[:, 3], output[:, 3] = 1.0, 0.0
    output[tokenizer.convert_tokens_to_ids("00"), 3] = -1e4  # a number to the library, and not to nano
    labels = ids[torch.tensor([3, 0, 9, 7, 1, 5])]
    weights = torch.rand(6)
    expected = peer((hidden @ output.T)[None], labels[None], weights[None], reduction="sum")
    loss = NumberLoss(ids, kind, unit, 1.0)
    found = loss(hidden, output, pack(labels.tolist(), [True] * 6), weights)
    scale = unit if kind == "wasserstein" else unit**2
    assert found.item() * scale == pytest.approx(expected.item(), rel=1e-5)
