"""The journals of a detection run, one for each scene, all of which last until everything is done.

A run that goes on takes finished scenes from their journals, so that files of several scenes can be written
anew without asking a model again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from detection_eval.words import counted
from rscovlm.cli.failures import Interrupted
from rscovlm.cli.reply_journal import forget

if TYPE_CHECKING:
    from rscovlm.cli.detect_plan import Planned, PlannedScene
    from rscovlm.journal import Journal


@dataclass(frozen=True)
class Journals:
    """Journals of scenes.

    Attributes:
        paths: by source; none where nothing names the run.
        resume: go on with those that exist.
        overwrite: start anew where they exist.
    """

    paths: Mapping[str, Path]
    resume: bool
    overwrite: bool

    @contextmanager
    def open(self, scene: PlannedScene) -> Iterator[Journal | None]:
        """The journal of a scene. After an error one in which nothing is recorded does not stay.

        Raises:
            JournalError: where it is of another run, or in use, or there and neither flag is set.
        """
        if scene.source not in self.paths:
            yield None
            return
        from rscovlm.journal import Journal

        path = self.paths[scene.source]
        with Journal(path, scene.facts, resume=self.resume, overwrite=self.overwrite) as journal:
            try:
                yield journal
            except BaseException:
                if not journal.done:
                    journal.remove()
                raise

    def check(self, scenes: Sequence[PlannedScene]) -> None:
        """Find out before a model is loaded whether each journal can be used, and start those anew that are.

        Raises:
            JournalError: as :meth:`open`.
        """
        for scene in scenes:
            with self.open(scene) as journal:
                if journal is not None and not journal.done:
                    journal.remove()

    @contextmanager
    def interruptible(self, planned: Planned) -> Iterator[None]:
        """Say after Ctrl-C how to go on."""
        from rscovlm.journal import results_in

        try:
            yield
        except KeyboardInterrupt:
            if not self.paths:
                raise
            done = sum(results_in(self.paths[scene.source]) for scene in planned.scenes)
            raise Interrupted(
                f"interrupted after {done} of {counted(planned.tiles, 'tile')}; "
                "the same command with --resume goes on"
            ) from None

    def remove(self) -> None:
        """Delete all: the work is done and its results are safe."""
        forget(self.paths.values())
