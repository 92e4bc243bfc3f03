"""Requests to a server: a sliding window of them in flight, each on its own, none waiting for another."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from zoom_chain.chat import ChatModel, Conversation, Generation, Reply

Key = TypeVar("Key", bound=Hashable)


def in_flight(model: ChatModel) -> int:
    """How many requests a model takes at once, each on its own; 0 for one that wants whole batches."""
    return int(getattr(model, "in_flight", 0))


@dataclass(frozen=True)
class Finished(Generic[Key]):
    """A request that has its reply.

    Attributes:
        key: as it was submitted.
        reply: of the model.
        seconds: from when it was sent on.
    """

    key: Key
    reply: Reply
    seconds: float


@dataclass
class _Request(Generic[Key]):
    key: Key
    send: Callable[[], Reply]
    limit_s: float | None
    began: float = 0.0


class Requests(Generic[Key]):
    """Requests that are sent by threads of their own, so many at a time.

    A request that takes longer than its limit is given up: its reply is an error, and what the server may
    still say is not waited for. The threads do not keep the process alive.

    Args:
        model: that takes conversations one by one.
        most: in flight at a time.
        arrived: told of each reply of the model the moment that it is there, by the thread of its request:
            whoever waits for replies may be busy. Told of those too that come after they were given up.
    """

    def __init__(
        self, model: ChatModel, most: int, arrived: Callable[[Key, Reply], None] | None = None
    ) -> None:
        self._model, self._most, self._arrived = model, max(1, most), arrived
        self._waiting: deque[_Request[Key]] = deque()
        self._sent: dict[int, _Request[Key]] = {}
        self._done: queue.SimpleQueue[tuple[int, Reply | BaseException]] = queue.SimpleQueue()
        self._number = 0

    def __len__(self) -> int:
        """Requests that have no reply yet."""
        return len(self._waiting) + len(self._sent)

    def submit(
        self, key: Key, conversation: Conversation, options: Generation, limit_s: float | None = None
    ) -> None:
        """Send a request as soon as there is room; ``limit_s`` counts from then on."""

        def send() -> Reply:
            (reply,) = self._model.chat([conversation], options)
            if self._arrived is not None:
                self._arrived(key, reply)
            return reply

        self._waiting.append(_Request(key, send, limit_s))
        self._fill()

    def next(self) -> Finished[Key]:
        """The next request that has a reply; waits for it.

        Raises:
            What the model raised.
            LookupError: where nothing was submitted.
        """
        if not self:
            raise LookupError("no request is in flight")
        while True:
            self._fill()
            try:
                number, result = self._done.get(timeout=self._patience())
            except queue.Empty:
                if late := self._late():
                    return self._give_up(late)
                continue
            request = self._sent.pop(number, None)
            if request is None:  # given up before
                continue
            if isinstance(result, BaseException):
                raise result
            self._fill()
            return Finished(request.key, result, time.monotonic() - request.began)

    def _fill(self) -> None:
        while self._waiting and len(self._sent) < self._most:
            request = self._waiting.popleft()
            self._number += 1
            request.began = time.monotonic()
            self._sent[self._number] = request
            work = threading.Thread(target=self._work, args=(self._number, request.send), daemon=True)
            work.start()

    def _work(self, number: int, send: Callable[[], Reply]) -> None:
        try:
            self._done.put((number, send()))
        except BaseException as error:  # told to who waits, not to the thread
            self._done.put((number, error))

    def _patience(self) -> float | None:
        """Seconds until the first limit is reached; None where there is no limit."""
        ends = [each.began + each.limit_s for each in self._sent.values() if each.limit_s is not None]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _late(self) -> int | None:
        now = time.monotonic()
        for number, request in self._sent.items():
            if request.limit_s is not None and now >= request.began + request.limit_s:
                return number
        return None

    def _give_up(self, number: int) -> Finished[Key]:
        request = self._sent.pop(number)
        self._fill()
        error = f"no reply within {request.limit_s:g} s, the most that this question may take"
        return Finished(request.key, Reply("", "error", error=error), time.monotonic() - request.began)
