"""The journal of ``rscovlm ask``: replies as they come, until there is an answer to every question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.cli.failures import Interrupted
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.journal import Journal


def journal_beside(outputs: Mapping[str, Path | None], *, resume: bool, overwrite: bool) -> Path | None:
    """Where the journal of a run lies: beside the first file that it writes; None where it writes none.

    Args:
        outputs: files by the option that names them, in the order in which they are looked for.
        resume: go on with a run.
        overwrite: discard it.

    Raises:
        UsageError: for a run that cannot be resumed, or is to be resumed and discarded at once.
    """
    from rscovlm.journal import journal_path

    if resume and overwrite:
        raise UsageError("--resume goes on with a run and --overwrite discards it; give one of them")
    file = next((path for path in outputs.values() if path is not None), None)
    if resume and file is None:
        raise UsageError(f"--resume needs the {' or '.join(outputs)} of the run that is to go on")
    return None if file is None else journal_path(file)


@contextmanager
def kept_replies(
    path: Path | None, facts: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> Iterator[Journal | None]:
    """The journal. After an error one in which nothing was recorded does not stay.

    Raises:
        JournalError: where it is of another run, or in use, or there and neither flag is set.
        Interrupted: after Ctrl-C, saying how to go on.
    """
    from rscovlm.journal import Journal

    if path is None:
        yield None
        return
    with Journal(path, facts, resume=resume, overwrite=overwrite) as journal:
        try:
            yield journal
        except BaseException as error:
            if not journal.done:
                journal.remove()
            if not isinstance(error, KeyboardInterrupt):
                raise
            done = len(journal.done)
            raise Interrupted(
                f"interrupted after {counted(done, 'reply')}; the same command with --resume goes on"
            ) from None
