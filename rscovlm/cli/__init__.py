"""The command line: thin verbs over ``rscovlm.tasks`` and ``rscovlm.synth``.

Results go to stdout or ``--output``, progress and messages to stderr. Exit codes:

| code | meaning |
|---|---|
| 0 | a complete result |
| 1 | an incomplete result, which says what is missing; or a defect of this program |
| 2 | bad usage or input: one line on stderr, nothing half-written |
| 130 | interrupted |
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence

import typer

from rscovlm.cli.failures import COMPLETE, DEFECT, INTERRUPTED, failure, options_of
from rscovlm.cli.terminal import printable, ready_streams


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: of the command line, without the program's name; None takes those of the process.
    """
    own_process = arguments is None
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    if own_process and not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries, to programmers; what a user should know is said
    if own_process:
        ready_streams()
        # Threads that spin for each other stand still as soon as something else takes one of the cores.
        # OpenMP reads this when torch is imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from rscovlm.cli.app import app

    command = typer.main.get_command(app)
    try:
        code = command.main([a for a in arguments if a != "--debug"], "rscovlm", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the results has left (``rscovlm ... | head``); there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DEFECT
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        known = failure(error, options_of(command, arguments))
        if debug:
            traceback.print_exc()
        if known is None:
            name = type(error).__name__
            _say(f"this should not have happened: {name}: {error}; --debug shows where")
            return DEFECT
        if known.line:  # none where the help was shown for want of a command
            _say(known.line)
        return known.code
    if code == INTERRUPTED:
        _say("interrupted")
    return code if isinstance(code, int) else COMPLETE


def _say(line: str) -> None:
    print(f"rscovlm: {' '.join(printable(line).split())}", file=sys.stderr)
