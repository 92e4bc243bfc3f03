"""A batch of requests to answers, each request with a chain of its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rscovlm.cli.option_groups import SceneOptions
from rscovlm.tasks.ask import ask_each
from tiling.errors import SceneError
from zoom_chain.answers import spoken_text
from zoom_chain.chat import Conversation, Generation, Reply
from zoom_chain.keeping import chat_once
from zoom_chain.looks import image_of, scene_gsd

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from tiling.scene import Scene
    from zoom_chain.controller import Answer, StopReason
    from zoom_chain.settings import ZoomSettings
    from zoom_chain.trace import Trace


@dataclass(frozen=True)
class Request:
    """One question of a task.

    Attributes:
        text: the words of the task.
        sources: the files of its images.
        options: how replies are generated.
        zoomable: whether the zoom tool may be offered.
        error: why it cannot be asked, in one line; None where it can.
    """

    text: str
    sources: tuple[str, ...]
    options: Generation
    zoomable: bool
    error: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request.

    Attributes:
        text: the answer without thoughts; "" where there is none.
        stop_reason: why it ended, as ``zoom_chain`` names it.
        error: why there is none, in one line; None where the model answered.
        prompt_tokens: of all turns.
        reply_tokens: of all turns.
        views: images that the model looked at.
        trace: of the chain; None where none was run.
    """

    text: str
    stop_reason: StopReason
    error: str | None = None
    prompt_tokens: int = 0
    reply_tokens: int = 0
    views: int = 0
    trace: Trace | None = None


def answer_all(
    requests: Sequence[Request], engine: Engine, settings: ZoomSettings, reading: SceneOptions
) -> list[Outcome]:
    """One outcome for each request, in order; what fails for one costs that one alone.

    A question about one image is asked as ``rscovlm ask`` does. Several images, or none, are shown in one
    turn, each at the size that fits the model, and not zoomed into: a chain is about one scene.
    """
    outcomes: dict[int, Outcome] = {}
    with ExitStack() as stack:
        scenes: dict[str, Scene] = {}
        shown: dict[int, list[Scene]] = {}
        for index, request in enumerate(requests):
            if request.error is not None:
                outcomes[index] = Outcome("", "error", request.error)
                continue
            try:
                shown[index] = [_opened(source, scenes, stack, reading) for source in request.sources]
            except SceneError as error:
                outcomes[index] = Outcome("", "error", str(error))
        for options in dict.fromkeys(requests[index].options for index in shown):
            alike = [index for index in shown if requests[index].options == options]
            single = [index for index in alike if len(shown[index]) == 1]
            answers = ask_each(
                [(shown[index][0], requests[index].text) for index in single],
                engine,
                zoomable=[requests[index].zoomable for index in single],
                settings=settings,
                options=options,
            )
            outcomes.update(zip(single, map(_of_answer, answers), strict=True))
            others = [index for index in alike if len(shown[index]) != 1]
            found = _in_one_turn([(requests[index].text, shown[index]) for index in others], engine, options)
            outcomes.update(zip(others, found, strict=True))
    return [outcomes[index] for index in range(len(requests))]


def _opened(source: str, scenes: dict[str, Scene], stack: ExitStack, reading: SceneOptions) -> Scene:
    """A scene that is open already, or a new one; no more than the header is read."""
    if source not in scenes:
        scenes[source] = stack.enter_context(reading.open(source))
    return scenes[source]


def _in_one_turn(
    questions: Sequence[tuple[str, Sequence[Scene]]], engine: Engine, options: Generation
) -> list[Outcome]:
    """Answers to questions about several images, or none, without zooming."""
    outcomes: dict[int, Outcome] = {}
    asked: dict[int, Conversation] = {}
    for index, (text, scenes) in enumerate(questions):
        try:
            resolution = engine.family.resolution
            images = [
                image_of(scene, scene.overview(resolution), scene_gsd(scene, engine, resolution))
                for scene in scenes
            ]
        except SceneError as error:
            outcomes[index] = Outcome("", "error", str(error))
        else:
            asked[index] = Conversation().say("user", *images, text)
    replies = chat_once(engine, list(asked.values()), options)
    for (index, conversation), reply in zip(asked.items(), replies, strict=True):
        outcomes[index] = _of_reply(reply, len(conversation.images))
    return [outcomes[index] for index in range(len(questions))]


def _of_reply(reply: Reply, views: int) -> Outcome:
    error = reply.error
    if error is None and reply.stop_reason == "error":
        error = "the model failed without saying why"
    text = "" if error else spoken_text(reply.text)
    if error is not None:
        reason: StopReason = "error"
    elif reply.stop_reason == "length":
        reason = "cut_off"
    else:
        reason = "answered" if text.strip() else "no_answer"
    return Outcome(text, reason, error, reply.prompt_tokens, reply.completion_tokens, views)


def _of_answer(answer: Answer) -> Outcome:
    trace = answer.trace
    failed = answer.stop_reason == "error"
    return Outcome(
        "" if failed else answer.text,
        answer.stop_reason,
        answer.failure,
        sum(turn.prompt_tokens for turn in trace.turns),
        sum(turn.completion_tokens for turn in trace.turns),
        len(trace.views),
        trace,
    )
