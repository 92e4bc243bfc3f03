"""The Zoom-in Chain: a model sees a scene's overview, asks for closer looks, and answers within a budget.

Each crop is read from the source at the resolution that the budget allows, never cut from what was already
shown. Many questions advance together, one model batch per round, each with its own scene, views and budget.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from tiling.errors import SceneError
from tiling.resolution import Resolution
from tiling.view import View, Window
from zoom_chain.budget import Budget
from zoom_chain.calls import InvalidCall, ZoomCall
from zoom_chain.chat import ChatModel, Conversation, Generation, Reply
from zoom_chain.dialect import ZoomDialect
from zoom_chain.looks import CropRule, RefusedRequest, coarseness, crop_window, detail_gain, requested_window
from zoom_chain.policies import CHAIN, ZoomPolicy
from zoom_chain.replies import ReadReply, read_reply
from zoom_chain.trace import ReplyRecord, RequestRecord, Trace, ViewRecord, record_view

if TYPE_CHECKING:
    from tiling.raster import Raster
    from tiling.scene import Scene

StopReason = Literal[
    "answered",
    "cut_off",
    "zoom_budget",
    "pixel_budget",
    "time_budget",
    "invalid_request",
    "repeated_view",
    "no_more_detail",
    "no_data",
    "no_answer",
    "error",
]
"""Why a chain ended: the model ``answered``; its reply was ``cut_off`` by the token limit, or holds no words
(``no_answer``: it is empty, thoughts alone, or a call of the tool that was withdrawn); a budget ended
(``pixel_budget`` stands for visual tokens too); no refusals were left after the request named; or an
``error`` of the model or the file. After a budget or a refusal the answer is what the model said when the
tool was withdrawn."""


@dataclass(frozen=True)
class Answer:
    """Result of a zoom chain.

    Attributes:
        text: the answer without thoughts; "" where the model gave none.
        trace: the evidence behind it.
        stop_reason: why the chain ended.
    """

    text: str
    trace: Trace
    stop_reason: StopReason


@dataclass(frozen=True)
class _Look:
    """A view that is about to be read, and what it is expected to bring."""

    view: View
    gain: float


@dataclass
class _Chain:
    """The state of one question."""

    scene: Scene
    question: str
    started: float
    conversation: Conversation = field(default_factory=Conversation)
    views: list[ViewRecord] = field(default_factory=list)
    turns: list[ReplyRecord] = field(default_factory=list)
    pending: _Look | None = None
    offered: bool = False
    refusals: int = 0
    withdrawn: StopReason | None = None
    stop_reason: StopReason | None = None
    answer: str = ""
    error: str | None = None
    ended: float = 0.0

    @property
    def zooms(self) -> int:
        return max(0, len(self.views) - 1)

    @property
    def shown(self) -> list[View]:
        return [record.view for record in self.views]

    @property
    def shown_pixels(self) -> int:
        return sum(view.size.height * view.size.width for view in self.shown)

    def amend_turn(self, **changes: object) -> None:
        """Add to the record of the reply at hand what came of it."""
        self.turns[-1] = replace(self.turns[-1], **changes)  # type: ignore[arg-type]


class ZoomChain:
    """Answers questions about scenes by letting a model zoom in.

    Args:
        model: any chat model; it must speak ``dialect``.
        dialect: the wire format of the zoom tool.
        resolution: the image sizes that the model accepts.
        budget: bounds on the cost of one question.
        policy: ``off``, ``single`` or ``chain``.
        crops: how a requested box becomes the window that is read.
        options: how replies are generated.
        model_name: written into traces.
        readers: threads that read crops for a batch of questions.
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
        readers: int = 4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self.dialect = dialect
        self.resolution = resolution
        self.budget = budget or Budget()
        self.policy = policy
        self.crops = crops or CropRule()
        self.options = options or Generation()
        if policy.offers_tool:
            self.options = replace(self.options, stop=dialect.stop)
        self.model_name = model_name
        self.readers = readers
        self._clock = clock

    def ask(self, scene: Scene, question: str) -> Answer:
        """The answer to one question about one scene."""
        return self.ask_all([(scene, question)])[0]

    def ask_all(self, questions: Sequence[tuple[Scene, str]]) -> list[Answer]:
        """One answer for each (scene, question), in order.

        What fails for one question (its file, its request to the model) ends that chain alone, with
        ``error``; what the model raises ends all. The images of all questions are held until they end, so
        that a caller with very many should pass some hundreds at a time.
        """
        chains = [_Chain(scene, question, self._clock()) for scene, question in questions]
        with ThreadPoolExecutor(max_workers=max(1, self.readers)) as pool:
            list(pool.map(self._look_at_overview, chains))
            while True:
                list(pool.map(self._show_pending, chains))
                active = [chain for chain in chains if chain.stop_reason is None]
                if not active:
                    return [self._answer(chain) for chain in chains]
                self._advance(active)

    # --- one round --------------------------------------------------------------------------------

    def _advance(self, chains: list[_Chain]) -> None:
        """One reply for each chain, and what follows from it up to the next read."""
        began = self._clock()
        replies = self.model.chat([chain.conversation for chain in chains], self.options)
        seconds = self._clock() - began
        if len(replies) != len(chains):
            raise ValueError(f"the model gave {len(replies)} replies to {len(chains)} conversations")
        for chain, reply in zip(chains, replies, strict=True):
            self._take_reply(chain, reply, seconds)

    def _take_reply(self, chain: _Chain, reply: Reply, seconds: float) -> None:
        read = self._read(chain, reply)
        call = read.call
        chain.turns.append(
            ReplyRecord(
                reply=reply.text,
                words=read.words,
                request=self._request_record(chain, call),
                final=chain.withdrawn is not None,
                prompt_tokens=reply.prompt_tokens,
                prefilled_tokens=reply.prefilled_tokens,
                completion_tokens=reply.completion_tokens,
                seconds=seconds,
            )
        )
        if reply.stop_reason == "error" or reply.error is not None:
            self._end(chain, "error", error=reply.error or "the model failed without saying why")
        elif chain.withdrawn is not None or call is None:
            self._conclude(chain, reply, chain.withdrawn or "answered")
        else:
            chain.conversation = chain.conversation.say("assistant", read.turn)
            self._follow(chain, call)

    def _conclude(self, chain: _Chain, reply: Reply, reason: StopReason) -> None:
        """The answer in a reply that asks for nothing more; none where it is cut off or has no words."""
        words = chain.turns[-1].words
        if reply.stop_reason == "length":
            reason = "cut_off"
        elif not words.strip():
            reason = "no_answer"
        self._end(chain, reason, words)

    def _follow(self, chain: _Chain, call: ZoomCall | InvalidCall) -> None:
        """Plan the view that a call asks for, or tell the model why not."""
        if spent := self._spent(chain):
            self._withdraw(chain, spent)
            return
        try:
            if isinstance(call, InvalidCall):
                raise RefusedRequest("invalid_request", call.reason)
            chain.pending = self._plan(chain, call)
        except RefusedRequest as refusal:
            self._refuse(chain, refusal)

    def _spent(self, chain: _Chain) -> StopReason | None:
        """The budget that does not allow for another crop, if one does not."""
        zooms = self.budget.max_zooms
        if self.policy.max_zooms is not None:
            zooms = min(zooms, self.policy.max_zooms)
        if chain.zooms >= zooms:
            return "zoom_budget"
        if self.budget.max_seconds is not None and self._clock() - chain.started >= self.budget.max_seconds:
            return "time_budget"
        if self._pixels_left(chain) < max(self.resolution.min_pixels, self.resolution.factor**2):
            return "pixel_budget"
        return None

    def _refuse(self, chain: _Chain, refusal: RefusedRequest) -> None:
        """The error as an observation; the last one allowed withdraws the tool."""
        chain.amend_turn(refusal=str(refusal))
        chain.refusals += 1
        if chain.refusals > self.budget.max_refusals:
            self._withdraw(chain, refusal.kind)
        else:
            chain.conversation = self.dialect.error_turn(chain.conversation, str(refusal))

    def _withdraw(self, chain: _Chain, reason: StopReason) -> None:
        """Ask once more, for the answer."""
        chain.withdrawn = reason
        if chain.turns[-1].refusal is None:
            chain.amend_turn(refusal=f"the tool was withdrawn: {reason.replace('_', ' ')}")
        chain.conversation = self.dialect.final_turn(chain.conversation)

    def _end(self, chain: _Chain, reason: StopReason, answer: str = "", error: str | None = None) -> None:
        chain.stop_reason, chain.answer, chain.error = reason, answer, error
        chain.ended = self._clock()

    # --- from a call to a view ----------------------------------------------------------------------

    def _frame_index(self, chain: _Chain, image_index: int | None = None) -> int:
        """Index of the view that a box refers to."""
        if image_index is not None:
            return image_index
        return 0 if self.dialect.frame == "original" else len(chain.views) - 1

    def _read(self, chain: _Chain, reply: Reply) -> ReadReply:
        size = chain.shown[self._frame_index(chain)].size
        return read_reply(reply, self.dialect, size.width, size.height, offered=chain.offered)

    def _request_record(self, chain: _Chain, call: ZoomCall | InvalidCall | None) -> RequestRecord | None:
        if not isinstance(call, ZoomCall):
            return None
        frame = self._frame_index(chain, call.image_index)
        return RequestRecord(frame, call.box, call.label, None, call.notes)

    def _plan(self, chain: _Chain, call: ZoomCall) -> _Look:
        """The view that answers a call.

        Raises:
            RefusedRequest: the request cannot be met, or would show nothing new.
        """
        index = self._frame_index(chain, call.image_index)
        shown, scene = chain.shown, chain.scene.window
        if index >= len(shown):
            raise RefusedRequest(
                "invalid_request", f"there is no image {index}; images 0 to {len(shown) - 1} exist"
            )
        frame = shown[index]
        try:
            requested, mended = requested_window(frame, call.box, scene)
        except RefusedRequest as refusal:
            expected = self.dialect.describe_box(frame.size.width, frame.size.height)
            raise RefusedRequest(refusal.kind, f"{refusal}; give {expected}") from None
        request = chain.turns[-1].request
        if request is not None:
            chain.amend_turn(request=replace(request, window=requested, notes=request.notes + mended))
        window = crop_window(requested, self._quantum(frame), scene, self.crops)
        left = self._pixels_left(chain)
        view = self._crop(chain.scene, window, self._within(left))
        for number, earlier in enumerate(shown):
            if earlier.window.iou(view.window) >= self.crops.repeat_iou:
                raise RefusedRequest(
                    "repeated_view",
                    f"image {number} already shows this part; answer, or look elsewhere",
                )
        gain = detail_gain(view, requested, shown)
        if gain < self.crops.min_gain:
            unbounded = self._crop(chain.scene, window, self.resolution)
            if detail_gain(unbounded, requested, shown) >= self.crops.min_gain:
                raise RefusedRequest(
                    "pixel_budget",
                    "too little of the budget is left to show this part any closer; "
                    "answer, or ask for a smaller part",
                )
            raise RefusedRequest(
                "no_more_detail",
                "the scene has no more detail there than you have seen; answer, or look elsewhere",
            )
        return _Look(view, gain)

    def _quantum(self, frame: View) -> tuple[float, float]:
        """One unit of the dialect's coordinates in scene pixels, along x and y."""
        steps = self.dialect.steps
        return frame.scale if steps is None else (frame.window.width / steps, frame.window.height / steps)

    def _pixels_left(self, chain: _Chain) -> float:
        return self.budget.pixels_left(chain.shown_pixels, self.resolution.factor)

    def _within(self, pixels: float) -> Resolution:
        """The model's resolution, reduced where the budget has less left; never below its smallest size."""
        if pixels >= self.resolution.max_pixels:
            return self.resolution
        return self.resolution.with_max_pixels(
            max(int(pixels), self.resolution.min_pixels, self.resolution.factor**2)
        )

    def _crop(self, scene: Scene, window: Window, resolution: Resolution) -> View:
        """A window at the size of a crop: with the least visual tokens of one, within the largest area."""
        plain = scene.view(window, resolution)
        least = self.crops.min_visual_tokens * resolution.factor**2
        if least <= resolution.min_pixels:
            return plain
        enlarged = scene.view(window, replace(resolution, min_pixels=min(least, resolution.max_pixels)))
        # Sides are rounded up to reach a least area, which may step over the largest one beside it.
        fits = enlarged.size.height * enlarged.size.width <= resolution.max_pixels
        return enlarged if fits else plain

    # --- reading ------------------------------------------------------------------------------------

    def _look_at_overview(self, chain: _Chain) -> None:
        """Plan the first view, and offer the tool where there is more to see than it shows.

        Where zooming is possible the overview takes no more than half of the budget.
        """
        left = self.budget.pixels_left(0, self.resolution.factor)
        try:
            view = chain.scene.overview(self._within(left / 2 if self.policy.offers_tool else left))
        except SceneError as error:
            self._end(chain, "error", error=str(error))
        else:
            chain.pending = _Look(view, gain=1.0)
            chain.offered = self.policy.offers_tool and coarseness(view) >= self.crops.min_gain

    def _show_pending(self, chain: _Chain) -> None:
        """Read the view that a chain waits for, if any, and show it."""
        look, chain.pending = chain.pending, None
        if look is None:
            return
        try:
            image = chain.scene.read(look.view)
        except SceneError as error:
            self._end(chain, "error", error=str(error))
            return
        if chain.views and not image.mask.any():
            self._refuse(chain, RefusedRequest("no_data", "there is no image data in this part"))
            return
        self._show(chain, look, image)

    def _show(self, chain: _Chain, look: _Look, image: Raster) -> None:
        tokens = self.resolution.tokens(look.view.size)
        overview = chain.views[0].view if chain.views else look.view
        chain.views.append(record_view(chain.scene, look.view, image.pixels, overview, look.gain, tokens))
        if len(chain.views) == 1:
            chain.conversation = self.dialect.opening(image.pixels, chain.question, chain.offered)
        else:
            chain.amend_turn(shown=len(chain.views) - 1)
            chain.conversation = self.dialect.crop_turn(chain.conversation, image.pixels)

    # --- the result ---------------------------------------------------------------------------------

    def _answer(self, chain: _Chain) -> Answer:
        assert chain.stop_reason is not None
        scene = chain.scene
        trace = Trace(
            question=chain.question,
            answer=chain.answer,
            stop_reason=chain.stop_reason,
            error=chain.error,
            scene={
                "source": scene.source,
                "identity": scene.identity,
                "width": scene.width,
                "height": scene.height,
                "gsd_m": scene.gsd_m,
                "crs": scene.crs_name,
            },
            settings={
                "model": self.model_name,
                "dialect": self.dialect.name,
                "policy": self.policy.name,
                "tool_offered": chain.offered,
                "budget": asdict(self.budget),
                "crops": asdict(self.crops),
            },
            views=tuple(chain.views),
            turns=tuple(chain.turns),
            seconds=chain.ended - chain.started,
        )
        return Answer(chain.answer, trace, chain.stop_reason)
