"""Ask questions about a scene: many together, each with its own zoom chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from detection_eval.text.contracts import CONTRACTS
from rscovlm.tasks.replies import JournalledModel
from zoom_chain.chat import Generation
from zoom_chain.controller import Answer, ZoomChain
from zoom_chain.policies import OFF
from zoom_chain.session import Listing
from zoom_chain.settings import ZoomSettings, default_zoom_settings

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.journal import Journal
    from rscovlm.models.families import ModelFamily
    from tiling.scene import Scene


def ask(
    scene: Scene,
    questions: Sequence[str],
    engine: Engine,
    *,
    zoomable: Sequence[bool] | None = None,
    settings: ZoomSettings | None = None,
    options: Generation | None = None,
    progress: Callable[[int, int], None] | None = None,
    journal: Journal | None = None,
    structured: bool = False,
    thumbnails: bool = True,
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
        journal: where usable replies are kept as they come, and taken from where they are there already.
        structured: hold replies to the dialect's form of calls; for models in vLLM.
        thumbnails: whether traces hold pictures of the views.
    """
    pairs = [(scene, question) for question in questions]
    return ask_each(
        pairs,
        engine,
        zoomable=zoomable,
        settings=settings,
        options=options,
        progress=progress,
        journal=journal,
        structured=structured,
        thumbnails=thumbnails,
    )


def listing_of(family: ModelFamily, options: Generation | None = None) -> Listing:
    """How a family lists the objects of an image: in the words in which it is asked to detect."""
    listing = replace(options or Generation(), max_new_tokens=family.detection_tokens)
    return Listing(CONTRACTS[family.detection], family.classes, listing, family.detect_gsd_m)


def ask_each(
    questions: Sequence[tuple[Scene, str]],
    engine: Engine,
    *,
    zoomable: Sequence[bool] | None = None,
    settings: ZoomSettings | None = None,
    options: Generation | None = None,
    progress: Callable[[int, int], None] | None = None,
    journal: Journal | None = None,
    structured: bool = False,
    thumbnails: bool = True,
) -> list[Answer]:
    """One answer for each question about a scene of its own, in order; as :func:`ask` otherwise."""
    settings = settings or default_zoom_settings(engine.family.dialect.name)
    chain = ZoomChain(
        engine if journal is None else JournalledModel(engine, journal),
        engine.family.dialect,
        engine.family.resolution,
        settings.budget,
        policy=settings.policy,
        crops=settings.crops,
        options=options,
        model_name=engine.name,
        listing=listing_of(engine.family, options),
        structured=structured,
        thumbnails=thumbnails,
    )
    allowed = zoomable or [True] * len(questions)
    return chain.ask_all(
        questions,
        policies=[settings.policy if zooms or not settings.policy.offers_tool else OFF for zooms in allowed],
        ended=None if progress is None else lambda done: progress(done, len(questions)),
    )
