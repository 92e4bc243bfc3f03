"""Ask questions about a scene: many together, each with its own zoom chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zoom_chain.chat import Generation
from zoom_chain.controller import Answer, ZoomChain
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
        settings: zoom policy, budget and crop rule; None takes those that ship for the model's dialect.
        options: how replies are generated.
        progress: called with (questions answered, questions in all).
    """
    settings = settings or default_zoom_settings(engine.family.dialect.name)
    chain = ZoomChain(
        engine,
        engine.family.dialect,
        engine.family.resolution,
        settings.budget,
        policy=settings.policy,
        crops=settings.crops,
        options=options,
        model_name=engine.name,
    )
    answers: list[Answer] = []
    for start in range(0, len(questions), TOGETHER):
        answers += chain.ask_all([(scene, question) for question in questions[start : start + TOGETHER]])
        if progress:
            progress(len(answers), len(questions))
    return answers
