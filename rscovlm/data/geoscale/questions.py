"""Questions by templates, answered from the annotation and the true scale.

| kind | asks |
|---|---|
| ``identification`` | which class can be made out, as far as the scale allows |
| ``scale-specific`` | lengths in metres, and whether a class can be made out at this scale at all |
| ``discriminative`` | what tells scales apart: how wide the area is, what is best described |

Each is made of a rule, from metres per pixel to the answer, so that it can be said how far knowing the scale
decides it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import numpy as np

from detection_eval.words import plural
from rscovlm.data.annotations import Thing
from rscovlm.data.geoscale.tiers import TIERS, tier_of
from rscovlm.data.geoscale.views import ScaleView

Kind = Literal["identification", "scale-specific", "discriminative"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Way = Literal["templates", "teacher"]
WAYS: tuple[Way, ...] = get_args(Way)

LEGIBLE_PX, LOST_PX = 8.0, 3.0
"""Longer side of an object in the view from which it can be made out, and below which it cannot."""

WIDTHS_M = (20.0, 200.0, 2000.0)
LIMITS_M = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
LENGTHS_M = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_CLEAR = 0.35  # of the way to the next option, in logarithms, within which an answer is not in doubt
_BESIDE, _FAR = 1.5, 10.0  # ratios of a width to a limit between which it is asked about

Rule = Callable[[float], str | None]
"""From metres per pixel to the answer if the same pixels had that scale; None where it would be in doubt."""


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
        rule: that the answer follows from; None for a teacher's.
    """

    view: str
    text: str
    answer: str
    kind: Kind
    topic: str
    tier: str
    way: Way = "templates"
    rule: Rule | None = field(default=None, compare=False, repr=False)


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
        *_lengths(view, rng),
        *_legibility(view, typical, rng),
        *_widths(view),
        *_limits(view, rng),
        *_described(view),
    ]


def _asked(view: ScaleView, text: str, kind: Kind, topic: str, rule: Rule) -> Iterator[ScaleQuestion]:
    """The question, where its rule has an answer at the scale of the view."""
    answer = rule(view.gsd_m)
    if answer is not None:
        yield ScaleQuestion(view.id, text, answer, kind, topic, view.tier.name, rule=rule)


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
    yield from _asked(view, text, "identification", "class", lambda gsd_m: legible[0].name)


def _lengths(view: ScaleView, rng: np.random.Generator) -> Iterator[ScaleQuestion]:
    """How long the largest object is, one of three neighbouring lengths of which any may be right."""
    for thing in _legible(view)[:1]:
        side = thing.sides[0]
        answer = nearest(side * view.gsd_m, LENGTHS_M)
        if answer is None or sum(other.name == thing.name for other in view.things) > 1:
            continue
        place = LENGTHS_M.index(answer)
        first = int(rng.integers(max(place - 2, 0), min(place, len(LENGTHS_M) - 3) + 1))
        options = LENGTHS_M[first : first + 3]
        text = f"How long is the {thing.name}: about {_listed(options)}?"
        rule = partial(_nearest_of, pixels=side, ladder=LENGTHS_M, options=options)
        yield from _asked(view, text, "scale-specific", "length", rule)


def _legibility(
    view: ScaleView, typical: Mapping[str, float], rng: np.random.Generator
) -> Iterator[ScaleQuestion]:
    """Whether a class can be made out, where its usual size in pixels leaves no doubt."""
    for wanted in ("yes", "no"):
        names = [
            name for name, metres in sorted(typical.items()) if _legible_at(view.gsd_m, metres) == wanted
        ]
        if names:
            name = names[int(rng.integers(len(names)))]
            text = f"Can single {plural(name)} be made out at this scale?"
            rule = partial(_legible_at, metres=typical[name])
            yield from _asked(view, text, "scale-specific", "legibility", rule)


def _widths(view: ScaleView) -> Iterator[ScaleQuestion]:
    text = f"How wide is the area shown: about {_listed(WIDTHS_M)}?"
    rule = partial(_nearest_of, pixels=view.side, ladder=WIDTHS_M, options=WIDTHS_M)
    yield from _asked(view, text, "discriminative", "width", rule)


def _limits(view: ScaleView, rng: np.random.Generator) -> Iterator[ScaleQuestion]:
    """Whether the area is wider than a length that is as often too long as too short."""
    narrower = bool(rng.integers(2))
    ratios = {limit: limit / view.width_m if narrower else view.width_m / limit for limit in LIMITS_M}
    limits = [limit for limit, ratio in ratios.items() if _BESIDE <= ratio <= _FAR]
    if limits:
        limit = limits[int(rng.integers(len(limits)))]
        text = f"Is the area shown wider than {_metres(limit)}?"
        rule = partial(_wider_at, side=view.side, limit_m=limit)
        yield from _asked(view, text, "discriminative", "limit", rule)


def _described(view: ScaleView) -> Iterator[ScaleQuestion]:
    names = [tier.name for tier in TIERS]
    text = f"What is best described at this scale: {names[0]}, {names[1]} or {names[2]}?"
    yield from _asked(view, text, "discriminative", "tier", lambda gsd_m: tier_of(gsd_m).name)


# --- rules --------------------------------------------------------------------------------------------


def _nearest_of(gsd_m: float, pixels: float, ladder: Sequence[float], options: Sequence[float]) -> str | None:
    found = nearest(pixels * gsd_m, ladder)
    return None if found is None or found not in options else _metres(found)


def _legible_at(gsd_m: float, metres: float) -> str | None:
    if metres >= LEGIBLE_PX * gsd_m:
        return "yes"
    return "no" if metres <= LOST_PX * gsd_m else None


def _wider_at(gsd_m: float, side: int, limit_m: float) -> str | None:
    ratio = side * gsd_m / limit_m
    return None if 1 / _BESIDE < ratio < _BESIDE else "yes" if ratio > 1 else "no"


def nearest(metres: float, options: Sequence[float]) -> float | None:
    """The option nearest to a length in logarithms; None where another one is nearly as near."""
    apart = sorted((abs(math.log(metres / each)), each) for each in options)
    (near, answer), (next_near, _) = apart[:2]
    return answer if near <= _CLEAR * (near + next_near) else None


def _listed(options: Sequence[float]) -> str:
    *first, last = map(_metres, options)
    return f"{', '.join(first)} or {last}"


def _metres(value: float) -> str:
    return f"{value / 1000:g} km" if value >= 1000 else f"{value:g} m"
