"""Targets of the loss: numbers that may be nearly right, whole or digit by digit, and a teacher's words."""

import math

import pytest
import torch
import torch.nn.functional as F

from rscovlm.errors import UsageError
from rscovlm.training.loss import linear_cross_entropy
from rscovlm.training.targets import (
    DigitNumbers,
    HardTargets,
    TeacherTargets,
    number_tokens_of,
    numbers_of,
)


def gaussian(values, centre, spread):
    """The integral of a normal distribution over each whole number."""

    def below(edge):
        return 0.5 * (1 + math.erf((edge - centre) / (spread * math.sqrt(2))))

    return torch.tensor([below(value + 0.5) - below(value - 0.5) for value in values], dtype=torch.float64)


def digit_probabilities(value, prefix, length, spread):
    """Probabilities of the next digit of numbers around ``value`` that begin with ``prefix``."""
    numbers = range(10 ** (length - 1), 10**length)
    masses = gaussian(numbers, value, spread)
    wanted = torch.zeros(10, dtype=torch.float64)
    for number, mass in zip(numbers, masses, strict=True):
        if str(number).startswith(prefix):
            wanted[int(str(number)[len(prefix)])] += mass
    return wanted / wanted.sum()


@pytest.mark.parametrize("value", [437, 100, 999, 500, 899])
def test_a_digits_target_is_the_gaussians_next_digit_given_the_true_ones_before(value):
    for place in range(3):
        found = DigitNumbers.probabilities(
            torch.tensor([value]), torch.tensor([3]), torch.tensor([place]), spread=9.0
        )[0]
        expected = digit_probabilities(value, str(value)[:place], 3, 9.0)
        torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=1e-5)
    assert found.sum() == pytest.approx(1)


def test_the_product_over_digits_is_the_gaussian_and_the_expected_value_is_the_true_number():
    """P(437) = P(4) P(3 | 4) P(7 | 43); no step of 9 reaches numbers of two or four digits."""
    value, spread = 437, 9.0
    steps = DigitNumbers.probabilities(
        torch.full((3,), value), torch.full((3,), 3), torch.arange(3), spread
    ).double()
    product = steps[0, 4] * steps[1, 3] * steps[2, 7]
    assert float(product) == pytest.approx(float(gaussian([value], value, spread)[0]), rel=1e-5)
    mean = 0.0
    for number in range(400, 480):
        chance = 1.0
        for place, digit in enumerate(str(number)):
            chance *= digit_probabilities(value, str(number)[:place], 3, spread)[int(digit)]
        mean += number * float(chance)
    assert mean == pytest.approx(value, abs=0.01)


def test_at_a_border_of_lengths_a_number_keeps_its_length():
    first = DigitNumbers.probabilities(torch.tensor([100]), torch.tensor([3]), torch.tensor([0]), 9.0)[0]
    assert first[0] == 0, "three digits do not begin with 0"
    assert first[1] == pytest.approx(1)
    alone = DigitNumbers.probabilities(torch.tensor([0]), torch.tensor([1]), torch.tensor([0]), 1.0)[0]
    assert alone[0] > alone[1] > alone[2]


def test_runs_of_digits_are_numbers():
    # "1 23,456" and "07": only the second begins with a 0, which no number does.
    digits = torch.tensor([1, -1, 2, 3, -1, 4, 5, 6, -1, 0, 7])
    value, length, place = numbers_of(digits)
    assert value.tolist() == [1, 0, 23, 23, 0, 456, 456, 456, 0, 0, 0]
    assert length.tolist() == [1, 0, 2, 2, 0, 3, 3, 3, 0, 0, 0]
    assert place.tolist() == [0, 0, 0, 1, 0, 0, 1, 2, 0, 0, 0]
    assert [each.tolist() for each in numbers_of(torch.tensor([-1, -1]))] == [[0, 0]] * 3


def test_a_digit_nearly_right_costs_less_than_one_far_off_and_what_is_not_marked_is_hard():
    """The number 52 after a 5 that is no coordinate, in a vocabulary of the ten digits and a comma."""
    tokens = torch.tensor([5, 10, 5, 2])
    marked = torch.tensor([False, False, True, True])
    wanted = DigitNumbers(torch.arange(10)).targets(tokens, marked, spread=3.0)
    chosen = wanted.wanted(torch.arange(4))
    assert chosen.hard.tolist() == [0, 1]
    assert chosen.soft.rows.tolist() == [2, 3]

    def losses(digits):
        logits = torch.full((4, 11), -30.0)
        logits[torch.arange(4), torch.tensor([5, 10, *digits])] = 0.0
        return linear_cross_entropy(logits, torch.eye(11), tokens, torch.ones(4), wanted=wanted)[1]

    right, near, far = losses([5, 2]), losses([5, 3]), losses([5, 9])
    assert right[3] < near[3] < far[3]
    assert right[0] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("chunk", [3, 100])
def test_gradients_under_digit_targets_are_those_of_plain_cross_entropy_with_probabilities(chunk):
    draw = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(9, 6, generator=draw), torch.randn(12, 6, generator=draw)
    tokens = torch.tensor([3, 1, 4, 11, 1, 5, 9, 11, 10])
    marked = tokens < 10
    wanted = DigitNumbers(torch.arange(10)).targets(tokens, marked, spread=20.0)
    whole = wanted.wanted(torch.arange(9))
    dense = F.one_hot(tokens, 12).float()
    dense[whole.soft.rows] = 0
    dense[whole.soft.rows[:, None], whole.soft.tokens] = whole.soft.probabilities
    found, expected = [], []
    for store, loss in (
        (found, lambda h, w: linear_cross_entropy(h, w, tokens, torch.ones(9), chunk, wanted=wanted)[0]),
        (expected, lambda h, w: F.cross_entropy(h @ w.T, dense, reduction="sum")),
    ):
        leaves = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        loss(*leaves).backward()
        store += [leaf.grad for leaf in leaves]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_a_student_that_says_what_its_teacher_says_learns_nothing_more():
    draw = torch.Generator().manual_seed(0)
    hidden, head = torch.randn(5, 4, generator=draw), torch.randn(7, 4, generator=draw)
    tokens = torch.tensor([0, 1, 2, 3, 4])
    wanted = TeacherTargets(tokens, hidden, head, share=1.0)
    student = hidden.clone().requires_grad_()
    loss, losses = linear_cross_entropy(student, head, tokens, torch.ones(5), wanted=wanted)
    loss.backward()
    assert losses.abs().max() < 1e-5
    assert student.grad.abs().max() < 1e-5
    half = TeacherTargets(tokens, hidden, head, share=0.5).wanted(torch.arange(5)).soft
    right = half.probabilities[torch.arange(5), tokens]
    assert (right >= 0.5).all()
    torch.testing.assert_close(half.probabilities.sum(dim=1), torch.ones(5))
    none = TeacherTargets(tokens, hidden, head, share=0.0)
    _, hard = linear_cross_entropy(hidden, head, tokens, torch.ones(5), wanted=HardTargets(tokens))
    _, same = linear_cross_entropy(hidden, head, tokens, torch.ones(5), wanted=none)
    torch.testing.assert_close(same, hard, atol=1e-5, rtol=1e-5)


class Letters:
    """A tokenizer of characters, or of pieces of two."""

    def __init__(self, size):
        self.size = size

    def encode(self, text, add_special_tokens):
        return [
            ord(text[at]) * 1000 + len(text[at : at + self.size]) for at in range(0, len(text), self.size)
        ]


def test_how_numbers_are_written_is_found_out_from_the_tokenizer():
    assert isinstance(number_tokens_of(Letters(1)), DigitNumbers)
    with pytest.raises(UsageError, match="437 becomes 2 tokens"):
        number_tokens_of(Letters(2))
