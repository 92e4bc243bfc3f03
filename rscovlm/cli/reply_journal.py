"""Replies of a model, kept in a journal beside a command's output until nothing is missing.

How a run ends is the same for every command that asks a model: what is there is written; where something is
missing the exit code is 1 and the journal stays, so that ``--resume`` asks for no more than what failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.cli.failures import Incomplete, Interrupted
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


def forget(journals: Iterable[Path]) -> None:
    """Delete journals: the work is done and its results are safe."""
    for path in journals:
        path.unlink(missing_ok=True)


def incomplete(missing: str, *, resumable: bool) -> Incomplete:
    """The end of a run whose results do not cover everything.

    Args:
        missing: from them, in one line.
        resumable: there is a journal, and requests or files failed about which it is worth to ask again.
    """
    return Incomplete(missing + ("; --resume asks again about what has no reply" if resumable else ""))


def end_of_run(journal: Path | None, missing: str | None, *, unasked: bool) -> None:
    """End a run whose results are written: its journal goes, or stays where something is missing.

    Args:
        journal: of the run; None where nothing names it.
        missing: from the results, in one line; None where they are whole.
        unasked: requests or files failed, so that there is no usable reply about them.

    Raises:
        Incomplete: where something is missing.
    """
    if missing is not None:
        raise incomplete(missing, resumable=unasked and journal is not None)
    if journal is not None:
        forget([journal])
