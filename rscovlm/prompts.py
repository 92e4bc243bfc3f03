"""Prompts that are not part of a wire format: the words of tasks, shared by training and inference."""

from __future__ import annotations

from collections.abc import Sequence


def classification_prompt(classes: Sequence[str]) -> str:
    """Ask for the scene class by name, classes in the order given."""
    return f"Classify the image into one of: {', '.join(classes)}. Answer with the class name."
