"""Questions about a synthetic scene with exact answers and the evidence that its overview cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rscovlm.synth.catalogue import OBJECT_CLASSES
from rscovlm.synth.world import Site, World
from tiling.view import Window

Topic = Literal["colour", "kind", "count", "presence"]
TOPICS: tuple[Topic, ...] = ("colour", "kind", "count", "presence")

WORDINGS: dict[Topic, tuple[str, ...]] = {
    "colour": ("What colour are the {plural} at the {site}?", "What color are the {plural} at the {site}?"),
    "kind": ("What kind of {plural} are at the {site}?", "Which type of {plural} are at the {site}?"),
    "count": ("How many {plural} are at the {site}?",),
    "presence": ("Are there any {plural} at the {site}?", "Is there any {name} at the {site}?"),
}


@dataclass(frozen=True)
class Question:
    """A question with its answer and where the evidence is.

    Attributes:
        text: the question.
        answer: lower-case word or number.
        topic: what it asks for.
        evidence: window in scene pixels that shows what is needed to answer.
    """

    text: str
    answer: str
    topic: Topic
    evidence: Window


def ask_about(rng: np.random.Generator, site: Site, topic: Topic) -> Question:
    """One question about a site; a colour or kind needs a site that holds objects.

    Raises:
        ValueError: the topic has no answer at an empty site.
    """
    kind_of = site.kind.objects
    if topic == "presence" and rng.random() < 0.3:
        kind_of = OBJECT_CLASSES[int(rng.integers(len(OBJECT_CLASSES)))]
    present = [item for item in site.objects if item.kind_of is kind_of]
    if topic in ("colour", "kind") and not present:
        raise ValueError(f"the {site.kind.name} is empty, so a question about {topic} has no answer")
    wording = WORDINGS[topic][int(rng.integers(len(WORDINGS[topic])))]
    text = wording.format(plural=kind_of.plural, name=kind_of.name, site=site.kind.name)
    answers = {
        "colour": lambda: present[0].colour,
        "kind": lambda: present[0].kind,
        "count": lambda: str(len(present)),
        "presence": lambda: "yes" if present else "no",
    }
    return Question(text, answers[topic](), topic, site.window)


def draw_question(rng: np.random.Generator, world: World, topics: Sequence[Topic] = TOPICS) -> Question:
    """A random question about a scene, topics equally likely.

    Raises:
        ValueError: the scene has no site to ask about.
    """
    if not world.sites:
        raise ValueError("the scene has no named site to ask about; plan a larger scene")
    for _ in range(200):
        topic = topics[int(rng.integers(len(topics)))]
        site = world.sites[int(rng.integers(len(world.sites)))]
        if site.objects or topic in ("count", "presence"):
            return ask_about(rng, site, topic)
    raise ValueError(f"no site of the scene has an answer for {', '.join(topics)}")


def all_questions(world: World, seed: int = 0) -> list[Question]:
    """Each topic that has an answer at each site, in order of the sites."""
    rng = np.random.default_rng([seed, world.seed])
    return [
        ask_about(rng, site, topic)
        for site in world.sites
        for topic in TOPICS
        if site.objects or topic in ("count", "presence")
    ]
