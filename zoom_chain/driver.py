"""The driver: does what the policies of many questions ask for, and charges what it costs.

Questions are worked on few at a time, each to its end: as many as a server takes requests at once, or as many
as leave their keys and values in the cache that an engine in process keeps between turns. A server gets each
request on its own, in a sliding window; an engine in process gets those of a round as one batch. What many
questions share, the overview of a scene, is read once, and its keys and values are computed once: of the
questions that open with the same picture one goes ahead, and the others find it in the cache.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from tiling.errors import SceneError
from tiling.focus import FocusedView, read_focused
from zoom_chain.chat import ChatModel, Conversation, Generation, ImagePart, Picture, PngPart
from zoom_chain.effects import Ask, Compare, Effect, Look, Outcome, Result, Said, Showing, Sight, Steps
from zoom_chain.requests import Requests, in_flight
from zoom_chain.session import Run, Session
from zoom_chain.trace import ViewRecord, record_view

TOGETHER = 64
"""Most questions that are worked on at a time by an engine in process."""

ENCODE = Generation(max_new_tokens=1)
"""Options of a request that has an engine compute and keep a prompt; its reply is not looked at."""

_WORDS = 300
"""Tokens of text beside the images of a turn, for an estimate of what a question comes to hold in a cache."""
_OVERVIEWS = 4
_LEAST_LIMIT_S = 1.0


@dataclass(eq=False)
class Job:
    """A question at work.

    Attributes:
        session: of the question.
        run: the policy.
        number: place among the questions, which sets the seed of its requests.
        outcome: how it ended; None before.
        ended: when.
    """

    session: Session
    run: Run
    number: int = 0
    outcome: Outcome | None = None
    ended: float = 0.0
    _steps: Steps | None = None
    _wanted: Effect | None = None
    _said: dict[int, Said] = field(default_factory=dict)

    @property
    def wanted(self) -> Effect | None:
        """What the policy waits for; None at its end."""
        return self._wanted

    def begin(self) -> None:
        """Run the policy up to its first effect."""
        self.session.spending.started = self.session.clock()
        self._steps = self.run(self.session)
        self._advance(lambda steps: next(steps))

    def give(self, result: Result) -> None:
        """The result of the effect that the policy waits for."""
        self._advance(lambda steps: steps.send(result))

    def take(self, index: int, said: Said) -> bool:
        """One reply of several that the policy waits for; whether it was the last."""
        assert isinstance(self._wanted, Ask)
        self._said[index] = said
        self._charge(said)
        if len(self._said) < len(self._wanted.conversations):
            return False
        replies, self._said = self._said, {}
        self.give(tuple(replies[number] for number in sorted(replies)))
        return True

    def end(self, outcome: Outcome) -> None:
        """The end of the question."""
        self.outcome, self._wanted = outcome, None
        self.ended = self.session.clock()
        if self._steps is not None:
            self._steps.close()
        self._steps = None  # with the images that it holds

    def _charge(self, said: Said) -> None:
        spending = self.session.spending
        spending.calls += 1
        spending.prompt_tokens += said.reply.prompt_tokens
        spending.completion_tokens += said.reply.completion_tokens

    def _advance(self, step: Callable[[Steps], Effect]) -> None:
        assert self._steps is not None
        try:
            self._wanted = step(self._steps)
        except StopIteration as stop:
            self.end(stop.value)
        except SceneError as error:
            self.end(Outcome("error", error=str(error)))

    @property
    def limit_s(self) -> float | None:
        """Longest time of a single request."""
        most = self.session.budget.max_seconds
        return None if most is None else max(most, _LEAST_LIMIT_S)

    @property
    def held_tokens(self) -> int:
        """Tokens that the question holds in a cache at its end, at most."""
        budget = self.session.budget
        turns = 1 + budget.max_zooms + budget.max_refusals
        images = (1 + budget.max_zooms) * self._largest
        bound = budget.max_visual_tokens
        return (images if bound is None else min(images, bound)) + turns * _WORDS

    @property
    def shared_tokens(self) -> int:
        """Tokens of them that are the overview, which other questions about the scene open with too.

        None are counted where a bound on visual tokens may make it smaller than the largest image.
        """
        budget = self.session.budget
        bound = budget.max_visual_tokens
        free = budget.max_pixels is None and (
            bound is None or bound >= (1 + budget.max_zooms) * self._largest
        )
        return self._largest if free else 0

    @property
    def _largest(self) -> int:
        return self.session.resolution.max_pixels // self.session.resolution.factor**2


class Driver:
    """Works on questions.

    Args:
        model: that is asked.
        options: how replies are generated where a policy does not say.
        readers: threads that read views.
        thumbnails: whether records of views hold pictures, for a page.
    """

    def __init__(
        self, model: ChatModel, options: Generation, readers: int = 4, *, thumbnails: bool = True
    ) -> None:
        self.model = model
        self.options = options
        self._thumbnails = thumbnails
        # What a server is sent again and again is kept as it is sent, in less memory than its pixels.
        self._files = in_flight(model) > 0
        self._readers = max(1, readers)
        self._overviews: OrderedDict[tuple[int, Showing], Future[_Seen | SceneError]] = OrderedDict()
        self._encoded: dict[int, Picture] = {}
        self._lock = threading.Lock()

    def run(self, jobs: Sequence[Job], ended: Callable[[int], None] | None = None) -> None:
        """Work on questions until each has its outcome.

        Args:
            jobs: in order of their beginning.
            ended: called with the number of questions that ended since it was called last.

        Raises:
            What the model raises; a failed request is a reply and ends its own question alone.
        """
        told = _Told(jobs, ended)
        with ThreadPoolExecutor(self._readers) as pool:
            self._pool = pool
            try:
                if most := in_flight(self.model):
                    self._run_in_flight(deque(jobs), most, told)
                else:
                    self._run_batches(deque(jobs), told)
            finally:
                self._overviews.clear()
                self._encoded.clear()

    # --- a server: requests in flight ---------------------------------------------------------------

    def _run_in_flight(self, waiting: deque[Job], most: int, told: _Told) -> None:
        """As many questions at a time as the server takes requests, each in a thread of its own.

        The threads do not keep the process alive, so that a request that hangs holds up nothing.
        """
        finished: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        left = len(waiting)

        def work() -> None:
            try:
                while waiting:
                    self._work_on(waiting.popleft(), most)
                    finished.put(None)
            except IndexError:  # another thread took the last one
                return
            except BaseException as error:  # raised where the questions are waited for
                waiting.clear()
                finished.put(error)

        for _ in range(min(most, left)):
            threading.Thread(target=work, daemon=True).start()
        while left:
            error = finished.get()
            if error is not None:
                raise error
            left -= 1
            told()

    def _work_on(self, job: Job, most: int) -> None:
        """One question to its end."""
        job.begin()
        self._look([job])
        while isinstance(job.wanted, Ask):
            options = job.wanted.options or self.options
            options = replace(options, seed=options.seed + job.number)
            requests: Requests[int] = Requests(self.model, most)
            for index, conversation in enumerate(job.wanted.conversations):
                requests.submit(index, conversation, options, job.limit_s)
            while requests:
                done = requests.next()
                job.take(done.key, Said(done.reply, done.seconds))
            self._look([job])

    # --- in process: batches ------------------------------------------------------------------------

    def _run_batches(self, waiting: deque[Job], told: _Told) -> None:
        active: list[Job] = []
        while waiting or active:
            while waiting and len(active) < self._room([*active, waiting[0]]):
                active.append(waiting.popleft())
                active[-1].begin()
            self._look(active)
            active = [job for job in active if job.outcome is None]
            for options, asked in self._batches(active).items():
                self._chat(asked, options)
            active = [job for job in active if job.outcome is None]
            told()

    def _room(self, jobs: Sequence[Job]) -> int:
        """How many questions may be worked on so that the kept cache holds all of them.

        What they look at alike, the overview of a scene, it holds once.
        """
        kept = kept_tokens(self.model)
        if kept == 0:
            return TOGETHER
        held = [job.held_tokens for job in jobs]
        shared = sum({id(job.session.scene): job.shared_tokens for job in jobs}.values())
        own = max(tokens - job.shared_tokens for job, tokens in zip(jobs, held, strict=True))
        return min(TOGETHER, max(1, (kept - shared) // own))

    def _batches(self, jobs: Sequence[Job]) -> dict[Generation, list[tuple[Job, int]]]:
        """What is asked in this round, by options."""
        batches: dict[Generation, list[tuple[Job, int]]] = {}
        for job in jobs:
            if isinstance(job.wanted, Ask):
                batches.setdefault(job.wanted.options or self.options, []).extend(
                    (job, index) for index in range(len(job.wanted.conversations))
                )
        return batches

    def _chat(self, asked: Sequence[tuple[Job, int]], options: Generation) -> None:
        """One batch."""
        conversations = [_asked(job, index) for job, index in asked]
        clock = asked[0][0].session.clock
        began = clock()
        encoded = self._encode_shared(asked)
        replies = self.model.chat(conversations, options)
        seconds = clock() - began
        if len(replies) != len(asked):
            raise ValueError(f"the model gave {len(replies)} replies to {len(asked)} conversations")
        for number, ((job, index), reply) in enumerate(zip(asked, replies, strict=True)):
            if number in encoded and reply.prefilled_tokens is not None:
                reply = replace(reply, prefilled_tokens=reply.prefilled_tokens + encoded[number])
            job.take(index, Said(reply, seconds))

    def _encode_shared(self, asked: Sequence[tuple[Job, int]]) -> dict[int, int]:
        """Have the engine keep the keys and values of each overview with which several questions open.

        Rows of a batch do not see each other's, so that each would compute the overview anew.

        Returns:
            For the place in the batch that it is done for: the tokens that were computed.
        """
        if kept_tokens(self.model) == 0:
            return {}
        opening: dict[int, list[int]] = {}
        for number, (job, index) in enumerate(asked):
            images = _asked(job, index).images
            if not job.session.turns and images and id(images[0]) not in self._encoded:
                opening.setdefault(id(images[0]), []).append(number)
        tokens = {}
        for first, *others in opening.values():
            conversation = _asked(*asked[first])
            self._encoded[id(conversation.images[0])] = conversation.images[0]
            if others:
                (reply,) = self.model.chat([conversation], ENCODE)
                tokens[first] = reply.prefilled_tokens or 0
        return tokens

    # --- looking ------------------------------------------------------------------------------------

    def _look(self, jobs: Sequence[Job]) -> None:
        """Read, record and compare views until no question waits for that."""
        while looking := [job for job in jobs if isinstance(job.wanted, Look | Compare)]:
            for job in looking:
                if isinstance(job.wanted, Compare):
                    job.give(job.session.compare(job.wanted.text, job.wanted.images))
            reading = [(job, self._read(job)) for job in looking if isinstance(job.wanted, Look)]
            for job, seen in reading:
                self._show(job, [future.result() for future in seen])

    def _read(self, job: Job) -> list[Future[_Seen | SceneError]]:
        look, session = job.wanted, job.session
        assert isinstance(look, Look)
        side = look.thumbnail_side if self._thumbnails else 0

        def read(showing: Showing) -> Future[_Seen | SceneError]:
            return self._pool.submit(_see, session, showing, side, self._files)

        if not look.overview:
            return [read(showing) for showing in look.showings]
        futures = []
        with self._lock:
            for showing in look.showings:
                key = id(session.scene), showing
                if key not in self._overviews:
                    self._overviews[key] = read(showing)
                    while len(self._overviews) > _OVERVIEWS:
                        self._overviews.popitem(last=False)
                futures.append(self._overviews[key])
        return futures

    def _show(self, job: Job, seen: Sequence[_Seen | SceneError]) -> None:
        """Record what was read, charge it, and tell the policy."""
        look, session = job.wanted, job.session
        assert isinstance(look, Look)
        sights = []
        for each in seen:
            if isinstance(each, SceneError):
                if look.overview:
                    job.end(Outcome("error", error=str(each)))
                    return
                sights.append(Sight(None, None, str(each)))
            elif not (each.valid or look.overview):
                sights.append(Sight(None, None))
            else:
                record = replace(each.record, visual_tokens=0) if look.unseen else each.record
                session.views.append(record)
                if not look.unseen:
                    _charge_view(session, record, judged=look.judged)
                sights.append(Sight(len(session.views) - 1, each.image))
        job.give(tuple(sights))


@dataclass(frozen=True)
class _Seen:
    """A view that was read."""

    image: Picture
    record: ViewRecord
    valid: bool


def _see(session: Session, showing: Showing, thumbnail_side: int, as_file: bool) -> _Seen | SceneError:
    """A view, read and recorded; the error of a file is a value, since it may concern this view alone."""
    scene, view = session.scene, showing.view
    try:
        if isinstance(view, FocusedView):
            pixels, mask = read_focused(scene, view)
        else:
            raster = scene.read(view)
            pixels, mask = raster.pixels, raster.mask
    except SceneError as error:
        return error
    even = view.base if isinstance(view, FocusedView) else view
    record = record_view(
        scene,
        session.gsd,
        view,
        pixels,
        session.shown[0] if session.shown else even,
        showing.gain,
        session.resolution.tokens(view.size),
        thumbnail_side,
    )
    image = ImagePart(pixels, gsd_m=record.gsd_m)
    return _Seen(
        PngPart.of(image) if as_file and image.is_rgb else image,
        replace(record, parent=showing.parent, score=showing.score),
        bool(mask.any()),
    )


def _charge_view(session: Session, record: ViewRecord, *, judged: bool) -> None:
    spending, size = session.spending, record.view.size
    spending.views += 1
    spending.judged += judged
    spending.pixels += size.height * size.width
    spending.visual_tokens += record.visual_tokens


def _asked(job: Job, index: int) -> Conversation:
    assert isinstance(job.wanted, Ask)
    return job.wanted.conversations[index]


def kept_tokens(model: ChatModel) -> int:
    """Tokens whose keys and values an engine keeps between calls; 0 for one that keeps none."""
    return int(getattr(model, "kept_tokens", 0))


class _Told:
    """Tells how many questions have ended, once for each round in which some did."""

    def __init__(self, jobs: Sequence[Job], ended: Callable[[int], None] | None) -> None:
        self._jobs, self._ended, self._known = list(jobs), ended, 0

    def __call__(self) -> None:
        done = sum(job.outcome is not None for job in self._jobs)
        if self._ended is not None and done > self._known:
            self._ended(done)
        self._known = done
