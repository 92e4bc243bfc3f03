"""Questions by a teacher model (the paper's second way), each checked by annotation and asked blind.

Three kinds of conversation, each journalled under a key of its own, so that an interrupted run pays for none
twice:

1. *propose*: the teacher sees the overview with the box drawn, the crop and the annotation, and writes pairs
   of question and answer as JSON;
2. *blind*: for each pair that passes the filters, it sees the crop alone and has to give the same answer;
3. *overview* (optional): it sees the overview alone and must not give that answer, so that zooming is needed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw

from rscovlm.data.annotations import Annotated
from rscovlm.data.randomness import generator
from rscovlm.data.references import references
from rscovlm.data.zoom.filters import Pair, Target, judge, parse_pairs
from rscovlm.data.zoom.items import Item
from rscovlm.data.zoom.rules import EvidenceRules, NotNeeded, zoom_box
from rscovlm.engines import Engine
from rscovlm.scoring.answers import normalised_words, same_answer
from tiling.resolution import Resolution
from tiling.scene import Scene
from tiling.view import View, Window
from zoom_chain.chat import Conversation, Generation, ImagePart

PROMPT_VERSION = 1
"""Part of the journal's parameters: replies to other words are of another run."""

PROPOSE = (
    "You write questions for a data set about overhead images. The first image is the whole scene, with a "
    "frame around the part that the second image shows enlarged. About one object in it this is known:\n"
    "{facts}\n"
    "Write {count} different questions about this object that can be answered from the enlarged part and not "
    'from the whole scene, each with its answer. Call the object exactly "{phrase}" in every question. Ask '
    "for different things: color, type, shape, state, surroundings, what stands next to it. Do not mention "
    "frames, boxes, coordinates, or that there are two images. Do not put the answer into the question. "
    "Answers have at most three words. Reply with JSON only:\n"
    '[{{"question": "...", "answer": "..."}}, ...]'
)
BLIND = (
    "This is an enlarged part of an overhead image, with the object in question near its middle.\n"
    "{question}\nAnswer with one word or a short phrase, and nothing else."
)
FROM_OVERVIEW = (
    "{question}\nAnswer with one word or a short phrase, and nothing else. "
    "If the image does not show it clearly enough, answer: unknown."
)


class Store(Protocol):
    """Where replies are kept: a journal, or nothing."""

    @property
    def done(self) -> Mapping[str, str]:
        """Kept replies by key."""
        ...

    def append(self, items: dict[str, str]) -> None:
        """Keep finished replies."""
        ...


@dataclass
class Memory:
    """A store that forgets when the process ends."""

    done: dict[str, str] = field(default_factory=dict)

    def append(self, items: dict[str, str]) -> None:
        """Keep finished replies."""
        self.done.update(items)


@dataclass(frozen=True)
class TeacherRules:
    """Settings of requests to a teacher.

    Attributes:
        objects: objects of an image that it is asked about, at most.
        pairs: questions that it is asked to write about each.
        overview: whether it must fail from the overview alone.
        batch: conversations in flight.
        max_tokens: of a reply with questions.
    """

    objects: int = 4
    pairs: int = 4
    overview: bool = False
    batch: int = 8
    max_tokens: int = 768


@dataclass
class Asked:
    """Counts of asking a teacher.

    Attributes:
        rejected: questions by reason.
        failed: requests that the engine could not carry out; they are not kept and can be tried again.
        error: of the first that failed.
        asked: requests that were sent in this run.
    """

    rejected: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    error: str = ""
    asked: int = 0


@dataclass
class Taught(Asked):
    """Result of asking a teacher.

    Attributes:
        items: questions that passed everything.
    """

    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """A conversation with a teacher that is begun where its reply is not kept yet.

    Attributes:
        key: that its reply is kept by.
        build: makes the conversation.
        max_tokens: of the reply.
    """

    key: str
    build: Callable[[], Conversation]
    max_tokens: int


@dataclass(frozen=True)
class _Job:
    image: Annotated
    target: Target


def targets(
    image: Annotated, resolution: Resolution, rules: EvidenceRules, count: int, seed: int
) -> list[Target]:
    """Objects of an image to ask a teacher about: with a phrase of their own, and in need of zooming.

    Phrases that give no attribute away come first.
    """
    named = references(image)
    order = list(named)
    rng = generator(seed, "zoom targets", image.id)
    chosen: list[Target] = []
    for row in rng.permutation(len(order)):
        if len(chosen) == count:
            break
        index = order[int(row)]
        window = image.things[index].window
        try:
            box = zoom_box(window, [window], image.window, resolution, rules)
        except NotNeeded:
            continue
        quiet = [reference for reference in named[index] if not reference.uses & {"color", "kind", "place"}]
        choices = quiet or named[index]
        reference = choices[int(rng.integers(len(choices)))]
        chosen.append(Target(index, reference.text, reference.uses, box))
    return chosen


def teach(
    images: Iterable[Annotated],
    teacher: Engine,
    resolution: Resolution,
    rules: EvidenceRules,
    asking: TeacherRules,
    *,
    seed: int,
    store: Store,
    progress: Callable[[int, int], None] | None = None,
) -> Taught:
    """Ask a teacher about objects of all images.

    Args:
        images: annotated images whose files can be read.
        teacher: any engine.
        resolution: of the model that will learn, which decides what needs zooming.
        rules: of evidence and boxes.
        asking: how the teacher is asked.
        seed: of the choice of objects and phrases.
        store: where replies are kept under their keys; what it holds is not asked again.
        progress: called with (images done, images in all).

    Raises:
        SceneError: an image cannot be read.
    """
    result = Taught()
    images = list(images)
    jobs = [
        [_Job(image, target) for target in targets(image, resolution, rules, asking.objects, seed)]
        for image in images
    ]
    done = 0
    for group in _grouped(jobs, max(1, asking.batch // max(1, asking.objects))):
        _teach_some([job for own in group for job in own], teacher, asking, store, result)
        done += len(group)
        if progress:
            progress(done, len(images))
    return result


def _grouped(jobs: list[list[_Job]], size: int) -> Iterator[list[list[_Job]]]:
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]


def _teach_some(
    jobs: list[_Job], teacher: Engine, asking: TeacherRules, store: Store, result: Taught
) -> None:
    proposals = [
        Request(_key(job, "propose", ""), partial(_proposal, job, teacher, asking), asking.max_tokens)
        for job in jobs
    ]
    replies = ask_teacher(proposals, teacher, asking.batch, store, result)
    passed = [
        (job, pair, item)
        for job, request in zip(jobs, proposals)
        if (reply := replies.get(request.key)) is not None
        for pair, item in _filtered(job, reply, result)
    ]
    passes = [("blind", BLIND, True), *([("overview", FROM_OVERVIEW, False)] if asking.overview else [])]
    for name, prompt, crop in passes:
        requests = [
            Request(_key(job, name, pair.question), _look(job, pair, teacher, prompt, crop), 32)
            for job, pair, _ in passed
        ]
        replies = ask_teacher(requests, teacher, asking.batch, store, result)
        passed = [
            entry
            for entry, request in zip(passed, requests)
            if _survives(replies.get(request.key), entry[1], name, result)
        ]
    result.items += [item for _, _, item in passed]


def _survives(reply: str | None, pair: Pair, name: str, result: Taught) -> bool:
    if reply is None:
        return False
    agrees = same_answer(reply.strip().rstrip("."), pair.answer)
    if name == "blind" and not agrees:
        result.rejected["other answer from the crop alone"] += 1
        return False
    if name == "overview" and agrees:
        result.rejected["answered from the overview alone"] += 1
        return False
    return True


def _filtered(job: _Job, reply: str, result: Taught) -> Iterator[tuple[Pair, Item]]:
    pairs, malformed = parse_pairs(reply)
    if malformed:
        result.rejected["malformed"] += malformed
    seen: set[str] = set()
    for pair in pairs:
        asked = normalised_words(pair.question)
        verdict = judge(pair, job.target, job.image)
        reason = verdict.reason or ("asked twice" if asked in seen else "")
        seen.add(asked)
        if reason:
            result.rejected[reason] += 1
            continue
        thing = job.image.things[job.target.thing]
        item = Item(
            job.image.id,
            pair.question,
            pair.answer.lower() if pair.answer.lower() in ("yes", "no") else pair.answer,
            verdict.category,
            thing.window,
            job.target.box,
            "teacher",
            about=thing.name,
            notes={"verified": "annotation" if verdict.checked else "blind"},
        )
        yield pair, item


def ask_teacher(
    requests: Sequence[Request], teacher: Engine, batch: int, store: Store, result: Asked
) -> dict[str, str]:
    """Replies by key: those that the store holds, and those of the teacher for the others.

    Args:
        requests: of any number.
        teacher: to ask.
        batch: conversations in flight.
        store: of replies.
        result: counts what is sent and what fails.
    """
    replies = {r.key: store.done[r.key] for r in requests if r.key in store.done}
    open_requests = list({r.key: r for r in requests if r.key not in replies}.values())
    for start in range(0, len(open_requests), batch):
        some = open_requests[start : start + batch]
        options = Generation(max_new_tokens=max(r.max_tokens for r in some))
        answers = teacher.chat([r.build() for r in some], options)
        result.asked += len(some)
        fresh = {r.key: answer.text for r, answer in zip(some, answers) if answer.stop_reason != "error"}
        result.failed += len(some) - len(fresh)
        result.error = result.error or next((answer.error for answer in answers if answer.error), "")
        if fresh:
            store.append(fresh)
        replies |= fresh
    return replies


def _key(job: _Job, name: str, question: str) -> str:
    text = f"{job.target.phrase}\x1f{job.target.box.bounds}\x1f{question}"
    return f"{job.image.id}/{job.target.thing}/{name}/{hashlib.sha256(text.encode()).hexdigest()[:12]}"


# --- what the teacher is shown --------------------------------------------------------------------


def _proposal(job: _Job, teacher: Engine, asking: TeacherRules) -> Conversation:
    with Scene(job.image.path, north_up=False) as scene:
        overview = scene.view(scene.window, teacher.family.resolution)
        framed = frame(scene.read(overview).pixels, overview, job.target.box)
        crop = scene.read(scene.view(job.target.box, teacher.family.resolution)).pixels
    prompt = PROPOSE.format(facts=facts(job.image, job.target), count=asking.pairs, phrase=job.target.phrase)
    return Conversation().say("user", ImagePart(framed), ImagePart(crop), prompt)


def _look(job: _Job, pair: Pair, teacher: Engine, prompt: str, crop: bool) -> Callable[[], Conversation]:
    def build() -> Conversation:
        with Scene(job.image.path, north_up=False) as scene:
            window = job.target.box if crop else scene.window
            pixels = scene.read(scene.view(window, teacher.family.resolution)).pixels
        return Conversation().say("user", ImagePart(pixels), prompt.format(question=pair.question))

    return build


def frame(pixels: np.ndarray, view: View, box: Window) -> np.ndarray:
    """(h, w, 3) uint8 copy of a view's pixels with a red frame around a box of the scene."""
    canvas = Image.fromarray(pixels.copy())
    (x0, y0), (x1, y1) = view.from_scene(np.reshape(box.bounds, (2, 2)))
    width = max(1, round(max(pixels.shape) / 400))
    edges = [float(x0 - width), float(y0 - width), float(x1 + width), float(y1 + width)]
    ImageDraw.Draw(canvas).rectangle(edges, outline=(255, 0, 0), width=width)
    return np.asarray(canvas)


def facts(image: Annotated, target: Target) -> str:
    """Annotation of an object as lines of text for a teacher."""
    thing = image.things[target.thing]
    lines = [f"- it is called: {target.phrase}", f"- class: {thing.name}"]
    lines += [f"- {name}: {value}" for name, value in sorted(thing.attributes.items())]
    inside = [
        image.things[index].name
        for index in range(len(image.things))
        if index != target.thing and target.box.contains(image.things[index].window)
    ]
    shown = ", ".join(f"{count} {name}" for name, count in sorted(Counter(inside).items()))
    lines.append(f"- also annotated in the enlarged part: {shown or 'nothing'}")
    return "\n".join(lines)
