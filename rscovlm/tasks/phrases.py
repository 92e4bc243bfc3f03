"""Find what phrases name in a scene: first in one view, then close up.

The first view shows the whole scene, or a part of it, as large as the model takes it; a box that is drawn
there is no more exact than a pixel of that view. Each closer look shows the surroundings of the box in the
scene's own pixels, and the model draws it anew. A phrase such as "the ship that is farthest left" may not
hold in there: a model that names the class of what it found, and knows that class, is asked for the class,
any other one for the phrase; the box nearest to the one before is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import intersection_area
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contract import Contract
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.parsing import ParsedResponse
from rscovlm.tasks.asking import Answers, Look, Progress, Questions, TileReply
from rscovlm.tasks.closer_looks import closer_look, failed_look, nearest_box
from rscovlm.tasks.detection import Detection
from rscovlm.tasks.ground import Grounding
from rscovlm.tasks.provenance import text_hash
from rscovlm.tasks.replies import reply_facts
from rscovlm.tasks.task import Prompt
from tiling.grid import Tile
from tiling.ground import ground_rectangles
from zoom_chain.chat import Generation

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.journal import Journal
    from rscovlm.models.families import ModelFamily
    from tiling.scene import Scene
    from tiling.view import Size, View, Window

REPLY_TOKENS = 256
"""Room for one box in any format, and some words about it."""
_BATCH = 16
_ARTICLE = re.compile(r"^(?:the|an?)\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Located:
    """The object that a phrase names.

    Attributes:
        phrase: as given.
        polygon: (4, 2) its outline in scene pixels; None where the model gives none.
        label: what the model called it; None where it gave no name.
        text: the reply to the first look.
        error: why there is no outline, in one line, else None.
        closer: how many closer looks drew the outline anew.
        note: what a closer look did not confirm, in one line, else None.
        failure: why a look got no usable reply, in one line, else None.
    """

    phrase: str
    polygon: NDArray[np.float64] | None
    label: str | None
    text: str
    error: str | None = None
    closer: int = 0
    note: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class GroundingRun:
    """The questions about phrases in a scene, and how they are asked.

    Attributes:
        phrases: to find.
        view: the first look.
        task: words of that look, and how boxes are written.
        classes: that the model knows by name and finds by name; empty where it has no list of its own.
        options: how replies are generated.
        closer_looks: how many times each object is looked at again.
        as_written: keep the four corners as the model wrote them, instead of rectangles on the ground.
    """

    phrases: tuple[str, ...]
    view: View
    task: Grounding
    classes: tuple[str, ...]
    options: Generation
    closer_looks: int = 1
    as_written: bool = False

    @property
    def contract(self) -> Contract:
        """How boxes are written."""
        return self.task.contract

    def questions(self) -> Questions:
        """The first look, once for each phrase."""
        window = self.view.window
        key = ",".join(f"{value:.2f}" for value in window.bounds)
        looks = [
            Look(f"{phrase}@{key}", number, Tile(number, 0, number, window, window), self.view)
            for number, phrase in enumerate(self.phrases)
        ]
        return Questions(looks, [self.prompt(each) for each in self.phrases], self.options, _BATCH)

    def prompt(self, phrase: str) -> Prompt:
        """The words that ask for a phrase, which have an article of their own."""
        return self.task.prompt(_ARTICLE.sub("", phrase.strip().rstrip(".?"), count=1))

    def closer_prompt(self, found: Located) -> Prompt:
        """The words of a closer look: for the class, if the model knows it, else for the phrase."""
        if found.label is None or found.label not in self.classes:
            return self.prompt(found.phrase)
        return Detection(self.contract, (found.label,)).prompt()

    def facts(
        self, scene: Scene, model: str, device: str | None = None, dtype: str | None = None
    ) -> dict[str, Any]:
        """All that replies depend on but phrase and window, for a journal; ``model`` names the weights."""
        return {
            **reply_facts(model, device, dtype),
            "scene": scene.identity,
            "prompt": text_hash(self.task.prompt("{phrase}").user),
            "contract": self.contract.name,
            "size": self.view.size,
            "generation": asdict(self.options),
            "closer looks": self.closer_looks,
        }


def plan_grounding(
    scene: Scene,
    family: ModelFamily,
    phrases: Sequence[str],
    *,
    window: Window | None = None,
    contract: Contract | None = None,
    options: Generation | None = None,
    closer_looks: int | None = None,
    as_written: bool = False,
) -> GroundingRun:
    """Plan the questions to a model of a family about phrases in a scene.

    Args:
        scene: to look at.
        family: of the model.
        phrases: to find, each once.
        window: the part of the scene to look at, in its pixels; None for all of it.
        contract: how boxes are asked for; None takes the family's.
        options: how replies are generated; None decides greedily.
        closer_looks: how many times each object is looked at again; None takes the family's number, at
            least one.
        as_written: keep the four corners as the model writes them.

    Raises:
        NoValidPixels, OutsideScene: where there is nothing to look at.
    """
    scene.require_pixels()
    return GroundingRun(
        tuple(dict.fromkeys(phrases)),
        scene.view(window or scene.window, family.resolution),
        Grounding(contract or CONTRACTS[family.detection]),
        tuple(family.classes or ()),
        options or Generation(max_new_tokens=REPLY_TOKENS),
        max(1, family.closer_looks) if closer_looks is None else closer_looks,
        as_written,
    )


def ground_phrases(
    scene: Scene,
    engine: Engine,
    run: GroundingRun,
    *,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> list[Located]:
    """The object that each phrase names, in order.

    Args:
        scene: to look at.
        engine: the model.
        run: what is asked.
        journal: where replies are kept as they come, and taken from where they are there already.
        progress: called with (looks done, looks so far).
    """
    answers = Answers(scene, engine, journal, progress)
    replies = answers.to(run.questions())
    found = [_first(scene, run, phrase, reply) for phrase, reply in zip(run.phrases, replies, strict=True)]
    for _ in range(run.closer_looks):
        found = _look_closer(scene, engine, run, found, answers)
    return found if run.as_written else _as_rectangles(scene, found)


def _first(scene: Scene, run: GroundingRun, phrase: str, reply: TileReply) -> Located:
    """The object of a phrase as the reply to the first look outlines it."""
    if reply.error is not None:
        return Located(phrase, None, None, reply.text, reply.error, failure=reply.error)
    parsed = _read(run.contract, phrase, reply.text, run.view.size)
    boxes = parsed.detections
    if not len(boxes):
        return Located(phrase, None, None, reply.text, _without_box(reply, parsed))
    polygon, name = run.view.to_scene(boxes.polygons[:1]), boxes.names[0]
    label = None if name == phrase else name
    if not intersection_area(polygon, box_quads(np.array([scene.window.bounds])))[0] > 0:
        return Located(
            phrase, None, label, reply.text, f"the box lies outside the scene: {reply.text[:60]!r}"
        )
    note = f"the model gives {len(boxes)} boxes; this is the first" if len(boxes) > 1 else None
    return Located(phrase, polygon[0], label, reply.text, note=note)


def _read(contract: Contract, phrase: str, text: str, size: Size) -> ParsedResponse:
    """The boxes of a reply, under the labels that the model gives them; without one, under the phrase."""
    labelled = Detection(contract).read(text, size)
    return labelled if len(labelled.detections) else Detection(contract, (phrase,)).read(text, size)


def _without_box(reply: TileReply, parsed: ParsedResponse) -> str:
    """Why a reply gives no box."""
    report, words = parsed.report, repr(" ".join(reply.text.split())[:60])
    if reply.stop_reason == "length":
        return f"the reply was cut off at its token limit: {words}"
    if report.declared_empty:
        return f"the model sees none: {words}"
    return f"the model declined: {words}" if report.refused else f"the reply states no box: {words}"


def _look_closer(
    scene: Scene, engine: Engine, run: GroundingRun, found: Sequence[Located], answers: Answers
) -> list[Located]:
    """The same after a closer look at each object."""
    asked = [run.closer_prompt(each) for each in found]
    prompts = list(dict.fromkeys(asked))
    looks: dict[int, Look] = {}
    for index, (each, prompt) in enumerate(zip(found, asked, strict=True)):
        if each.polygon is not None:
            looks[index] = closer_look(
                scene, each.polygon, engine.family.resolution, prompt.user, prompts.index(prompt), index
            )
    replies = answers.to(Questions(list(looks.values()), prompts, run.options, _BATCH))
    again = list(found)
    for (index, look), reply in zip(looks.items(), replies, strict=True):
        again[index] = _redrawn(run.contract, found[index], look, reply)
    return again


def _redrawn(contract: Contract, before: Located, look: Look, reply: TileReply) -> Located:
    """An object as the reply to a closer look outlines it; as it was where that shows none near."""
    assert before.polygon is not None
    if reply.error is not None:
        return replace(before, failure=failed_look(look, reply))
    boxes = _read(contract, before.phrase, reply.text, look.view.size).detections
    polygon = nearest_box(look.view.to_scene(boxes.polygons), before.polygon)
    if polygon is None:
        return replace(before, note="a closer look does not show it there")
    return replace(before, polygon=polygon, closer=before.closer + 1)


def _as_rectangles(scene: Scene, found: Sequence[Located]) -> list[Located]:
    """The same with each outline as the smallest rectangle on the ground that holds it."""
    return [
        each
        if each.polygon is None
        else replace(each, polygon=ground_rectangles(scene, each.polygon[None])[0])
        for each in found
    ]


def as_detections(found: Sequence[Located]) -> Detections:
    """The outlines as boxes, the phrases as their classes."""
    shown = [each for each in found if each.polygon is not None]
    phrases = tuple(dict.fromkeys(each.phrase for each in shown))
    polygons = np.array([each.polygon for each in shown], dtype=np.float64).reshape(-1, 4, 2)
    labels = np.array([phrases.index(each.phrase) for each in shown], dtype=np.int64)
    return Detections(polygons, labels, phrases)
