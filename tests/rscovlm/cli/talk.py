"""What scripted models say to questions."""

from __future__ import annotations

from zoom_chain.chat import Conversation

ZOOM = (
    '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [500, 500, 750, 750], "label": "x"}}'
    "</tool_call>"
)


def zooms_once(conversation: Conversation) -> str:
    """Ask for one closer look, then answer."""
    return ZOOM if len(conversation.messages) < 3 else "red"


def echoes(conversation: Conversation) -> str:
    """Say the question again, in capitals."""
    return conversation.messages[-1].text.upper()
