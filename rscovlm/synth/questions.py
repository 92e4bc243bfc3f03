"""Questions about a synthetic scene with exact answers and the evidence that they need.

Topics about what stands at a place need evidence that an overview cannot show; topics about where places
are do not. Each question has one right answer, which follows from the plan; where the plan leaves doubt, as
with a place on the border between two parts of a scene, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rscovlm.synth.catalogue import COLOURS, OBJECT_CLASSES, SITES, ObjectClass
from rscovlm.synth.objects import SceneObject
from rscovlm.synth.terrain import GROUND_COVERS
from rscovlm.synth.world import Site, World
from tiling.view import Window

Topic = Literal[
    "colour",
    "kind",
    "count",
    "presence",
    "comparison",
    "relation",
    "position",
    "land cover",
    "rural or urban",
]
SITE_TOPICS: tuple[Topic, ...] = ("colour", "kind", "count", "presence", "comparison")
"""About what stands at a place, which an overview does not show."""

SCENE_TOPICS: tuple[Topic, ...] = ("relation", "position", "land cover", "rural or urban")
"""About where places are and what is around them, which an overview shows."""

TOPICS: tuple[Topic, ...] = SITE_TOPICS + SCENE_TOPICS

MOST_COUNTED = 12
"""Larger numbers are not asked for."""

PARTS = (
    ("top left", "top", "top right"),
    ("left", "center", "right"),
    ("bottom left", "bottom", "bottom right"),
)
"""Names of the ninths of a scene, by row."""

DIRECTIONS = ("north", "east", "south", "west")

WORDINGS: dict[Topic, tuple[str, ...]] = {
    "colour": ("What colour are the {plural} at the {site}?", "What color are the {plural} at the {site}?"),
    "kind": ("What kind of {plural} are at the {site}?", "Which type of {plural} are at the {site}?"),
    "count": ("How many {plural} are at the {site}?",),
    "presence": ("Are there any {plural} at the {site}?", "Is there any {name} at the {site}?"),
    "comparison": ("Are there more {plural} or more {others} at the {site}?",),
    "relation": ("What is {direction} of the {site}?", "Which place is {direction} of the {site}?"),
    "position": ("In which part of the scene is the {site}?", "Where in the scene is the {site}?"),
    "land cover": ("What is the land cover around the {site}?", "What land cover surrounds the {site}?"),
    "rural or urban": (
        "Is the {site} in a rural or an urban area?",
        "Are the surroundings of the {site} rural or urban?",
    ),
}

_CLEAR = 0.03
"""Of the scene's side: how far a place stays from the border between two parts."""


@dataclass(frozen=True)
class Question:
    """A question with its answer and where the evidence is.

    Attributes:
        text: the question.
        answer: lower-case word or number; with choices, the right one of them.
        topic: what it asks for.
        evidence: window in scene pixels that shows what is needed to answer.
        site: name of the place that it is about.
        choices: what to choose from, in order; empty for an open question.
    """

    text: str
    answer: str
    topic: Topic
    evidence: Window
    site: str
    choices: tuple[str, ...] = ()


def ask_about(rng: np.random.Generator, world: World, site: Site, topic: Topic) -> Question | None:
    """One question about a site; None where the topic has no single answer there."""
    return _ASKERS[topic](rng, world, site)


def draw_question(rng: np.random.Generator, world: World, topics: Sequence[Topic] = TOPICS) -> Question:
    """A random question about a scene, topics about equally likely.

    Raises:
        ValueError: the scene has no site to ask about, or none that has an answer for the topics.
    """
    if not world.sites:
        raise ValueError("the scene has no named site to ask about; plan a larger scene")
    for topic in rng.permutation(len(topics)):
        for row in rng.permutation(len(world.sites)):
            question = ask_about(rng, world, world.sites[int(row)], topics[int(topic)])
            if question is not None:
                return question
    raise ValueError(f"no site of the scene has an answer for {', '.join(topics)}")


def all_questions(world: World, seed: int = 0, topics: Sequence[Topic] = TOPICS) -> list[Question]:
    """Each topic that has an answer at each site, in order of the sites."""
    rng = np.random.default_rng([seed, world.seed])
    asked = [ask_about(rng, world, site, topic) for site in world.sites for topic in topics]
    return [question for question in asked if question is not None]


def as_choice(rng: np.random.Generator, question: Question, options: int = 4) -> Question:
    """The same question with its answer among others of its sort, in random order.

    Raises:
        ValueError: the sort has a single answer.
    """
    rivals = [word for word in _rivals(question) if word != question.answer]
    if not rivals:
        raise ValueError(f"{question.text!r} leaves nothing to choose between")
    picked = [rivals[int(row)] for row in rng.permutation(len(rivals))[: options - 1]]
    picked.insert(int(rng.integers(len(picked) + 1)), question.answer)
    return replace(question, choices=tuple(picked))


def _rivals(question: Question) -> list[str]:
    if question.topic == "count":
        number = int(question.answer)
        return [str(other) for other in range(max(0, number - 3), number + 4)]
    if question.topic == "kind":
        return next(list(c.kinds) for c in OBJECT_CLASSES if question.answer in c.kinds)
    if question.topic == "comparison":
        first, _, second = question.text.partition(" more ")[2].partition(" or more ")
        return [first, second.partition(" at the ")[0]]
    sorts: dict[str, Sequence[str]] = {
        "colour": tuple(COLOURS),
        "presence": ("yes", "no"),
        "relation": tuple(kind.name for kind in SITES),
        "position": tuple(part for row in PARTS for part in row),
        "land cover": GROUND_COVERS,
        "rural or urban": ("rural", "urban"),
    }
    return list(sorts[question.topic])


# --- what stands at a place -----------------------------------------------------------------------


def _members(site: Site, kind_of: ObjectClass) -> list[SceneObject]:
    return [item for item in site.objects if item.kind_of is kind_of]


def _wording(rng: np.random.Generator, topic: Topic, site: Site, **words: str) -> str:
    choice = WORDINGS[topic][int(rng.integers(len(WORDINGS[topic])))]
    return choice.format(site=site.kind.name, **words)


def _about(rng: np.random.Generator, site: Site, topic: Topic, kind_of: ObjectClass, answer: str) -> Question:
    text = _wording(rng, topic, site, plural=kind_of.plural, name=kind_of.name)
    return Question(text, answer, topic, site.focus, site.kind.name)


def _one_of(rng: np.random.Generator, site: Site) -> ObjectClass:
    """Mostly the class of the place, at times another that may stand there."""
    if site.kind.others and rng.random() < 0.35:
        return site.kind.others[int(rng.integers(len(site.kind.others)))]
    return site.kind.objects


def _colour(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    found = {item.colour for item in _members(site, site.kind.objects)}
    # A class of one colour would be answered without looking.
    if len(found) != 1 or len(site.kind.objects.colours) == 1:
        return None
    return _about(rng, site, "colour", site.kind.objects, found.pop())


def _kind(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    found = {item.kind for item in _members(site, site.kind.objects)}
    return _about(rng, site, "kind", site.kind.objects, found.pop()) if len(found) == 1 else None


def _count(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    kind_of = _one_of(rng, site)
    number = len(_members(site, kind_of))
    return _about(rng, site, "count", kind_of, str(number)) if number <= MOST_COUNTED else None


def _presence(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    kind_of = _one_of(rng, site)
    if rng.random() < 0.3:
        kind_of = OBJECT_CLASSES[int(rng.integers(len(OBJECT_CLASSES)))]
    return _about(rng, site, "presence", kind_of, "yes" if _members(site, kind_of) else "no")


def _comparison(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    if not site.kind.others:
        return None
    pair = [site.kind.objects, site.kind.others[0]]
    numbers = [len(_members(site, kind_of)) for kind_of in pair]
    if numbers[0] == numbers[1]:
        return None
    more = pair[int(numbers[1] > numbers[0])].plural
    if rng.random() < 0.5:
        pair.reverse()
    text = _wording(rng, "comparison", site, plural=pair[0].plural, others=pair[1].plural)
    return Question(text, more, "comparison", site.focus, site.kind.name)


# --- where places are -----------------------------------------------------------------------------


def _relation(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    """The one place in a quarter of the compass, when no other is near it."""
    others = [other for other in world.sites if other is not site]
    if not others:
        return None
    turn = [np.degrees(np.arctan2(o.x - site.x, site.y - o.y)) % 360 for o in others]
    for quarter in rng.permutation(4):
        away = [abs((angle - 90 * quarter + 180) % 360 - 180) for angle in turn]
        inside = [other for other, angle in zip(others, away) if angle < 35]
        near = sum(angle < 60 for angle in away)
        if len(inside) == near == 1:
            text = _wording(rng, "relation", site, direction=DIRECTIONS[int(quarter)])
            return Question(text, inside[0].kind.name, "relation", world.whole, site.kind.name)
    return None


def _position(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    places = np.array([site.y / world.height, site.x / world.width])
    if np.abs(places[:, None] - (1 / 3, 2 / 3)).min() < _CLEAR:
        return None
    row, column = np.clip((places * 3).astype(int), 0, 2).tolist()
    text = _wording(rng, "position", site)
    return Question(text, PARTS[row][column], "position", world.whole, site.kind.name)


def _around(world: World, site: Site) -> tuple[Window, dict[str, float]]:
    """The surroundings of a place, and the shares of land cover of what of them is no place."""
    reach = 0.5 * max(site.window.width, site.window.height)
    window = site.window.pad(reach).intersection(world.whole) or world.whole
    shares = world.cover_shares(window, 24)
    total = sum(shares.values())
    return window, {word: share / total for word, share in shares.items()} if total else {}


def _land_cover(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    window, shares = _around(world, site)
    if not shares or max(shares.values()) < 0.6:
        return None
    answer = max(shares, key=lambda word: shares[word])
    return Question(_wording(rng, "land cover", site), answer, "land cover", window, site.kind.name)


def _rural(rng: np.random.Generator, world: World, site: Site) -> Question | None:
    window, shares = _around(world, site)
    built = shares.get("urban", 0.0) + shares.get("industrial", 0.0)
    if not shares or 0.1 < built < 0.5:
        return None
    answer = "urban" if built >= 0.5 else "rural"
    return Question(_wording(rng, "rural or urban", site), answer, "rural or urban", window, site.kind.name)


_ASKERS: dict[Topic, Callable[[np.random.Generator, World, Site], Question | None]] = {
    "colour": _colour,
    "kind": _kind,
    "count": _count,
    "presence": _presence,
    "comparison": _comparison,
    "relation": _relation,
    "position": _position,
    "land cover": _land_cover,
    "rural or urban": _rural,
}
