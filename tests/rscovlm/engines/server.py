"""A small OpenAI-compatible server on loopback that counts tokens, and can misbehave."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from tiling.resolution import fit_size
from zoom_chain.chat import Conversation, ImagePart

TEXT_TOKENS = 7
"""What this server counts for each message besides its images; a constant no client knows."""


class ModelServer:
    """Serves one model until closed.

    Attributes:
        answer: the reply to a conversation; the number of images by default.
        failures: responses (status, headers, body) to give first, one for each chat request.
        max_pixels: shrinks larger images before they are counted, as a badly started server does.
        delay_s: of each reply.
        count: prompt tokens of a conversation, instead of this server's own count.
        top: likeliest first tokens with their log-probabilities, which it states; None where it states none.
        metrics: what ``/metrics`` says, where it says something.
        served: names of models; the one model alone by default.
        requests: bodies received; headers: of the last request; most_at_once: requests in flight.
        caller: ``headers`` of the request that the thread at hand answers.
    """

    def __init__(self, factor: int = 32, model: str = "qwen3-vl-test", owner: str = "vllm") -> None:
        self.factor, self.model, self.owner = factor, model, owner
        self.served = [model]
        self.answer: Callable[[Conversation], str] = lambda conversation: str(_images(conversation))
        self.count: Callable[[Conversation], int] = self._count
        self.failures: list[tuple[int, dict[str, str], Any]] = []
        self.max_pixels, self.min_pixels, self.delay_s = 1 << 40, 0, 0.0
        self.key: str | None = None
        self.metrics: str | None = None
        self.top: list[tuple[str, float]] | None = None
        self.requests: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.now, self.most_at_once = 0, 0
        self.caller = threading.local()
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ModelServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _count(self, conversation: Conversation) -> int:
        tokens = 0
        for message in conversation.messages:
            tokens += TEXT_TOKENS
            for image in message.images:
                height, width, _ = image.pixels.shape
                size = fit_size(height, width, self.factor, self.min_pixels, self.max_pixels)
                tokens += size.height * size.width // self.factor**2
        return tokens

    def reply(self, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        with self.lock:
            self.requests.append(body)
            self.now += 1
            self.most_at_once = max(self.most_at_once, self.now)
            failure = self.failures.pop(0) if self.failures else None
        try:
            time.sleep(self.delay_s)
            return failure or (200, {}, self._completion(body))
        finally:
            with self.lock:
                self.now -= 1

    def sent(self) -> None:
        """Called by the thread of a request when the whole reply was handed to the network."""

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        conversation = read_messages(body["messages"])
        words = self.answer(conversation).split(" ")
        kept = words[: body["max_tokens"]]
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": " ".join(kept)},
            "finish_reason": "stop" if len(kept) == len(words) else "length",
        }
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [{"token": word, "logprob": -0.5} for word in kept]}
        if body.get("top_logprobs") and self.top is not None:
            top = [{"token": token, "logprob": value} for token, value in self.top]
            choice["logprobs"]["content"][0]["top_logprobs"] = top
        usage = {"prompt_tokens": self.count(conversation), "completion_tokens": len(kept)}
        return {"choices": [choice], "usage": usage}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ModelServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.owner.headers = dict(self.headers)
        if self.path == "/metrics" and self.owner.metrics is not None:
            self._send(200, {"Content-Type": "text/plain"}, self.owner.metrics.encode())
        elif self.path != "/v1/models":
            self._send(404, {}, {"detail": "Not Found"})
        elif self.owner.key and self.headers.get("Authorization") != f"Bearer {self.owner.key}":
            self._send(401, {}, {"error": {"message": "no such key"}})
        else:
            listed = [{"id": name, "owned_by": self.owner.owner} for name in self.owner.served]
            self._send(200, {}, {"data": listed})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.headers = self.owner.caller.headers = dict(self.headers)
        status, headers, answer = self.owner.reply(body)
        if status == 0:  # hang up without an answer
            self.close_connection = True
            return
        self._send(status, headers, answer)
        self.owner.sent()

    def _send(self, status: int, headers: dict[str, str], body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def read_messages(messages: list[dict[str, Any]]) -> Conversation:
    """The conversation that was sent."""
    conversation = Conversation()
    for message in messages:
        content = message["content"]
        parts = [content] if isinstance(content, str) else [_part(part) for part in content]
        conversation = conversation.say(message["role"], *parts)
    return conversation


def _part(part: dict[str, Any]) -> str | ImagePart:
    if part["type"] == "text":
        return part["text"]
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    return ImagePart(np.array(Image.open(io.BytesIO(base64.b64decode(data)))))


def _images(conversation: Conversation) -> int:
    return sum(len(message.images) for message in conversation.messages)
