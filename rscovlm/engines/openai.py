"""The chat completions format of OpenAI-compatible servers, and what its token counts prove.

Source: OpenAI's API reference, "Create chat completion"; vLLM's extra parameters, "OpenAI-Compatible Server".
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import ModelError
from rscovlm.models.prompting import inert
from tiling.resolution import Resolution
from tiling.view import Size
from zoom_chain.chat import (
    GREEDY,
    Conversation,
    Generation,
    ImagePart,
    Message,
    Picture,
    PngPart,
    Reply,
    Sampling,
    StopReason,
    png_of,
)
from zoom_chain.scores import TOP, from_top

VLLM_PARAMETERS: dict[str, Any] = {"skip_special_tokens": False}
"""Keeps vLLM from dropping tags such as ``<tool_call>`` where they are special tokens."""

URL_START = "data:image/png;base64,"

_MOST_STOPS = 4
_REASONING = ("reasoning_content", "reasoning")

_BEYOND_OPENAI = ("top_k", "repetition_penalty")

MOST_TOKENS_OF_A_TEMPLATE = 64
"""More than any chat template writes around a message, a system prompt of its own included."""


def chat_request(
    conversation: Conversation,
    model: str,
    options: Generation,
    seed: int,
    extra: Mapping[str, Any],
    url: Callable[[Picture], str] | None = None,
) -> dict[str, Any]:
    """The body of a request for one reply; ``url`` writes an image, by default as a PNG inside."""
    body: dict[str, Any] = {
        "model": model,
        "messages": chat_messages(conversation, url or data_url),
        "max_tokens": options.max_new_tokens,
        "seed": seed,
        **sampling_parameters(options.sampling, known=bool(extra)),
        **extra,
    }
    if options.logprobs:
        body["logprobs"] = True
    if options.choices:
        body |= {"logprobs": True, "top_logprobs": TOP}
    if options.stop:
        body["stop"] = list(options.stop[:_MOST_STOPS])
    if options.pattern is not None:
        if not extra:
            raise ModelError(
                "replies are held to a pattern by vLLM alone, and the server does not say that it is vLLM; "
                "leave --structured out"
            )
        body["structured_outputs"] = {"regex": options.pattern}
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


def chat_messages(
    conversation: Conversation, url: Callable[[Picture], str] | None = None
) -> list[dict[str, Any]]:
    """A conversation as ``messages``: images as PNG data URLs, text inert, turns of mere text as strings."""
    write = url or data_url
    return [{"role": message.role, "content": _content(message, write)} for message in conversation.messages]


def _content(message: Message, url: Callable[[Picture], str]) -> str | list[dict[str, Any]]:
    if not message.images:
        return inert(message.text)
    return [
        {"type": "text", "text": inert(part)}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": url(part)}}
        for part in message.content
    ]


def data_url(image: Picture) -> str:
    """An image as a PNG inside a URL; lossless, and at the size it has.

    Raises:
        ModelError: as ``png_file``.
    """
    return URL_START + base64.b64encode(png_file(image)).decode("ascii")


def png_file(picture: Picture) -> bytes:
    """An image as a PNG.

    Raises:
        ModelError: for anything else than uint8 red, green and blue.
    """
    if isinstance(picture, PngPart):
        return picture.png
    image = ImagePart.of(picture)
    if not image.is_rgb:
        names = f" ({', '.join(image.bands)})" if image.bands else ""
        raise ModelError(
            f"this engine takes RGB images of uint8, got {image.pixels.shape[2]} bands{names} of "
            f"{image.pixels.dtype}; render them, or run the model in process"
        )

    return png_of(image.pixels)


def read_reply(body: Any, choices: Sequence[str] = ()) -> Reply:
    """The reply in a response, whatever a server makes of the format.

    Tool calls in the format's own field are written into the text as the model's templates write them, and
    reasoning in a field of its own as a thought. A refusal, and a reply that was filtered or broken off, is a
    reply with ``error``. What a reply does not need (log-probabilities, cached tokens) is left out where it
    is not as it should be.

    Args:
        body: the JSON of the response.
        choices: answers whose probabilities were asked for; without them the reply is a failure.

    Raises:
        ValueError: where the response is not a chat completion, or does not state its token counts.
    """
    if isinstance(body, dict) and isinstance(body.get("error"), dict | str) and not body.get("choices"):
        raise ValueError(failure_text(200, body, ""))
    choice = _choice(body)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ValueError(f"no chat completion: its choice holds no message but {str(choice)[:80]!r}")
    content = _text(message.get("content")) + _native_calls(message.get("tool_calls"))
    text = _with_thoughts(content, message)
    usage = body.get("usage")
    if not isinstance(usage, dict):
        raise ValueError(
            "no usage: the reply does not state its token counts, without which nobody would see that images "
            "were resized"
        )
    prompt_tokens = _count(usage.get("prompt_tokens"), "prompt_tokens")
    completion_tokens = _count(usage.get("completion_tokens", 0), "completion_tokens")
    reason, why = ended(choice.get("finish_reason"))
    refusal = message.get("refusal")
    if refusal and not text:
        reason, why = "refused", f"the model declined: {' '.join(str(refusal).split())[:200]}"
    scores = _choice_logprobs(choice.get("logprobs"), choices) if choices else None
    if choices and scores is None and why is None:
        reason, why = "error", "the server does not state probabilities (top_logprobs)"
    return Reply(
        text=text,
        stop_reason=reason,
        error=why,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        prefilled_tokens=_prefilled(usage.get("prompt_tokens_details"), prompt_tokens),
        logprobs=_logprobs(choice.get("logprobs")),
        choices=scores,
    )


def _choice(body: Any) -> dict[str, Any]:
    """The first choice of a chat completion."""
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list):
        raise ValueError(f"no chat completion: {str(body)[:80]!r}")
    if not choices or not isinstance(choices[0], dict):
        raise ValueError("a chat completion without a choice; the model said nothing")
    return choices[0]


def _count(value: Any, name: str) -> int:
    """A number of tokens, which some servers write as text or with a fraction."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < 1e12:
        raise ValueError(f"no usage: {name} is {value!r:.40}")
    return int(number)


def _prefilled(details: Any, prompt_tokens: int) -> int | None:
    """Prompt tokens that no cache served; None where the server does not say so."""
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    known = isinstance(cached, int) and not isinstance(cached, bool) and 0 <= cached <= prompt_tokens
    return prompt_tokens - cached if known and isinstance(cached, int) else None


def _logprobs(stated: Any) -> NDArray[np.float64] | None:
    """Log-probabilities of the tokens; None where one of them is missing."""
    tokens = stated.get("content") if isinstance(stated, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        return None
    values = [token.get("logprob") for token in tokens]
    return np.array(values, dtype=float) if all(map(_is_number, values)) else None


def _choice_logprobs(stated: Any, choices: Sequence[str]) -> NDArray[np.float64] | None:
    """Log-probabilities of choices from the likeliest first tokens; None where they are not stated."""
    tokens = stated.get("content") if isinstance(stated, dict) else None
    first = tokens[0] if isinstance(tokens, list) and tokens else None
    top = first.get("top_logprobs") if isinstance(first, dict) else None
    if not isinstance(top, list):
        return None
    pairs = [(each.get("token"), each.get("logprob")) for each in top if isinstance(each, dict)]
    usable = [(str(token), float(value)) for token, value in pairs if _is_number(value)]
    return from_top(usable, choices) if usable else None


def _is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a number, which NaN says that it is not."""
    return isinstance(value, int | float) and not math.isnan(value)


def _text(content: Any) -> str:
    """The text of a message: a string, a list of parts, or nothing; halves of characters replaced."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content.encode("utf-8", "replace").decode("utf-8")
    if isinstance(content, list):
        texts = [part.get("text") if isinstance(part, dict) else part for part in content if _is_text(part)]
        return "".join(_text(text) for text in texts)
    raise ValueError(f"no chat completion: its content is a {type(content).__name__}")


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and part.get("type", "text") == "text")


def _with_thoughts(content: str, message: Mapping[str, Any]) -> str:
    """A reply with the thoughts that the server took out of it put back; without words they have no end."""
    thoughts = next((message[key] for key in _REASONING if isinstance(message.get(key), str)), "").strip()
    if not thoughts or "</think>" in content:
        return content
    return f"<think>\n{_text(thoughts)}" + (f"\n</think>\n\n{content}" if content.strip() else "")


def _native_calls(calls: Any) -> str:
    """Tool calls that the server took out of the text, put back as Qwen's templates write them."""
    written = []
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        arguments = function.get("arguments") or "{}"
        # Servers write the arguments as JSON text; a few as an object.
        stated = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        name = json.dumps(function.get("name"), ensure_ascii=False)
        written.append(f'<tool_call>\n{{"name": {name}, "arguments": {stated}}}\n</tool_call>')
    return "\n".join(written)


_BROKEN: dict[str, StopReason] = {
    **{"content_filter": "filtered", "abort": "aborted", "aborted": "aborted"},
    **{"cancelled": "aborted", "error": "error", "refusal": "refused"},
}


def ended(finish_reason: Any) -> tuple[StopReason, str | None]:
    """Why a reply ended, and the error where it was filtered or broken off rather than finished."""
    if finish_reason in ("length", "max_tokens", "model_length"):
        return "length", None
    if isinstance(finish_reason, str) and finish_reason in _BROKEN:
        return _BROKEN[finish_reason], f"the server ended the reply: {finish_reason}"
    return "stop", None


def failure_text(status: int, body: Any, text: str) -> str:
    """Why a server refused, in one line: from an error object, else the beginning of the text."""
    error = body.get("error", body) if isinstance(body, dict) else None
    message = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    if isinstance(message, list):  # FastAPI's list of what is wrong with the request
        message = "; ".join(_detail(part) for part in message)
    line = " ".join(_plain(str(message or text)).split())
    if isinstance(error, dict) and isinstance(error.get("metadata"), dict):  # OpenRouter's provider
        told = [str(error["metadata"].get(key) or "") for key in ("provider_name", "raw")]
        line += "".join(f" ({' '.join(each.split())[:160]})" for each in told if each)
    return f"HTTP {status}: {line[:300]}" if line else f"HTTP {status}"


def _detail(part: Any) -> str:
    if not isinstance(part, dict):
        return str(part)
    place = ".".join(str(each) for each in part.get("loc") or ())
    return f"{part.get('msg')} ({place})" if place else str(part.get("msg"))


def _plain(text: str) -> str:
    """The words of an HTML page, or a text as it is."""
    if not re.match(r"\s*<(?:!doctype|html|head|body)\b", text, re.IGNORECASE):
        return text
    return re.sub(r"<[^<>]*>", " ", re.sub(r"(?is)<(style|script)\b.*?</\1>", " ", text))


# --- token counts -------------------------------------------------------------------------------------


def visual_tokens(conversation: Conversation, factor: int) -> int:
    """Visual tokens of all images of a conversation, at ``factor`` px a side."""
    sizes = [image.size for image in conversation.images]
    return sum((height // factor) * (width // factor) for height, width in sizes)


def plausible_counts(conversation: Conversation, factor: int) -> tuple[int, int]:
    """Fewest and most tokens of a prompt with its images at full size.

    Text takes at most a token for each byte (Qwen's tokenizers are byte-level) and at least one a message.
    """
    visual = visual_tokens(conversation, factor)
    messages = len(conversation.messages)
    text = sum(len(inert(message.text).encode()) for message in conversation.messages)
    return visual + messages, visual + text + (messages + 1) * MOST_TOKENS_OF_A_TEMPLATE


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
