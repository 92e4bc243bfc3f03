"""nano's lessons: conversations about synthetic scenes, each a pure function of (seed, index).

Photos are rendered when they are read, so that a lesson's words and length cost little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detection_eval.detections import Detections
from detection_eval.text.contracts import CONTRACTS, detection_prompt
from detection_eval.text.writing import render_response
from rscovlm.data.example import BoxText
from rscovlm.data.synthetic import (
    Photo,
    Scale,
    classification,
    detection,
    photograph,
    question_about_one_site,
    zoom_chain,
)
from rscovlm.models.families import FAMILIES
from rscovlm.nano.cells import CellTruth, cell_truth
from rscovlm.nano.model import VIEW_SIDE
from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.synth.questions import draw_question
from rscovlm.synth.views import GSD_M, around
from rscovlm.synth.world import World, plan_world
from rscovlm.tasks.classify import Classification
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation
from zoom_chain.dialect import NANO

_SCALE = Scale.of(FAMILIES["nano"])
_SIZE = Size(VIEW_SIDE, VIEW_SIDE)
_ALONE = 0.5  # share of chains about a place that stands alone, which are easier to find one's way in
_WITHDRAWN = 0.06  # share of zoom requests that meet the end of the budget and must be answered blind
_SHAKE = 1 / VIEW_SIDE  # of the windows that are asked for: a pixel
_DETECTION = CONTRACTS["nano"]


@dataclass(frozen=True)
class Lesson:
    """One conversation to learn from.

    Attributes:
        conversation: ends with an assistant turn; every assistant turn is learnt. Its images are Photos.
        task: for the log.
        cells: what the visual tokens of each image show, in order.
    """

    conversation: Conversation
    task: str
    cells: tuple[CellTruth, ...]


def make_lesson(seed: int, index: int, ease: float = 0.0) -> Lesson:
    """The index-th lesson of a seed.

    Args:
        seed: of the whole course.
        index: which lesson.
        ease: 1 at the start of the course (few, large objects), 0 at its end.
    """
    rng = np.random.default_rng([seed, index])
    subject = _SUBJECTS[int(rng.choice(len(_SUBJECTS), p=_SHARES))]
    conversation, task = subject(rng, ease)
    photos = [part for turn in conversation.messages for part in turn.content if isinstance(part, Photo)]
    return Lesson(conversation, task, tuple(cell_truth(photo.world, photo.window) for photo in photos))


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


def _chain(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    if rng.random() < _ALONE:
        world, question = question_about_one_site(rng)
        window = around(rng, question.evidence, farthest=9.0)
    else:
        world = _world_with_site(rng, ease)
        question = draw_question(rng, world)
        window = _start(rng, world, question.evidence)
    conversation = NANO.opening(photograph(rng, world, window, _SIZE), question.text, zoom=True)
    for target in zoom_chain(window, question.evidence, rng, _SHAKE):
        box = View(window, _SIZE).from_scene(np.reshape(target.bounds, (2, 2))).ravel()
        conversation = conversation.say("assistant", BoxText(NANO.render_call(box, VIEW_SIDE, VIEW_SIDE)))
        if rng.random() < _WITHDRAWN:
            conversation = NANO.final_turn(conversation)
            break
        window = target
        conversation = NANO.crop_turn(conversation, photograph(rng, world, window, _SIZE))
    return conversation.say("assistant", question.answer), "chain"


def _glance(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """The overview alone, without the tool: what can be known is the prior, and that is learnt fairly."""
    world = _world_with_site(rng, ease)
    question = draw_question(rng, world)
    photo = photograph(rng, world, Window(0, 0, world.width, world.height), _SIZE)
    return NANO.opening(photo, question.text, zoom=False).say("assistant", question.answer), "glance"


def _close_question(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """A question whose evidence is already in view: half with the tool at hand, half without."""
    world, question = question_about_one_site(rng)
    photo = photograph(rng, world, around(rng, question.evidence, farthest=2.1), _SIZE)
    conversation = NANO.opening(photo, question.text, zoom=bool(rng.random() < 0.5))
    return conversation.say("assistant", question.answer), "close"


# --- views that are seen once ---------------------------------------------------------------------


def _classify(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    shot = classification(rng, _SCALE)
    conversation = NANO.opening(shot.photo, Classification(LAND_COVERS).prompt().user, zoom=False)
    return conversation.say("assistant", shot.fields["answer"]), "classify"


def _detect(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    shot = detection(rng, _SCALE, ease)
    boxes, wanted = shot.fields["boxes"], shot.fields["classes"]
    polygons = np.array([box.polygon for box in boxes], dtype=np.float64).reshape(-1, 4, 2)
    labels = np.array([wanted.index(box.label) for box in boxes], dtype=np.int64)
    _, prompt = detection_prompt(_DETECTION, wanted)
    answer = render_response(Detections(polygons, labels, wanted), _DETECTION, VIEW_SIDE, VIEW_SIDE)
    conversation = Conversation().say("user", shot.photo, prompt)
    return conversation.say("assistant", BoxText(answer)), "detect"


Subject = Callable[[np.random.Generator, float], tuple[Conversation, str]]
_MIX: tuple[tuple[Subject, float], ...] = (
    (_chain, 0.45),
    (_close_question, 0.08),
    (_glance, 0.02),
    (_classify, 0.03),
    (_detect, 0.42),
)
_SUBJECTS = [subject for subject, _ in _MIX]
_SHARES = np.array([share for _, share in _MIX]) / sum(share for _, share in _MIX)
