"""Errors of the Zoom-in Chain: one base class, and one subclass for each cause."""

from __future__ import annotations

from collections.abc import Mapping


class ZoomError(Exception):
    """A chain, its settings or its record cannot be used as given; the message says what would be right."""


class TraceError(ZoomError):
    """Text that is not a trace of the schema that this version reads."""


def require(checks: Mapping[str, bool]) -> None:
    """Raise ValueError that names every problem in ``checks`` whose condition does not hold."""
    problems = [problem for problem, fine in checks.items() if not fine]
    if problems:
        raise ValueError("; ".join(problems))
