"""Boxes written one a line: ``10,20,30,20,30,40,10,40 ship``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from detection_eval.text.contract import Contract, Lines
from detection_eval.text.found import Scan, Span
from detection_eval.text.labels import strip_edges
from detection_eval.text.lexing import NUMBER, number

_LEAST_RUN = 3  # fewer numbers in a line are prose: "3 ships in 2020"
_LINE = re.compile(r"[^\n]++")
_BULLET = re.compile(r"\s*+(?:[-*•]\s++|\d{1,4}[.)]\s++)")
_NUMBERS = re.compile(NUMBER)
_RUN = re.compile(rf"{NUMBER}(?:[ \t,;|()\[\]{{}}]++{NUMBER})*+")
_WORD = re.compile(r"[^\W\d_]{2,}+")
_SENTENCE = re.compile(r"[.!?]\s+\w")
_LONGEST_LABEL = 8  # words
_NOTHING = r"(?:null|none|nan|undefined)"
_GAP_BEFORE = re.compile(rf"{_NOTHING}\s*,\s*$", re.IGNORECASE)
_GAP_AFTER = re.compile(rf"\s*,\s*{_NOTHING}\b", re.IGNORECASE)


def scan_lines(text: str, contract: Contract, others: Sequence[Span] = ()) -> Scan:
    """The boxes of a text that states one a line.

    Args:
        text: in plain characters.
        contract: how the model writes.
        others: parts of the text, in order, that another reader reads.
    """
    result = Scan()
    taken = iter([*others, (len(text) + 1, len(text) + 1)])
    other = next(taken)
    for line in _LINE.finditer(text):
        while other[1] <= line.start():
            other = next(taken)
        if other[0] < line.end():
            continue
        bullet = _BULLET.match(text, line.start(), line.end())
        start = bullet.end() if bullet else line.start()
        runs = [
            (run, numbers)
            for run in _RUN.finditer(text, start, line.end())
            if len(numbers := _NUMBERS.findall(run[0])) >= _LEAST_RUN
        ]
        if runs:
            _read_line(text, contract, runs, (start, line.end()), result)
    return result


def _read_line(
    text: str,
    contract: Contract,
    runs: list[tuple[re.Match[str], list[str]]],
    line: tuple[int, int],
    result: Scan,
) -> None:
    """Add the boxes of one line; several on it are read too, and labels that stand before their numbers."""
    starts, stops = [run.start() for run, _ in runs], [run.end() for run, _ in runs]
    before = [beside(text[a:b]) for a, b in zip([line[0], *stops[:-1]], starts)]
    after = [beside(text[a:b]) for a, b in zip(stops, [*starts[1:], line[1]])]
    declared = isinstance(contract.syntax, Lines) and contract.syntax.label_first
    label_first = bool(before[0]) and (declared or not after[-1])
    if not declared and _is_prose(text[line[0] : starts[0]], after[-1]):
        result.lose("in prose", (starts[0], stops[-1]))
        return
    for index, (_, numbers) in enumerate(runs):
        last = index == len(runs) - 1
        open_end = len(numbers) < contract.form.count if label_first else not after[-1]
        if not isinstance(contract.syntax, Lines):
            open_end |= stops[index] == len(text)  # a last number may go on
        if last and line[1] == len(text) and open_end:
            result.truncated = True
            result.lose("truncated", (starts[index], line[1]))
            return
        values = [number(written) for written in numbers]
        if _GAP_BEFORE.search(text, max(line[0], starts[index] - 20), starts[index]) or _GAP_AFTER.match(
            text, stops[index], line[1]
        ):
            result.lose("missing number", (starts[index], stops[index]))
        elif label_first:
            begin = stops[index - 1] if index else line[0]
            repairs = () if declared else ("label first",)
            result.add(contract, values, before[index], (begin, stops[index]), *repairs)
        else:
            end = starts[index + 1] if not last else line[1]
            repairs = ("missing line break",) if index else ()
            result.add(contract, values, after[index], (starts[index], end), *repairs)


def _is_prose(before: str, after: str) -> bool:
    """Whether numbers stand in a sentence: words on both sides of them, or more than a label has."""
    if before.rstrip(" \t([{*").endswith((":", ".")):
        before = ""  # an introduction, not the sentence that the numbers are in
    words_before, words_after = len(_WORD.findall(before)), len(_WORD.findall(after))
    if max(words_before, words_after) > _LONGEST_LABEL or _SENTENCE.search(after):
        return True
    return words_before > 2 and words_after > 0


def beside(text: str) -> str:
    """The label in the text beside numbers, without the brackets and commas that belong to the numbers."""
    return strip_edges(text.strip().lstrip(")]}>|,;:.").rstrip("([{<|"))
