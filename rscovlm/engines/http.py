"""Any OpenAI-compatible server as an engine: ``vllm serve`` first, with checks that it sees what was sent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
from anyio.from_thread import start_blocking_portal

from detection_eval.closing import Closing
from rscovlm.engines import connection, openai
from rscovlm.engines.accounting import Accounting, Probed
from rscovlm.engines.prefix_cache import PrefixCache
from rscovlm.engines.sending import RequestBody
from rscovlm.errors import ModelError
from rscovlm.models.families import ModelFamily
from rscovlm.models.prompting import prompter_of
from rscovlm.models.scale.routes import ROUTES, Routes
from rscovlm.models.serving import Serving
from rscovlm.progress import note
from zoom_chain.chat import Conversation, Generation, Reply
from zoom_chain.scores import Scores

T = TypeVar("T")


class HttpEngine(Closing):
    """A model behind an OpenAI-compatible server.

    Images are sent at their final size, and the server's count of prompt tokens shows whether it left them
    so: against the exact count where its tokenizer is known; else by two probes, the smallest and the largest
    image of the family, whose counts have to differ by their visual tokens, and by bounds on every reply.

    Args:
        url: up to and including ``/v1``.
        model: name on the server; None takes the only one that it serves.
        family: how the model sees and writes.
        tokenizer: folder of the model's tokenizer with its chat template, for exact counts.
        serving: time, attempts, requests in flight and headers.
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
        serving: Serving | None = None,
        first_wait_s: float = 0.5,
    ) -> None:
        self.family = family
        self.serving = serving or Serving()
        self.url = connection.without_credentials(url)
        self._prompter = None if tokenizer is None else prompter_of(Path(tokenizer), family)
        self.in_flight = self.serving.in_flight
        self._in_flight = asyncio.Semaphore(self.serving.in_flight)
        self._first_wait_s = first_wait_s
        self._accounting = Accounting(family.resolution)
        self._probed = self._prompter is not None
        self._probing = asyncio.Lock()
        self._unfit: ModelError | None = None
        self._served = False
        self._scores: Scores | None = None
        self._client = connection.open_client(url, self.serving)
        # An event loop in a thread of its own, so that callers need none and may have one.
        self._closing = ExitStack()
        self._portal = self._closing.enter_context(start_blocking_portal(name="rscovlm-http"))
        self._closing.callback(self._run, self._client.aclose)
        self._routes = Routes.read(Path(model)) if model and Path(model).name == ROUTES else None
        self._warned = False
        try:
            self.model, self._extra = self._run(self._find, model)
        except BaseException:
            self.close()
            raise
        served = [each.name for each in self._routes.adapters] if self._routes else [self.model]
        self.name = f"{self.url}#{'|'.join(served)}"

    def close(self) -> None:
        """Close the connections; the server goes on."""
        self._closing.close()

    @property
    def scores(self) -> Scores:
        """``top`` where the server states the likeliest first tokens, as one word finds out; else ``none``.

        Raises:
            ModelError: for a server that fails otherwise than by refusing to.
        """
        if self._scores is None:
            found: Scores = self._run(self._find_scores)
            self._scores = found
        return self._scores

    async def _find_scores(self) -> Scores:
        options = Generation(max_new_tokens=1, choices=("yes",))
        asked = Conversation().say("user", "Is one more than zero? Answer yes or no.")
        try:
            response = await self._post(RequestBody(asked, self.model, options, 0, self._extra))
            return "none" if openai.read_reply(_body(response), options.choices).choices is None else "top"
        except (Failed, ValueError) as error:
            if isinstance(error, Failed) and error.status in connection.UNSUPPORTED:
                return "none"
            raise ModelError(f"{self.url} fails on a test request for probabilities: {error}") from error

    def prefix_cache(self) -> PrefixCache | None:
        """The counters of the prefix cache of a vLLM server, for all that was asked of it since its start.

        None for a server that does not state them, or not beside its API.
        """
        return self._run(self._prefix_cache)

    async def _prefix_cache(self) -> PrefixCache | None:
        try:
            response = await self._send("GET", f"{self.url.rstrip('/').removesuffix('/v1')}/metrics", 1)
        except (Failed, ModelError):
            return None
        return PrefixCache.in_text(response.text)

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
            async with self._probing:  # those that come meanwhile wait for its result
                if self._unfit is not None:
                    raise self._unfit
                if not self._probed:
                    await self._probe_once()
        return await _all(
            self._ask(conversation, options, options.seed + index)
            for index, conversation in enumerate(conversations)
        )

    async def _ask(self, conversation: Conversation, options: Generation, seed: int) -> Reply:
        """The reply to one conversation; a failure that concerns only this request is a reply too."""
        async with self._in_flight:
            body = await asyncio.to_thread(
                RequestBody, conversation, self._model_for(conversation), options, seed, self._extra
            )
            try:
                reply = openai.read_reply(_body(await self._post(body)), options.choices)
            except (Failed, ValueError) as error:
                return Reply("", stop_reason="error", error=f"{self.url}: {error}")
        self._served = True
        self._check_count(conversation, reply.prompt_tokens)
        return reply

    def _model_for(self, conversation: Conversation) -> str:
        """The model that a request goes to: with routes, the adapter for the scale of the latest image."""
        if self._routes is None:
            return self.model
        images = conversation.images
        gsd_m = images[-1].gsd_m if images else None
        warning = self._routes.warning(gsd_m)
        if warning and not self._warned:
            self._warned = True
            note(f"warning: {warning}")
        return self._routes.route(gsd_m).name

    # --- the server ---------------------------------------------------------------------------------

    async def _find(self, wanted: str | None) -> tuple[str, dict[str, Any]]:
        """The name of the model to ask for, and parameters that its server understands besides OpenAI's."""
        try:
            response = await self._send("GET", "models", self.serving.attempts, patient=False)
            served = {item["id"]: item.get("owned_by") for item in response.json()["data"]}
        except Failed as error:
            raise ModelError(f"no model server answers at {self.url}: {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{self.url}/models is not an OpenAI-compatible list of models") from error
        if wanted is None and len(served) == 1:
            wanted = next(iter(served))
        if self._routes is not None:
            missing = [each.name for each in self._routes.adapters if each.name not in served]
            wanted = missing[0] if missing else self._routes.adapters[0].name
        if wanted is None or wanted not in served:
            names = ", ".join(sorted(map(str, served))) or "nothing"
            asked = f"does not serve {wanted!r}" if wanted else "needs a model name"
            raise ModelError(f"{self.url} {asked}; it serves {names}: give {self.url}#NAME")
        return wanted, openai.VLLM_PARAMETERS if served[wanted] == "vllm" else {}

    async def _post(self, body: RequestBody) -> httpx.Response:
        """The response to a request for a reply; raises as ``_send``."""
        return await self._send(
            "POST", "chat/completions", self.serving.attempts, content=body, headers=body.headers
        )

    async def _send(
        self, method: str, path: str, attempts: int, *, patient: bool = True, **arguments: Any
    ) -> httpx.Response:
        """A successful response, after as many attempts as it takes and is allowed.

        Args:
            method, path, arguments: of the request.
            attempts: at most.
            patient: whether a server that is not there is tried again, too; one that is not ready always is.

        Raises:
            Failed: where the last attempt failed, or another one would fail alike.
            ModelError: for a refusal before any request succeeded, which concerns every one.
        """
        for attempt in range(attempts):
            try:
                async with asyncio.timeout(self.serving.timeout_s):
                    response = await self._client.request(method, path, **arguments)
            except (TimeoutError, httpx.ReadTimeout) as error:
                raise Failed(
                    f"no whole reply within {self.serving.timeout_s:g} s; --timeout allows more"
                ) from error
            except httpx.TransportError as error:
                failed, asked_to_wait = Failed(str(error) or type(error).__name__), 0.0
                if not patient or isinstance(error, httpx.UnsupportedProtocol):
                    raise failed from error
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                raise Failed(str(error) or type(error).__name__) from error
            else:
                if response.is_success:
                    return response
                failed = self._failure(response)
                if not connection.may_pass(response.status_code, str(failed)):
                    raise failed
                asked_to_wait = connection.asked_wait_s(response.headers)
            if attempt + 1 < attempts:
                own_wait = self._first_wait_s * 2**attempt * random.uniform(0.5, 1.5)
                await asyncio.sleep(min(max(own_wait, asked_to_wait), connection.LONGEST_WAIT_S))
        raise failed if attempts == 1 else Failed(f"{failed} (after {attempts} attempts)", failed.status)

    def _failure(self, response: httpx.Response) -> Failed:
        """The message of a response without success.

        Raises:
            ModelError: for a refusal or redirection that concerns every request.
        """
        status = response.status_code
        if response.is_redirect:
            target = response.headers.get("location", "nowhere")
            if self._served:
                return Failed(f"HTTP {status}: redirected to {target}")
            raise ModelError(
                f"{self.url} redirects to {target}; give that address, since requests do not follow"
            )
        failed = Failed(openai.failure_text(status, _json(response), response.text), status)
        # Of a server that has answered others, a refusal concerns this request alone.
        if status in connection.REFUSED and not self._served:
            raise ModelError(f"{self.url} refuses: {failed}{connection.hint(status)}")
        return failed

    # --- token counts -------------------------------------------------------------------------------

    def _check_count(self, conversation: Conversation, counted: int) -> None:
        """Make sure that the model was shown what was sent, by the number of its tokens.

        Raises:
            ModelError: where it was not.
        """
        if self._prompter is None:
            if self._probed:
                self._accounting.check(conversation, counted)
            return
        expected = len(self._prompter.prompt(conversation).ids)
        if counted != expected:
            raise openai.resized(f"{counted} prompt tokens where {expected} were sent")

    async def _probe_once(self) -> None:
        """Probe, and keep what came of it: a failure concerns every request."""
        try:
            await self._probe()
        except ModelError as error:
            self._unfit = error
            raise
        self._probed = True

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
        small, large = (
            Probed(self.family.resolution.tokens(size), reply.prompt_tokens)
            for size, reply in zip(sizes, (replies[0], replies[-1]), strict=True)
        )
        self._accounting.take_probes(
            small,
            large,
            f"an image of {sizes[1].width} x {sizes[1].height} px than for one of {sizes[0].width} x "
            f"{sizes[0].height} px",
        )


class Failed(Exception):
    """A request that failed; the message says why.

    Attributes:
        status: of the response; None where there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


async def _all(works: Any) -> list[Any]:
    """The results of coroutines, in order; the first exception cancels the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _body(response: httpx.Response) -> Any:
    """The JSON of a successful response.

    Raises:
        ValueError: for anything else, with what it is.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = _json(response)
    if body is not None:
        return body
    text = " ".join(response.text.split())
    if kind == "text/event-stream" or text.startswith("data:"):
        raise ValueError("the server streams its reply though it was not asked to; turn streaming off there")
    if kind == "text/html" or text[:1] == "<":
        page = openai.failure_text(response.status_code, None, response.text)
        raise ValueError(f"a web page instead of a reply, as of a gateway: {page}")
    raise ValueError(f"a reply that is not JSON: {text[:80]!r}")
