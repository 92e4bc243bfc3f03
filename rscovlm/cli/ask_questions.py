"""The questions of ``rscovlm ask``, as a file states them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rscovlm.errors import UsageError


@dataclass(frozen=True)
class Asked:
    """A question, with the answer that is known to be right, its category and options, where stated."""

    question: str
    expected: str | None = None
    category: str | None = None
    options: tuple[str, ...] = ()


def read_questions(path: Path) -> list[Asked]:
    """The questions in a file: one a line, or a JSON object a line where the file ends in ``.jsonl``.

    Raises:
        UsageError: the file holds no questions, or a line is an object without one.
        FormatError: a line is not JSON, or not UTF-8.
        OSError: the file cannot be read.
    """
    from detection_eval.formats.lines import json_lines, numbered_lines

    if path.suffix.lower() == ".jsonl":
        found = [_question(place, record) for place, record in json_lines(path)]
    else:
        found = [Asked(line) for _, line in numbered_lines(path)]
    if not found:
        raise UsageError(f"{path} holds no questions")
    return found


def _question(place: str, record: Any) -> Asked:
    text = record.get("question") if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise UsageError(f'{place}: no "question"; give objects such as {{"question": "How many ships?"}}')
    expected, category, options = record.get("answer"), record.get("category"), record.get("options", [])
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise UsageError(f'{place}: "options" is {options!r:.60}; give a list of texts: ["red", "white"]')
    return Asked(
        text,
        None if expected is None else str(expected),
        None if category is None else str(category),
        tuple(options),
    )
