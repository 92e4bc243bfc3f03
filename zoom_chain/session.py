"""The session of one question: what a policy knows, and the record of what was shown and said."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from detection_eval.text.contract import Contract
from detection_eval.words import counted
from tiling.resolution import Resolution
from tiling.view import View
from zoom_chain.answers import before_call, spoken_text
from zoom_chain.budget import Bound, Budget, Spending
from zoom_chain.chat import Conversation, Generation, ImagePart, Reply
from zoom_chain.dialect import ZoomDialect
from zoom_chain.effects import Effect, Look, Outcome, Result, Said, Showing, Sight, Steps, StopReason
from zoom_chain.looks import CropRule, least_pixels, within
from zoom_chain.patterns import turn_pattern
from zoom_chain.scores import Scores
from zoom_chain.trace import EvidenceRecord, ReplyRecord, RequestRecord, ViewRecord

if TYPE_CHECKING:
    from tiling.gsd import Gsd
    from tiling.scene import Scene


@dataclass(frozen=True)
class Listing:
    """How a model lists the objects of an image.

    Attributes:
        contract: the words that ask for boxes and how they are written.
        classes: the only ones that it knows; None where it takes any.
        options: how such replies are generated.
        gsd_m: metres per pixel at which it sees objects best; None where that is not known.
    """

    contract: Contract
    classes: tuple[str, ...] | None
    options: Generation
    gsd_m: float | None = None


Similarity: TypeAlias = Callable[[str, Sequence[ImagePart]], Sequence[float]]
"""How similar each image is to a text, such as the cosine of their embeddings."""


@dataclass
class Session:
    """One question about one scene.

    Attributes:
        scene: of which a policy reads the header alone.
        question: as the user put it.
        dialect: the wire format of the zoom tool.
        resolution: the image sizes that the model accepts.
        budget: bounds on the cost of the question.
        crops: how a requested box becomes the window that is read.
        options: how replies are generated.
        listing: how the model lists objects; None where it cannot.
        clock: seconds.
        gsd: ground sampling distance of the scene, which those of its views follow.
        scores: how the model states probabilities.
        similarity: of images and a text; None where there is no such function.
        structured: whether replies are held to the dialect's form of calls, and to that of lists of objects.
        spending: what has been spent; charged by the driver.
        views: shown so far, in order.
        turns: replies so far.
        evidence: objects that the answer counts.
        notes: lines for the reader of the answer.
        failures: why requests or views failed without which the question went on, in one line each.
        tool_offered: whether the model was told of the zoom tool.
        chosen: the policy that answers in place of the one named, and why.
    """

    scene: Scene
    question: str
    dialect: ZoomDialect
    resolution: Resolution
    budget: Budget
    crops: CropRule
    options: Generation
    listing: Listing | None
    clock: Callable[[], float]
    gsd: Gsd
    scores: Scores = "none"
    similarity: Similarity | None = None
    structured: bool = False
    spending: Spending = field(default_factory=Spending)
    views: list[ViewRecord] = field(default_factory=list)
    turns: list[ReplyRecord] = field(default_factory=list)
    evidence: list[EvidenceRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    tool_offered: bool = False
    chosen: tuple[str, str] | None = None

    # --- what is left ---------------------------------------------------------------------------------

    @property
    def shown(self) -> list[View]:
        """The views so far; of a focused one the even view of the same size."""
        return [record.view for record in self.views]

    @property
    def pixels_left(self) -> float:
        """Pixels that may still be shown; infinite without a bound."""
        return self.budget.pixels_left(self.spending.pixels, self.resolution.factor)

    @property
    def time_is_up(self) -> bool:
        """Whether the bound on seconds is reached."""
        most = self.budget.max_seconds
        return most is not None and self.clock() - self.spending.started >= most

    @property
    def judgings_left(self) -> int:
        """Views that a search may still judge."""
        return max(0, self.budget.max_views - self.spending.judged)

    def spent(self, most_zooms: int | None = None, *, searching: bool = False) -> Bound | None:
        """The bound that does not allow for another crop, if one does not.

        Args:
            most_zooms: a bound of the policy's own, tighter than the budget's.
            searching: the crop is one that a search judges.
        """
        most = self.budget.max_zooms if most_zooms is None else min(self.budget.max_zooms, most_zooms)
        if searching and not self.judgings_left:
            return "view_budget"
        if not searching and self.spending.zooms >= most:
            return "zoom_budget"
        if self.time_is_up:
            return "time_budget"
        return "pixel_budget" if self.pixels_left < least_pixels(self.resolution) else None

    # --- steps that policies share --------------------------------------------------------------------

    def look_at_overview(self, share: float) -> Generator[Effect, Result, Sight]:
        """The whole scene, for no more than a share of the pixels that are left."""
        view = self.scene.overview(within(self.resolution, self.pixels_left * share))
        (sight,) = yield Look((Showing(view),), overview=True)
        assert isinstance(sight, Sight)
        return sight

    def turn_options(self, *, calls: bool) -> Generation:
        """How a turn is generated in which the zoom tool may be called, or not any more.

        A model that goes on past its call would write the observation itself.
        """
        pattern = turn_pattern(self.dialect, calls=calls) if self.structured else None
        return replace(self.options, stop=self.dialect.stop, pattern=pattern)

    def record(
        self,
        said: Said,
        conversation: Conversation,
        *,
        about: Sequence[int] = (),
        words: str | None = None,
        request: RequestRecord | None = None,
        final: bool = False,
    ) -> ReplyRecord:
        """Record a reply; ``words`` are what it says, by default all but thoughts and a call."""
        reply = said.reply
        turn = ReplyRecord(
            reply=reply.text,
            words=spoken_text(before_call(reply.text, self.dialect.call_open)) if words is None else words,
            request=request,
            final=final,
            told=_told(conversation),
            about=tuple(about),
            prompt_tokens=reply.prompt_tokens,
            prefilled_tokens=reply.prefilled_tokens,
            completion_tokens=reply.completion_tokens,
            seconds=said.seconds,
        )
        self.turns.append(turn)
        return turn

    def amend_turn(self, **changes: object) -> None:
        """Add to the record of the reply at hand what came of it."""
        self.turns[-1] = replace(self.turns[-1], **changes)  # type: ignore[arg-type]

    def rate(self, index: int, score: float) -> None:
        """Add to the record of a view what it is ranked by."""
        self.views[index] = replace(self.views[index], score=score)

    def compare(self, text: str, images: Sequence[ImagePart]) -> tuple[float, ...]:
        """How similar each image is to a text, by the function of the session.

        Raises:
            ValueError: for a function that gives anything else than a number for each image.
        """
        assert self.similarity is not None
        scores = [float(each) for each in self.similarity(text, images)]
        if len(scores) != len(images):
            raise ValueError(f"the similarity function gave {len(scores)} numbers for {len(images)} images")
        return tuple(scores)

    def conclude(self, said: Said, reason: StopReason = "answered") -> Outcome:
        """The answer in the reply recorded last; none where it failed, is cut off or has no words."""
        if failure := failure_of(said.reply):
            return Outcome("error", error=failure)
        words = self.turns[-1].words
        if said.reply.stop_reason == "length":
            reason = "cut_off"
        elif not words.strip():
            reason = "no_answer"
        return Outcome(reason, words)

    def settle(self, outcome: Outcome) -> Outcome:
        """The end of the question: no more than partial where something failed without which it went on.

        What failed because the time was used up is of the bound that the user set.
        """
        if not self.failures or outcome.reason in ("error", "time_budget"):
            return outcome
        count = len(self.failures)
        error = f"{counted(count, 'request')} failed on the way: {self.failures[0]}"
        whole = outcome.reason not in ("cut_off", "no_answer")
        return replace(outcome, reason="partial" if whole else outcome.reason, error=error)


Run: TypeAlias = Callable[[Session], Steps]
"""A policy: the session of a question in, its steps out."""


def failure_of(reply: Reply) -> str | None:
    """Why a request failed, in one line; None where it did not."""
    if reply.stop_reason not in ("stop", "length") or reply.error is not None:
        return reply.error or "the model failed without saying why"
    return None


def _told(conversation: Conversation) -> str:
    """The words that were added since the model spoke last."""
    said = conversation.turns_of("assistant")
    new = conversation.messages[said[-1] + 1 if said else 0 :]
    return "\n".join(message.text for message in new if message.text)
