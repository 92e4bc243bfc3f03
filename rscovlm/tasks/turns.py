"""Which task a turn of a training sample belongs to, so that what is learnt is scored as it is used."""

from __future__ import annotations

from typing import Any

from detection_eval.text.contract import Contract
from rscovlm.tasks.detection import Detection
from rscovlm.tasks.ground import Grounding
from rscovlm.tasks.questions import OpenQuestion, question_with_answer
from rscovlm.tasks.task import Task
from rscovlm.tasks.zoom import ZoomRequest
from tiling.view import Size
from zoom_chain.calls import ZoomCall, parse_zoom_call
from zoom_chain.dialect import ZoomDialect


def task_of_turn(
    kind: str, expected: str, size: Size, contract: Contract, dialect: ZoomDialect
) -> Task[Any] | None:
    """The task that scores one turn of a model; None for free text, which has no one right answer.

    Args:
        kind: the task of the sample.
        expected: what the sample says.
        size: of the image shown last.
        contract: how boxes are written.
        dialect: how a closer look is asked for.
    """
    if isinstance(parse_zoom_call(expected, dialect, size.width, size.height), ZoomCall):
        return ZoomRequest(dialect)
    if kind == "detection":
        return Detection(contract)
    if kind == "grounding":
        return Grounding(contract)
    if kind == "classification":
        return OpenQuestion()
    return question_with_answer(expected) if kind in ("vqa", "zoom") else None
