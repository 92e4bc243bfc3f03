"""Task: one value that knows how something is asked for, how a reply is read, and how good it is.

The commands, evaluation during training and benchmarks use the same values. A task knows neither the data set
nor the model: what differs from item to item is an argument of its methods.

| task | module | asks for |
|---|---|---|
| ``Classification`` | ``classify`` | the class of a scene |
| ``OpenQuestion``, ``NumericQuestion`` | ``questions`` | some words, a number |
| ``ChoiceQuestion``, ``SeveralChoices`` | ``questions`` | a letter, several letters |
| ``Counting`` | ``count`` | how many of something there are |
| ``Captioning`` | ``caption`` | a description |
| ``Grounding`` | ``ground`` | the box of a phrase, horizontal or rotated as the contract says |
| ``Detection`` | ``detect`` | all boxes of some classes |
| ``ZoomRequest`` | ``zoom`` | the part of an image that shows the evidence |

A further task (regression) is a module beside these; scores of words and numbers live in
``rscovlm/scoring``, scores of boxes in ``detection_eval``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from tiling.view import Size

Counts = Mapping[str, float]
"""What adds up over samples and shards: ``<metric>/hits`` and ``<metric>/of``."""

Parsed = TypeVar("Parsed")

_NO_IMAGE = Size(1, 1)


class Prompt(NamedTuple):
    """The words of a request; images come before ``user``."""

    system: str | None
    user: str


class Task(Protocol[Parsed]):
    """How something is asked for, read and scored; implementations are frozen dataclasses."""

    def prompt(self, subject: str = "") -> Prompt:
        """The words that ask for it.

        Args:
            subject: what differs from item to item: the question, or the phrase to find. Tasks that ask for
                the same about each image take none.
        """
        ...

    def parse(self, text: str, size: Size) -> Parsed:
        """What a reply states; never raises on what the text holds.

        Args:
            text: the reply, unmodified.
            size: of the image that coordinates in the reply refer to.
        """
        ...

    def score(self, parsed: Parsed, truth: Parsed) -> Counts:
        """How far a parsed reply is right; ``truth`` as ``parse`` reads it from a right reply."""
        ...

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """Metrics from counts that were added up; counts that other tasks made are passed over."""
        ...


def score_reply(task: Task[Any], reply: str, right: str, size: Size = _NO_IMAGE) -> Counts:
    """How far a reply is right, given a reply that is.

    Args:
        task: what was asked for.
        reply: what the model said.
        right: what it should have said.
        size: of the image that coordinates refer to; without meaning for words and numbers.
    """
    return task.score(task.parse(reply, size), task.parse(right, size))


_PLACE = re.compile(r"\{(\w+)\}")


def filled(words: str, **values: str) -> str:
    """Words with values put in their ``{places}``, all at once; braces of anything else stay as they are."""
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), words)


def hit(metric: str, right: bool) -> Counts:
    """The counts of one sample that is right or wrong."""
    return {f"{metric}/hits": float(right), f"{metric}/of": 1.0}


def total(counts: Iterable[Counts]) -> dict[str, float]:
    """The sum of counts, name by name."""
    sums: dict[str, float] = {}
    for each in counts:
        for name, value in each.items():
            sums[name] = sums.get(name, 0.0) + value
    return sums


def rates(counts: Counts, *metrics: str) -> dict[str, float]:
    """``hits / of`` of those of the metrics that were counted at all."""
    return {
        metric: counts.get(f"{metric}/hits", 0.0) / of
        for metric in metrics
        if (of := counts.get(f"{metric}/of", 0.0))
    }


class Tally:
    """Counts of many replies by group (a source, a topic), with the tasks that aggregate them.

    Tallies of shards add up to the tally of the whole, in any order.
    """

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, float]] = {}
        self._tasks: dict[str, dict[str, Task[Any]]] = {}

    def add(self, group: str, task: Task[Any], counts: Counts) -> None:
        """Add the counts that a task gave."""
        self._counts[group] = total([self._counts.get(group, {}), counts])
        self._tasks.setdefault(group, {})[type(task).__name__] = task

    def merge(self, other: Tally) -> None:
        """Add what another tally holds."""
        for group, counts in other._counts.items():
            self._counts[group] = total([self._counts.get(group, {}), counts])
            self._tasks[group] = {**self._tasks.get(group, {}), **other._tasks[group]}

    def counts(self, group: str) -> Counts:
        """The counts of a group; empty for one that nothing was added to."""
        return self._counts.get(group, {})

    def metrics(self) -> dict[str, float]:
        """``<group>/<metric>`` of all groups."""
        return {
            f"{group}/{name}": value
            for group, counts in self._counts.items()
            for task in self._tasks[group].values()
            for name, value in task.aggregate(counts).items()
        }
