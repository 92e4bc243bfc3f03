"""Any OpenAI-compatible server as an engine: ``vllm serve`` first, with checks that it sees what was sent."""

from __future__ import annotations

import asyncio
import email.utils
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
from anyio.from_thread import start_blocking_portal

from rscovlm.engines import openai
from rscovlm.errors import ModelError
from rscovlm.models.families import ModelFamily
from rscovlm.models.prompting import prompter_of
from zoom_chain.chat import Conversation, Generation, Reply

T = TypeVar("T")

_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_REFUSED = frozenset({401, 403, 404, 405})
_KEY_VARIABLES = ("RSCOVLM_API_KEY", "OPENAI_API_KEY")
_LONGEST_WAIT_S = 60.0


class HttpEngine:
    """A model behind an OpenAI-compatible server.

    Images are sent at their final size, and the server's count of prompt tokens shows whether it left them
    so: against the exact count where its tokenizer is known; else by two probes, the smallest and the largest
    image of the family, whose counts have to differ by their visual tokens, and by bounds on every reply.

    Args:
        url: up to and including ``/v1``.
        model: name on the server; None takes the only one that it serves.
        family: how the model sees and writes.
        tokenizer: folder of the model's tokenizer with its chat template, for exact counts.
        in_flight: requests at the same time.
        timeout_s: without any sign of life from the server.
        attempts: of a request that fails for a passing reason (429, 5xx, connection lost).
        first_wait_s: before the second attempt; doubles from one to the next, and varies at random.

    The key, where the server asks for one, is read from ``RSCOVLM_API_KEY`` or ``OPENAI_API_KEY``.

    Raises:
        ModelError: for a server that does not answer, refuses, or does not serve the model.
    """

    def __init__(
        self,
        url: str,
        model: str | None,
        family: ModelFamily,
        *,
        tokenizer: str | Path | None = None,
        in_flight: int = 16,
        timeout_s: float = 600.0,
        attempts: int = 6,
        first_wait_s: float = 0.5,
    ) -> None:
        self.family = family
        self.url = _without_credentials(url)
        self._prompter = None if tokenizer is None else prompter_of(Path(tokenizer), family)
        self.in_flight = in_flight
        self._in_flight = asyncio.Semaphore(in_flight)
        self._attempts, self._first_wait_s = attempts, first_wait_s
        self._probed = self._prompter is not None
        self._served = False
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers=_authorization(),
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            limits=httpx.Limits(max_connections=in_flight),
        )
        # An event loop in a thread of its own, so that callers need none and may have one.
        self._closing = ExitStack()
        self._portal = self._closing.enter_context(start_blocking_portal(name="rscovlm-http"))
        self._closing.callback(self._run, self._client.aclose)
        try:
            self.model, self._extra = self._run(self._find, model)
        except BaseException:
            self.close()
            raise
        self.name = f"{self.url}#{self.model}"

    def __enter__(self) -> HttpEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the server goes on."""
        self._closing.close()

    def _run(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """The result of a coroutine function; an interrupt while waiting cancels it."""
        future = self._portal.start_task_soon(work, *arguments)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """One reply for each conversation, in order; see ``ChatModel``.

        Raises:
            ModelError: where the server refuses all requests or resizes images.
        """
        return self._run(self._chat, conversations, options)

    async def _chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        if not self._probed and any(message.images for c in conversations for message in c.messages):
            await self._probe()
            self._probed = True
        return await _all(
            self._ask(conversation, options, options.seed + index)
            for index, conversation in enumerate(conversations)
        )

    async def _ask(self, conversation: Conversation, options: Generation, seed: int) -> Reply:
        """The reply to one conversation; a failure that concerns only this request is a reply too."""
        async with self._in_flight:
            body = await asyncio.to_thread(
                openai.chat_request, conversation, self.model, options, seed, self._extra
            )
            try:
                response = await self._send("POST", "chat/completions", self._attempts, json=body)
                reply = openai.read_reply(_json(response))
            except (_Failed, ValueError) as error:
                return Reply("", stop_reason="error", error=f"{self.url}: {error}")
        self._served = True
        self._check_count(conversation, reply.prompt_tokens)
        return reply

    # --- the server ---------------------------------------------------------------------------------

    async def _find(self, wanted: str | None) -> tuple[str, dict[str, Any]]:
        """The name of the model to ask for, and parameters that its server understands besides OpenAI's."""
        try:
            response = await self._send("GET", "models", attempts=1)
            served = {item["id"]: item.get("owned_by") for item in response.json()["data"]}
        except _Failed as error:
            raise ModelError(f"no model server answers at {self.url}: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{self.url}/models is not an OpenAI-compatible list of models") from error
        if wanted is None and len(served) == 1:
            wanted = next(iter(served))
        if wanted is None or wanted not in served:
            names = ", ".join(sorted(served)) or "nothing"
            asked = f"does not serve {wanted!r}" if wanted else "needs a model name"
            raise ModelError(f"{self.url} {asked}; it serves {names}: give {self.url}#NAME")
        return wanted, openai.VLLM_PARAMETERS if served[wanted] == "vllm" else {}

    async def _send(self, method: str, path: str, attempts: int, **arguments: Any) -> httpx.Response:
        """A successful response, after as many attempts as it takes and is allowed.

        Raises:
            _Failed: where the last attempt failed, or another one would fail alike.
            ModelError: for a refusal before any request succeeded, which concerns every one.
        """
        for attempt in range(attempts):
            try:
                response = await self._client.request(method, path, **arguments)
            except httpx.ReadTimeout as error:
                raise _Failed(f"no reply within {self._client.timeout.read:g} s") from error
            except httpx.TransportError as error:
                failed, asked_to_wait = _Failed(str(error) or type(error).__name__), 0.0
            else:
                if response.is_success:
                    return response
                failed = _Failed(openai.failure_text(response.status_code, _json(response), response.text))
                # Of a server that has answered others, a refusal concerns this request alone.
                if response.status_code in _REFUSED and not self._served:
                    raise ModelError(f"{self.url} refuses: {failed}{_hint(response.status_code)}")
                if response.status_code not in _RETRIED:
                    raise failed
                asked_to_wait = _retry_after_s(response.headers.get("retry-after"))
            if attempt + 1 < attempts:
                own_wait = self._first_wait_s * 2**attempt * random.uniform(0.5, 1.5)
                await asyncio.sleep(min(max(own_wait, asked_to_wait), _LONGEST_WAIT_S))
        raise failed if attempts == 1 else _Failed(f"{failed} (after {attempts} attempts)")

    # --- token counts -------------------------------------------------------------------------------

    def _check_count(self, conversation: Conversation, counted: int) -> None:
        """Make sure that the model was shown what was sent, by the number of its tokens.

        Raises:
            ModelError: where it was not.
        """
        if self._prompter is None:
            openai.check_plausible_count(conversation, counted, self.family.resolution.factor)
            return
        expected = len(self._prompter.prompt(conversation).ids)
        if counted != expected:
            raise openai.resized(f"{counted} prompt tokens where {expected} were sent")

    async def _probe(self) -> None:
        """Compare the counts of the smallest and the largest image.

        Raises:
            ModelError: where they do not differ by their visual tokens, or the server fails on them.
        """
        sizes = openai.probe_sizes(self.family.resolution)
        replies = await _all(
            self._ask(openai.probe(size), Generation(max_new_tokens=1), seed=0)
            for size in dict.fromkeys(sizes)
        )
        for reply in replies:
            if reply.error is not None:
                raise ModelError(f"the server fails on a test image: {reply.error}")
        small, large = (self.family.resolution.tokens(size) for size in sizes)
        counted = replies[-1].prompt_tokens - replies[0].prompt_tokens
        if counted != large - small:
            raise openai.resized(
                f"{counted} tokens more for an image of {sizes[1].width} x {sizes[1].height} px than for one "
                f"of {sizes[0].width} x {sizes[0].height} px where {large - small} are right"
            )


class _Failed(Exception):
    """A request that failed; the message says why."""


async def _all(works: Any) -> list[Any]:
    """The results of coroutines, in order; the first exception cancels the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _authorization() -> dict[str, str]:
    key = next((os.environ[name] for name in _KEY_VARIABLES if os.environ.get(name)), None)
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _hint(status: int) -> str:
    if status in (401, 403):
        return f"; set the key in {_KEY_VARIABLES[0]}"
    return "; the address usually ends in /v1" if status == 404 else ""


def _without_credentials(url: str) -> str:
    """A URL fit for messages and provenance."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ModelError(f"{url!r} is not a URL: {error}; give http://HOST:PORT/v1#NAME") from error
    if not parsed.host:
        raise ModelError(f"{url!r} names no host; give http://HOST:PORT/v1#NAME")
    return str(parsed.copy_with(username=None, password=None)).rstrip("/")


def _retry_after_s(value: str | None) -> float:
    """Seconds to wait by a Retry-After header, which holds seconds or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
