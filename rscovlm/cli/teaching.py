"""Steps that commands share which have a teacher write training data: its model, its journal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from detection_eval.words import counted
from rscovlm.cli.destinations import goes_on
from rscovlm.cli.failures import Interrupted
from rscovlm.cli.opening import open_model
from rscovlm.cli.outputs import check_outputs
from rscovlm.cli.reply_journal import incomplete
from rscovlm.errors import UsageError
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from rscovlm.data.annotations import Annotated as AnnotatedImage
    from rscovlm.engines import Engine
    from rscovlm.journal import Journal
    from rscovlm.models.checkpoints import Checkpoint

Images = Annotated[
    Path | None, typer.Option(help="Folder of the images; images beside the annotations by default.")
]
Teacher = Annotated[
    str | None,
    typer.Option(help="Model that writes questions; as --model of rscovlm ask.", metavar="MODEL"),
]
TeacherFamily = Annotated[
    str | None, typer.Option(help="How the teacher sees, where its name does not tell.", metavar="FAMILY")
]
ResumeTeacher = Annotated[bool, typer.Option("--resume", help="Keep the teacher's replies so far.")]
BalanceReport = Annotated[
    Path | None, typer.Option(help="Write the balance report as JSON.", metavar="FILE.json")
]


def teacher_named(spec: str | None, family: str | None) -> Checkpoint | None:
    """The model that an option names; None where none does.

    Raises:
        ModelError: it is not found.
    """
    from rscovlm.models.checkpoints import resolve

    return None if spec is None else resolve(spec, family=family)


def check_teacher(ways: Iterable[str], teacher: str | None) -> None:
    """Make sure that a teacher is named where one is needed, and only there.

    Raises:
        UsageError: with what would be right.
    """
    asked = "teacher" in ways
    if asked and teacher is None:
        raise UsageError("--ways teacher needs a model; name one with --teacher")
    if teacher is not None and not asked:
        raise UsageError(f"--teacher {teacher} has nothing to do; add teacher to --ways")


def check_taught(
    output: Path, report: Path | None, inputs: Iterable[Path], *, resume: bool, overwrite: bool
) -> None:
    """Make sure, before anything is read or asked, that the files of a run can be written.

    Args:
        output: the samples, beside which the teacher's replies are kept.
        report: on balance; None for none.
        inputs: that are read.
        resume: go on with a run.
        overwrite: discard it.

    Raises:
        UsageError, DataError, OSError: with one clear line.
    """
    from detection_eval.files import check_folder
    from rscovlm.data.store import check_path
    from rscovlm.journal import journal_path

    if resume and overwrite:
        raise UsageError("--resume goes on with a run and --overwrite discards it; give one of them")
    check_path(output)
    for path in filter(None, (output, report)):
        check_folder(path)
        if path.is_dir():
            raise UsageError(f"{path} is a folder; give the name of a file")
    going_on = goes_on([journal_path(output)], (output, report), resume=resume)
    check_outputs({"--output": output, "--report": report}, inputs, overwrite=overwrite, resume=going_on)


@contextmanager
def asking_teacher(
    teacher: Checkpoint | None, device: str | None, about: str
) -> Iterator[tuple[Engine | None, Progress]]:
    """The engine of a teacher, None where nobody is asked, and the progress over what it is asked about."""
    engine = None if teacher is None else open_model(teacher, device)
    with engine or nullcontext(), Progress("asking the teacher about", about) as progress:
        yield engine, progress


class Taught(Protocol):
    """Samples that a teacher helped to make."""

    @property
    def failed(self) -> int:
        """Requests that failed."""

    @property
    def error(self) -> str | None:
        """Why the first of them did."""


def require_replies(data: Taught) -> None:
    """Make sure that the teacher replied to every request.

    Raises:
        Incomplete: where requests failed; their journal stays.
    """
    if data.failed:
        requests = counted(data.failed, "request")
        raise incomplete(f"{requests} to the teacher failed ({data.error})", resumable=True)


@contextmanager
def teacher_journal(
    output: Path, parameters: Mapping[str, Any] | None, *, resume: bool, overwrite: bool
) -> Iterator[Journal | None]:
    """The journal of a teacher's replies beside an output; None where ``parameters`` are, as nobody is asked.

    Raises:
        JournalError: it is of other parameters.
        Interrupted: where the work is.
    """
    if parameters is None:
        yield None
        return
    from rscovlm.journal import Journal, journal_path

    with Journal(journal_path(output), dict(parameters), resume=resume, overwrite=overwrite) as journal:
        try:
            yield journal
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"interrupted; {counted(len(journal.done), 'reply is', 'replies are')} kept, go "
                "on with --resume"
            ) from error


def digest_of(images: Iterable[AnnotatedImage]) -> str:
    """A hash of all that is known of all images."""
    digest = hashlib.sha256()
    for image in images:
        known = [(t.name, t.polygon.tolist(), dict(t.attributes), t.difficult) for t in image.things]
        digest.update(json.dumps([image.id, image.width, image.height, known], sort_keys=True).encode())
    return digest.hexdigest()[:16]
