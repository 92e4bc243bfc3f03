"""The answers of ``rscovlm ask``: on the terminal, as JSON, with what was looked at, and what they lack."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.cli.ask_questions import Asked
from rscovlm.cli.terminal import printable
from rscovlm.progress import note

if TYPE_CHECKING:
    from rscovlm.tasks.votes import Vote
    from zoom_chain.controller import Answer
    from zoom_chain.trace import Trace, ViewRecord

_NOT_WHOLE = {
    "error": "the chain failed",
    "cut_off": "the reply was cut off by the limit of new tokens",
    "no_answer": "the model gave no answer",
    "partial": "parts of the scene were not examined",
}
"""Ends of a chain that leave a question without a whole answer."""


def zoom_line(record: ViewRecord, number: int) -> str:
    """What a zoom looked at: ``zoom 2: 512 x 512 px at (1024, 2048), 4.0x, 0.30 m/px``."""
    window = record.closer
    place = f"{window.width:.0f} x {window.height:.0f} px at ({window.x:.0f}, {window.y:.0f})"
    ground = "" if record.gsd_m is None else f", {record.gsd_m:.3g} m/px"
    return f"zoom {number}: {place}, {record.magnification:.1f}x{ground}"


def tell(asked: Sequence[Asked], votes: Sequence[Vote], *, voted: bool) -> None:
    """Answers to stdout, and what was looked at for each to stderr before it.

    Args:
        asked: the questions.
        votes: their answers.
        voted: of several runs each, whose agreement is told as well.
    """
    for item, answer in zip(asked, [each.answer for each in votes]):
        if len(asked) > 1:
            note(item.question)
        for line in _looked_at(answer.trace):
            note(f"  {line}")
        if answer.stop_reason not in ("answered", "confident"):
            reason = answer.stop_reason.replace("_", " ")
            error = answer.trace.error
            told = f": {printable(error)}" if error and error not in answer.trace.notes else ""
            note(f"  ended by {reason}{told}")
        print(answer_line(item, answer), flush=True)
    if voted:
        _tell_votes(votes)


def _looked_at(trace: Trace) -> list[str]:
    """What was looked at beside the overview, and what a reader has to know of it."""
    chosen, closer = trace.settings.get("chosen"), trace.views[1:]
    lines = [f"answered by {chosen}: {trace.settings['why']}"] if chosen else []
    if "sweep" in (chosen, trace.settings["policy"]) and chosen in (None, "sweep"):
        lines.append(f"{counted(len(closer), 'tile')}, {counted(len(trace.evidence), 'object')}")
    else:
        ranked = sum(record.ranked for record in closer)
        lines += [f"{counted(ranked, 'view')} ranked"] if ranked else []
        numbered = enumerate(closer, start=1)
        lines += [zoom_line(record, number) for number, record in numbered if not record.ranked]
    return [*lines, *trace.notes]


def answer_line(item: Asked, answer: Answer) -> str:
    """An answer in one line, and the expected one where that is known."""
    text = " ".join(printable(answer.text).split())
    return text if item.expected is None else f"{text}\t(expected: {item.expected})"


def _tell_votes(votes: Sequence[Vote]) -> None:
    """How far the runs agree, to stderr."""
    for each in votes:
        others = [text for text in each.answers if text != each.answer.text]
        besides = f"; others said {', '.join(map(repr, others))}" if others else ""
        note(printable(f"  {each.agreement:.0%} of the runs agree on {each.answer.text!r}{besides}"))


def answers_json(
    source: str, model: str, asked: Sequence[Asked], votes: Sequence[Vote], *, voted: bool
) -> str:
    """Answers with what they rest on, as JSON.

    Args:
        source: of the scene.
        model: its name.
        asked: the questions.
        votes: their answers.
        voted: of several runs each, whose agreement is stated as well.
    """
    from rscovlm.tasks.provenance import version

    found: dict[str, Any] = {
        "scene": source,
        "model": model,
        "version": version(),
        "answers": [_record(item, each.answer) for item, each in zip(asked, votes)],
    }
    for record, each in zip(found["answers"], votes if voted else ()):
        record["votes"] = {"agreement": each.agreement, "answers": each.answers}
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _record(item: Asked, answer: Answer) -> dict[str, Any]:
    from rscovlm.tasks.questions import is_right

    trace = answer.trace
    record: dict[str, Any] = {"question": item.question, "answer": answer.text}
    if item.expected is not None:
        record |= {
            "expected": item.expected,
            "as_expected": is_right(answer.text, item.expected, item.options),
        }
    return record | {
        "stop_reason": answer.stop_reason,
        "error": trace.error,
        "policy": trace.settings.get("chosen") or trace.settings["policy"],
        "gsd": trace.scene["gsd"],
        "notes": list(trace.notes),
        "objects": [
            {"label": found.label, "polygon": found.polygon, "lonlat": found.lonlat}
            for found in trace.evidence
        ],
        "views": [_view_record(view) for view in trace.views],
        "visual_tokens": trace.visual_tokens,
        "seconds": round(trace.seconds, 3),
    }


def _view_record(record: ViewRecord) -> dict[str, Any]:
    return {
        "window": record.view.window.to_json(),
        "size": record.view.size.to_json(),
        "magnification": record.magnification,
        "gsd_m": record.gsd_m,
        "lonlat_bounds": record.lonlat_bounds,
    }


def deliver(text: str, output: Path | None) -> None:
    """To stdout, or to a file that appears when it is complete."""
    if output is None:
        print(text, end="", flush=True)
        return
    from detection_eval.files import write_text

    write_text(output, text)


def write_trace(path: Path, answers: Sequence[Answer]) -> None:
    """An HTML report, or a JSON array with a trace for each question."""
    traces = [answer.trace for answer in answers]
    if path.suffix.lower() == ".html":
        from zoom_chain.report import write_report

        write_report(path, traces)
    else:
        deliver("[" + ",\n".join(trace.to_json() for trace in traces) + "]\n", path)


def tell_expected(asked: Sequence[Asked], answers: Sequence[Answer]) -> None:
    """How many answers are as expected, to stderr, where that is known."""
    from rscovlm.tasks.questions import is_right

    known = [
        (answer.text, item.expected, item.options)
        for item, answer in zip(asked, answers)
        if item.expected is not None
    ]
    if known:
        right = sum(is_right(*stated) for stated in known)
        note(f"{right} of {counted(len(known), 'answer')} as expected")


def missing(votes: Sequence[Vote]) -> str | None:
    """The questions without a whole answer, or with runs that failed; None where there are none."""
    parts, questions = [], counted(len(votes), "question")
    if partial := [each.answer for each in votes if each.answer.stop_reason in _NOT_WHOLE]:
        first = partial[0]
        noted = first.trace.notes[-1:] if first.stop_reason == "partial" else ()
        reason = first.failure or next(iter(noted), _NOT_WHOLE[first.stop_reason])
        parts.append(f"{len(partial)} of {questions} without a whole answer: {reason}")
    if failed := [each for each in votes if each.failures and each.answer.stop_reason not in _NOT_WHOLE]:
        parts.append(f"{len(failed)} of {questions} with runs that failed: {failed[0].failures[0]}")
    return "; ".join(parts) or None


def unasked(votes: Sequence[Vote]) -> bool:
    """Whether there is no usable reply about something: a request failed, or the model replied nothing."""
    last = [each.answer.trace.turns[-1:] for each in votes]
    return any(each.failures for each in votes) or any(turns and not turns[0].reply.strip() for turns in last)
