"""Errors of boxes, their files and their evaluation: one base class, and one subclass for each cause."""

from __future__ import annotations


class DetectionError(Exception):
    """Boxes, or a request about them, that cannot be used as given; the message says what would be right.

    Attributes:
        lacks: what was not given and would be enough: ``score``, ``size`` or ``classes``; else empty.
    """

    def __init__(self, message: str = "", *, lacks: str = "") -> None:
        super().__init__(message)
        self.lacks = lacks


class FormatError(DetectionError):
    """A file does not hold what its format says; the message starts with ``file:line`` or ``file: place``."""


class SettingError(DetectionError):
    """A value out of range, or the name of a format, contract, preset or class list that does not exist."""


class CannotWrite(DetectionError):
    """A format demands something that is not known, such as a score, or cannot hold a name."""


class EvaluationError(DetectionError):
    """Boxes that cannot be evaluated or merged together: unknown classes, scores on only some images."""
