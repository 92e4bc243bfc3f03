"""Questions by a teacher, told the scale and what can be said at it; each has to be answered alike unseen.

1. *propose*: the teacher sees a view, is told its metres per pixel, what is annotated in it and the
   instruction of its tier, and writes pairs of question and answer as JSON;
2. *blind*: for each pair that passes the filters, it sees view and scale alone, and has to answer the same.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from rscovlm.data.geoscale.questions import Kind, ScaleQuestion
from rscovlm.data.geoscale.views import ScaleView
from rscovlm.data.zoom.filters import Pair, parse_pairs, problem_of_words
from rscovlm.data.zoom.teacher import Asked, Request, Store, ask_teacher
from rscovlm.engines import Engine
from rscovlm.models.scale_words import gsd_words
from rscovlm.scoring.answers import normalised_answer, normalised_words, same_answer
from zoom_chain.chat import Conversation, ImagePart

PROMPT_VERSION = 1
"""Part of the journal's parameters: replies to other words are of another run."""

PROPOSE = (
    "You write questions for a data set about overhead images. One pixel of this image is {gsd} on the "
    "ground, so that it shows {width:.0f} m from edge to edge. {instruction} Annotated in it: {things}.\n"
    "Write {count} different questions that can be answered from the image at this scale, each with its "
    "answer: at least one about what is there, one about sizes or distances in metres, and one that would "
    "have another answer if a pixel were ten times as large. Do not tell the size of a pixel. Do not put the "
    "answer into the question. Answers have at most three words. Reply with JSON only:\n"
    '[{{"question": "...", "answer": "..."}}, ...]'
)
BLIND = (
    "One pixel of this overhead image is {gsd} on the ground.\n{question}\n"
    "Answer with one word or a short phrase, and nothing else."
)

_TELLS_SCALE = re.compile(
    r"\b(?:pixels?|px|gsd|resolution of|\d+(?:\.\d+)?\s*m(?:et(?:er|re)s?)? per)\b", re.I
)
_SIZES = re.compile(
    r"\b(?:how (?:wide|long|large|far|big|tall)|size|length|width|distance|area|met(?:er|re)s?)\b", re.I
)
_CHOICE = re.compile(r"\bor\b|\brather\b|\bat this scale\b", re.I)


@dataclass
class ScaleTaught(Asked):
    """Result of asking a teacher.

    Attributes:
        questions: that passed everything.
    """

    questions: list[ScaleQuestion] = field(default_factory=list)


def teach_scales(
    views: Sequence[ScaleView],
    teacher: Engine,
    store: Store,
    *,
    pairs: int = 4,
    batch: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> ScaleTaught:
    """Ask a teacher about views.

    Args:
        views: to ask about.
        teacher: any engine.
        store: where replies are kept under their keys; what it holds is not asked again.
        pairs: questions that it is asked to write about each.
        batch: conversations in flight.
        progress: called with (views done, views in all).

    Raises:
        SceneError: a view cannot be read.
    """
    result = ScaleTaught()
    for start in range(0, len(views), batch):
        some = views[start : start + batch]
        requests = [
            Request(f"{view.id}/propose", partial(_proposal, view, teacher, pairs), 768) for view in some
        ]
        replies = ask_teacher(requests, teacher, batch, store, result)
        passed = [
            (view, pair)
            for view in some
            if (reply := replies.get(f"{view.id}/propose")) is not None
            for pair in filtered(reply, result.rejected)
        ]
        again = [
            Request(_key(view, pair), partial(_look, view, teacher, pair.question), 32)
            for view, pair in passed
        ]
        replies = ask_teacher(again, teacher, batch, store, result)
        for (view, pair), request in zip(passed, again, strict=True):
            reply = replies.get(request.key)
            if reply is not None and same_answer(reply.strip().rstrip("."), pair.answer):
                result.questions.append(_question(view, pair))
            elif reply is not None:
                result.rejected["other answer when asked again"] += 1
        if progress:
            progress(min(start + batch, len(views)), len(views))
    return result


def filtered(reply: str, rejected: Counter[str]) -> list[Pair]:
    """The pairs of a reply that can be used, by their words alone; the others are counted by reason."""
    found, malformed = parse_pairs(reply)
    if malformed:
        rejected["malformed"] += malformed
    kept: dict[str, Pair] = {}
    for pair in found:
        asked = normalised_words(pair.question)
        reason = problem_of_words(pair)
        if not reason and _TELLS_SCALE.search(pair.question):
            reason = "tells the scale"
        if not reason and _told(pair):
            reason = "answer stands in the question"
        if not reason and asked in kept:
            reason = "asked twice"
        if reason:
            rejected[reason] += 1
        else:
            kept[asked] = pair
    return list(kept.values())


def _told(pair: Pair) -> bool:
    answer = normalised_answer(pair.answer)
    offered = answer in ("yes", "no") or re.search(r"\bor\b", pair.question)
    return not offered and f" {answer} " in f" {normalised_answer(pair.question)} "


def kind_of(question: str) -> Kind:
    """The kind of a teacher's question, from its words."""
    if _SIZES.search(question):
        return "scale-specific"
    return "discriminative" if _CHOICE.search(question) else "identification"


def _question(view: ScaleView, pair: Pair) -> ScaleQuestion:
    answer = pair.answer.lower() if pair.answer.lower() in ("yes", "no") else pair.answer
    kind = kind_of(pair.question)
    return ScaleQuestion(view.id, pair.question, answer, kind, f"taught {kind}", view.tier.name, "teacher")


def _key(view: ScaleView, pair: Pair) -> str:
    text = f"{pair.question}\x1f{pair.answer}"
    return f"{view.id}/blind/{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _shown(view: ScaleView, teacher: Engine, words: str) -> Conversation:
    """The view at a size that the teacher takes, which changes nothing of what it shows."""
    from PIL import Image

    size = teacher.family.resolution.fit(view.side, view.side)
    pixels = Image.fromarray(view.picture.read()).resize((size.width, size.height), Image.Resampling.BICUBIC)
    import numpy as np

    shown_m = view.gsd_m * view.side / size.width
    return Conversation().say("user", ImagePart(np.asarray(pixels), gsd_m=shown_m), words)


def _proposal(view: ScaleView, teacher: Engine, pairs: int) -> Conversation:
    counts = Counter(thing.name for thing in view.things)
    things = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
    words = PROPOSE.format(
        gsd=gsd_words(view.gsd_m), width=view.width_m, instruction=view.tier.instruction, things=things,
        count=pairs,
    )  # fmt: skip
    return _shown(view, teacher, words)


def _look(view: ScaleView, teacher: Engine, question: str) -> Conversation:
    return _shown(view, teacher, BLIND.format(gsd=gsd_words(view.gsd_m), question=question))
