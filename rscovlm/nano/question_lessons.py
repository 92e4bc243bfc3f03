"""Lessons in words: questions about a scene that need closer looks, or that what is in view answers.

Each draws a conversation and its task from a random generator and an ease: 1 at the start of the course
(nearer views), 0 at its end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rscovlm.data.example import BoxText
from rscovlm.data.synthetic import photograph, zoom_chain
from rscovlm.nano.model import VIEW_SIDE
from rscovlm.scoring.answers import choice_letter
from rscovlm.synth.captions import scene_caption
from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.synth.questions import (
    SCENE_TOPICS,
    SITE_TOPICS,
    Question,
    Topic,
    as_choice,
    ask_about,
    draw_question,
)
from rscovlm.synth.views import GSD_M, around, single_site
from rscovlm.synth.world import Site, World, plan_world
from rscovlm.tasks.classify import Classification
from rscovlm.tasks.questions import ChoiceQuestion
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation
from zoom_chain.dialect import NANO

_SIZE = Size(VIEW_SIDE, VIEW_SIDE)
_ALONE = 0.35  # share of chains about a place that stands alone, which are easier to find one's way in
_WITHDRAWN = 0.06  # share of zoom requests that meet the end of the budget and must be answered blind
_SHAKE = 1 / VIEW_SIDE  # of the windows that are asked for: a pixel
_CHOICES = 0.12  # share of questions with options
CAPTION = "Describe the image."
_TOPIC_SHARES = (0.22, 0.22, 0.24, 0.2, 0.12)  # of SITE_TOPICS


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


def world_with_site(rng: np.random.Generator, ease: float) -> World:
    """A scene with at least one place; a small one at the start of the course."""
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


def chain(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """Zooms until the evidence of a question is in view, its answer, and perhaps further questions."""
    if rng.random() < _ALONE:
        world, questions = _place_with_questions(rng, 2)
        window = around(rng, questions[0].evidence, farthest=9.0)
    else:
        world = world_with_site(rng, ease)
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


def first_look(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """A chain up to its first request: to find the place in an overview is the hardest step of all."""
    world = world_with_site(rng, ease)
    question = draw_question(rng, world, SITE_TOPICS)
    window = _start(rng, world, question.evidence)
    text, answer = _worded(rng, question)
    conversation = NANO.opening(photograph(rng, world, window, _SIZE), text, zoom=True)
    for target in zoom_chain(window, question.evidence, rng, _SHAKE):
        return conversation.say("assistant", _request(window, target)), "first look"
    return conversation.say("assistant", answer), "first look"


def glance(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """The overview alone, without the tool: what can be known is the prior, and that is learnt fairly."""
    world = world_with_site(rng, ease)
    text, answer = _worded(rng, draw_question(rng, world, SITE_TOPICS))
    photo = photograph(rng, world, world.whole, _SIZE)
    return NANO.opening(photo, text, zoom=False).say("assistant", answer), "glance"


def close_question(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """Questions whose evidence is already in view: half with the tool at hand, half without."""
    world, questions = _place_with_questions(rng, 3)
    photo = photograph(rng, world, around(rng, questions[0].evidence, farthest=2.1), _SIZE)
    text, answer = _worded(rng, questions[0])
    conversation = NANO.opening(photo, text, zoom=bool(rng.random() < 0.5)).say("assistant", answer)
    return _more(rng, conversation, questions[1:]), "close"


def survey(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """A whole scene: its class, where places are, and what it shows."""
    world = world_with_site(rng, ease)
    photo = photograph(rng, world, world.whole, _SIZE)
    topics: list[Topic] = [SCENE_TOPICS[int(t)] for t in rng.permutation(len(SCENE_TOPICS))]
    sites = [world.sites[int(row)] for row in rng.permutation(len(world.sites))]
    asked = [ask_about(rng, world, site, topic) for site in sites[:2] for topic in topics]
    questions = [question for question in asked if question is not None][:3]
    turns = [_worded(rng, question) for question in questions]
    turns.append((Classification(LAND_COVERS).prompt().user, world.cover))
    if rng.random() < 0.4:
        turns.append((CAPTION, scene_caption(world)))
    order = rng.permutation(len(turns))
    (text, answer), *rest = (turns[int(row)] for row in order)
    # What an overview shows is answered from it, whether or not a closer look is on offer.
    conversation = NANO.opening(photo, text, zoom=bool(rng.random() < 0.6)).say("assistant", answer)
    for text, answer in rest:
        conversation = conversation.say("user", text).say("assistant", answer)
    return conversation, "survey"


def classify(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """The class of a whole scene."""
    side = int(rng.choice([1024, 2048, 4096, 8192]))
    world = plan_world(int(rng.integers(1 << 31)), side, side, GSD_M)
    photo = photograph(rng, world, world.whole, _SIZE)
    prompt = Classification(LAND_COVERS).prompt().user
    return NANO.opening(photo, prompt, zoom=False).say("assistant", world.cover), "classify"
