"""Asking: the items of a benchmark go to a model in batches, and come back as rows.

One item that fails (its image cannot be read, its request is refused) is a row with an error; the others go
on. Each kind of item is asked for by the same ``Task`` as elsewhere, looked at closer through ``tasks.ask``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detection_eval.errors import DetectionError
from rscovlm.bench.item import Item, Kind
from rscovlm.bench.prompts import SPOKEN, Profile, task_of
from rscovlm.bench.row import Found, Row
from rscovlm.bench.runs.detecting import ask_in_tiles, boxes_in_look, boxes_of, plan_image
from rscovlm.bench.runs.looking import CLOSER, Blind, Mode, first_view, gray
from rscovlm.bench.runs.numbers import estimated, filled_in, in_waves, is_chained, plot_prompt, why_failed
from rscovlm.data.agbd import Footprint
from rscovlm.data.plot_prompts import is_plot, plot_named
from rscovlm.errors import DataError, UsageError
from rscovlm.tasks.ask import ask_each
from rscovlm.tasks.asking import TileReply
from rscovlm.tasks.detect import found_in
from rscovlm.tasks.detection_run import DetectionRun
from rscovlm.tasks.recipe import Recipe
from tiling.errors import SceneError
from tiling.resolution import Resolution
from tiling.scene import Scene
from tiling.view import Size, View, Window
from zoom_chain.chat import GREEDY, Conversation, Generation, ImagePart, Reply, Sampling
from zoom_chain.looks import image_of
from zoom_chain.settings import ZoomSettings

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.models.families import ModelFamily
    from rscovlm.models.inputs import PatchInput
    from zoom_chain.controller import Answer

READERS = 4
_NOWHERE = View(Window(0, 0, 1, 1), Size(1, 1))
_TOKENS: Mapping[Kind, int] = {"classify": 32, "choice": 512, "caption": 1024}
_USUAL_TOKENS = 512


@dataclass(frozen=True)
class Asking:
    """How items are put to a model: everything about a request that is not the item's own.

    Attributes:
        family: how the model sees and writes.
        profile: all words, with those of recipe and family filled in.
        recipe: which questions may be looked at closer.
        mode: what is shown.
        blind: what is shown in its place.
        settings: of the zoom chain.
        resolution: of the first view.
        sampling: how tokens are chosen; None leaves it to the checkpoint.
        seed: of sampling and of shuffled images.
        max_tokens: of one reply; None takes what is usual for the kind of task.
        batch_size: items that are asked together.
        images: shown in place of the items' own, by key.
        tiled: whether objects are detected by the tiles of ``rscovlm detect`` rather than in one look.
        inputs: how plots are shown; None where no item is about one.
        heads: head of the model by the number that it gives, which answers in place of words.
    """

    family: ModelFamily
    profile: Profile
    recipe: Recipe
    mode: Mode
    settings: ZoomSettings
    resolution: Resolution
    blind: Blind = "none"
    sampling: Sampling | None = GREEDY
    seed: int = 0
    max_tokens: int | None = None
    batch_size: int = 16
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tiled: bool = False
    inputs: PatchInput | None = None
    heads: Mapping[str, str] = field(default_factory=dict)

    @property
    def two_pass(self) -> bool:
        """Whether heads are asked for a number after the model has said something about the plot."""
        return bool(self.heads) and self.inputs is not None and self.inputs.knowledge is not None

    def head_for(self, item: Item) -> str | None:
        """The head that answers an item; None where it is answered in words."""
        return None if self.blind == "text" else self.heads.get(item.extra.get("target", ""))

    def zooms(self, item: Item) -> bool:
        """Whether the model may look closer before it answers an item."""
        if not self.settings.policy.looks_closer or item.kind not in SPOKEN or len(item.images) != 1:
            return False
        category = item.groups.get("category") or ("count" if item.kind == "count" else None)
        allowed = self.recipe.zooms(item.subject, category) or not self.settings.policy.offers_tool
        return self.mode in CLOSER and allowed

    def in_tiles(self, item: Item) -> bool:
        """Whether objects are looked for in the tiles of an item's image."""
        return self.tiled and item.kind == "detect"

    def generation(self, kind: Kind) -> Generation:
        """How replies about a kind of item are generated."""
        usual = self.family.detection_tokens if kind == "detect" else _TOKENS.get(kind, _USUAL_TOKENS)
        return Generation(self.max_tokens or usual, self.sampling, self.seed)

    def facts(self) -> dict[str, Any]:
        """All that a reply depends on besides the items and the weights, as JSON can hold it."""
        chain = {"zoom settings": asdict(self.settings), "never zoom": self.recipe.never_zoom}
        tiles = {name: getattr(self.recipe, name) for name in ("tile", "overlap", "gsd")}
        return {
            "family": self.family.name,
            "prompts": self.profile.model_dump(mode="json"),
            "dialect": self.family.dialect.name,
            "zoom": self.mode,
            **(chain if self.mode in CLOSER else {}),
            "tiles": tiles if self.tiled else None,
            "blind": self.blind,
            "resolution": asdict(self.resolution),
            "sampling": None if self.sampling is None else asdict(self.sampling),
            "max tokens": self.max_tokens,
            "seed": self.seed,
            "batch size": self.batch_size,
            "inputs": None if self.inputs is None else self.inputs.model_dump(mode="json"),
            "heads": dict(self.heads),
            **({"passes": 2} if self.two_pass else {}),
        }


@dataclass(frozen=True)
class _Question:
    """An item that is ready to be asked."""

    item: Item
    conversation: Conversation | None = None
    view: View = _NOWHERE
    views: tuple[View, ...] = ()
    tokens: int = 0
    scene: Scene | None = None
    error: str | None = None
    run: DetectionRun | None = None

    @property
    def in_tiles(self) -> bool:
        """Whether it is examined tile by tile rather than in one look."""
        return self.run is not None and self.conversation is None

    @property
    def zooms(self) -> bool:
        """Whether the model may look closer."""
        return self.conversation is None and self.run is None


def ask_items(
    engine: Engine,
    asking: Asking,
    batches: Sequence[Sequence[Item]],
    journals: Path | None = None,
    known: Mapping[str, Row] | None = None,
) -> Iterator[list[Row]]:
    """Rows of items as they are answered, batch by batch; the next batch is read while the model works.

    Those of a batch come together, in order, and then each image that is examined tile by tile.

    Args:
        engine: the model.
        asking: how items are put to it.
        batches: items that are asked together.
        journals: folder for the replies about tiles of images that are not finished; None keeps none.
        known: rows of earlier batches by key, whose answers later questions may hold.

    Raises:
        ModelError: what concerns every request.
    """
    with ThreadPoolExecutor(max_workers=1) as ahead:
        batches = [wave for items in batches for wave in in_waves(items)]
        said = {key: row.text for key, row in (known or {}).items()}
        coming: list[Future[_Batch]] = []
        try:
            for number, items in enumerate(batches):
                batch = coming.pop().result() if coming else _Batch(asking, filled_in(items, said))
                following = batches[number + 1] if number + 1 < len(batches) else ()
                if following and not any(map(is_chained, following)):
                    coming.append(ahead.submit(_Batch, asking, following))
                with batch:
                    for rows in _answered(engine, asking, batch.questions, journals):
                        said |= {row.item.key: row.text for row in rows}
                        yield rows
        finally:
            for future in coming:
                future.result().close()


class _Batch:
    """Questions that are asked together, and the scenes that they are about."""

    def __init__(self, asking: Asking, items: Sequence[Item]) -> None:
        self._files = ExitStack()
        self._asking = asking
        sources = dict.fromkeys(source for item in items for source in self._images(item))
        with ThreadPoolExecutor(max_workers=READERS) as readers:
            opened = list(readers.map(_opened, sources))
            self._scenes = dict(zip(sources, opened, strict=True))
            for scene in opened:
                if isinstance(scene, Scene):
                    self._files.callback(scene.close)
            self.questions = list(readers.map(self._question, items))

    def __enter__(self) -> _Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the scenes."""
        self._files.close()

    def _images(self, item: Item) -> tuple[str, ...]:
        return self._asking.images.get(item.key, item.images)

    def _question(self, item: Item) -> _Question:
        scenes = [self._scenes[source] for source in self._images(item)]
        for scene in scenes:
            if isinstance(scene, SceneError):
                return _Question(item, error=str(scene))
        try:
            if scenes and isinstance(scenes[0], Footprint):
                return _plot(item, scenes[0], self._asking)
            return _looked_at(item, [scene for scene in scenes if isinstance(scene, Scene)], self._asking)
        except (SceneError, UsageError) as error:
            return _Question(item, error=str(error))


def _opened(source: str) -> Scene | Footprint | SceneError:
    try:
        return plot_named(source) if is_plot(source) else Scene(source)
    except SceneError as error:
        return error
    except DataError as error:
        return SceneError(str(error))


def _plot(item: Item, plot: Footprint, asking: Asking) -> _Question:
    """An item about a plot, shown as the model has learnt to see plots."""
    assert asking.inputs is not None, "plots need inputs"
    system, user = asking.profile.prompt(item)
    conversation, view, tokens = plot_prompt(item, plot, asking, system, user)
    return _Question(item, conversation, view, (view,), tokens)


def _looked_at(item: Item, scenes: Sequence[Scene], asking: Asking) -> _Question:
    """An item with its first views read, but for one whose chain or tiles are read later.

    Raises:
        SceneError: where an image cannot be read.
        UsageError: for classes that the model does not know.
    """
    if asking.in_tiles(item) and scenes:
        return _examined(item, scenes[0], asking)
    views = tuple(first_view(scene, item, asking.mode, asking.resolution) for scene in scenes)
    place = views[0] if views else _NOWHERE
    if asking.blind in ("none", "shuffle") and asking.zooms(item):
        return _Question(item, view=place, scene=scenes[0])
    try:
        system, user = asking.profile.prompt(item)
    except (ValueError, DetectionError) as error:  # no classes to choose from, no word for "everything"
        return _Question(item, error=str(error))
    if asking.blind == "text":
        return _Question(item, _said(system, user), place)
    if asking.blind == "gray":
        pictures = [ImagePart(gray(view)) for view in views]
    else:
        pictures = [image_of(scene, view) for scene, view in zip(scenes, views)]
    tokens = sum(asking.resolution.tokens(view.size) for view in views)
    first = scenes[0] if scenes else None
    return _Question(item, _said(system, user, *pictures), place, views[:1], tokens, first)


def _said(system: str | None, user: str, *pictures: ImagePart) -> Conversation:
    start = Conversation() if system is None else Conversation().say("system", system)
    return start.say("user", *pictures, user)


def _examined(item: Item, scene: Scene, asking: Asking) -> _Question:
    """An image in which objects are to be found; read here where one tile holds it."""
    run = plan_image(scene, item, asking)
    if len(run.looks) > 1:
        return _Question(item, scene=scene, run=run)
    (look,) = run.looks
    plan = run.plans[look.plan]
    conversation = _said(*run.task_of(plan).prompt(), ImagePart(scene.read(look.view).pixels))
    return _Question(item, conversation, look.view, (look.view,), plan.visual_tokens, scene, run=run)


def _answered(
    engine: Engine, asking: Asking, questions: Sequence[_Question], journals: Path | None
) -> Iterator[list[Row]]:
    """A row for each question: those that are asked together in order, then each image with tiles."""
    rows: dict[str, Row] = {}
    alike: dict[tuple[bool, Generation], list[_Question]] = {}
    headed: dict[str, list[_Question]] = {}
    for question in questions:
        if question.error is not None:
            rows[question.item.key] = Row(question.item, "", _NOWHERE, "error", error=question.error)
        elif (head := asking.head_for(question.item)) is not None and question.conversation is not None:
            headed.setdefault(head, []).append(question)
        elif not question.in_tiles:
            place = (question.zooms, asking.generation(question.item.kind))
            alike.setdefault(place, []).append(question)
    for (zoomed, options), together in alike.items():
        ask = _zoomed if zoomed else _shown
        rows |= {row.item.key: row for row in ask(engine, asking, options, together)}
    for head, together in headed.items():
        began = time.monotonic()
        shown = [
            (each.item, each.conversation, each.view, each.tokens)
            for each in together
            if each.conversation is not None
        ]
        answers = estimated(engine, head, shown, asking.inputs)
        share = round((time.monotonic() - began) / len(together), 4)
        rows |= {row.item.key: replace(row, seconds=share) for row in answers}
    if rows:
        yield [rows[question.item.key] for question in questions if question.item.key in rows]
    for question in questions:
        if question.in_tiles and question.scene is not None and question.run is not None:
            contract = question.run.task.contract.name
            yield [ask_in_tiles(engine, question.scene, question.item, question.run, contract, journals)]


def _shown(engine: Engine, asking: Asking, options: Generation, questions: Sequence[_Question]) -> list[Row]:
    """Questions that are answered from what they show."""
    began = time.monotonic()
    conversations = [question.conversation for question in questions if question.conversation is not None]
    replies = engine.chat(conversations, options)
    share = (time.monotonic() - began) / len(questions)
    rows = []
    for question, reply in zip(questions, replies, strict=True):
        system, user = asking.profile.prompt(question.item)
        contract = asking.profile.contract_of(question.item.kind)
        error = why_failed(reply)
        rows.append(
            Row(
                question.item,
                reply.text,
                question.view,
                reply.stop_reason,
                error,
                system,
                user,
                reply.prompt_tokens,
                question.tokens,
                reply.completion_tokens,
                round(share, 4),
                "" if contract is None else contract.name,
                question.views,
                found=None if error else _found(question, asking, reply),
            )
        )
    return rows


def _found(question: _Question, asking: Asking, reply: Reply) -> Found | None:
    """The boxes that a look at an image found; None of another kind of question, or without its image."""
    item, scene = question.item, question.scene
    if item.kind != "detect" or scene is None or asking.blind in ("text", "gray"):
        return None
    if question.run is None:
        task = task_of(item, asking.profile.contract_of("detect"))
        return boxes_in_look(scene, question.view, task.parse(reply.text, question.view.size))
    return boxes_of(found_in(scene, question.run, [TileReply.of(reply)]))


def _zoomed(engine: Engine, asking: Asking, options: Generation, questions: Sequence[_Question]) -> list[Row]:
    """Questions about which the model may look closer."""
    began = time.monotonic()
    prompts = [asking.profile.prompt(question.item) for question in questions]
    answers = ask_each(
        [(question.scene, prompt.user) for question, prompt in zip(questions, prompts) if question.scene],
        engine,
        settings=asking.settings,
        options=options,
        thumbnails=False,
    )
    share = (time.monotonic() - began) / len(questions)
    return [
        _row_of_chain(question, answer, asking.family, share)
        for question, answer in zip(questions, answers, strict=True)
    ]


def _row_of_chain(question: _Question, answer: Answer, family: ModelFamily, seconds: float) -> Row:
    trace, dialect = answer.trace, family.dialect
    offered = bool(trace.settings["tool_offered"])
    views = tuple(record.view for record in trace.views)
    failed = answer.stop_reason == "error"
    return Row(
        question.item,
        _text_of(answer),
        views[-1] if views else question.view,
        answer.stop_reason,
        (trace.error or "the chain failed without saying why") if failed else None,
        dialect.system_prompt if offered else None,
        trace.question + (dialect.user_suffix if offered else ""),
        sum(turn.prompt_tokens for turn in trace.turns),
        trace.visual_tokens,
        sum(turn.completion_tokens for turn in trace.turns),
        round(seconds, 4),
        views=views,
        trace=_without_pictures(json.loads(trace.to_json())),
    )


def _text_of(answer: Answer) -> str:
    """The last reply; of policies that choose among replies or sum them up, what they come to."""
    settings, turns = answer.trace.settings, answer.trace.turns
    if (settings.get("chosen") or settings["policy"]) in ("sweep", "tree"):
        return answer.text
    return turns[-1].reply if turns else ""


def _without_pictures(trace: dict[str, Any]) -> dict[str, Any]:
    """A trace as JSON without thumbnails, ten times as large as all else: the images stay where they are."""
    return trace | {"views": [view | {"thumbnail": ""} for view in trace["views"]]}
