"""Failures of a command: the line and the exit code that the user gets."""

from __future__ import annotations

import errno
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

import typer

from rscovlm.errors import RscovlmError

COMPLETE, INCOMPLETE, DEFECT, USAGE, INTERRUPTED = 0, 1, 1, 2, 130

# ClickException, of click itself or of the copy inside newer versions of typer.
_ClickError = typer.BadParameter.__mro__[2]


class Incomplete(Exception):
    """The result is written but does not cover everything; the message says what is missing."""


class Interrupted(Exception):
    """Ctrl-C in work that can be resumed; the message says how."""


@dataclass(frozen=True)
class Failure:
    """An exit code and the one line that goes with it."""

    code: int
    line: str


def options_of(command: Any, arguments: Iterable[str]) -> frozenset[str]:
    """The options, such as ``--score``, of the command that a command line names.

    Args:
        command: of click; a group has others by their names.
        arguments: of the command line.
    """
    for word in arguments:
        command = getattr(command, "commands", {}).get(word, command)
    return frozenset(option for parameter in command.params for option in parameter.opts)


def failure(error: Exception, options: Container[str] = ()) -> Failure | None:
    """Line and exit code for an error; None for an unexpected one.

    Args:
        error: that ended the command.
        options: of the command, to name the one that gives what is lacking.
    """
    from configs import ConfigError
    from detection_eval.errors import DetectionError
    from tiling.errors import SceneError
    from zoom_chain.errors import ZoomError

    if isinstance(error, Incomplete):
        return Failure(INCOMPLETE, str(error))
    if isinstance(error, Interrupted):
        return Failure(INTERRUPTED, str(error))
    if isinstance(error, _ClickError):
        return Failure(USAGE, error.format_message())  # type: ignore[attr-defined]
    if isinstance(error, OSError):
        return Failure(USAGE, _system_line(error))
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, not imported
        return Failure(
            USAGE, "out of memory; show the model less at once: --max-pixels, for tiles --batch-size"
        )
    if isinstance(error, DetectionError) and f"--{error.lacks}" in options:
        return Failure(USAGE, f"{error} (--{error.lacks})")
    if isinstance(error, (RscovlmError, ConfigError, DetectionError, SceneError, ZoomError)):
        return Failure(USAGE, str(error))
    return None


def _system_line(error: OSError) -> str:
    """The system's word for what went wrong, with the file; messages of our own as they are."""
    if error.errno is None:
        return str(error)
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = "the disk is full"
    return f"{error.filename}: {reason}" if error.filename else reason
