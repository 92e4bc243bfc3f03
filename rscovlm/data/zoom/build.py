"""From annotated images to zoom samples: the ways put together, filtered, balanced and split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rscovlm.data.annotations import Annotated
from rscovlm.data.randomness import generator
from rscovlm.data.sample import Sample
from rscovlm.data.zoom.balance import BalanceRules, balance, report
from rscovlm.data.zoom.choices import Vocabulary, choice_of
from rscovlm.data.zoom.items import WAYS, Item, Way, to_sample
from rscovlm.data.zoom.rules import EvidenceRules, NotNeeded, zoom_box
from rscovlm.data.zoom.teacher import Memory, Store, Taught, TeacherRules, teach
from rscovlm.data.zoom.templates import Draft, drafts
from rscovlm.engines import Engine
from rscovlm.errors import UsageError
from rscovlm.tasks.questions import CHOICE_WORDS
from tiling.resolution import Resolution

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ZoomPlan:
    """All that the samples depend on besides the images and the teacher.

    Attributes:
        ways: how questions are made.
        per_image: questions of one image and way, at most.
        seed: of everything drawn at random.
        held_out: part of the images whose samples are kept apart.
        rules: of evidence and boxes.
        balancing: of repetitions and frequent answers.
        asking: how a teacher is asked.
        choice_words: how options are put, one of ``CHOICE_WORDS``.
    """

    ways: tuple[Way, ...] = ("templates", "choice")
    per_image: int = 12
    seed: int = 0
    held_out: float = 0.0
    rules: EvidenceRules = field(default_factory=EvidenceRules)
    balancing: BalanceRules = field(default_factory=BalanceRules)
    asking: TeacherRules = field(default_factory=TeacherRules)
    choice_words: str = "plain"

    def __post_init__(self) -> None:
        unknown = [way for way in self.ways if way not in WAYS]
        if unknown or not self.ways:
            raise UsageError(
                f"ways {', '.join(unknown) or 'none'} are unknown; choose from {', '.join(WAYS)}"
            )
        if not 0 <= self.held_out < 1:
            raise UsageError(f"held_out {self.held_out} is not at least 0 and below 1")
        if self.choice_words not in CHOICE_WORDS:
            raise UsageError(
                f"choice words {self.choice_words!r} are unknown; choose from {', '.join(CHOICE_WORDS)}"
            )


@dataclass(frozen=True)
class ZoomData:
    """Result of a build.

    Attributes:
        items: the questions, in order of the images.
        splits: ``train`` or ``held_out`` by image id.
        report: counts, as ``balance.report`` gives them.
        failed: requests to the teacher that failed; the data lack their questions.
        error: of the first of those.
    """

    items: tuple[Item, ...]
    splits: dict[str, str]
    report: dict[str, Any]
    failed: int = 0
    error: str = ""

    def samples(self, images: Iterable[Annotated], folder: Path, split: str) -> Iterator[Sample]:
        """Canonical samples of one split, for a file in ``folder``."""
        known = {image.id: image for image in images}
        for item in self.items:
            if self.splits[item.image] == split:
                yield to_sample(item, known[item.image], folder, split)


def build(
    images: Sequence[Annotated],
    resolution: Resolution,
    plan: ZoomPlan,
    *,
    teacher: Engine | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> ZoomData:
    """Make questions about all images.

    Args:
        images: annotated images; their files are only read for a teacher.
        resolution: of the model that will learn, which decides what needs zooming.
        plan: everything else.
        teacher: any engine; needed for the way ``teacher``.
        store: where a teacher's replies are kept.
        progress: called with (images done, images in all) of the slowest step.

    Raises:
        ValueError: the way ``teacher`` without a teacher.
        SceneError: an image that a teacher should see cannot be read.
    """
    if "teacher" in plan.ways and teacher is None:
        raise ValueError("the way teacher needs a teacher")
    unneeded: Counter[str] = Counter()
    of_templates = _of_templates(images, resolution, plan, unneeded)
    taught = Taught()
    if teacher is not None and "teacher" in plan.ways:
        taught = teach(
            images,
            teacher,
            resolution,
            plan.rules,
            plan.asking,
            seed=plan.seed,
            store=store or Memory(),
            progress=progress,
        )
    items = [*of_templates, *taught.items] if "templates" in plan.ways else list(taught.items)
    if "choice" in plan.ways:
        items += _choices([*of_templates, *taught.items], images, plan)
    kept = balance(items, plan.balancing, plan.seed)
    order = {image.id: index for index, image in enumerate(images)}
    kept.items.sort(key=lambda item: (order[item.image], WAYS.index(item.way)))
    splits = {image.id: split_of(image.id, plan) for image in images}
    left_out = {"no zoom needed": unneeded, "teacher": taught.rejected, "balance": kept.left_out}
    areas = {image.id: float(image.width * image.height) for image in images}
    summary = report(kept.items, areas, splits, left_out)
    summary["teacher"] = {"requests": taught.asked, "failed": taught.failed}
    return ZoomData(tuple(kept.items), splits, summary, taught.failed, taught.error)


def split_of(image: str, plan: ZoomPlan) -> str:
    """The split of an image, by its id and the seed alone: all its questions fall on one side."""
    drawn = float(generator(plan.seed, "zoom split", image).random())
    return "held_out" if drawn < plan.held_out else "train"


def _of_templates(
    images: Sequence[Annotated], resolution: Resolution, plan: ZoomPlan, unneeded: Counter[str]
) -> list[Item]:
    items: list[Item] = []
    for image in images:
        rng = generator(plan.seed, "zoom templates", image.id)
        fitting = [
            item
            for draft in drafts(image, rng)
            if (item := item_of(draft, image, resolution, plan.rules, unneeded)) is not None
        ]
        items += spread(fitting, plan.per_image, rng)
    return items


def item_of(
    draft: Draft, image: Annotated, resolution: Resolution, rules: EvidenceRules, unneeded: Counter[str]
) -> Item | None:
    """A template's question with its box; None, counted by reason, where it makes no question for zooming."""
    evidence = draft.evidence(image)
    objects = [image.things[index].window for index in draft.things]
    try:
        box = zoom_box(evidence, objects, image.window, resolution, rules)
    except NotNeeded as reason:
        unneeded[str(reason)] += 1
        return None
    notes = {"verified": "annotation", **({"topic": draft.topic} if draft.topic else {})}
    return Item(
        image.id, draft.text, draft.answer, draft.category, evidence, box, about=draft.about, notes=notes
    )


def spread(items: Sequence[Item], count: int, rng: np.random.Generator) -> list[Item]:
    """Up to ``count`` of the items, a category in turn, those of one category in random order."""
    groups: dict[str, list[Item]] = {}
    for row in rng.permutation(len(items)):
        groups.setdefault(items[int(row)].category, []).append(items[int(row)])
    chosen: list[Item] = []
    while len(chosen) < count and any(groups.values()):
        for group in groups.values():
            if group and len(chosen) < count:
                chosen.append(group.pop())
    return chosen


def _choices(items: Sequence[Item], images: Sequence[Annotated], plan: ZoomPlan) -> list[Item]:
    vocabulary = Vocabulary(images)
    made: dict[str, list[Item]] = {}
    for item in items:
        if (choice := choice_of(item, vocabulary, plan.seed, plan.choice_words)) is not None:
            made.setdefault(item.image, []).append(choice)
    chosen: list[Item] = []
    for image, found in made.items():
        chosen += spread(found, plan.per_image, generator(plan.seed, "zoom choices", image))
    return chosen
