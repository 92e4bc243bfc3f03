"""The objects that answers count, as a map layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from tiling.scene import Scene
    from zoom_chain.controller import Answer
    from zoom_chain.trace import EvidenceRecord


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
    """Write each object that an answer counts, once, whole or not at all.

    Raises:
        OSError, OutputError: the file cannot be written.
    """
    import numpy as np

    from detection_eval.detections import Detections
    from rscovlm.tasks.provenance import version
    from tiling.output import write_detections

    # Two questions may count the same object.
    found: dict[tuple[object, ...], EvidenceRecord] = {
        (each.label, each.polygon): each for answer in answers for each in answer.trace.evidence
    }
    classes = tuple(sorted({each.label for each in found.values()}))
    boxes = Detections(
        np.array([each.polygon for each in found.values()]).reshape(-1, 4, 2),
        np.array([classes.index(each.label) for each in found.values()], dtype=np.int64),
        classes,
    )
    questions = [answer.trace.question for answer in answers if answer.trace.evidence]
    write_detections(path, scene, boxes, {"model": model, "version": version(), "questions": questions})
