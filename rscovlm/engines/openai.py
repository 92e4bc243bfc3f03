"""The chat completions format of OpenAI-compatible servers, and what its token counts prove.

Source: OpenAI's API reference, "Create chat completion"; vLLM's extra parameters, "OpenAI-Compatible Server".
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import numpy as np

from rscovlm.errors import ModelError
from rscovlm.models.prompting import inert
from tiling.resolution import Resolution
from tiling.view import Size
from zoom_chain.chat import GREEDY, Conversation, Generation, ImagePart, Message, Reply, Sampling, StopReason

VLLM_PARAMETERS: dict[str, Any] = {"skip_special_tokens": False}
"""Keeps vLLM from dropping tags such as ``<tool_call>`` where they are special tokens."""

_BEYOND_OPENAI = ("top_k", "repetition_penalty")

_TEXT_TOKENS_PER_MESSAGE = 64
"""More than any chat template writes around a message, a system prompt of its own included."""


def chat_request(
    conversation: Conversation, model: str, options: Generation, seed: int, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a request for one reply."""
    body: dict[str, Any] = {
        "model": model,
        "messages": chat_messages(conversation),
        "max_tokens": options.max_new_tokens,
        "seed": seed,
        **sampling_parameters(options.sampling, known=bool(extra)),
        **extra,
    }
    if options.logprobs:
        body["logprobs"] = True
    return body


def sampling_parameters(sampling: Sampling | None, known: bool) -> dict[str, Any]:
    """How tokens are to be chosen, every value stated: servers fill gaps from the checkpoint's own rules
    (Qwen2.5-VL's penalise repetition, which lists of boxes are full of).

    Args:
        sampling: None states nothing, so that the checkpoint's own rules count.
        known: the server understands vLLM's parameters; others get those of OpenAI's interface only.

    Raises:
        ModelError: for a rule that the server may not know.
    """
    if sampling is None:
        return {}
    values = asdict(sampling)
    if known:
        return values
    for name in _BEYOND_OPENAI:
        if values.pop(name) != getattr(GREEDY, name):
            raise ModelError(f"{name} is a parameter of vLLM, and the server does not say that it is vLLM")
    if not sampling.presence_penalty:
        del values["presence_penalty"]
    return values


def chat_messages(conversation: Conversation) -> list[dict[str, Any]]:
    """A conversation as ``messages``: images as PNG data URLs, text inert, turns of mere text as strings."""
    return [{"role": message.role, "content": _content(message)} for message in conversation.messages]


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return inert(message.text)
    return [
        {"type": "text", "text": inert(part)}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": data_url(ImagePart.of(part))}}
        for part in message.content
    ]


@lru_cache(maxsize=64)  # the turns of a chain send the same overview again and again
def data_url(image: ImagePart) -> str:
    """An image as a PNG inside a URL; lossless, and at the size it has.

    Raises:
        ModelError: for anything else than uint8 red, green and blue.
    """
    from PIL import Image

    if not image.is_rgb:
        names = f" ({', '.join(image.bands)})" if image.bands else ""
        raise ModelError(
            f"this engine takes RGB images of uint8, got {image.pixels.shape[2]} bands{names} of "
            f"{image.pixels.dtype}; render them, or run the model in process"
        )

    file = io.BytesIO()
    Image.fromarray(image.pixels).save(file, format="PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def read_reply(body: Any) -> Reply:
    """The reply in a response, whatever a server makes of the format.

    Tool calls in the format's own field are written into the text as the model's templates write them. A
    refusal, and a reply that was filtered or broken off, is a reply with ``error``.

    Raises:
        ValueError: where the response is not a chat completion, or does not state its token counts.
    """
    if isinstance(body, dict) and isinstance(body.get("error"), dict | str) and not body.get("choices"):
        raise ValueError(failure_text(200, body, ""))
    try:
        choice, usage = body["choices"][0], body["usage"]
        message = choice["message"]
        text = _text(message.get("content")) + _native_calls(message.get("tool_calls"))
        prompt_tokens, completion_tokens = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        stated = (choice.get("logprobs") or {}).get("content")
        logprobs = None if stated is None else np.array([token["logprob"] for token in stated], dtype=float)
        prefilled = None if cached is None else prompt_tokens - int(cached)
        refusal = message.get("refusal")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no chat completion with usage: {error!r}") from error
    reason, why = ended(choice.get("finish_reason"))
    if refusal and not text:
        reason, why = "error", f"the model declined: {' '.join(str(refusal).split())[:200]}"
    return Reply(
        text=text,
        stop_reason=reason,
        error=why,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        prefilled_tokens=prefilled,
        logprobs=logprobs,
    )


def _text(content: Any) -> str:
    """The text of a message: a string, a list of parts, or nothing."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if part.get("type", "text") == "text")
    raise TypeError(f"content is a {type(content).__name__}")


def _native_calls(calls: Any) -> str:
    """Tool calls that the server took out of the text, put back as Qwen's templates write them."""
    written = []
    for call in calls or []:
        function = call["function"]
        arguments = function.get("arguments") or "{}"
        # Servers write the arguments as JSON text; a few as an object.
        stated = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        name = json.dumps(function["name"], ensure_ascii=False)
        written.append(f'<tool_call>\n{{"name": {name}, "arguments": {stated}}}\n</tool_call>')
    return "\n".join(written)


def ended(finish_reason: str | None) -> tuple[StopReason, str | None]:
    """Why a reply ended, and the error where it was filtered or broken off rather than finished."""
    if finish_reason == "length":
        return "length", None
    if finish_reason in ("content_filter", "abort", "error"):
        return "error", f"the server ended the reply: {finish_reason}"
    return "stop", None


def failure_text(status: int, body: Any, text: str) -> str:
    """Why a server refused, in one line: from an error object, else the beginning of the text."""
    error = body.get("error", body) if isinstance(body, dict) else None
    message = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    line = " ".join(str(message or text).split())
    return f"HTTP {status}: {line[:300]}" if line else f"HTTP {status}"


# --- token counts -------------------------------------------------------------------------------------


def visual_tokens(conversation: Conversation, factor: int) -> int:
    """Visual tokens of all images of a conversation, at ``factor`` px a side."""
    sizes = [image.size for image in conversation.images]
    return sum((height // factor) * (width // factor) for height, width in sizes)


def check_plausible_count(conversation: Conversation, counted: int, factor: int) -> None:
    """Make sure that a prompt's token count leaves room for its images at full size, and for little else.

    Text takes at most a token for each byte (Qwen's tokenizers are byte-level) and at least one a message.

    Raises:
        ModelError: where the server must have resized an image.
    """
    visual = visual_tokens(conversation, factor)
    messages = len(conversation.messages)
    text = sum(len(inert(message.text).encode()) for message in conversation.messages)
    least, most = visual + messages, visual + text + (messages + 1) * _TEXT_TOKENS_PER_MESSAGE
    if visual and not least <= counted <= most:
        raise resized(f"{counted} prompt tokens where {least} to {most} are possible")


def resized(finding: str) -> ModelError:
    """The error for a server that does not show the model what was sent."""
    return ModelError(
        f"the server resizes images: it counts {finding}, so its coordinates cannot be trusted; "
        "start it with pixel bounds that cover ours, such as vllm serve --mm-processor-kwargs "
        """'{"size": {"shortest_edge": 4096, "longest_edge": 16777216}}', lower --max-pixels, """
        "or give the --family that it really serves"
    )


def probe_sizes(resolution: Resolution) -> tuple[Size, Size]:
    """The smallest and the largest square that the engine would send."""
    resolution = replace(resolution, target_pixels=None)
    least = max(1, int(resolution.min_pixels**0.5))
    most = int(resolution.max_pixels**0.5)
    return resolution.fit(least, least), resolution.fit(most, most)


def probe(size: Size) -> Conversation:
    """A question that differs from other probes in nothing but the size of its image."""
    return Conversation().say("user", ImagePart(np.zeros((size.height, size.width, 3), dtype=np.uint8)), "?")
