"""Ask questions about a scene: many together, each with its own zoom chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, Unpack

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


class How(TypedDict, total=False):
    """How questions are asked; what is left out is as it says.

    Attributes:
        zoomable: for each question whether the zoom tool may be offered; it may for all.
        settings: zoom policy, budget and crop rule; those that ship for the model's dialect.
        options: how replies are generated; greedily.
        progress: called with (questions answered, questions in all).
        journal: where usable replies are kept as they come, and taken from where they are there already.
        structured: hold replies to the dialect's form of calls; for models in vLLM, and not held.
        thumbnails: whether traces hold pictures of the views; they do.
    """

    zoomable: Sequence[bool] | None
    settings: ZoomSettings | None
    options: Generation | None
    progress: Callable[[int, int], None] | None
    journal: Journal | None
    structured: bool
    thumbnails: bool


def ask(scene: Scene, questions: Sequence[str], engine: Engine, **how: Unpack[How]) -> list[Answer]:
    """One answer for each question about a scene, in order.

    What fails for one question ends that question alone: its ``stop_reason`` is ``error`` and its trace says
    why.

    Args:
        scene: to ask about.
        questions: any number.
        engine: the model.
        how: see :class:`How`.
    """
    return ask_each([(scene, question) for question in questions], engine, **how)


def listing_of(family: ModelFamily, options: Generation | None = None) -> Listing:
    """How a family lists the objects of an image: in the words in which it is asked to detect."""
    listing = replace(options or Generation(), max_new_tokens=family.detection_tokens)
    return Listing(CONTRACTS[family.detection], family.classes, listing, family.detect_gsd_m)


def ask_each(questions: Sequence[tuple[Scene, str]], engine: Engine, **how: Unpack[How]) -> list[Answer]:
    """One answer for each question about a scene of its own, in order; as :func:`ask` otherwise."""
    settings = how.get("settings") or default_zoom_settings(engine.family.dialect.name)
    options, journal, progress = how.get("options"), how.get("journal"), how.get("progress")
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
        structured=how.get("structured", False),
        thumbnails=how.get("thumbnails", True),
    )
    allowed = how.get("zoomable") or [True] * len(questions)
    return chain.ask_all(
        questions,
        policies=[settings.policy if zooms or not settings.policy.offers_tool else OFF for zooms in allowed],
        ended=None if progress is None else lambda done: progress(done, len(questions)),
    )
