"""Errors of the Zoom-in Chain: one base class, and one subclass for each cause."""

from __future__ import annotations


class ZoomError(Exception):
    """A chain, its settings or its record cannot be used as given; the message says what would be right."""


class TraceError(ZoomError):
    """Text that is not a trace of the schema that this version reads."""
