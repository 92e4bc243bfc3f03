"""The objects that answers count, as a map layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from tiling.scene import Scene
    from zoom_chain.controller import Answer


def check_evidence(path: Path, scene: Scene, policy: str) -> None:
    """Find out before a model is loaded whether the file can be written, and will hold something.

    Raises:
        UsageError: for a policy that counts no objects.
        OutputError, NotGeoreferenced: for a format that cannot hold them.
    """
    from tiling.output import check_output

    if policy not in ("sweep", "auto"):
        raise UsageError(
            f"--evidence is what a sweep counts, and --zoom {policy} counts nothing; use --zoom sweep"
        )
    check_output(path, scene, scored=False)


def write_evidence(path: Path, scene: Scene, answers: Sequence[Answer], model: str) -> None:
    """Write each object that an answer counts, whole or not at all: a row for each question that counts it.

    The columns ``question_id``, from 1 in the order in which they are asked, and ``question`` say which.

    Raises:
        OSError, OutputError: the file cannot be written.
    """
    import numpy as np

    from detection_eval.detections import Detections
    from rscovlm.tasks.provenance import version
    from tiling.output import write_detections

    asked = [(number, answer.trace) for number, answer in enumerate(answers, start=1)]
    counted = [(number, trace.question, each) for number, trace in asked for each in trace.evidence]
    found = [each for _, _, each in counted]
    classes = tuple(sorted({each.label for each in found}))
    boxes = Detections(
        np.array([each.polygon for each in found]).reshape(-1, 4, 2),
        np.array([classes.index(each.label) for each in found], dtype=np.int64),
        classes,
    )
    columns = {
        "question_id": np.array([number for number, _, _ in counted], dtype=np.int64),
        "question": [question for _, question, _ in counted],
    }
    questions = [trace.question for _, trace in asked if trace.evidence]
    provenance = {"model": model, "version": version(), "questions": questions}
    write_detections(path, scene, boxes, provenance, more=columns)
