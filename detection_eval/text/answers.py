"""The boxes that a reply gives as its answer: not its thoughts, not its examples, not what it took back.

Boxes stand in blocks: a JSON list, an object or a line. Blocks with nothing but punctuation between them, or
the marks of a fence, belong to one list. Of several lists with words between them all count, as where one
follows another class by class, except in these cases:

- The sentence before a list calls it an example: it is left out.
- The words before a list say that it corrects, refines or finally states what came before ("Let me
  correct", "final answer"), and do not say that it adds to it ("also", "missed"): all lists before it are
  superseded. An empty list supersedes too.
- A list states the very boxes of an earlier one, and the words before it say that the answer is given once
  more ("in JSON", "to summarise"): it is counted once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from detection_eval.text.contract import Contract, Tagged
from detection_eval.text.found import Lost, RawBox, Scan, Span
from detection_eval.text.plain import PlainText, plain_text, without_thoughts
from detection_eval.text.scanning import scan_any_form

_EXAMPLE = re.compile(
    r"\bexamples?\b|\be\.\s?g\b|\bfor instance\b|\bplaceholder|\bhypothetical|\billustrat"
    r"|\bbeispiel|\bpar exemple|\bpor ejemplo|例如|比如|举例",
    re.IGNORECASE,
)
_NOTATION = re.compile(
    r"\bformat(?:ted)?\b|\bsuch as\b|\bin the form\b|\bnotation\b|\bmeans\b|\bwritten as\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"\bcorrect(?:ed|ion|ing)\b|\b(?:let me|i'?ll|i will|i should|i need to|to) "
    r"(?:correct|fix|refine|adjust|revise|re-?do|re-?examine|re-?check|double-?check|update|improve)\b"
    r"|\brefine[d]?\b|\brefinement\b|\brevis(?:ed|ion)\b|\bupdated\b|\badjusted\b|\bimproved\b"
    r"|\b(?:i|a) (?:made an? )?(?:mistake|error)\b|\bon second thoughts?\b|\b(?:wait|actually|instead)\b"
    r"|\bmore (?:accurate|precise)(?:ly)?\b|\bshould (?:have been|be)\b"
    r"|\bfinal (?:answer|list|result|output|detections?|boxes|bounding|json|version|set)"
    r"|更正|修正|纠正|更新|最终|\bkorrigiert|\bkorrektur|\bendgültig|\bcorrig|\bcorrección|\brévisé",
    re.IGNORECASE,
)
_ADDITION = re.compile(
    r"\balso\b|\banother\b|\badditional(?:ly)?\b|\bmissed\b|\bas well\b|\bin addition\b|\bmore objects\b"
    r"|\badd(?:ing)?\b|\bfurther\b|\bremaining\b|还有|另外|补充|\baußerdem\b|\baussi\b|\btambién\b",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\bjson\b|\bsummar|\banswer\b|\boutput\b|\bagain\b|\bin short\b|\bso the\b|\boverall\b", re.IGNORECASE
)
_WORDS = re.compile(r"[^\W\d_]")
_FENCE_MARK = re.compile(r"```[a-z]{0,10}", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?。](?=\s)|\n\s*\n|(?<=[^:\n])\n(?=\S)")
_LONGEST_SENTENCE = 300
_LONGEST_GAP = 2000


@dataclass(frozen=True)
class Answer:
    """The answer that a reply gives.

    Attributes:
        text: the answer in plain characters, without thoughts.
        found: its boxes, with spans in the reply as it was given.
        superseded: boxes that the reply itself took back or repeated.
        unfinished: the reply ends inside a thought.
    """

    text: str
    found: Scan
    superseded: int = 0
    unfinished: bool = False


@dataclass
class _List:
    """Blocks that belong together, and the words before them."""

    words: str
    boxes: list[RawBox] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    @property
    def content(self) -> frozenset[tuple[str | None, tuple[float, ...]]]:
        return frozenset((box.label, box.numbers) for box in self.boxes)


def read_answer(text: str, contract: Contract) -> Answer:
    """The boxes that a reply answers with, in time linear in the reply."""
    plain = plain_text(text)
    answer, unfinished = without_thoughts(plain.text)
    found = scan_any_form(answer, contract)
    found.truncated |= unfinished
    lists = _lists(answer, found)
    superseded = _settle(lists, found, without_labels(contract))
    found.boxes = [_original(box, plain) for part in lists for box in part.boxes]
    found.lost = [lost for part in lists for lost in part.lost]
    return Answer(answer, found, superseded, unfinished)


def without_labels(contract: Contract) -> bool:
    """Whether the wire form has no labels, so that any bracket with numbers is a box."""
    return isinstance(contract.syntax, Tagged) and contract.syntax.label is None


def _lists(text: str, found: Scan) -> list[_List]:
    """The lists of a text in order, each with the words between it and the one before."""
    blocks: dict[Span, tuple[list[RawBox], list[Lost]]] = {}
    for box in found.boxes:
        blocks.setdefault(box.block, ([], []))[0].append(box)
    for lost in found.lost:
        blocks.setdefault(lost.block, ([], []))[1].append(lost)
    for span in found.empty:
        blocks.setdefault(span, ([], []))
    lists: list[_List] = []
    stop = 0
    for start, end in sorted(blocks):
        boxes, unread = blocks[start, end]
        words = _FENCE_MARK.sub("", text[max(stop, start - _LONGEST_GAP) : start])
        if not lists or _WORDS.search(words):
            lists.append(_List(words))
        lists[-1].boxes += boxes
        lists[-1].lost += unread
        stop = max(stop, end)
    return lists


def _settle(lists: Sequence[_List], found: Scan, unlabelled: bool) -> int:
    """Take out examples and what was superseded; returns how many boxes were superseded."""
    superseded = 0
    seen: set[frozenset[tuple[str | None, tuple[float, ...]]]] = set()
    current: list[_List] = []  # lists that count so far
    for part in lists:
        sentence = _SENTENCE_END.split(part.words.rstrip()[-_LONGEST_SENTENCE:])[-1]
        if _EXAMPLE.search(sentence) or (unlabelled and _NOTATION.search(sentence)):
            part.lost += [Lost("example", box.span, box.block) for box in part.boxes]
            part.boxes = []
            continue
        content = part.content
        corrects = _CORRECTION.search(part.words) and not _ADDITION.search(part.words)
        if current and corrects and (content or not part.lost):
            for earlier in current:
                superseded += len(earlier.boxes)
                earlier.boxes = []
            current, seen = [], set()
        elif len(content) > 0 and content in seen and _AGAIN.search(part.words):
            superseded += len(part.boxes)
            part.boxes = []
            continue
        current.append(part)
        seen.add(content)
    return superseded


def _original(box: RawBox, plain: PlainText) -> RawBox:
    """A box with its span in the reply as it was given, and what the plain characters cost."""
    start, stop = box.span
    repairs = box.repairs
    if plain.is_odd(start, stop):
        repairs = (*repairs, "odd characters")
    if plain.entities:
        repairs = (*repairs, "entities")
    return replace(box, span=(plain.original(start), plain.original(stop)), repairs=repairs)
