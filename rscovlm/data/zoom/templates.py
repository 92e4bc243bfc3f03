"""Questions from templates (the paper's first way): every answer is read off the annotation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from detection_eval.words import plural
from rscovlm.data.annotations import Annotated, Thing, union
from rscovlm.data.references import Reference, inside_of, quarters, references
from rscovlm.data.words import COLOURS, Category
from tiling.view import Window

MOST_COUNTED = 20
"""Larger counts are not asked for: people disagree about them, and models guess."""

WORDINGS: dict[str, tuple[str, ...]] = {
    "color": (
        "What color is {ref}?",
        "What is the color of {ref}?",
        "Which color does {ref} have?",
        "Tell me the color of {ref}.",
    ),
    "kind": (
        "What type of {name} is {ref}?",
        "What kind of {name} is {ref}?",
        "Which type of {name} can be seen if you look closely at {ref}?",
    ),
    "shape": (
        "What shape is {ref}?",
        "What is the shape of {ref}?",
        "Seen from above, which shape does {ref} have?",
    ),
    "background": (
        "What is the ground around {ref}?",
        "What type of land surrounds {ref}?",
        "On what kind of land is {ref}?",
    ),
    "place": (
        "At which kind of site is {ref} located?",
        "At which site is {ref}?",
        "What kind of place is {ref} at?",
    ),
    "status": ("What is the status of {ref}?", "In what state is {ref}?", "What condition is {ref} in?"),
    "alignment": (
        "How is {ref} aligned: horizontally, vertically or diagonally?",
        "Does the longer side of {ref} run horizontally, vertically or diagonally?",
        "In which direction does {ref} extend: horizontally, vertically or diagonally?",
    ),
    "area": (
        "Is the area around {ref} rural or urban?",
        "Is {ref} in a rural or an urban area?",
        "Would you call the surroundings of {ref} rural or urban?",
    ),
    "color?": (
        "Is {ref} {value}?",
        "Is the color of {ref} {value}?",
        "Does {ref} appear {value}?",
    ),
    "count": (
        "How many {plural} are {where}?",
        "What is the number of {plural} {where}?",
        "Count the {plural} {where}.",
    ),
    "presence": (
        "Are there any {plural} {where}?",
        "Is there at least one {name} {where}?",
        "Can you see any {plural} {where}?",
    ),
    "place color": (
        "What color are the {plural} {where}?",
        "Which color do the {plural} {where} have?",
        "What is the color of the {plural} {where}?",
    ),
    "place kind": (
        "What type of {plural} are {where}?",
        "What kind of {plural} are {where}?",
        "Which type of {plural} can be seen {where}?",
    ),
    "neighbour": (
        "What is the object nearest to {ref}?",
        "Which kind of object is closest to {ref}?",
        "What object is next to {ref}?",
    ),
    "direction": (
        "On which side of {other} is {ref}: left, right, above or below?",
        "Where is {ref} relative to {other}: left, right, above or below?",
        "Is {ref} to the left of, to the right of, above or below {other}?",
    ),
    "larger?": (
        "Is {ref} larger than {other}?",
        "Does {ref} cover more ground than {other}?",
        "Comparing the two, is {ref} bigger than {other}?",
    ),
    "relation": (
        "What is the relation of {ref} to {other}?",
        "How is {ref} related to {other}?",
        "Which relation does {ref} have to {other}?",
    ),
}
"""Paraphrases by what is asked; ``ref`` and ``other`` mean one object each, ``where`` an area."""

_CATEGORIES: dict[str, Category] = {
    "color": "object color",
    "kind": "object category",
    "shape": "object shape",
    "background": "object background",
    "place": "object background",
    "status": "object status",
}
_AREAS = {"urban": "urban", "city": "urban", "farmland": "rural", "forest": "rural"}


@dataclass(frozen=True)
class Draft:
    """A question before its box is known.

    Attributes:
        text: with a reference that has been proved unique.
        answer: from the annotation.
        category: what it asks for.
        things: the objects that have to be recognised.
        area: what has to be seen besides, where the answer is about an area.
        about: the class that is asked about.
        topic: the attribute that is asked for, where a category holds several.
    """

    text: str
    answer: str
    category: Category
    things: tuple[int, ...]
    area: Window | None = None
    about: str = ""
    topic: str = ""

    def evidence(self, image: Annotated) -> Window:
        """The union of all that has to be seen."""
        windows = [image.things[index].window for index in self.things]
        return union([*windows, *([self.area] if self.area else [])])


def drafts(image: Annotated, rng: np.random.Generator) -> list[Draft]:
    """All that the templates can ask about an image, each once, in a wording drawn at random."""
    named = references(image)
    found = [
        *_of_attributes(image, named, rng),
        *_of_counts(image, rng),
        *_of_places(image, rng),
        *_of_neighbours(image, named, rng),
        *_of_pairs(image, named, rng),
        *_of_relations(image, named, rng),
    ]
    return list({draft.text: draft for draft in found}.values())


def _words(rng: np.random.Generator, topic: str, **slots: str) -> str:
    wordings = WORDINGS[topic]
    return wordings[int(rng.integers(len(wordings)))].format(**slots)


def _pick(rng: np.random.Generator, choices: Sequence[Reference]) -> Reference:
    return choices[int(rng.integers(len(choices)))]


def _silent(choices: Sequence[Reference], attribute: str) -> list[Reference]:
    """References that do not give an attribute away."""
    return [reference for reference in choices if attribute not in reference.uses]


# --- one object -----------------------------------------------------------------------------------


def _of_attributes(
    image: Annotated, named: dict[int, list[Reference]], rng: np.random.Generator
) -> Iterator[Draft]:
    for index, choices in named.items():
        thing = image.things[index]
        for attribute, category in _CATEGORIES.items():
            value, silent = thing.known(attribute), _silent(choices, attribute)
            if value and silent and value != thing.name:
                text = _words(rng, attribute, ref=_pick(rng, silent).text, name=thing.name)
                shown = _around(image, index, attribute)
                yield Draft(text, value, category, (index,), shown, thing.name, attribute)
        yield from _color_checks(image, index, choices, rng)
        if alignment := alignment_of(thing):
            text = _words(rng, "alignment", ref=_pick(rng, choices).text)
            yield Draft(text, alignment, "object status", (index,), about=thing.name)
        area, silent = _AREAS.get(thing.known("background") or ""), _silent(choices, "background")
        if area and silent:
            text = _words(rng, "area", ref=_pick(rng, silent).text)
            surroundings = _around(image, index, "background")
            yield Draft(text, area, "rural or urban", (index,), surroundings, thing.name)


def _around(image: Annotated, index: int, attribute: str) -> Window | None:
    """Surroundings to be seen to tell what is around an object; None where it is enough by itself."""
    thing = image.things[index]
    if attribute == "place":
        windows = [place.window for place in image.places if place.name == thing.known("place")]
        return windows[0] if windows else None
    if attribute == "background":
        return thing.window.pad(1.5 * thing.sides[0]).intersection(image.window)
    return None


def _color_checks(
    image: Annotated, index: int, choices: list[Reference], rng: np.random.Generator
) -> Iterator[Draft]:
    """Is it red?, asked about the right color and a wrong one, so that yes and no are as frequent."""
    thing, silent = image.things[index], _silent(choices, "color")
    color = thing.known("color")
    if not color or not silent:
        return
    others = [other for other in image.vocabulary("color") if other != color]
    others = others or [other for other in COLOURS[:5] if other != color]
    for value, answer in ((color, "yes"), (others[int(rng.integers(len(others)))], "no")):
        text = _words(rng, "color?", ref=_pick(rng, silent).text, value=value)
        yield Draft(text, answer, "object color", (index,), about=thing.name)


def alignment_of(thing: Thing) -> str | None:
    """How a clearly elongated object lies in the image; None where that is not clear."""
    longer, shorter = thing.sides
    if longer < 2 * shorter:
        return None
    slope = thing.slope_deg
    if min(slope, 180 - slope) <= 12:
        return "horizontally"
    if abs(slope - 90) <= 12:
        return "vertically"
    return "diagonally" if min(abs(slope - 45), abs(slope - 135)) <= 18 else None


# --- several of a class ---------------------------------------------------------------------------


def _of_counts(image: Annotated, rng: np.random.Generator) -> Iterator[Draft]:
    areas = {"in the image": image.window}
    areas |= {f"in {words} of the image": window for words, window in quarters(image).items()}
    for name, members in image.by_name.items():
        if any(image.things[index].difficult for index in members):
            continue  # whether annotators counted those is not known
        for where, area in areas.items():
            inside = inside_of(image, members, area)
            if (
                not inside
                or len(inside) > MOST_COUNTED
                or (len(inside) == len(members)) != (area == image.window)
            ):
                continue
            text = _words(rng, "count", plural=plural(name), where=where)
            yield Draft(text, str(len(inside)), "count", tuple(inside), about=name)


def _of_places(image: Annotated, rng: np.random.Generator) -> Iterator[Draft]:
    names = sorted(image.by_name)
    for place in image.places:
        here: dict[str, list[int]] = {place.usual: []} if place.usual else {}
        for index in place.things:
            here.setdefault(image.things[index].name, []).append(index)
        slots = {"where": f"at the {place.name}"}
        for name, members in here.items():
            if any(image.things[index].difficult for index in members) or len(members) > MOST_COUNTED:
                continue
            spoken = {**slots, "plural": plural(name), "name": name}
            things, answer = tuple(members), str(len(members))
            yield Draft(_words(rng, "count", **spoken), answer, "count", things, place.window, name)
            present = "yes" if members else "no"
            yield Draft(_words(rng, "presence", **spoken), present, "reasoning", things, place.window, name)
            for attribute in ("color", "kind"):
                values = {image.things[index].known(attribute) for index in members}
                value = next(iter(values), None)
                if len(members) > 1 and len(values) == 1 and value:
                    text = _words(rng, f"place {attribute}", **spoken)
                    yield Draft(text, value, _CATEGORIES[attribute], things, place.window, name)
        absent = [name for name in names if name not in here]
        if here and absent:
            name = absent[int(rng.integers(len(absent)))]
            text = _words(rng, "presence", plural=plural(name), name=name, **slots)
            yield Draft(text, "no", "reasoning", (), place.window, name)


# --- several objects ------------------------------------------------------------------------------


def _of_neighbours(
    image: Annotated, named: dict[int, list[Reference]], rng: np.random.Generator
) -> Iterator[Draft]:
    """Neighbour of an object, where that is clear."""
    if len(image.things) < 2:
        return
    centers = np.array([thing.center for thing in image.things])
    for index, choices in named.items():
        distances = np.linalg.norm(centers - centers[index], axis=1)
        distances[index] = np.inf
        nearest, second = np.argsort(distances, kind="stable")[:2]
        neighbour = image.things[int(nearest)]
        clear = len(image.things) == 2 or distances[second] >= 1.5 * distances[nearest]
        fair = [r for r in choices if nearest not in r.helpers]
        if clear and fair and not neighbour.difficult:
            text = _words(rng, "neighbour", ref=_pick(rng, fair).text)
            yield Draft(text, neighbour.name, "object category", (index, int(nearest)), about=neighbour.name)


def _of_pairs(
    image: Annotated, named: dict[int, list[Reference]], rng: np.random.Generator
) -> Iterator[Draft]:
    """Direction and size of an object against the nearest other one that has a name of its own."""
    indices = list(named)
    for index in indices:
        others = [other for other in indices if other != index]
        if not others:
            continue
        center = image.things[index].center
        other = min(others, key=lambda i: float(np.linalg.norm(image.things[i].center - center)))
        pair = (index, other)
        direction = direction_of(image.things[index], image.things[other])
        if direction and (slots := _both(rng, named, pair, "position")):
            yield Draft(_words(rng, "direction", **slots), direction, "object relation", pair)
        sizes = image.things[index].area, image.things[other].area
        if max(sizes) >= 1.5 * min(sizes) and (slots := _both(rng, named, pair, "size")):
            answer = "yes" if sizes[0] > sizes[1] else "no"
            yield Draft(_words(rng, "larger?", **slots), answer, "reasoning", pair)


def _both(
    rng: np.random.Generator, named: dict[int, list[Reference]], pair: tuple[int, int], told: str
) -> dict[str, str] | None:
    """References to two objects that do not give something away, or None."""
    first, second = (_silent(named[index], told) for index in pair)
    return {"ref": _pick(rng, first).text, "other": _pick(rng, second).text} if first and second else None


def direction_of(thing: Thing, other: Thing) -> str | None:
    """On which side of another an object is; None where that is not clear or the two overlap."""
    dx, dy = thing.center - other.center
    a, b = thing.window, other.window
    if abs(dx) >= 2 * abs(dy) and (a.x >= b.x + b.width or b.x >= a.x + a.width):
        return "left" if dx < 0 else "right"
    if abs(dy) >= 2 * abs(dx) and (a.y >= b.y + b.height or b.y >= a.y + a.height):
        return "above" if dy < 0 else "below"
    return None


def _of_relations(
    image: Annotated, named: dict[int, list[Reference]], rng: np.random.Generator
) -> Iterator[Draft]:
    """Annotated triplets between two objects that have exactly one relation."""
    between: dict[tuple[int, int], set[str]] = {}
    for relation in image.relations:
        between.setdefault((relation.subject, relation.object), set()).add(relation.predicate)
    for (subject, other), predicates in between.items():
        if len(predicates) > 1 or subject not in named or other not in named:
            continue
        predicate = next(iter(predicates))
        if slots := _both(rng, named, (subject, other), "relation"):
            yield Draft(_words(rng, "relation", **slots), predicate, "object relation", (subject, other))
