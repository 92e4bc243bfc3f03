"""Asking a model about the tiles of a run, and reading ahead of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from rscovlm.errors import JournalError
from tiling.errors import SceneError
from zoom_chain.chat import Conversation, Generation, Reply, StopReason
from zoom_chain.keeping import chat_once
from zoom_chain.looks import image_of, scene_gsd
from zoom_chain.requests import Requests, in_flight
from zoom_chain.session import failure_of

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.journal import Journal
    from rscovlm.tasks.task import Prompt
    from tiling.grid import Tile
    from tiling.scene import Scene
    from tiling.view import View

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Value = TypeVar("Value")


READERS = 2
"""Threads that read views ahead of the model."""


class Look(NamedTuple):
    """A tile as a model sees it in one pass over the scene.

    Attributes:
        key: what a journal knows it by.
        plan: the pass, by its place among those of the run.
        tile: the tile.
        view: of its window.
    """

    key: str
    plan: int
    tile: Tile
    view: View


@dataclass(frozen=True)
class Questions:
    """What a model is asked about windows of a scene, and how.

    Attributes:
        looks: at what, in the order in which they are asked about.
        prompts: the words, by ``Look.plan``.
        options: how replies are generated.
        batch_size: looks of one batch.
    """

    looks: Sequence[Look]
    prompts: Sequence[Prompt]
    options: Generation
    batch_size: int


@dataclass(frozen=True)
class TileReply:
    """Reply of a model about a tile.

    Attributes:
        text: the reply.
        stop_reason: of the reply.
        error: why there is no usable reply, in one line, else None.
        tokens: generated tokens; 0 where they were not kept.
    """

    text: str
    stop_reason: StopReason
    error: str | None = None
    tokens: int = 0

    @classmethod
    def of(cls, reply: Reply) -> TileReply:
        """A reply, which is not usable if it failed or is empty: "nothing there" is said in words."""
        error = failure_of(reply)
        if error is None and not reply.text.strip():
            error = "the model replied nothing"
        return cls(reply.text, reply.stop_reason, error, reply.completion_tokens)

    @property
    def usable(self) -> bool:
        """Whether it is kept: a tile without a usable reply is asked about again."""
        return self.error is None

    def to_json(self) -> dict[str, Any]:
        """As a journal holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Any) -> TileReply:
        """The reply that ``to_json`` gave.

        Raises:
            JournalError: for a record of something else.
        """
        try:
            return cls(record["text"], record["stop_reason"], record["error"], int(record.get("tokens", 0)))
        except (KeyError, TypeError, AttributeError, ValueError):
            raise JournalError(f"not the reply about a tile: {str(record)[:60]}") from None


def kept_replies(journal: Journal | None) -> dict[str, TileReply]:
    """The usable replies of a journal by tile key."""
    kept = {} if journal is None else {key: TileReply.from_json(each) for key, each in journal.done.items()}
    return {key: reply for key, reply in kept.items() if reply.usable}


def tile_key(tile: Tile, scale: float | None = None) -> str:
    """The key of a tile in a journal: its window in scene px, and the scale of a pass that has one.

    ``x,y,width,height``, or ``x,y,width,height@scale``.
    """
    window = tile.window
    place = f"{window.x:.0f},{window.y:.0f},{window.width:.0f},{window.height:.0f}"
    return place if scale is None else f"{place}@{scale:.12g}"


def ask_tiles(
    scene: Scene,
    engine: Engine,
    run: Questions,
    known: Mapping[str, TileReply],
    readers: int,
    keep: Keep | None = None,
) -> Iterator[dict[str, TileReply]]:
    """Replies by tile key, as they come, for the tiles that are not known.

    A server is asked tile by tile, so many at a time, and a reply is there as soon as it is. An engine in
    process is asked in batches that are cut from the grid, never from what is left of it: a resumed run asks
    in the very batches of an uninterrupted one, so that it gets the very replies.

    Args:
        scene: of the tiles.
        engine: the model.
        run: what is asked.
        known: replies that need no request.
        readers: threads that read tiles.
        keep: told of replies the moment that a server has given them, by the thread of the request, while
            this one may wait for the pixels of another tile; of a batch by this thread.
    """
    gsd = scene_gsd(scene, engine, engine.family.resolution)

    def question(look: Look) -> Conversation | SceneError:
        try:
            image = image_of(scene, look.view, gsd)
        except SceneError as error:
            return error
        system, words = run.prompts[look.plan]
        start = Conversation() if system is None else Conversation().say("system", system)
        return start.say("user", image, words)

    most = in_flight(engine)
    return (
        _ask_in_flight(engine, run, known, question, most, readers, keep)
        if most
        else _ask_in_batches(engine, run, known, question, readers, keep)
    )


Question = Callable[[Look], Conversation | SceneError]
Keep = Callable[[Mapping[str, TileReply]], None]


def _ask_in_flight(
    engine: Engine,
    run: Questions,
    known: Mapping[str, TileReply],
    question: Question,
    most: int,
    readers: int,
    keep: Keep | None,
) -> Iterator[dict[str, TileReply]]:
    """A sliding window of requests; the seed of one is the place of its tile."""
    left = [(place, look) for place, look in enumerate(run.looks) if look.key not in known]
    waiting = zip(left, read_ahead([look for _, look in left], question, readers, most))

    def arrived(key: str, reply: Reply) -> None:
        if keep is not None:
            keep({key: TileReply.of(reply)})

    requests: Requests[str] = Requests(engine, most, arrived)
    for (place, look), item in waiting:
        if isinstance(item, SceneError):
            yield {look.key: _unread(item)}
            continue
        requests.submit(look.key, item, replace(run.options, seed=run.options.seed + place))
        if len(requests) >= most:
            yield _next(requests)
    while requests:
        yield _next(requests)


def _next(requests: Requests[str]) -> dict[str, TileReply]:
    done = requests.next()
    return {done.key: TileReply.of(done.reply)}


def _unread(error: SceneError) -> TileReply:
    return TileReply.of(Reply("", "error", error=str(error)))


def _ask_in_batches(
    engine: Engine,
    run: Questions,
    known: Mapping[str, TileReply],
    question: Question,
    readers: int,
    keep: Keep | None,
) -> Iterator[dict[str, TileReply]]:
    """Batch by batch, of those that are not wholly known."""
    left = [batch for batch in _batches(run) if any(look.key not in known for look in batch)]
    waiting = read_ahead([look for batch in left for look in batch], question, readers, 2 * run.batch_size)
    for batch in left:
        questions = list(islice(waiting, len(batch)))
        asked = [item for item in questions if isinstance(item, Conversation)]
        replies = iter(chat_once(engine, asked, run.options))
        answered = {
            look.key: TileReply.of(next(replies)) if isinstance(item, Conversation) else _unread(item)
            for look, item in zip(batch, questions, strict=True)
        }
        new = {key: reply for key, reply in answered.items() if key not in known}
        if keep is not None:
            keep(new)
        yield new


def _batches(run: Questions) -> list[list[Look]]:
    """Requests that go together: tiles of one pass and size, asked about in the same words."""
    looks, size = run.looks, run.batch_size
    passes = [[look for look in looks if look.plan == number] for number in range(len(run.prompts))]
    return [each[start : start + size] for each in passes for start in range(0, len(each), size)]


def read_ahead(
    items: Sequence[Item], read: Callable[[Item], Value], readers: int, ahead: int
) -> Iterator[Value]:
    """``read`` of each item in order, by threads that are never more than ``ahead`` items ahead."""
    coming = iter(items)
    with ThreadPoolExecutor(max_workers=readers) as pool:
        queue: list[Future[Value]] = [pool.submit(read, item) for item in islice(coming, ahead)]
        try:
            while queue:
                value = queue.pop(0).result()
                queue += [pool.submit(read, item) for item in islice(coming, 1)]
                yield value
        finally:
            pool.shutdown(cancel_futures=True)


class Answers:
    """Replies to the questions of a run: kept ones, and those that the model gives now, which are kept.

    Args:
        scene: that is asked about.
        engine: the model.
        journal: where replies are kept as they come, and taken from where they are there already.
        progress: called with (looks done, looks in all).
        readers: threads that read views ahead of the model.
    """

    def __init__(
        self,
        scene: Scene,
        engine: Engine,
        journal: Journal | None,
        progress: Progress | None,
        readers: int = READERS,
    ) -> None:
        self._scene, self._engine, self._readers = scene, engine, readers
        self._journal, self._progress = journal, progress
        self._known = kept_replies(journal)
        self._asked = 0

    def to(self, questions: Questions) -> list[TileReply]:
        """The reply about each look, in order."""
        keys = {look.key for look in questions.looks}
        self._asked += len(keys)
        self._tell()
        for new in ask_tiles(self._scene, self._engine, questions, self._known, self._readers, self._keep):
            self._known.update(new)
            self._tell()
        return [self._known[look.key] for look in questions.looks]

    def _keep(self, new: Mapping[str, TileReply]) -> None:
        usable = {key: reply.to_json() for key, reply in new.items() if reply.usable}
        if self._journal is not None and usable:
            self._journal.append(usable)

    def _tell(self) -> None:
        if self._progress:
            self._progress(min(len(self._known), self._asked), self._asked)
