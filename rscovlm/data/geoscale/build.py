"""From views at many scales to samples: questions, balanced over answers and tiers, and the files of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rscovlm.data.geoscale.questions import WAYS, ScaleQuestion, Way, questions_of, typical_lengths
from rscovlm.data.geoscale.teacher import ScaleTaught, teach_scales
from rscovlm.data.geoscale.tiers import TIERS
from rscovlm.data.geoscale.views import ScaleView
from rscovlm.data.randomness import generator
from rscovlm.data.sample import ImageRef, Sample, Turn
from rscovlm.data.zoom.balance import cap_for
from rscovlm.data.zoom.teacher import Memory, Store
from rscovlm.engines import Engine
from rscovlm.errors import UsageError
from rscovlm.models.scale_words import STATED

IMAGES = "images"
BEGINNING = "<image>" + STATED.format(gsd="<gsd>")
"""Beginning of a question that states the scale: GSD as text, a baseline of conditioning."""


@dataclass(frozen=True)
class ScalePlan:
    """All that the questions depend on besides views and teacher.

    Attributes:
        ways: how questions are made.
        seed: of everything drawn at random.
        per_view: questions of one view, at most.
        max_answer_share: largest share of one answer among those of a topic.
        tier_ratio: questions of a tier, at most so many times those of the rarest one.
        pairs: that a teacher is asked to write about each view.
    """

    ways: tuple[Way, ...] = ("templates",)
    seed: int = 0
    per_view: int = 6
    max_answer_share: float = 0.5
    tier_ratio: float = 1.5
    pairs: int = 4

    def __post_init__(self) -> None:
        unknown = [way for way in self.ways if way not in WAYS]
        if unknown or not self.ways:
            raise UsageError(
                f"ways {', '.join(unknown) or 'none'} are unknown; choose from {', '.join(WAYS)}"
            )
        if not 0 < self.max_answer_share <= 1 or self.tier_ratio < 1:
            raise UsageError("max_answer_share has to be above 0 and at most 1, tier_ratio at least 1")


@dataclass(frozen=True)
class ScaleData:
    """Result of a build.

    Attributes:
        views: that questions are about, in order.
        questions: in the order of the views.
        report: counts, as JSON holds them.
        failed: requests to the teacher that failed.
        error: of the first of those.
    """

    views: tuple[ScaleView, ...]
    questions: tuple[ScaleQuestion, ...]
    report: dict[str, Any] = field(default_factory=dict)
    failed: int = 0
    error: str = ""

    def write_images(self, folder: Path) -> None:
        """Write the views as PNG files into ``images`` of a folder; those that are there stay."""
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
        for view in self.views:
            file = folder / IMAGES / f"{view.id}.png"
            if not file.is_file():
                Image.fromarray(view.picture.read()).save(file)

    def samples(self, stated: bool = False) -> Iterator[Sample]:
        """Canonical samples for a file beside ``images``.

        Args:
            stated: whether questions begin by stating the scale.
        """
        known = {view.id: view for view in self.views}
        for number, question in enumerate(self.questions):
            view = known[question.view]
            image = ImageRef(f"{IMAGES}/{view.id}.png", size=(view.side, view.side))
            words = f"{BEGINNING if stated else '<image>'}{question.text}"
            attributes = {
                "kind": question.kind, "topic": question.topic, "tier": question.tier, "way": question.way,
                "scene": view.image,
            }  # fmt: skip
            turns = (Turn("user", words), Turn("assistant", question.answer))
            name = f"{view.id}-{number}"
            yield Sample(
                name, "vqa", (image,), turns, gsd_m=view.gsd_m, source=view.source, attributes=attributes
            )


def build_scales(
    views: Sequence[ScaleView],
    plan: ScalePlan,
    *,
    teacher: Engine | None = None,
    store: Store | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScaleData:
    """Make questions about views.

    Args:
        views: at many scales; their files are only read for a teacher.
        plan: everything else.
        teacher: any engine; needed for the way ``teacher``.
        store: where a teacher's replies are kept.
        progress: called with (views done, views in all) of the teacher.

    Raises:
        ValueError: the way ``teacher`` without a teacher.
        SceneError: a view that a teacher should see cannot be read.
    """
    if "teacher" in plan.ways and teacher is None:
        raise ValueError("the way teacher needs a teacher")
    found: list[ScaleQuestion] = []
    if "templates" in plan.ways:
        typical = typical_lengths(views)
        for view in views:
            rng = generator(plan.seed, "scale questions", view.id)
            asked = questions_of(view, typical, rng)
            found += [asked[int(index)] for index in rng.permutation(len(asked))[: plan.per_view]]
    taught = ScaleTaught()
    if teacher is not None and "teacher" in plan.ways:
        taught = teach_scales(views, teacher, store or Memory(), pairs=plan.pairs, progress=progress)
        found += taught.questions
    left_out: Counter[str] = Counter()
    kept = balanced(found, plan, left_out)
    order = {view.id: place for place, view in enumerate(views)}
    kept.sort(key=lambda question: order[question.view])
    used = {question.view for question in kept}
    shown = tuple(view for view in views if view.id in used)
    report = _report(kept, shown, {"teacher": taught.rejected, "balance": left_out})
    report["teacher"] = {"requests": taught.asked, "failed": taught.failed}
    return ScaleData(shown, tuple(kept), report, taught.failed, taught.error)


def balanced(
    questions: Sequence[ScaleQuestion], plan: ScalePlan, left_out: Counter[str]
) -> list[ScaleQuestion]:
    """Questions without answers that are too frequent in their topic, then without too frequent tiers.

    Which ones go depends on the seed and each question alone.
    """
    kept = _capped(
        questions, plan, lambda question: (question.topic,), lambda question: question.answer,
        lambda counts: cap_for(counts, plan.max_answer_share),
    )  # fmt: skip
    left_out["answer too frequent in its topic"] += len(questions) - len(kept)
    even = _capped(
        kept, plan, lambda question: (), lambda question: question.tier,
        lambda counts: int(plan.tier_ratio * min(counts)),
    )  # fmt: skip
    left_out["tier too frequent"] += len(kept) - len(even)
    return even


def _capped(
    questions: Sequence[ScaleQuestion],
    plan: ScalePlan,
    group_of: Callable[[ScaleQuestion], tuple[str, ...]],
    value_of: Callable[[ScaleQuestion], str],
    cap_of: Callable[[Sequence[int]], int],
) -> list[ScaleQuestion]:
    """At most a cap of the questions of each value in a group."""
    groups: dict[tuple[str, ...], dict[str, list[ScaleQuestion]]] = {}
    for question in questions:
        groups.setdefault(group_of(question), {}).setdefault(value_of(question), []).append(question)
    kept: list[ScaleQuestion] = []
    for values in groups.values():
        cap = max(1, cap_of([len(own) for own in values.values()]))
        for own in values.values():
            drawn = [generator(plan.seed, "scale balance", q.view, q.text).random() for q in own]
            kept += [own[int(place)] for place in np.argsort(drawn, kind="stable")[:cap]]
    return kept


def _report(
    questions: Sequence[ScaleQuestion], views: Sequence[ScaleView], left_out: dict[str, Counter[str]]
) -> dict[str, Any]:
    topics: dict[str, Counter[str]] = {}
    for question in questions:
        topics.setdefault(question.topic, Counter())[question.answer] += 1
    tiers = Counter(question.tier for question in questions)
    return {
        "samples": len(questions),
        "views": len(views),
        "tier": {tier.name: tiers[tier.name] for tier in TIERS},
        "kind": dict(Counter(question.kind for question in questions)),
        "way": dict(Counter(question.way for question in questions)),
        "topic": {name: dict(answers.most_common()) for name, answers in sorted(topics.items())},
        "left_out": {step: dict(counts.most_common()) for step, counts in left_out.items() if counts},
    }
