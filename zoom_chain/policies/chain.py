"""Model-driven zooming: the model asks for a closer look, again and again, and answers within its budget."""

from __future__ import annotations

from dataclasses import replace

from tiling.view import View
from zoom_chain.calls import InvalidCall, ZoomCall
from zoom_chain.chat import Conversation
from zoom_chain.effects import Outcome, Said, Showing, Steps, StopReason, ask, look
from zoom_chain.looks import RefusedRequest, coarseness, crop_window, plan_crop, requested_window
from zoom_chain.replies import ReadReply, read_reply
from zoom_chain.session import Run, Session, failure_of
from zoom_chain.trace import RequestRecord


def chain(most_zooms: int | None = None) -> Run:
    """The policy with a bound on zooms of its own, or None where the budget alone decides."""

    def run(session: Session) -> Steps:
        # Where zooming is possible the overview takes no more than half of the budget.
        sight = yield from session.look_at_overview(share=0.5)
        assert sight.image is not None
        session.tool_offered = coarseness(session.shown[0]) >= session.crops.min_gain
        conversation = session.dialect.opening(sight.image, session.question, session.tool_offered)
        return (yield from converse(session, conversation, (0,), most_zooms))

    return run


def converse(
    session: Session, conversation: Conversation, frames: tuple[int, ...], most_zooms: int | None = None
) -> Steps:
    """Reply by reply until the model answers, or has to.

    Args:
        session: of the question.
        conversation: up to the model's next turn.
        frames: indices of the views that its images show, in order; a search has recorded others.
        most_zooms: a bound of the policy's own, or None where the budget alone decides.
    """
    dialect = session.dialect
    withdrawn: StopReason | None = None
    refusals = 0
    about = frames
    while True:
        calls = session.tool_offered and withdrawn is None
        said = yield from ask(conversation, session.turn_options(calls=calls))
        read = _take(session, said, conversation, about, frames, final=withdrawn is not None)
        call = read.call
        if failure_of(said.reply) or call is None or withdrawn is not None:
            return session.conclude(said, withdrawn or "answered")
        conversation, about = conversation.say("assistant", read.turn), ()
        if spent := session.spent(most_zooms):
            withdrawn = spent
            session.amend_turn(refusal=f"the tool was withdrawn: {spent.replace('_', ' ')}")
            conversation = dialect.final_turn(conversation)
            continue
        try:
            sight = yield from look(_plan(session, call, frames))
            if sight.error is not None:
                return Outcome("error", error=sight.error)
            if sight.index is None or sight.image is None:
                raise RefusedRequest("no_data", "there is no image data in this part")
        except RefusedRequest as refusal:
            session.amend_turn(refusal=str(refusal))
            refusals += 1
            if refusals > session.budget.max_refusals:
                withdrawn = refusal.kind
                conversation = dialect.final_turn(conversation)
            else:
                conversation = dialect.error_turn(conversation, str(refusal))
        else:
            about = (sight.index,)
            frames += about
            session.amend_turn(shown=about)
            conversation = dialect.crop_turn(conversation, sight.image)


def _take(
    session: Session,
    said: Said,
    conversation: Conversation,
    about: tuple[int, ...],
    frames: tuple[int, ...],
    final: bool,
) -> ReadReply:
    """Record a reply, taken apart."""
    sizes = [session.shown[frame].size for frame in frames]
    meant = sizes[image_meant(session)]
    read = read_reply(
        said.reply,
        session.dialect,
        meant.width,
        meant.height,
        images=sizes,
        offered=session.tool_offered,
    )
    call, request = read.call, None
    if isinstance(call, ZoomCall):
        image = image_meant(session, call.image_index)
        request = RequestRecord(
            frames[image] if image < len(frames) else image, call.box, call.label, None, call.notes
        )
    session.record(said, conversation, about=about, words=read.words, request=request, final=final)
    return read


def image_meant(session: Session, stated: int | None = None) -> int:
    """The image of a conversation that a box refers to, from 0; -1 for the last one."""
    if stated is not None:
        return stated
    return 0 if session.dialect.frame == "original" else -1


def _plan(session: Session, call: ZoomCall | InvalidCall, frames: tuple[int, ...]) -> Showing:
    """The view that answers a call.

    Raises:
        RefusedRequest: the request cannot be met, or would show nothing new.
    """
    if isinstance(call, InvalidCall):
        raise RefusedRequest("invalid_request", call.reason)
    image = image_meant(session, call.image_index)
    views, whole = session.shown, session.scene.window
    shown = [views[number] for number in frames]
    if image >= len(shown):
        raise RefusedRequest(
            "invalid_request", f"there is no image {image}; images 0 to {len(shown) - 1} exist"
        )
    frame = shown[image]
    try:
        requested, mended = requested_window(frame, call.box, whole)
    except RefusedRequest as refusal:
        expected = session.dialect.describe_box(frame.size.width, frame.size.height)
        raise RefusedRequest(refusal.kind, f"{refusal}; give {expected}") from None
    if (request := session.turns[-1].request) is not None:
        session.amend_turn(request=replace(request, window=requested, notes=request.notes + mended))
    window = crop_window(requested, _quantum(session, frame), whole, session.crops)
    view, gain = plan_crop(
        session.scene, window, requested, shown, session.resolution, session.pixels_left, session.crops
    )
    return Showing(view, gain, parent=frames[image])


def _quantum(session: Session, frame: View) -> tuple[float, float]:
    """One unit of the dialect's coordinates in scene pixels, along x and y."""
    steps = session.dialect.steps
    return frame.scale if steps is None else (frame.window.width / steps, frame.window.height / steps)
