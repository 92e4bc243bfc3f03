"""Synthetic scenes into samples, at the scale of the model that will learn from them.

A ``Shot`` is one photograph of a planned scene and what is known about it, as fields of a canonical
``Sample``. The files of ``rscovlm synth samples`` and nano's own course are made from the same shots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detection_eval.geometry.quads import canonical
from rscovlm.data.annotations import Annotated, Thing
from rscovlm.data.randomness import generator
from rscovlm.data.references import references
from rscovlm.data.sample import Box, Turn
from rscovlm.models.families import ModelFamily
from rscovlm.synth.catalogue import CLASS_NAMES, LAND_COVERS
from rscovlm.synth.questions import SITE_TOPICS, Question, ask_about
from rscovlm.synth.render import render
from rscovlm.synth.views import (
    GSD_M,
    around,
    neighbourhood,
    next_window,
    single_site,
    visible_polygons,
)
from rscovlm.synth.world import SceneObject, World, plan_world
from tiling.view import Size, View, Window

DETECT_GSD_M = 1.2
"""Metres per pixel of views with objects, for families that were not trained at one of their own."""

_SIDES = (192, 320)  # px of views for families that can see more
_NEAREST, _FARTHEST = 0.75, 1.3  # of the ground sampling distance of views with objects
_TOPIC_SHARES = (0.26, 0.22, 0.24, 0.22, 0.06)  # of SITE_TOPICS
_ENLARGED = 1.3  # view px per scene px beyond which a view is what a file's own pixels show
_AT_A_SITE = 0.7  # share of views with objects that show part of a site


@dataclass(frozen=True)
class Scale:
    """The views that a model family sees as they are, without being resized.

    Attributes:
        sides: shortest and longest side of a view in pixels.
        detect_gsd_m: metres per pixel about which objects are shown.
    """

    sides: tuple[int, int]
    detect_gsd_m: float

    @classmethod
    def of(cls, family: ModelFamily) -> Scale:
        """Sides of 192 to 320 px where the family's bounds on the area allow them, else the nearest ones."""
        bounds = family.resolution
        least = -(-isqrt(bounds.min_pixels) // bounds.factor) * bounds.factor
        largest = isqrt(bounds.max_pixels) // bounds.factor * bounds.factor
        sides = (max(_SIDES[0], least), max(_SIDES[1], least))
        if largest < sides[1]:
            sides = (largest, largest)
        return cls(sides, family.detect_gsd_m or DETECT_GSD_M)

    def square(self, rng: np.random.Generator) -> Size:
        """A square view."""
        side = int(rng.integers(self.sides[0], self.sides[1] + 1))
        return Size(side, side)

    def rectangle(self, rng: np.random.Generator) -> Size:
        """A view of any aspect that the sides allow."""
        height, width = (int(side) for side in rng.integers(self.sides[0], self.sides[1] + 1, 2))
        return Size(height, width)


@dataclass(frozen=True)
class Photo:
    """A window of a world as a model sees it, with the small differences that sensors make.

    Attributes:
        world: that is shown.
        window: of it.
        size: height and width in pixels.
        seed: of noise and brightness.
    """

    world: World
    window: Window
    size: Size
    seed: int

    def read(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8, rendered anew at each call."""
        rng = np.random.default_rng(self.seed)
        pixels = self._seen()
        noise = rng.normal(0, rng.uniform(0, 3), pixels.shape)
        gain, offset = rng.uniform(0.92, 1.08), rng.uniform(-8, 8)
        return np.clip(pixels * gain + offset + noise, 0, 255).astype(np.uint8)

    def _seen(self) -> NDArray[np.uint8]:
        """What a file of the scene shows: no more than its own pixels, enlarged where the view is finer."""
        own = Size(round(self.window.height), round(self.window.width))
        if own.width > self.size.width / _ENLARGED or min(own) < 1:
            return render(self.world, self.window, self.size, supersample=3)
        pixels = Image.fromarray(render(self.world, self.window, own, supersample=3))
        return np.asarray(pixels.resize((self.size.width, self.size.height), Image.Resampling.BICUBIC))

    @property
    def gsd_m(self) -> float:
        """Metres per pixel, across."""
        return self.world.gsd_m * self.window.width / self.size.width


def photograph(rng: np.random.Generator, world: World, window: Window, size: Size) -> Photo:
    """A photo whose noise and brightness are drawn from ``rng``."""
    return Photo(world, window, size, int(rng.integers(1 << 62)))


@dataclass(frozen=True)
class Shot:
    """A photo and what is known about it.

    Attributes:
        photo: what the sample shows.
        fields: of a ``Sample`` besides id, task, images and scale; boxes are in pixels of the photo.
    """

    photo: Photo
    fields: dict[str, Any]


def make_shot(task: str, index: int, seed: int, scale: Scale) -> Shot:
    """The index-th shot of a task: a pure function of its arguments.

    Raises:
        KeyError: a task whose samples are not about one photo.
    """
    return SHOTS[task](generator(seed, "synth sample", task, index), scale)


def classification(rng: np.random.Generator, scale: Scale) -> Shot:
    """A whole scene, to be named by its land cover."""
    side = int(rng.choice([1024, 2048, 4096, 8192]))
    world = plan_world(int(rng.integers(1 << 31)), side, side, GSD_M)
    photo = photograph(rng, world, Window(0, 0, side, side), scale.square(rng))
    return Shot(photo, {"answer": world.cover, "classes": LAND_COVERS})


def question_about_one_site(rng: np.random.Generator) -> tuple[World, Question]:
    """A world of a single site and a question about it."""
    while True:
        world, site = single_site(rng)
        topic = SITE_TOPICS[int(rng.choice(len(SITE_TOPICS), p=_TOPIC_SHARES))]
        asked = ask_about(rng, world, site, topic)
        if asked is not None:
            return world, asked


def question(rng: np.random.Generator, scale: Scale) -> Shot:
    """A question whose evidence is in view, large enough to be read."""
    world, asked = question_about_one_site(rng)
    window = around(rng, asked.evidence, farthest=2.1)
    turns = (Turn("user", f"<image>{asked.text}"), Turn("assistant", asked.answer))
    photo = photograph(rng, world, window, scale.square(rng))
    return Shot(photo, {"turns": turns, "attributes": {"category": asked.topic}})


def detection(rng: np.random.Generator, scale: Scale, ease: float = 0.0) -> Shot:
    """A view of which all objects, or those of some classes, are to be listed.

    Args:
        rng: the source of randomness.
        scale: of the model.
        ease: 1 for few, large objects, 0 for the full range.
    """
    photo = _view_with_objects(rng, scale, ease)
    polygons, objects = visible_polygons(photo.world, photo.window, photo.size)
    wanted = CLASS_NAMES
    if rng.random() < 0.4:
        picked = rng.choice(CLASS_NAMES, int(rng.integers(1, 4)), replace=False).tolist()
        seen = [objects[0].kind_of.name] if objects and rng.random() < 0.7 else []
        wanted = tuple(sorted({*picked, *seen}))
    boxes = [
        Box(polygon, item.kind_of.name)
        for polygon, item in zip(_canonical(polygons), objects, strict=True)
        if item.kind_of.name in wanted
    ]
    return Shot(photo, {"boxes": tuple(boxes), "classes": wanted})


def things_in(photo: Photo, least_px: float = 0.0) -> tuple[Thing, ...]:
    """The objects of a photo, those that its edge cuts marked as difficult.

    Args:
        photo: the view.
        least_px: objects whose longer side is shorter than that are difficult as well.
    """
    polygons, objects = visible_polygons(photo.world, photo.window, photo.size)
    view, seen = View(photo.window, photo.size), set(map(id, objects))
    scale = max(view.scale)
    whole = [
        _thing(polygon, item, difficult=item.length < least_px * scale)
        for polygon, item in zip(_canonical(polygons), objects, strict=True)
    ]
    cut = [
        _thing(view.from_scene(item.polygon), item, difficult=True)
        for item in photo.world.objects_in(photo.window)
        if id(item) not in seen
    ]
    return (*whole, *cut)


def grounding(rng: np.random.Generator, scale: Scale) -> Shot:
    """A view with an object that one phrase singles out.

    An object of which the edge leaves less than half is not meant, but a phrase must not fit it either.
    """
    while True:
        photo = _view_with_objects(rng, scale)
        things = things_in(photo)
        named = references(Annotated("view", Path("view.png"), photo.size.width, photo.size.height, things))
        if named:
            index = list(named)[int(rng.integers(len(named)))]
            phrase = named[index][int(rng.integers(len(named[index])))].text
            box = Box(things[index].polygon, things[index].name)
            return Shot(photo, {"phrase": phrase.removeprefix("the "), "boxes": (box,)})


SHOTS: dict[str, Callable[[np.random.Generator, Scale], Shot]] = {
    "classification": classification,
    "vqa": question,
    "grounding": grounding,
    "detection": detection,
}
"""Tasks about one photo."""


def _view_with_objects(rng: np.random.Generator, scale: Scale, ease: float = 0.0) -> Photo:
    """Part of a site, scattered objects or bare ground, about the scale's ground sampling distance."""
    size = scale.rectangle(rng)
    gsd_m = scale.detect_gsd_m * float(np.exp(rng.uniform(np.log(_NEAREST), np.log(_FARTHEST))))
    if rng.random() < ease:
        gsd_m *= 0.75
    height, width = (side * gsd_m / GSD_M for side in size)
    if rng.random() < _AT_A_SITE:
        world, site = single_site(rng)
        x, y = np.array(site.focus.center) + rng.uniform(-0.4, 0.4, 2) * max(height, width)
    else:
        world = neighbourhood(rng)
        x, y = rng.uniform(0.1, 0.9, 2) * (world.width, world.height)
    window = Window(float(x - width / 2), float(y - height / 2), width, height)
    return photograph(rng, world, window, size)


def _canonical(polygons: NDArray[np.float64]) -> NDArray[np.float64]:
    return canonical(polygons) if len(polygons) else polygons


def _thing(polygon: NDArray[np.float64], item: SceneObject, difficult: bool = False) -> Thing:
    return Thing(item.kind_of.name, polygon, {"color": item.colour, "kind": item.kind}, difficult)


def zoom_chain(
    view: Window, evidence: Window, rng: np.random.Generator | None = None, shake: float = 0.0
) -> Iterator[Window]:
    """The windows that a careful observer asks for one after another, each inside the one before.

    Args:
        view: what is shown first.
        evidence: what has to be read.
        rng: moves each window a little; None moves none.
        shake: standard deviation of that, as a part of the view's side.
    """
    while (target := next_window(view, evidence)) is not None:
        if rng is not None:
            right, down = rng.normal(0, shake, 2) * (view.width, view.height)
            target = Window(target.x + right, target.y + down, target.width, target.height)
        view = target.intersection(view) or view
        yield view
