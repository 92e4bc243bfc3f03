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
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from zoom_chain.chat import ChatModel, Generation
from zoom_chain.effects import Ask, Compare, Look, Said
from zoom_chain.jobs import Job
from zoom_chain.keeping import Kept
from zoom_chain.reading import Views
from zoom_chain.requests import Requests, in_flight


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
        self._readers = max(1, readers)
        self._thumbnails = thumbnails

    def run(self, jobs: Sequence[Job], ended: Callable[[int], None] | None = None) -> None:
        """Work on questions until each has its outcome.

        Args:
            jobs: in order of their beginning.
            ended: called with the number of questions that ended since it was called last.

        Raises:
            What the model raises; a failed request is a reply and ends its own question alone.
        """
        told = _Told(jobs, ended)
        # What a server is sent again and again is kept as it is sent, in less memory than its pixels.
        most = in_flight(self.model)
        with ThreadPoolExecutor(self._readers) as pool:
            self._views = Views(pool, thumbnails=self._thumbnails, as_files=most > 0)
            if most:
                self._run_in_flight(deque(jobs), most, told)
            else:
                self._run_batches(deque(jobs), told)

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
        kept = Kept(self.model)
        active: list[Job] = []
        while waiting or active:
            while waiting and len(active) < kept.room([*active, waiting[0]]):
                active.append(waiting.popleft())
                active[-1].begin()
            self._look(active)
            active = [job for job in active if job.outcome is None]
            kept.give_back([*active, *waiting])
            for options, asked in self._batches(active).items():
                self._chat(asked, options, kept)
            active = [job for job in active if job.outcome is None]
            told()
        kept.give_back(())

    def _batches(self, jobs: Sequence[Job]) -> dict[Generation, list[tuple[Job, int]]]:
        """What is asked in this round, by options."""
        batches: dict[Generation, list[tuple[Job, int]]] = {}
        for job in jobs:
            if isinstance(job.wanted, Ask):
                batches.setdefault(job.wanted.options or self.options, []).extend(
                    (job, index) for index in range(len(job.wanted.conversations))
                )
        return batches

    def _chat(self, asked: Sequence[tuple[Job, int]], options: Generation, kept: Kept) -> None:
        """One batch."""
        conversations = [job.asked[index] for job, index in asked]
        clock = asked[0][0].session.clock
        began = clock()
        opened = kept.open(asked)
        replies = self.model.chat(conversations, options)
        seconds = clock() - began
        if len(replies) != len(asked):
            raise ValueError(f"the model gave {len(replies)} replies to {len(asked)} conversations")
        for number, ((job, index), reply) in enumerate(zip(asked, replies, strict=True)):
            computed = opened.get(number, 0) + (reply.prefilled_tokens or 0)
            # A reply that is read from a journal did not go on from what was opened.
            if reply.prefilled_tokens is not None and computed <= reply.prompt_tokens:
                reply = replace(reply, prefilled_tokens=computed)
            job.take(index, Said(reply, seconds))

    # --- looking ------------------------------------------------------------------------------------

    def _look(self, jobs: Sequence[Job]) -> None:
        """Read, record and compare views until no question waits for that."""
        while looking := [job for job in jobs if isinstance(job.wanted, Look | Compare)]:
            for job in looking:
                if isinstance(job.wanted, Compare):
                    job.give(job.session.compare(job.wanted.text, job.wanted.images))
            reading = [(job, self._views.read(job)) for job in looking if isinstance(job.wanted, Look)]
            for job, seen in reading:
                self._views.show(job, [future.result() for future in seen])


class _Told:
    """Tells how many questions have ended, once for each round in which some did."""

    def __init__(self, jobs: Sequence[Job], ended: Callable[[int], None] | None) -> None:
        self._jobs, self._ended, self._known = list(jobs), ended, 0

    def __call__(self) -> None:
        done = sum(job.outcome is not None for job in self._jobs)
        if self._ended is not None and done > self._known:
            self._ended(done)
        self._known = done
