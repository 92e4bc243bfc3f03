"""Targets of tokens: one right token, probabilities over near numbers, or a teacher's distribution.

The loss asks for targets a chunk of tokens at a time, so that no distribution over the vocabulary is held for
more tokens than logits are. Losses are divergences (cross-entropy less the target's own entropy): a perfect
guess costs nothing under any kind of target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DIGITS = 10


@dataclass(frozen=True)
class Soft:
    """Rows of a chunk whose target is a distribution.

    Attributes:
        rows: (r,) places in the chunk.
        probabilities: (r, k) float32, each row of sum 1.
        tokens: (k,) token ids that the columns are of; None where they are the whole vocabulary.
    """

    rows: torch.Tensor
    probabilities: torch.Tensor
    tokens: torch.Tensor | None


@dataclass(frozen=True)
class Wanted:
    """The targets of a chunk of m tokens: each row is either hard or soft.

    Attributes:
        hard: (h,) rows with one right token.
        tokens: (h,) ids of those tokens.
        soft: the other rows, or None.
    """

    hard: torch.Tensor
    tokens: torch.Tensor
    soft: Soft | None = None


class Targets(Protocol):
    """The targets of N tokens."""

    def wanted(self, rows: torch.Tensor) -> Wanted:
        """The targets of the tokens in these (m,) places of N; all of them are learnt."""
        ...


@dataclass(frozen=True)
class HardTargets:
    """One right token each.

    Attributes:
        tokens: (N,) token ids.
    """

    tokens: torch.Tensor

    def wanted(self, rows: torch.Tensor) -> Wanted:
        """See ``Targets``."""
        return Wanted(torch.arange(len(rows), device=rows.device), self.tokens[rows])


# --- numbers --------------------------------------------------------------------------------------


class NumberTokens(Protocol):
    """How a tokenizer writes numbers."""

    @property
    def ids(self) -> torch.Tensor:
        """(n,) tokens of the numbers 0 to n - 1."""
        ...

    def targets(self, tokens: torch.Tensor, marked: torch.Tensor, spread: float) -> Targets:
        """Targets under which a number may be nearly right.

        Args:
            tokens: (N,) token ids in the order in which they stand in the text.
            marked: (N,) bool, whether a token belongs to a number of which a near miss is nearly right.
                Marked tokens that are no digits (signs, decimal points) stay hard.
            spread: standard deviation of the Gaussian over numbers, in units of the numbers as written.
        """
        ...


@dataclass(frozen=True)
class WholeNumbers:
    """Numbers that are one token each, as in nano's tokenizer.

    The target of the number v is a Gaussian around v over all numbers; its expected value is v wherever the
    Gaussian does not reach beyond the first or the last number.

    Attributes:
        number_ids: (n,) token ids of the numbers 0, 1, ..., n - 1.
    """

    number_ids: torch.Tensor

    @property
    def ids(self) -> torch.Tensor:
        """Tokens of all numbers."""
        return self.number_ids

    def targets(self, tokens: torch.Tensor, marked: torch.Tensor, spread: float) -> Targets:
        """See ``NumberTokens``."""
        ids = self.number_ids.to(tokens.device)
        value = index_in(ids, tokens)
        return _WholeNumberTargets(tokens, torch.where(marked, value, -1), ids, spread)

    def probabilities(self, values: torch.Tensor, spread: float) -> torch.Tensor:
        """(m, n) float32 probabilities of the numbers where the (m,) ``values`` are true."""
        numbers = len(self.number_ids)
        distance = torch.arange(numbers, device=values.device) - values[:, None]
        weight = torch.exp(-0.5 * (distance / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
        # What falls outside the image is shared among all. Heaped up at the edge, where so many boxes end,
        # it would make the edge the likeliest single number wherever the model is unsure.
        weight = weight + (1 - weight.sum(dim=1, keepdim=True)).clamp_min(0) / numbers
        return weight / weight.sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class _WholeNumberTargets:
    tokens: torch.Tensor
    values: torch.Tensor  # (N,) -1 where the target is hard
    number_ids: torch.Tensor
    spread: float

    def wanted(self, rows: torch.Tensor) -> Wanted:
        values = self.values[rows]
        soft = (values >= 0).nonzero()[:, 0]
        if not len(soft):
            return HardTargets(self.tokens).wanted(rows)
        hard = (values < 0).nonzero()[:, 0]
        probabilities = WholeNumbers(self.number_ids).probabilities(values[soft], self.spread)
        return Wanted(hard, self.tokens[rows][hard], Soft(soft, probabilities, self.number_ids))


@dataclass(frozen=True)
class DigitNumbers:
    """Numbers that are written digit by digit, as Qwen's tokenizers do.

    Over the numbers with as many digits as the true one, v, stands a Gaussian around v (its integral over
    each whole number). The target of a digit is that Gaussian's next digit given the true digits before it,
    so that by the chain rule the product over positions is the Gaussian itself: a model that fits the
    targets at every prefix draws numbers whose expected value is v, wherever the Gaussian does not reach
    numbers of another length. Training shows true prefixes alone; what follows a wrong digit is learnt from
    the numbers that begin with it. The token after a number, which says that it ends, stays hard.

    Attributes:
        digit_ids: (10,) token ids of the digits 0 to 9.
    """

    digit_ids: torch.Tensor

    @property
    def ids(self) -> torch.Tensor:
        """Tokens of all digits."""
        return self.digit_ids

    def targets(self, tokens: torch.Tensor, marked: torch.Tensor, spread: float) -> Targets:
        """See ``NumberTokens``."""
        ids = self.digit_ids.to(tokens.device)
        digit = torch.where(marked, index_in(ids, tokens), -1)
        value, length, place = numbers_of(digit)
        return _DigitTargets(tokens, value, length, place, ids, spread)

    @staticmethod
    def probabilities(
        value: torch.Tensor, length: torch.Tensor, place: torch.Tensor, spread: float
    ) -> torch.Tensor:
        """(m, 10) float32 probabilities of the digits at a place, given the true digits before it.

        Args:
            value: (m,) true numbers.
            length: (m,) their digits.
            place: (m,) the digit in question, 0 the first.
            spread: standard deviation in whole numbers.
        """
        unit = (10 ** (length - place - 1)).double()[:, None]
        before = torch.div(value[:, None], 10 * unit, rounding_mode="floor") * 10 * unit
        first = before + torch.arange(DIGITS, device=value.device) * unit
        edges = torch.stack([first - 0.5, first + unit - 0.5]) - value[:, None]
        low, high = torch.special.ndtr(edges / spread)
        # Beyond the upper tail both are 1: there the difference of the mirrored ones is exact.
        mirrored = torch.special.ndtr(-edges[0] / spread) - torch.special.ndtr(-edges[1] / spread)
        mass = torch.where(edges[0] > 0, mirrored, high - low)
        # No number of several digits begins with 0.
        mass[(place == 0) & (length > 1), 0] = 0.0
        return (mass / mass.sum(dim=1, keepdim=True)).float()


@dataclass(frozen=True)
class _DigitTargets:
    tokens: torch.Tensor
    value: torch.Tensor
    length: torch.Tensor  # (N,) 0 where the target is hard
    place: torch.Tensor
    digit_ids: torch.Tensor
    spread: float

    def wanted(self, rows: torch.Tensor) -> Wanted:
        length = self.length[rows]
        soft = (length > 0).nonzero()[:, 0]
        if not len(soft):
            return HardTargets(self.tokens).wanted(rows)
        hard, of = (length == 0).nonzero()[:, 0], rows[soft]
        probabilities = DigitNumbers.probabilities(
            self.value[of], self.length[of], self.place[of], self.spread
        )
        return Wanted(hard, self.tokens[rows][hard], Soft(soft, probabilities, self.digit_ids))


MOST_DIGITS = 9
"""Digits of the longest number with soft targets; longer ones stay hard."""


def numbers_of(digits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The numbers that runs of digits make.

    Args:
        digits: (N,) 0 to 9, or -1 where there is none.

    Returns:
        For each digit its number's value, the number's count of digits and the digit's place in it, all
        (N,) int64; the count is 0 where there is no digit, or a run is too long or begins with 0.
    """
    found = digits >= 0
    begins = found & ~torch.cat([found.new_zeros(1), found[:-1]])
    run = begins.long().cumsum(0) - 1
    count = int(begins.sum())
    starts = begins.nonzero()[:, 0]
    if not count:
        nothing = torch.zeros_like(digits)
        return nothing, nothing, nothing
    lengths = torch.zeros(count, dtype=torch.int64, device=digits.device)
    lengths.index_add_(0, run[found], torch.ones_like(run[found]))
    own = run.clamp_min(0)
    length = torch.where(found, lengths[own], 0)
    place = torch.where(found, torch.arange(len(digits), device=digits.device) - starts[own], 0)
    usable = found & (length <= MOST_DIGITS) & ((digits[starts[own]] > 0) | (length == 1))
    length, place = torch.where(usable, length, 0), torch.where(usable, place, 0)
    parts = torch.where(usable, digits * 10 ** (length - place - 1).clamp_min(0), 0)
    values = torch.zeros(count, dtype=torch.int64, device=digits.device)
    values.index_add_(0, own, parts)
    return torch.where(usable, values[own], 0), length, place


def index_in(ids: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """(N,) the place of each token in a list of ids; -1 where it is not in it."""
    order = ids.sort()
    place = torch.searchsorted(order.values, tokens).clamp_max(len(ids) - 1)
    return torch.where(order.values[place] == tokens, order.indices[place], -1)


def number_tokens_of(tokenizer: PreTrainedTokenizerBase) -> NumberTokens:
    """How a tokenizer writes the numbers 0 to 1000.

    Raises:
        UsageError: neither as one token each nor digit by digit.
    """

    def ids(number: int) -> list[int]:
        return list(tokenizer.encode(str(number), add_special_tokens=False))

    digits = [ids(digit) for digit in range(DIGITS)]
    if all(len(each) == 1 for each in digits):
        single = [each[0] for each in digits]
        whole = [ids(number) for number in range(1001)]
        if all(len(each) == 1 for each in whole):
            return WholeNumbers(torch.tensor([each[0] for each in whole]))
        if all(ids(number) == [single[int(digit)] for digit in str(number)] for number in (10, 437, 1000)):
            return DigitNumbers(torch.tensor(single))
    raise UsageError(
        "objective: soft_numbers and number_loss need numbers as tokens; this tokenizer writes them neither "
        f"as one token each nor digit by digit (437 becomes {len(ids(437))} tokens)"
    )


# --- a teacher ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TeacherTargets:
    """Partly the right token, partly the probabilities that another model gives (knowledge distillation).

    Attributes:
        tokens: (N,) token ids.
        hidden: (N, d) the teacher's last hidden states.
        head: (V, d) weight of its output layer, over the same vocabulary.
        share: part of the target that is the teacher's, 0 to 1.
    """

    tokens: torch.Tensor
    hidden: torch.Tensor
    head: torch.Tensor
    share: float

    def wanted(self, rows: torch.Tensor) -> Wanted:
        """See ``Targets``."""
        logits = (self.hidden[rows] @ self.head.T.to(self.hidden.dtype)).float()
        probabilities = logits.softmax(dim=1).mul_(self.share)
        every = torch.arange(len(rows), device=rows.device)
        probabilities[every, self.tokens[rows]] += 1 - self.share
        return Wanted(every[:0], self.tokens[rows][:0], Soft(every, probabilities, None))
