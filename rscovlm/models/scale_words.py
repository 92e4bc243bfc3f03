"""The ground sampling distance in words: the same in questions of training and in those of inference."""

from __future__ import annotations

from zoom_chain.chat import Conversation, Message

STATED = "One pixel is {gsd} on the ground.\n"
"""What stands between an image and the words about it."""

SAID = ", told scales in words"
"""What is said of a model in traces and journals, beside its name."""


def gsd_words(gsd_m: float | None) -> str:
    """Metres per pixel as a prompt states them: ``0.3 m``."""
    return "unknown" if gsd_m is None else f"{gsd_m:.2g} m"


def stated(conversation: Conversation) -> Conversation:
    """The same with the scale of the last image of each turn said after it."""
    return Conversation(tuple(_stated(message) for message in conversation.messages))


def _stated(message: Message) -> Message:
    if not message.images:
        return message
    last = max(place for place, part in enumerate(message.content) if not isinstance(part, str))
    words = STATED.format(gsd=gsd_words(message.images[-1].gsd_m))
    return Message(message.role, (*message.content[: last + 1], words, *message.content[last + 1 :]))
