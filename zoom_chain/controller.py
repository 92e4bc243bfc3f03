"""The Zoom-in Chain: questions about scenes in, answers with their evidence out.

A policy says what to look at and what to ask (``zoom_chain.policies``), the driver does it for all
questions together (``zoom_chain.driver``). Each view is read from the source at the resolution that the
budget allows, never cut from what was already shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tiling.resolution import Resolution
from zoom_chain.budget import Budget
from zoom_chain.chat import ChatModel, Generation
from zoom_chain.dialect import ZoomDialect
from zoom_chain.driver import Driver
from zoom_chain.effects import StopReason
from zoom_chain.jobs import Job
from zoom_chain.looks import CropRule, scene_gsd
from zoom_chain.policies import CHAIN, ZoomPolicy
from zoom_chain.scores import Scores, require_scores, scores_of
from zoom_chain.session import Listing, Session, Similarity
from zoom_chain.trace import Trace

if TYPE_CHECKING:
    from tiling.gsd import Gsd
    from tiling.scene import Scene

__all__ = ["Answer", "StopReason", "ZoomChain"]


@dataclass(frozen=True)
class Answer:
    """Result of a question.

    Attributes:
        text: the answer without thoughts; "" where the model gave none.
        trace: the evidence behind it.
        stop_reason: why the question ended.
    """

    text: str
    trace: Trace
    stop_reason: StopReason

    @property
    def failure(self) -> str | None:
        """Why something behind the answer failed, in one line; None where all was read and replied to."""
        failed = self.stop_reason == "error"
        return self.trace.error or ("the chain failed without saying why" if failed else None)


class ZoomChain:
    """Answers questions about scenes by letting a model look closer.

    Args:
        model: any chat model; it must speak ``dialect``.
        dialect: the wire format of the zoom tool.
        resolution: the image sizes that the model accepts.
        budget: bounds on the cost of one question.
        policy: one of ``zoom_chain.policies.POLICIES``.
        crops: how a requested box becomes the window that is read.
        options: how replies are generated.
        model_name: written into traces.
        listing: how the model lists objects, for policies that have it do so.
        similarity: of images and a text, by which ``retrieve`` ranks views in place of the model.
        structured: hold replies to the dialect's form of calls; for models that can be held to a pattern.
        readers: threads that read views.
        thumbnails: whether traces hold pictures of the views, for a page; they take memory.
        clock: seconds, for the budget and the trace.
    """

    def __init__(
        self,
        model: ChatModel,
        dialect: ZoomDialect,
        resolution: Resolution,
        budget: Budget | None = None,
        *,
        policy: ZoomPolicy = CHAIN,
        crops: CropRule | None = None,
        options: Generation | None = None,
        model_name: str = "",
        listing: Listing | None = None,
        similarity: Similarity | None = None,
        structured: bool = False,
        readers: int = 4,
        thumbnails: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self.dialect = dialect
        self.resolution = resolution
        self.budget = budget or Budget()
        self.policy = policy
        self.crops = crops or CropRule()
        self.options = options or Generation()
        self.model_name = model_name
        self.listing = listing
        self.similarity = similarity
        self.structured = structured
        self.readers = readers
        self.thumbnails = thumbnails
        self._clock = clock

    def ask(self, scene: Scene, question: str) -> Answer:
        """The answer to one question about one scene."""
        return self.ask_all([(scene, question)])[0]

    def ask_all(
        self,
        questions: Sequence[tuple[Scene, str]],
        *,
        policies: Sequence[ZoomPolicy] | None = None,
        ended: Callable[[int], None] | None = None,
    ) -> list[Answer]:
        """One answer for each (scene, question), in order.

        What fails for one question (its file, its request to the model) ends it alone, with ``error``; what
        the model raises ends all.

        Args:
            questions: any number; few are worked on at a time.
            policies: of each question, in place of the chain's.
            ended: called with the number of questions that have ended, as it grows.

        Raises:
            NoScores: for a policy that needs probabilities which the model does not state.
        """
        chosen = policies or [self.policy] * len(questions)
        scales: dict[int, Gsd] = {}  # of each scene once, however many questions there are about it
        for scene, _ in questions:
            if id(scene) not in scales:
                scales[id(scene)] = scene_gsd(scene, self.model, self.resolution)
        for policy in dict.fromkeys(chosen):
            if policy.needs_scores and not (policy.name == "retrieve" and self.similarity is not None):
                require_scores(self.model, policy.name)
        # A server is asked for a word to find out, and only where that matters.
        scores = scores_of(self.model) if any(policy.uses_scores for policy in chosen) else "none"
        jobs = [
            Job(self._session(scene, question, scales[id(scene)], scores), policy.run, number)
            for number, ((scene, question), policy) in enumerate(zip(questions, chosen, strict=True))
        ]
        Driver(self.model, self.options, self.readers, thumbnails=self.thumbnails).run(jobs, ended)
        return [self._answer(job, policy) for job, policy in zip(jobs, chosen, strict=True)]

    def _session(self, scene: Scene, question: str, gsd: Gsd, scores: Scores = "none") -> Session:
        return Session(
            scene,
            question,
            self.dialect,
            self.resolution,
            self.budget,
            self.crops,
            self.options,
            self.listing,
            self._clock,
            gsd,
            scores,
            self.similarity,
            self.structured,
        )

    def _answer(self, job: Job, policy: ZoomPolicy) -> Answer:
        session, outcome = job.session, job.outcome
        assert outcome is not None
        scene = session.scene
        settings = {
            "model": self.model_name,
            "dialect": self.dialect.name,
            "policy": policy.name,
            "tool_offered": session.tool_offered,
            "budget": asdict(self.budget),
            "crops": asdict(self.crops),
        }
        if session.structured:
            settings["structured"] = True
        if session.chosen is not None:
            settings["chosen"], settings["why"] = session.chosen
        trace = Trace(
            question=session.question,
            answer=outcome.answer,
            stop_reason=outcome.reason,
            error=outcome.error,
            scene={
                "source": scene.source,
                "identity": scene.identity,
                "width": scene.width,
                "height": scene.height,
                "crs": scene.crs_name,
                "gsd_m": session.gsd.metres,
                "gsd": session.gsd.to_json(),
            },
            settings=settings,
            views=tuple(session.views),
            turns=tuple(session.turns),
            seconds=job.ended - session.spending.started,
            evidence=tuple(session.evidence),
            notes=tuple(session.notes),
        )
        return Answer(outcome.answer, trace, outcome.reason)
