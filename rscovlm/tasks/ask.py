"""Ask questions about a scene: many together, each with its own zoom chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zoom_chain.chat import Generation
from zoom_chain.controller import Answer, ZoomChain
from zoom_chain.policies import OFF
from zoom_chain.settings import ZoomSettings, default_zoom_settings

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from tiling.scene import Scene

TOGETHER = 64
"""Questions that advance together; the images of all of them are held until the last one ends."""


def ask(
    scene: Scene,
    questions: Sequence[str],
    engine: Engine,
    *,
    zoomable: Sequence[bool] | None = None,
    settings: ZoomSettings | None = None,
    options: Generation | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Answer]:
    """One answer for each question about a scene, in order.

    What fails for one question ends that question alone: its ``stop_reason`` is ``error`` and its trace says
    why.

    Args:
        scene: to ask about.
        questions: any number.
        engine: the model.
        zoomable: for each question whether the zoom tool may be offered; None allows it for all.
        settings: zoom policy, budget and crop rule; None takes those that ship for the model's dialect.
        options: how replies are generated.
        progress: called with (questions answered, questions in all).
    """
    pairs = [(scene, question) for question in questions]
    return ask_each(pairs, engine, zoomable=zoomable, settings=settings, options=options, progress=progress)


def ask_each(
    questions: Sequence[tuple[Scene, str]],
    engine: Engine,
    *,
    zoomable: Sequence[bool] | None = None,
    settings: ZoomSettings | None = None,
    options: Generation | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Answer]:
    """One answer for each question about a scene of its own, in order; as :func:`ask` otherwise."""
    settings = settings or default_zoom_settings(engine.family.dialect.name)
    answers: dict[int, Answer] = {}
    for allowed in (True, False):
        chain = ZoomChain(
            engine,
            engine.family.dialect,
            engine.family.resolution,
            settings.budget,
            policy=settings.policy if allowed else OFF,
            crops=settings.crops,
            options=options,
            model_name=engine.name,
        )
        indices = [
            index for index in range(len(questions)) if (zoomable is None or zoomable[index]) == allowed
        ]
        for start in range(0, len(indices), TOGETHER):
            together = indices[start : start + TOGETHER]
            found = chain.ask_all([questions[index] for index in together])
            answers.update(zip(together, found, strict=True))
            if progress:
                progress(len(answers), len(questions))
    return [answers[index] for index in range(len(questions))]
