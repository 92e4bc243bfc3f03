"""A model in process behind an OpenAI-compatible server on loopback."""

from __future__ import annotations

import threading
from typing import Any

from rscovlm.engines import Engine
from tests.rscovlm.engines.server import ModelServer, read_messages
from zoom_chain.chat import Generation, Sampling


class EngineServer(ModelServer):
    """Serves an engine: its replies to what was sent, and the tokens that it counted."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._one_at_a_time = engine, threading.Lock()
        super().__init__(engine.family.resolution.factor, engine.name)

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        sampling = Sampling(temperature=body["temperature"], top_p=body["top_p"])
        options = Generation(body["max_tokens"], sampling, body["seed"], stop=tuple(body.get("stop", ())))
        with self._one_at_a_time:
            (reply,) = self._engine.chat([read_messages(body["messages"])], options)
        message = {"role": "assistant", "content": reply.text}
        usage = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
        choice = {"index": 0, "message": message, "finish_reason": reply.stop_reason}
        return {"choices": [choice], "usage": usage}
