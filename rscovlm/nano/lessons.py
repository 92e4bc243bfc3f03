"""nano's lessons: conversations about synthetic scenes, each a pure function of (seed, index).

Photos are rendered when they are read, so that a lesson's words and length cost little. Visual tokens are
what a lesson costs, so that one view is asked about several times where it has several answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.clipping import visible_quads
from detection_eval.text.contracts import CONTRACTS, detection_prompt
from detection_eval.text.writing import render_response
from rscovlm.data.annotations import Annotated, Thing
from rscovlm.data.example import BoxText
from rscovlm.data.references import references
from rscovlm.data.synthetic import Photo, photograph, things_in, zoom_chain
from rscovlm.models.families import FAMILIES
from rscovlm.nano.cells import CellTruth, cell_truth
from rscovlm.nano.model import TOKEN_SIDE, VIEW_SIDE
from rscovlm.scoring.answers import choice_letter
from rscovlm.synth.captions import scene_caption, view_caption
from rscovlm.synth.catalogue import CLASS_NAMES, LAND_COVERS, SITES
from rscovlm.synth.questions import (
    SCENE_TOPICS,
    SITE_TOPICS,
    Question,
    Topic,
    as_choice,
    ask_about,
    draw_question,
)
from rscovlm.synth.views import GSD_M, around, neighbourhood, single_site, visible_polygons
from rscovlm.synth.world import Site, World, plan_world
from rscovlm.tasks.classify import Classification
from rscovlm.tasks.ground import Grounding
from rscovlm.tasks.questions import ChoiceQuestion
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation
from zoom_chain.dialect import NANO

_SIZE = Size(VIEW_SIDE, VIEW_SIDE)
_ALONE = 0.35  # share of chains about a place that stands alone, which are easier to find one's way in
_WITHDRAWN = 0.06  # share of zoom requests that meet the end of the budget and must be answered blind
_SHAKE = 1 / VIEW_SIDE  # of the windows that are asked for: a pixel
_CHOICES = 0.12  # share of questions with options
_DETECTION = CONTRACTS["nano"]
_CAPTION = "Describe the image."
_NO_FILE = Path("view.png")
_TOPIC_SHARES = (0.22, 0.22, 0.24, 0.2, 0.12)  # of SITE_TOPICS

_FAMILY = FAMILIES["nano"]
CLASS_GSD_M = {name: gsd_m for name in CLASS_NAMES if (gsd_m := _FAMILY.gsd_of(name)) is not None}
"""Metres per pixel of the views in which each class is listed."""
SCALES = tuple(sorted(set(CLASS_GSD_M.values())))
_SCALE_SHARES = (0.4, 0.35, 0.25)
_APART = 1.25  # factor by which views differ from those scales
_ABOUT_AN_OBJECT = 0.75  # share of views with objects that are laid about one
_SEARCHED_M = 150.0
_CLOSER = 0.4  # share of lists that are of one object's surroundings
_FILLED = (0.25, 0.6)  # how much of such a view its bounds fill
_OFF = 0.3  # of their longer side: how far off the middle it may be
_MISTAKEN = 0.2  # share of those that show somewhere else
_LEAST_NAMED_PX = 5.0  # objects that are shorter are not asked for by a phrase


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
        ease: 1 at the start of the course (nearer views), 0 at its end.
    """
    rng = np.random.default_rng([seed, index])
    subject = _SUBJECTS[int(rng.choice(len(_SUBJECTS), p=_SHARES))]
    conversation, task = subject(rng, ease)
    photos = [part for turn in conversation.messages for part in turn.content if isinstance(part, Photo)]
    return Lesson(conversation, task, tuple(cell_truth(photo.world, photo.window) for photo in photos))


# --- questions ------------------------------------------------------------------------------------


def _worded(rng: np.random.Generator, question: Question) -> tuple[str, str]:
    """A question and its answer, at times as a choice."""
    if rng.random() >= _CHOICES:
        return question.text, question.answer
    choice = as_choice(rng, question)
    task = ChoiceQuestion(choice.choices)
    return task.prompt(question.text).user, choice_letter(choice.choices.index(question.answer))


def _about_site(rng: np.random.Generator, world: World, site: Site, count: int) -> list[Question]:
    """Up to ``count`` questions of different topics about what stands at a place; at least one."""
    order = rng.choice(len(SITE_TOPICS), len(SITE_TOPICS), replace=False, p=_TOPIC_SHARES)
    asked = (ask_about(rng, world, site, SITE_TOPICS[int(topic)]) for topic in order)
    found = [question for question in asked if question is not None]
    return found[:count]


def _place_with_questions(rng: np.random.Generator, count: int) -> tuple[World, list[Question]]:
    while True:
        world, site = single_site(rng)
        questions = _about_site(rng, world, site, count)
        if questions:
            return world, questions


def _more(
    rng: np.random.Generator, conversation: Conversation, questions: Sequence[Question]
) -> Conversation:
    """Further questions about what is in view, and their answers."""
    for question in questions:
        text, answer = _worded(rng, question)
        conversation = conversation.say("user", text).say("assistant", answer)
    return conversation


# --- zooming --------------------------------------------------------------------------------------


def _world_with_site(rng: np.random.Generator, ease: float) -> World:
    side = int(rng.choice([1536, 2048, 4096, 6144, 8192, 12288], p=[0.06, 0.16, 0.3, 0.13, 0.29, 0.06]))
    if rng.random() < ease:
        side = min(side, 4096)
    while True:
        world = plan_world(int(rng.integers(1 << 31)), side, side, GSD_M * float(rng.uniform(0.9, 1.1)))
        if world.sites:
            return world


def _start(rng: np.random.Generator, world: World, evidence: Window) -> Window:
    """The whole scene, or at times a part of it that holds the evidence off centre."""
    if rng.random() < 0.75:
        return world.whole
    side = max(evidence.width, evidence.height) * float(np.exp(rng.uniform(np.log(1.2), np.log(6))))
    side = min(side, world.width)
    slack_x, slack_y = side - evidence.width, side - evidence.height
    if slack_x <= 0 or slack_y <= 0:
        return world.whole
    x0 = np.clip(evidence.x - rng.uniform(0, slack_x), 0, world.width - side)
    y0 = np.clip(evidence.y - rng.uniform(0, slack_y), 0, world.height - side)
    return Window(float(x0), float(y0), float(side), float(side))


def _request(window: Window, target: Window) -> BoxText:
    """The call that asks to look closer at a target in a view of a window."""
    box = View(window, _SIZE).from_scene(np.reshape(target.bounds, (2, 2))).ravel()
    return BoxText(NANO.render_call(box, VIEW_SIDE, VIEW_SIDE))


def _chain(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    if rng.random() < _ALONE:
        world, questions = _place_with_questions(rng, 2)
        window = around(rng, questions[0].evidence, farthest=9.0)
    else:
        world = _world_with_site(rng, ease)
        first = draw_question(rng, world, SITE_TOPICS)
        questions = [first]
        window = _start(rng, world, first.evidence)
    question, others = questions[0], questions[1:]
    text, answer = _worded(rng, question)
    conversation = NANO.opening(photograph(rng, world, window, _SIZE), text, zoom=True)
    for target in zoom_chain(window, question.evidence, rng, _SHAKE):
        conversation = conversation.say("assistant", _request(window, target))
        if rng.random() < _WITHDRAWN:
            conversation = NANO.final_turn(conversation)
            others = []
            break
        window = target
        conversation = NANO.crop_turn(conversation, photograph(rng, world, window, _SIZE))
    return _more(rng, conversation.say("assistant", answer), others), "chain"


def _first_look(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """A chain up to its first request: to find the place in an overview is the hardest step of all."""
    world = _world_with_site(rng, ease)
    question = draw_question(rng, world, SITE_TOPICS)
    window = _start(rng, world, question.evidence)
    text, answer = _worded(rng, question)
    conversation = NANO.opening(photograph(rng, world, window, _SIZE), text, zoom=True)
    for target in zoom_chain(window, question.evidence, rng, _SHAKE):
        return conversation.say("assistant", _request(window, target)), "first look"
    return conversation.say("assistant", answer), "first look"


def _places(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """Where the places of a scene are, as one list of boxes: many answers about one overview."""
    world = _world_with_site(rng, ease)
    names = tuple(kind.name for kind in SITES)
    if rng.random() < 0.5:
        seen = sorted({site.kind.name for site in world.sites})
        others = rng.choice(names, 1).tolist()
        names = tuple(sorted({*rng.choice(seen, min(len(seen), 3), replace=False).tolist(), *others}))
    photo = photograph(rng, world, world.whole, _SIZE)
    sites = [site for site in world.sites if site.kind.name in names]
    corners = View(world.whole, _SIZE).from_scene(np.reshape([site.corners for site in sites], (-1, 4, 2)))
    outlines, rows = visible_quads(corners, *_SIZE)
    labels = np.array([names.index(sites[row].kind.name) for row in rows], dtype=np.int64)
    _, prompt = detection_prompt(_DETECTION, names)
    boxes = Detections(outlines, labels, names)
    return Conversation().say("user", photo, prompt).say("assistant", _listed(boxes)), "places"


def _glance(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """The overview alone, without the tool: what can be known is the prior, and that is learnt fairly."""
    world = _world_with_site(rng, ease)
    text, answer = _worded(rng, draw_question(rng, world, SITE_TOPICS))
    photo = photograph(rng, world, world.whole, _SIZE)
    return NANO.opening(photo, text, zoom=False).say("assistant", answer), "glance"


def _close_question(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """Questions whose evidence is already in view: half with the tool at hand, half without."""
    world, questions = _place_with_questions(rng, 3)
    photo = photograph(rng, world, around(rng, questions[0].evidence, farthest=2.1), _SIZE)
    text, answer = _worded(rng, questions[0])
    conversation = NANO.opening(photo, text, zoom=bool(rng.random() < 0.5)).say("assistant", answer)
    return _more(rng, conversation, questions[1:]), "close"


def _survey(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """A whole scene: its class, where places are, and what it shows."""
    world = _world_with_site(rng, ease)
    photo = photograph(rng, world, world.whole, _SIZE)
    topics: list[Topic] = [SCENE_TOPICS[int(t)] for t in rng.permutation(len(SCENE_TOPICS))]
    sites = [world.sites[int(row)] for row in rng.permutation(len(world.sites))]
    asked = [ask_about(rng, world, site, topic) for site in sites[:2] for topic in topics]
    questions = [question for question in asked if question is not None][:3]
    turns = [_worded(rng, question) for question in questions]
    turns.append((Classification(LAND_COVERS).prompt().user, world.cover))
    if rng.random() < 0.4:
        turns.append((_CAPTION, scene_caption(world)))
    order = rng.permutation(len(turns))
    (text, answer), *rest = (turns[int(row)] for row in order)
    # What an overview shows is answered from it, whether or not a closer look is on offer.
    conversation = NANO.opening(photo, text, zoom=bool(rng.random() < 0.6)).say("assistant", answer)
    for text, answer in rest:
        conversation = conversation.say("user", text).say("assistant", answer)
    return conversation, "survey"


def _classify(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    side = int(rng.choice([1024, 2048, 4096, 8192]))
    world = plan_world(int(rng.integers(1 << 31)), side, side, GSD_M)
    photo = photograph(rng, world, world.whole, _SIZE)
    prompt = Classification(LAND_COVERS).prompt().user
    return NANO.opening(photo, prompt, zoom=False).say("assistant", world.cover), "classify"


# --- views with objects ---------------------------------------------------------------------------


def _listed(boxes: Detections) -> BoxText:
    """Boxes as lines, in the order of the visual tokens that show their centres.

    A reader that has just written one so finds the next by going on through the image.
    """
    if not len(boxes):
        return BoxText(render_response(boxes, _DETECTION, VIEW_SIDE, VIEW_SIDE))
    x, y = boxes.polygons.mean(axis=1).T
    order = np.lexsort((x, x // TOKEN_SIDE, y // TOKEN_SIDE))
    lines = [render_response(boxes.select([row]), _DETECTION, VIEW_SIDE, VIEW_SIDE) for row in order]
    return BoxText("\n".join(lines))


def _view_with_objects(rng: np.random.Generator, gsd_m: float, names: Sequence[str] = CLASS_NAMES) -> Photo:
    """A view about one object, or anywhere at a place or in a scene without places.

    Args:
        rng: the source of randomness.
        gsd_m: metres per pixel.
        names: classes of the object.
    """
    if rng.random() < 0.75:
        gather = [
            kind.name for kind in SITES if {kind.objects.name, *(c.name for c in kind.others)} & {*names}
        ]
        named = str(rng.choice(gather)) if gather and rng.random() < 0.6 else None
        world, site = single_site(rng, named)
        center, reach = np.array(site.focus.center), max(site.focus.width, site.focus.height)
    else:
        world = neighbourhood(rng)
        center, reach = rng.uniform(0.05, 0.95, 2) * (world.width, world.height), 0.0
    side = VIEW_SIDE * gsd_m / world.gsd_m
    center = center + rng.uniform(-0.5, 0.5, 2) * max(side, reach)
    if rng.random() < _ABOUT_AN_OBJECT:
        around_it = max(reach, _SEARCHED_M / world.gsd_m)
        x, y = center
        searched = Window(x - around_it / 2, y - around_it / 2, around_it, around_it)
        objects = [item for item in world.objects_in(searched) if item.kind_of.name in names]
        if objects:
            chosen = objects[int(rng.integers(len(objects)))]
            center = chosen.polygon.mean(axis=0) + rng.uniform(-0.5, 0.5, 2) * side
    x, y = (float(along) for along in center)
    return photograph(rng, world, Window(x - side / 2, y - side / 2, side, side), _SIZE)


def _closer(rng: np.random.Generator) -> tuple[Photo, tuple[str, ...]]:
    """A closer look at what was found, and its class: one object large in view, at times none."""
    while True:
        wanted = CLASS_NAMES[int(rng.integers(len(CLASS_NAMES)))]
        photo = _view_with_objects(rng, 4 * CLASS_GSD_M[wanted], (wanted,))
        objects = [item for item in photo.world.objects_in(photo.window) if item.kind_of.name == wanted]
        if objects:
            break
    bounds = Window.around(objects[int(rng.integers(len(objects)))].polygon)
    extent = max(bounds.width, bounds.height)
    window = bounds.resized(*[extent / float(rng.uniform(*_FILLED))] * 2)
    reach = photo.window.width / 2 if rng.random() < _MISTAKEN else _OFF * extent
    x, y = (float(along) for along in rng.uniform(-reach, reach, 2))
    window = Window(window.x + x, window.y + y, window.width, window.height)
    return photograph(rng, photo.world, window, _SIZE), (wanted,)


def _detect(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    if rng.random() < _CLOSER:
        photo, wanted = _closer(rng)
        return _list_objects(photo, wanted), "refine"
    scale = SCALES[int(rng.choice(len(SCALES), p=_SCALE_SHARES))]
    gsd_m = scale * float(np.exp(rng.uniform(-1, 1) * np.log(_APART)))
    if rng.random() < ease:
        gsd_m *= 0.75
    wanted = tuple(name for name in CLASS_NAMES if CLASS_GSD_M[name] == scale)
    photo = _view_with_objects(rng, gsd_m, wanted)
    if rng.random() < 0.25:
        objects = visible_polygons(photo.world, photo.window, photo.size)[1]
        seen = [item.kind_of.name for item in objects if item.kind_of.name in wanted][:1]
        picked = rng.choice(wanted, int(rng.integers(1, 3)), replace=False).tolist()
        wanted = tuple(sorted({*picked, *seen}))
    conversation = _list_objects(photo, wanted)
    if rng.random() < 0.15:
        caption = view_caption(photo.world, photo.window, photo.size)
        conversation = conversation.say("user", _CAPTION).say("assistant", caption)
    return conversation, "detect"


def _list_objects(photo: Photo, wanted: tuple[str, ...]) -> Conversation:
    polygons, objects = visible_polygons(photo.world, photo.window, photo.size)
    kept = [row for row, item in enumerate(objects) if item.kind_of.name in wanted]
    labels = np.array([wanted.index(objects[row].kind_of.name) for row in kept], dtype=np.int64)
    _, prompt = detection_prompt(_DETECTION, wanted)
    boxes = Detections(polygons[kept].reshape(-1, 4, 2), labels, wanted)
    return Conversation().say("user", photo, prompt).say("assistant", _listed(boxes))


def _ground(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """Objects that phrases single out, up to two in one view."""
    task = Grounding(_DETECTION)
    photo, named = _phrases(rng, 2)
    conversation = Conversation()
    for turn, (phrase, thing) in enumerate(named):
        words = task.prompt(phrase).user
        conversation = conversation.say("user", *((photo, words) if turn == 0 else (words,)))
        # The class as label: a phrase said again would cost more than its box.
        box = Detections(thing.polygon[None], np.zeros(1, dtype=np.int64), (thing.name,))
        answer = render_response(box, _DETECTION, VIEW_SIDE, VIEW_SIDE)
        conversation = conversation.say("assistant", BoxText(answer))
    return conversation, "ground"


def grounded_view(rng: np.random.Generator) -> tuple[Photo, str, NDArray[np.float64]]:
    """A view, a phrase that singles out one object of it, and its (4, 2) corners in pixels of the view."""
    photo, ((phrase, thing),) = _phrases(rng, 1)
    return photo, phrase, thing.polygon


def _phrases(rng: np.random.Generator, most: int) -> tuple[Photo, list[tuple[str, Thing]]]:
    """A view, and up to ``most`` phrases with the object that each singles out; at least one."""
    while True:
        gsd_m = float(np.exp(rng.uniform(np.log(SCALES[0]), np.log(SCALES[-1]))))
        photo = _view_with_objects(rng, gsd_m)
        things = things_in(photo, least_px=_LEAST_NAMED_PX)
        named = references(Annotated("view", _NO_FILE, VIEW_SIDE, VIEW_SIDE, things))
        if named:
            break
    chosen = [list(named)[int(row)] for row in rng.permutation(len(named))[:most]]
    texts = [named[index][int(rng.integers(len(named[index])))].text for index in chosen]
    return photo, [
        (text.removeprefix("the "), things[index]) for text, index in zip(texts, chosen, strict=True)
    ]


Subject = Callable[[np.random.Generator, float], tuple[Conversation, str]]
_MIX: tuple[tuple[Subject, float], ...] = (
    (_chain, 0.24),
    (_first_look, 0.11),
    (_places, 0.04),
    (_close_question, 0.21),
    (_glance, 0.01),
    (_survey, 0.05),
    (_classify, 0.01),
    (_detect, 0.24),
    (_ground, 0.09),
)
_SUBJECTS = [subject for subject, _ in _MIX]
_SHARES = np.array([share for _, share in _MIX]) / sum(share for _, share in _MIX)
