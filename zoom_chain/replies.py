"""A raw reply of a model as thoughts, words, answer, call and reason of its end: the one place that tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tiling.view import Size
from zoom_chain.answers import INVENTED, before_call, own_turn, spoken_text, thoughts_in, without_thoughts
from zoom_chain.calls import InvalidCall, ZoomCall, parse_zoom_call
from zoom_chain.chat import Reply, StopReason
from zoom_chain.dialect import ZoomDialect


@dataclass(frozen=True)
class ReadReply:
    """What a reply says.

    Attributes:
        turn: the reply as it goes on in the conversation: up to an observation that the model wrote itself.
        thoughts: what stands between thought marks; "" where there is nothing.
        words: what is said outside of them and before the call, an ``<answer>`` or box unwrapped.
        answer: the words where the reply asks for nothing; "" beside a call.
        call: the request for a closer look, or why it cannot be read; None for an answer.
        finish: why the reply ended.
        unfinished: whether it ends inside a thought.
        notes: irregularities and how they were read.
    """

    turn: str
    thoughts: str
    words: str
    answer: str
    call: ZoomCall | InvalidCall | None
    finish: StopReason
    unfinished: bool
    notes: tuple[str, ...] = ()


def read_reply(
    reply: Reply,
    dialect: ZoomDialect,
    width: int,
    height: int,
    *,
    images: Sequence[Size] = (),
    offered: bool = True,
) -> ReadReply:
    """Take a reply apart; no text raises.

    Args:
        reply: of a model.
        dialect: the wire format that it was offered.
        width: pixels of the image that a box refers to where its call names none.
        height: pixels of that image.
        images: sizes of all images shown, for calls that name one.
        offered: whether the tool was offered, so that calls are looked for.
    """
    turn, invented = own_turn(reply.text, dialect.announcement)
    call = parse_zoom_call(reply.text, dialect, width, height, images) if offered else None
    words = spoken_text(before_call(turn, dialect.call_open) if call is None else call.before)
    notes = call.notes if isinstance(call, ZoomCall) else (INVENTED,) if invented else ()
    return ReadReply(
        turn=turn,
        thoughts=thoughts_in(turn),
        words=words,
        answer=words if call is None else "",
        call=call,
        finish=reply.stop_reason,
        unfinished=without_thoughts(turn)[1] and not isinstance(call, ZoomCall),
        notes=notes,
    )
