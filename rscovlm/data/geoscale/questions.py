"""Questions by templates, answered from the annotation and the true scale.

| kind | asks |
|---|---|
| ``identification`` | which class can be made out, as far as the scale allows |
| ``scale-specific`` | lengths in metres, and whether a class can be made out at this scale at all |
| ``discriminative`` | what tells scales apart: how wide the area is, what is best described |
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from rscovlm.data.annotations import Thing
from rscovlm.data.geoscale.tiers import TIERS
from rscovlm.data.geoscale.views import ScaleView
from rscovlm.data.words import plural

Kind = Literal["identification", "scale-specific", "discriminative"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Way = Literal["templates", "teacher"]
WAYS: tuple[Way, ...] = get_args(Way)

LEGIBLE_PX, LOST_PX = 8.0, 3.0
"""Longer side of an object in the view from which it can be made out, and below which it cannot."""

WIDTHS_M = (20.0, 200.0, 2000.0)
LENGTHS_M = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_CLEAR = 0.35  # of the way to the next option, in logarithms, within which an answer is not in doubt


@dataclass(frozen=True)
class ScaleQuestion:
    """A question about a view with its answer.

    Attributes:
        view: id of the view.
        text: the question.
        answer: a word or a short phrase.
        kind: of ``KINDS``.
        topic: what it asks for, for balancing.
        tier: name of the view's tier.
        way: how it was made.
    """

    view: str
    text: str
    answer: str
    kind: Kind
    topic: str
    tier: str
    way: Way = "templates"


def typical_lengths(views: Sequence[ScaleView]) -> dict[str, float]:
    """Median longer side in metres of the objects of each class that views show whole."""
    found: dict[str, list[float]] = {}
    for view in views:
        for thing in view.things:
            if _whole(thing, view):
                found.setdefault(thing.name, []).append(thing.sides[0] * view.gsd_m)
    return {name: float(np.median(lengths)) for name, lengths in found.items()}


def questions_of(
    view: ScaleView, typical: Mapping[str, float], rng: np.random.Generator
) -> list[ScaleQuestion]:
    """All that the templates can ask about a view, each once.

    Args:
        view: to ask about.
        typical: longer side in metres by class, of ``typical_lengths``.
        rng: source of options and their order.
    """
    return [
        *_identification(view, typical, rng),
        *_lengths(view),
        *_legibility(view, typical, rng),
        *_widths(view),
        *_described(view),
    ]


def _asked(view: ScaleView, text: str, answer: str, kind: Kind, topic: str) -> ScaleQuestion:
    return ScaleQuestion(view.id, text, answer, kind, topic, view.tier.name)


def _whole(thing: Thing, view: ScaleView) -> bool:
    low, high = thing.polygon.min(), thing.polygon.max()
    return bool(not thing.difficult and low >= -0.5 and high <= view.side + 0.5)


def _legible(view: ScaleView) -> list[Thing]:
    """Objects shown whole and large enough to be made out, the largest first."""
    found = [thing for thing in view.things if _whole(thing, view) and thing.sides[0] >= LEGIBLE_PX]
    return sorted(found, key=lambda thing: -thing.area)


def _identification(
    view: ScaleView, typical: Mapping[str, float], rng: np.random.Generator
) -> Iterator[ScaleQuestion]:
    """Which of three classes is there; the others are nowhere in the view, made out or not."""
    legible, present = _legible(view), {thing.name for thing in view.things}
    absent = sorted(typical.keys() - present)
    if not legible or len(absent) < 2:
        return
    others = [absent[int(index)] for index in rng.permutation(len(absent))[:2]]
    options = [legible[0].name, *others]
    options = [options[int(index)] for index in rng.permutation(3)]
    text = f"Which of these can be made out: {options[0]}, {options[1]} or {options[2]}?"
    yield _asked(view, text, legible[0].name, "identification", "class")


def _lengths(view: ScaleView) -> Iterator[ScaleQuestion]:
    legible = _legible(view)
    for thing in legible[:1]:
        if sum(other.name == thing.name for other in view.things) > 1:
            continue
        answer = nearest(thing.sides[0] * view.gsd_m, LENGTHS_M)
        if answer is not None:
            place = LENGTHS_M.index(answer)
            first = min(max(place - 1, 0), len(LENGTHS_M) - 3)
            options = [_metres(each) for each in LENGTHS_M[first : first + 3]]
            text = f"How long is the {thing.name}: about {options[0]}, {options[1]} or {options[2]}?"
            yield _asked(view, text, _metres(answer), "scale-specific", "length")


def _legibility(
    view: ScaleView, typical: Mapping[str, float], rng: np.random.Generator
) -> Iterator[ScaleQuestion]:
    """Whether a class can be made out, where its usual size in pixels leaves no doubt."""
    clear = {
        name: "yes" if metres >= LEGIBLE_PX * view.gsd_m else "no"
        for name, metres in sorted(typical.items())
        if not LOST_PX * view.gsd_m < metres < LEGIBLE_PX * view.gsd_m
    }
    for answer in ("yes", "no"):
        names = [name for name, found in clear.items() if found == answer]
        if names:
            name = names[int(rng.integers(len(names)))]
            text = f"Can single {plural(name)} be made out at this scale?"
            yield _asked(view, text, answer, "scale-specific", "legibility")


def _widths(view: ScaleView) -> Iterator[ScaleQuestion]:
    answer = nearest(view.width_m, WIDTHS_M)
    if answer is not None:
        options = [_metres(each) for each in WIDTHS_M]
        text = f"How wide is the area shown: about {options[0]}, {options[1]} or {options[2]}?"
        yield _asked(view, text, _metres(answer), "discriminative", "width")


def _described(view: ScaleView) -> Iterator[ScaleQuestion]:
    names = [tier.name for tier in TIERS]
    text = f"What is best described at this scale: {names[0]}, {names[1]} or {names[2]}?"
    yield _asked(view, text, view.tier.name, "discriminative", "tier")


def nearest(metres: float, options: Sequence[float]) -> float | None:
    """The option nearest to a length in logarithms; None where another one is nearly as near."""
    apart = sorted((abs(math.log(metres / each)), each) for each in options)
    (near, answer), (next_near, _) = apart[:2]
    return answer if near <= _CLEAR * (near + next_near) else None


def _metres(value: float) -> str:
    return f"{value / 1000:g} km" if value >= 1000 else f"{value:g} m"
