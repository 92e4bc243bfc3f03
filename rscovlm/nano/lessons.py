"""nano's lessons: conversations about synthetic scenes, each a pure function of (seed, index).

Pictures are rendered when they are read, so that a sample's words and length cost little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.text.contracts import CONTRACTS, detection_prompt
from detection_eval.text.writing import render_response
from rscovlm.data.example import BoxText
from rscovlm.nano.cells import CellTruth, cell_truth
from rscovlm.nano.model import VIEW_SIDE
from rscovlm.prompts import classification_prompt
from rscovlm.synth import views
from rscovlm.synth.catalogue import CLASS_NAMES, LAND_COVERS
from rscovlm.synth.questions import TOPICS, Question, Topic, ask_about, draw_question
from rscovlm.synth.render import render
from rscovlm.synth.views import GSD_M, around, loose_objects, next_window, single_site
from rscovlm.synth.world import SceneObject, Site, World, plan_world
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation
from zoom_chain.dialect import NANO

DETECT_GSD_M = 1.2
"""Ground sampling distance of the views that nano learns to detect in."""

_SIZE = Size(VIEW_SIDE, VIEW_SIDE)
_ALONE = 0.5  # share of chains about a place that stands alone, which are easier to find one's way in
_WITHDRAWN = 0.06  # share of zoom requests that meet the end of the budget and must be answered blind
_DETECTION = CONTRACTS["nano"]


@dataclass(frozen=True)
class Sample:
    """One conversation to learn from.

    Attributes:
        conversation: ends with an assistant turn; every assistant turn is learnt. Its images are Photos.
        task: for the log.
        cells: of each image in order, what its cells show.
    """

    conversation: Conversation
    task: str
    cells: tuple[CellTruth, ...]


def make_sample(seed: int, index: int, ease: float = 0.0) -> Sample:
    """The index-th sample of a seed.

    Args:
        seed: of the whole course.
        index: which sample.
        ease: 1 at the start of the course (few, large objects), 0 at its end.
    """
    rng = np.random.default_rng([seed, index])
    lesson = _LESSONS[int(rng.choice(len(_LESSONS), p=_SHARES))]
    return lesson(rng, ease)


@dataclass(frozen=True)
class Photo:
    """A window of a world as the model would see it, with the small differences that resampling makes.

    Attributes:
        world: that is shown.
        window: of it.
        seed: of noise and brightness.
    """

    world: World
    window: Window
    seed: int

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return _SIZE

    def read(self) -> NDArray[np.uint8]:
        """(VIEW_SIDE, VIEW_SIDE, 3) uint8."""
        rng = np.random.default_rng(self.seed)
        pixels = render(self.world, self.window, _SIZE, supersample=3)
        noise = rng.normal(0, rng.uniform(0, 3), pixels.shape)
        gain, offset = rng.uniform(0.92, 1.08), rng.uniform(-8, 8)
        return np.clip(pixels * gain + offset + noise, 0, 255).astype(np.uint8)


class Camera:
    """Takes the images of one sample and remembers what their cells show."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.cells: list[CellTruth] = []

    def shoot(self, world: World, window: Window) -> Photo:
        """A window as an image that is rendered later."""
        self.cells.append(cell_truth(world, window))
        return Photo(world, window, int(self.rng.integers(1 << 62)))

    def sample(self, conversation: Conversation, task: str) -> Sample:
        """The finished sample."""
        return Sample(conversation, task, tuple(self.cells))


# --- zooming --------------------------------------------------------------------------------------


def _world_with_site(rng: np.random.Generator, ease: float) -> World:
    side = int(rng.choice([1536, 2048, 4096, 6144, 8192, 12288], p=[0.14, 0.2, 0.24, 0.1, 0.26, 0.06]))
    if rng.random() < ease:
        side = min(side, 4096)
    while True:
        world = plan_world(int(rng.integers(1 << 31)), side, side, GSD_M * float(rng.uniform(0.9, 1.1)))
        if world.sites:
            return world


def _start(rng: np.random.Generator, world: World, evidence: Window) -> Window:
    """The whole scene, or at times a part of it that holds the evidence off centre."""
    whole = Window(0, 0, world.width, world.height)
    if rng.random() < 0.6:
        return whole
    side = max(evidence.width, evidence.height) * float(np.exp(rng.uniform(np.log(1.2), np.log(6))))
    side = min(side, world.width)
    slack_x, slack_y = side - evidence.width, side - evidence.height
    if slack_x <= 0 or slack_y <= 0:
        return whole
    x0 = np.clip(evidence.x - rng.uniform(0, slack_x), 0, world.width - side)
    y0 = np.clip(evidence.y - rng.uniform(0, slack_y), 0, world.height - side)
    return Window(float(x0), float(y0), float(side), float(side))


def _chain(rng: np.random.Generator, ease: float) -> Sample:
    if rng.random() < _ALONE:
        world, site = single_site(rng)
        question = ask_about(rng, site, _topic(rng, site))
        window = around(rng, site.window, farthest=9.0)
    else:
        world = _world_with_site(rng, ease)
        question = draw_question(rng, world)
        window = _start(rng, world, question.evidence)
    camera = Camera(rng)
    conversation = NANO.opening(camera.shoot(world, window), question.text, zoom=True)
    while (target := next_window(window, question.evidence)) is not None:
        view = View(window, _SIZE)
        box = view.from_scene(np.reshape(target.bounds, (2, 2))).ravel()
        jitter = rng.normal(0, 1.0, 2)
        box = np.clip(box + np.tile(jitter, 2), 0, VIEW_SIDE)
        conversation = conversation.say("assistant", BoxText(NANO.render_call(box, VIEW_SIDE, VIEW_SIDE)))
        if rng.random() < _WITHDRAWN:
            conversation = NANO.final_turn(conversation)
            break
        window = view.window_of(box)
        conversation = NANO.crop_turn(conversation, camera.shoot(world, window))
    return camera.sample(conversation.say("assistant", question.answer), "chain")


def _glance(rng: np.random.Generator, ease: float) -> Sample:
    """The overview alone, without the tool: what can be known is the prior, and that is learnt fairly."""
    world = _world_with_site(rng, ease)
    question = draw_question(rng, world)
    camera = Camera(rng)
    image = camera.shoot(world, Window(0, 0, world.width, world.height))
    return camera.sample(
        NANO.opening(image, question.text, zoom=False).say("assistant", question.answer), "glance"
    )


def _close_question(rng: np.random.Generator, ease: float) -> Sample:
    """A question whose evidence is already in view: half with the tool at hand, half without."""
    world, site = single_site(rng)
    question: Question = ask_about(rng, site, _topic(rng, site))
    window = around(rng, site.window, farthest=2.1)
    camera = Camera(rng)
    conversation = NANO.opening(camera.shoot(world, window), question.text, zoom=bool(rng.random() < 0.5))
    return camera.sample(conversation.say("assistant", question.answer), "close")


def _topic(rng: np.random.Generator, site: Site) -> Topic:
    topics = [topic for topic in TOPICS if site.objects or topic in ("count", "presence")]
    return topics[int(rng.integers(len(topics)))]


# --- classification -------------------------------------------------------------------------------


def _classify(rng: np.random.Generator, ease: float) -> Sample:
    side = int(rng.choice([1024, 2048, 4096, 8192]))
    world = plan_world(int(rng.integers(1 << 31)), side, side, GSD_M)
    camera = Camera(rng)
    image = camera.shoot(world, Window(0, 0, side, side))
    conversation = NANO.opening(image, classification_prompt(LAND_COVERS), zoom=False)
    return camera.sample(conversation.say("assistant", world.cover), "classify")


# --- objects --------------------------------------------------------------------------------------


def _tile(rng: np.random.Generator, ease: float) -> tuple[World, Window]:
    """A view at about DETECT_GSD_M: part of a site, scattered objects, or bare ground."""
    side = VIEW_SIDE * DETECT_GSD_M / GSD_M * float(np.exp(rng.uniform(np.log(0.75), np.log(1.3))))
    if rng.random() < ease:
        side *= 0.75
    if rng.random() < 0.45:
        world, site = single_site(rng)
        x, y = np.array(site.window.center) + rng.uniform(-0.4, 0.4, 2) * side
    else:
        x = y = 4000.0
        cover, patch = (str(c) for c in rng.choice(LAND_COVERS, 2))
        objects = loose_objects(rng, side, few=max(ease, 0.4))
        world = World(int(rng.integers(1 << 31)), 8000, 8000, GSD_M, cover, patch, (), tuple(objects))
    return world, Window(float(x - side / 2), float(y - side / 2), float(side), float(side))


def visible_polygons(world: World, window: Window) -> tuple[NDArray[np.float64], list[SceneObject]]:
    """Objects of a view of nano's size; see ``rscovlm.synth.views``."""
    return views.visible_polygons(world, window, _SIZE)


def _detect(rng: np.random.Generator, ease: float) -> Sample:
    world, window = _tile(rng, ease)
    polygons, objects = visible_polygons(world, window)
    wanted = CLASS_NAMES
    if rng.random() < 0.4:
        wanted = tuple(sorted(rng.choice(CLASS_NAMES, int(rng.integers(1, 4)), replace=False).tolist()))
        if objects and rng.random() < 0.7:
            wanted = tuple(sorted({*wanted, objects[0].kind_of.name}))
    keep = [i for i, item in enumerate(objects) if item.kind_of.name in wanted]
    labels = np.array([wanted.index(objects[i].kind_of.name) for i in keep], dtype=np.int64)
    truth = Detections(polygons[keep], labels, wanted)
    _, prompt = detection_prompt(_DETECTION, wanted)
    answer = BoxText(render_response(truth, _DETECTION, VIEW_SIDE, VIEW_SIDE))
    camera = Camera(rng)
    conversation = Conversation().say("user", camera.shoot(world, window), prompt)
    return camera.sample(conversation.say("assistant", answer), "detect")


Lesson = Callable[[np.random.Generator, float], Sample]
_MIX: tuple[tuple[Lesson, float], ...] = (
    (_chain, 0.45),
    (_close_question, 0.08),
    (_glance, 0.02),
    (_classify, 0.03),
    (_detect, 0.42),
)
_LESSONS = [lesson for lesson, _ in _MIX]
_SHARES = np.array([share for _, share in _MIX]) / sum(share for _, share in _MIX)
