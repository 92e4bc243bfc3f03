"""Phrases that mean exactly one object of an image, proved so on its annotation.

A phrase is only made where its runner-up is clearly beaten (``Clarity``), so that neither a slightly wrong
box nor a reader's idea of "largest" or "topmost" can make another object meant. Objects marked difficult are
never meant, but stand in the way of phrases that they might fit as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rscovlm.data.annotations import Annotated
from tiling.view import Window


@dataclass(frozen=True)
class Clarity:
    """How far ahead of all others the meant object has to be.

    Attributes:
        ratio: of areas, lengths or distances to the runner-up's.
        gap: of positions and distances, as a part of the image's (shorter) side.
    """

    ratio: float = 1.3
    gap: float = 0.05


@dataclass(frozen=True)
class Reference:
    """A phrase for one object.

    Attributes:
        text: with its article, without a full stop: ``the leftmost red plane in the image``.
        target: index of the object.
        uses: what the phrase gives away: attributes, ``position``, ``size``.
        helpers: other objects that the phrase names.
    """

    text: str
    target: int
    uses: frozenset[str] = frozenset()
    helpers: tuple[int, ...] = ()


_SIDES = (("leftmost", 0, 1), ("rightmost", 0, -1), ("topmost", 1, 1), ("bottommost", 1, -1))


@dataclass(frozen=True)
class _Group:
    """Objects that one noun phrase fits, among which a phrase has to single out one."""

    noun: str
    members: tuple[int, ...]
    uses: frozenset[str] = frozenset()


def references(image: Annotated, clarity: Clarity = Clarity()) -> dict[int, list[Reference]]:
    """All phrases for the objects of an image, by object; objects that none singles out are left out."""
    clarity = clarity or Clarity()
    found: dict[int, list[Reference]] = {}
    alone = {name: members[0] for name, members in image.by_name.items() if len(members) == 1}
    for group in _groups(image):
        for reference in _phrases(image, group, alone, clarity):
            if not image.things[reference.target].difficult:
                found.setdefault(reference.target, []).append(reference)
    return found


def _groups(image: Annotated) -> Iterator[_Group]:
    """Objects by class, and by class and color or kind where that is known of all of the class."""
    for name, members in image.by_name.items():
        yield _Group(name, tuple(members))
        for attribute in ("color", "kind"):
            values = [image.things[index].known(attribute) for index in members]
            for value in sorted({value for value in values if value} if all(values) else ()):
                fitting = tuple(index for index, own in zip(members, values) if own == value)
                noun = f"{value} {name}" if attribute == "color" else _of_kind(image, name, value)
                yield _Group(noun, fitting, frozenset({attribute}))


def _of_kind(image: Annotated, name: str, kind: str) -> str:
    """A noun for a kind of a class: ``cargo ship`` of ship, but ``plane of type jet``."""
    same = " " not in name and name == kind.rpartition(" ")[2]
    elsewhere = any(kind in (thing.name, thing.known("kind")) for thing in image.things if thing.name != name)
    return kind if same and not elsewhere else f"{name} of type {kind}"


def _phrases(image: Annotated, group: _Group, alone: dict[str, int], clarity: Clarity) -> Iterator[Reference]:
    for text, target, told, helpers in _singled_out(image, group, alone, clarity):
        yield Reference(text, target, group.uses | told, helpers)
    for place in image.places:
        inside = [index for index in group.members if index in place.things]
        touching = [index for index in group.members if image.things[index].window.intersection(place.window)]
        if len(inside) == 1 and touching in ([], inside):
            text = f"the {group.noun} at the {place.name}"
            yield Reference(text, inside[0], group.uses | {"place"})


def _singled_out(
    image: Annotated, group: _Group, alone: dict[str, int], clarity: Clarity
) -> Iterator[tuple[str, int, frozenset[str], tuple[int, ...]]]:
    """(text, target, what else it gives away, helpers)."""
    noun, members = group.noun, np.array(group.members)
    if len(members) == 1:
        yield f"the {noun} in the image", group.members[0], frozenset(), ()
        return
    centers = np.array([image.things[index].center for index in members])
    for words, row, told in _extremes(image, members, centers, clarity):
        yield f"the {words.format(noun=noun)}", int(members[row]), frozenset({told}), ()
    for words, area in quarters(image).items():
        inside = inside_of(image, group.members, area)
        if inside is not None and len(inside) == 1:
            yield f"the {noun} in {words} of the image", inside[0], frozenset({"position"}), ()
    for name, helper in alone.items():
        if helper in group.members or image.things[helper].difficult:
            continue
        at = _closest(image, centers, image.things[helper].center, clarity)
        if at is not None:
            yield f"the {noun} nearest to the {name}", int(members[at]), frozenset({"position"}), (helper,)
    yield from _related(image, group, alone)


def _extremes(
    image: Annotated, members: NDArray[np.int64], centers: NDArray[np.float64], clarity: Clarity
) -> Iterator[tuple[str, int, str]]:
    """(words with a slot for the noun, row of the member, what they tell) of superlatives that are clear."""
    for word, axis, sign in (
        ("leftmost", 0, 1),
        ("rightmost", 0, -1),
        ("topmost", 1, 1),
        ("bottommost", 1, -1),
    ):
        order = np.sort(sign * centers[:, axis])
        if order[1] - order[0] >= clarity.gap * (image.width, image.height)[axis]:
            yield f"{word} {{noun}} in the image", int(np.argmin(sign * centers[:, axis])), "position"
    areas = np.array([image.things[index].area for index in members])
    for word, values in (("largest", 1 / np.maximum(areas, 1e-9)), ("smallest", areas)):
        row = _ahead(values, clarity.ratio)
        if row is not None:
            yield f"{word} {{noun}} in the image", row, "size"
    corners = {
        "top left corner": (0, 0),
        "top right corner": (image.width, 0),
        "bottom left corner": (0, image.height),
        "bottom right corner": (image.width, image.height),
        "center": (image.width / 2, image.height / 2),
    }
    for name, corner in corners.items():
        row = _closest(image, centers, np.array(corner), clarity)
        if row is not None:
            yield f"{{noun}} closest to the {name} of the image", row, "position"


def _ahead(values: NDArray[np.float64], ratio: float) -> int | None:
    """The row of the smallest value, where the next is at least ``ratio`` times as large."""
    order = np.argsort(values, kind="stable")
    first, second = float(values[order[0]]), float(values[order[1]])
    return int(order[0]) if second > 0 and second >= ratio * first else None


def _closest(
    image: Annotated, centers: NDArray[np.float64], point: NDArray[np.float64], clarity: Clarity
) -> int | None:
    """The row of the centre closest to a point, where it is clear which that is."""
    distances = np.linalg.norm(centers - point, axis=1)
    first, second = np.sort(distances)[:2]
    if second - first < clarity.gap * min(image.width, image.height):
        return None
    return _ahead(distances, clarity.ratio)


def quarters(image: Annotated) -> dict[str, Window]:
    """The four quarters of an image by their names in questions."""
    width, height = image.width / 2, image.height / 2
    return {
        "the top left quarter": Window(0, 0, width, height),
        "the top right quarter": Window(width, 0, width, height),
        "the bottom left quarter": Window(0, height, width, height),
        "the bottom right quarter": Window(width, height, width, height),
    }


def inside_of(image: Annotated, members: list[int] | tuple[int, ...], area: Window) -> list[int] | None:
    """Which objects lie wholly in an area; None where one lies across its edge."""
    touching = [
        i for i in members if (common := image.things[i].window.intersection(area)) and common.area > 0
    ]
    return touching if all(area.contains(image.things[i].window) for i in touching) else None


def _related(
    image: Annotated, group: _Group, alone: dict[str, int]
) -> Iterator[tuple[str, int, frozenset[str], tuple[int, ...]]]:
    """Phrases from annotated triplets: the one member that has a relation to an object alone of its class."""
    for name, helper in alone.items():
        wanted = [r for r in image.relations if r.object == helper and r.subject in group.members]
        for predicate in sorted({relation.predicate for relation in wanted}):
            subjects = {relation.subject for relation in wanted if relation.predicate == predicate}
            if len(subjects) == 1:
                text = f"the {group.noun} that is {predicate} the {name}"
                yield text, subjects.pop(), frozenset({"relation"}), (helper,)
