"""Text of a model to ``Detections``; parsing never raises on what the text holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.quads import Floats, canonical
from detection_eval.geometry.validity import Policy, Validity, examine, repair
from detection_eval.text.answers import Answer, read_answer
from detection_eval.text.contract import Contract
from detection_eval.text.found import RawBox
from detection_eval.text.labels import LabelMatcher, by_spoken_name, spoken, strip_edges
from detection_eval.text.tree import trees
from detection_eval.text.verdicts import verdict
from detection_eval.text.vertices import decode
from detection_eval.words import counted

_CUT_SHORT = re.compile(r"remaining (?:objects|items|boxes) (?:are|were) not listed", re.IGNORECASE)
_NUMBER = re.compile(r"(?<!\d)-?\d+(?:\.\d+)?(?!\d|[dD]\b)")  # the 2 of "bbox_2d" is no coordinate
_LARGEST = 1e9  # no coordinate of an image is larger
_TAIL = 2000
_NAMED = 8  # labels or reasons in a line
_LABEL_REPAIRS = {
    "plural": "plural label",
    "numbered": "number in label",
    "either": "label with alternatives",
}


class LabelGuess(NamedTuple):
    """A label that named its class by something looser than its spelling.

    Attributes:
        box: index of the box.
        written: the label as written.
        name: the class it was taken for.
        how: plural, alias, numbered ("ship 2"), either ("plane/airplane") or fuzzy.
        likeness: 1 except for fuzzy ones.
    """

    box: int
    written: str
    name: str
    how: str
    likeness: float


@dataclass(frozen=True)
class ParseReport:
    """Counts of boxes read, mended and dropped, in one response or (by ``+``) in many.

    Attributes:
        responses: how many were parsed.
        boxes: boxes returned.
        ok: those of them that needed no repair.
        repaired: boxes returned after a repair, by its kind; one box may have had several.
        dropped: boxes not returned, by reason.
        unknown_labels: boxes not returned since their label names no class, by label.
        superseded: boxes not returned since the reply itself corrects or repeats them further on.
        duplicate: boxes returned that repeat an earlier one exactly, label and all; none is removed.
        outside: boxes returned that reach beyond the image: with many, suspect the coordinate space.
        no_area: boxes returned whose vertices lie on one line.
        truncated: responses that end inside a box or list.
        refused: responses that decline to answer.
        declared_empty: responses that say there is nothing to find.
        unparsable: responses in which nothing at all could be read.
        unfinished: responses that end inside their thoughts, before any answer.
        guesses: labels that were matched by something looser than their spelling, box by box.
    """

    responses: int = 0
    boxes: int = 0
    ok: int = 0
    repaired: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    unknown_labels: Mapping[str, int] = field(default_factory=dict)
    superseded: int = 0
    duplicate: int = 0
    outside: int = 0
    no_area: int = 0
    truncated: int = 0
    refused: int = 0
    declared_empty: int = 0
    unparsable: int = 0
    unfinished: int = 0
    guesses: tuple[LabelGuess, ...] = ()

    @property
    def unknown_label(self) -> int:
        """Boxes whose label names no class."""
        return sum(self.unknown_labels.values())

    @property
    def unreadable(self) -> bool:
        """Whether some response could not be read at all."""
        return self.unparsable > 0

    def __add__(self, other: ParseReport) -> ParseReport:
        """The report of both sets of responses; box indices of ``guesses`` count on."""
        moved = tuple(guess._replace(box=guess.box + self.boxes) for guess in other.guesses)
        sums = {}
        for name, value in vars(self).items():
            if isinstance(value, int):
                sums[name] = value + getattr(other, name)
            elif name != "guesses":
                sums[name] = dict(Counter(value) + Counter(getattr(other, name)))
        return ParseReport(**sums, guesses=self.guesses + moved)

    def losses(self) -> list[str]:
        """Lines that name each kind of loss and its count."""
        lines = []
        if self.unknown_labels:
            lines.append(
                f"{counted(self.unknown_label, 'box')} left out whose label is not among the classes: "
                f"{_commonest(self.unknown_labels)}"
            )
        if self.dropped:
            lines.append(f"{counted(sum(self.dropped.values()), 'box')} dropped: {_commonest(self.dropped)}")
        if self.superseded:
            lines.append(
                f"{counted(self.superseded, 'box')} left out that their reply corrects or repeats further on"
            )
        kinds = {
            "cannot be read": self.unparsable - self.unfinished,
            "end inside their thoughts": self.unfinished,
            "decline to answer": self.refused,
            "break off": self.truncated - self.unfinished,
        }
        if said := [f"{count:,} {what}" for what, count in kinds.items() if count > 0]:
            lines.append(f"of {counted(self.responses, 'reply')} {', '.join(said)}")
        return lines

    def to_json(self) -> dict[str, object]:
        """Plain values, for journals and reports."""
        values = {name: value for name, value in vars(self).items() if name != "guesses"}
        return {**values, "guesses": [guess._asdict() for guess in self.guesses]}


def _commonest(counts: Mapping[str, int]) -> str:
    """The names with the highest counts, in words."""
    listed = Counter(counts).most_common()
    words = [f"{name} {count:,}" for name, count in listed[:_NAMED]]
    return ", ".join(
        [*words, f"and {counted(len(listed) - _NAMED, 'other')}"] if len(listed) > _NAMED else words
    )


@dataclass(frozen=True)
class ParsedResponse:
    """The boxes of one response.

    Attributes:
        detections: in pixels of the image as shown, in the order written, without scores.
        report: counts of boxes kept, mended and dropped.
        spans: (n, 2) int64, the characters of the text that state each box.
    """

    detections: Detections
    report: ParseReport
    spans: NDArray[np.int64]

    def shortfall(self, text: str, *, at_limit: bool) -> str | None:
        """Why a response does not tell all about its image, in one line; None where it does.

        Args:
            text: of the response.
            at_limit: whether it was cut off at a limit of tokens.
        """
        report, found = self.report, counted(len(self.detections), "box")
        if at_limit:
            return f"the reply was cut off at its token limit after {found}"
        if report.unfinished:
            return f"the reply ends inside its thoughts: {text[:60]!r}"
        if report.truncated and len(self.detections):
            return f"the reply ends inside a box or a list, after {found}: {text[-60:]!r}"
        if report.truncated:
            return f"the reply ends inside brackets, and no box can be read from it: {text[:60]!r}"
        if report.refused:
            return f"the model declined: {text[:60]!r}"
        return f"the reply cannot be read: {text[:60]!r}" if report.unreadable else None


def parse_response(
    text: str,
    contract: Contract,
    classes: Sequence[str] | None,
    width: int,
    height: int,
    *,
    aliases: Mapping[str, str] | None = None,
    fuzzy: float | None = None,
    policy: Policy = "hull",
) -> ParsedResponse:
    """Boxes from a model's text. Whatever the text is, this returns, in time linear in it.

    Args:
        text: the reply.
        contract: how the model family writes.
        classes: names that count, or None to take every label as it comes.
        width: image width as the model saw it, pixels.
        height: likewise.
        aliases: other words for classes, {word: class}.
        fuzzy: lowest likeness (0 to 1) at which an unknown label is taken for a class; None for never.
        policy: treatment of boxes whose sides cross: the hull, rejection, or nothing.

    Raises:
        SettingError: never because of the text; for an alias of no class, or a bad cut-off or policy.
    """
    answer = read_answer(text, contract)
    found = answer.found
    dropped = found.dropped
    labelled = _label_boxes(found.boxes, classes, aliases, fuzzy, dropped)
    numbers = np.array([raw.numbers for raw in labelled.boxes]).reshape(-1, contract.form.count)
    with np.errstate(over="ignore", invalid="ignore"):
        quads, inverted = decode(numbers, contract, width, height)
        defects = examine(quads, width, height)
        polygons, kept = _mend(quads, defects, policy, dropped)
    boxes = [labelled.boxes[index] for index in kept]
    repairs = [[*raw.repairs] for raw in boxes]
    crossed = (defects.self_intersecting | defects.concave)[kept] & (policy == "hull")
    for own, swapped, bent in zip(repairs, inverted[kept], crossed):
        own += ["inverted box"] * bool(swapped) + ["crossing sides"] * bool(bent)
    labels = np.array(labelled.labels, dtype=np.int64)[kept]
    guesses = tuple(
        guess._replace(box=box)
        for box, index in enumerate(kept)
        if (guess := labelled.guesses.get(int(index)))
    )
    for guess in guesses:
        repairs[guess.box].append(_LABEL_REPAIRS.get(guess.how, f"label by {guess.how}"))
    report = ParseReport(
        responses=1,
        boxes=len(boxes),
        ok=sum(not own for own in repairs),
        repaired=dict(Counter(kind for own in repairs for kind in own)),
        dropped=dict(dropped),
        unknown_labels=dict(labelled.unknown),
        superseded=answer.superseded,
        duplicate=len(boxes) - len({(label, raw.numbers) for label, raw in zip(labels.tolist(), boxes)}),
        outside=int(defects.out_of_canvas[kept].sum()),
        no_area=int(defects.zero_area[kept].sum()),
        guesses=guesses,
        unfinished=int(answer.unfinished),
        **_verdict(answer, contract, len(boxes) + sum(labelled.unknown.values()), dropped),
    )
    spans = np.array([raw.span for raw in boxes], dtype=np.int64).reshape(-1, 2)
    return ParsedResponse(Detections(polygons, labels, labelled.classes), report, spans)


def parse_first_box(text: str, contract: Contract, width: int, height: int) -> Floats | None:
    """(1, 4, 2) the first box that a text states, labelled or not, in pixels; None where it states none.

    Args:
        text: the reply.
        contract: how the model family writes; its numbers are read in whatever layout they stand.
        width: image width as the model saw it, pixels.
        height: likewise.
    """
    numbers = [float(number) for number in _NUMBER.findall(text)[: contract.form.count]]
    if len(numbers) < contract.form.count or max(map(abs, numbers)) > _LARGEST:
        return None
    polygons, _ = decode(np.array([numbers]), contract, width, height)
    return canonical(polygons)


@dataclass
class _Labelled:
    """Boxes with a class, and what became of the labels."""

    classes: tuple[str, ...]
    boxes: list[RawBox] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    guesses: dict[int, LabelGuess] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)


def _label_boxes(
    boxes: list[RawBox],
    classes: Sequence[str] | None,
    aliases: Mapping[str, str] | None,
    fuzzy: float | None,
    dropped: Counter[str],
) -> _Labelled:
    """Give each box its class; a wire form without labels answers for the one class that was asked."""
    if classes is None:
        names = {spoken(strip_edges(raw.label)) for raw in boxes if raw.label is not None}
        classes = by_spoken_name(names - {""})
    match = LabelMatcher(classes, aliases, fuzzy)
    result = _Labelled(tuple(classes))
    for raw in boxes:
        if raw.label is None and len(classes) != 1:
            dropped["no label"] += 1
            continue
        written = classes[0] if raw.label is None else raw.label
        found = match(written)
        if found is None:
            result.unknown[strip_edges(written)[:80]] += 1
            continue
        if found.how != "exact":
            name = classes[found.label]
            guess = LabelGuess(0, strip_edges(written), name, found.how, found.likeness)
            result.guesses[len(result.boxes)] = guess
        result.boxes.append(raw)
        result.labels.append(found.label)
    return result


def _mend(
    quads: Floats, defects: Validity, policy: Policy, dropped: Counter[str]
) -> tuple[Floats, NDArray[np.int64]]:
    """Polygons under the policy. Ones without area stay, since a box that a model states has to count."""
    mended, index = repair(quads, policy, defects)
    flat = np.flatnonzero(defects.zero_area)
    if policy != "keep" and len(flat):
        every = np.concatenate([index, flat])
        order = np.argsort(every, kind="stable")
        mended, index = np.concatenate([mended, repair(quads[flat], "keep")[0]])[order], every[order]
    if lost := len(quads) - len(index):
        dropped["broken polygon"] += lost
    return mended, index


_NO_OBJECTS = frozenset({"example", "in prose", "no label", "no box"})
"""Reasons that take nothing from the statement that there is nothing: no object was lost."""


def _verdict(answer: Answer, contract: Contract, read: int, dropped: Counter[str]) -> dict[str, int]:
    """Flags of the response as a whole: each 0 or 1."""
    text = answer.text
    truncated = answer.found.truncated or _CUT_SHORT.search(text[-_TAIL:]) is not None
    says = dict.fromkeys(("refused", "declared_empty", "unparsable"), 0)
    if read == 0:
        plain = strip_edges(text[:_TAIL]).casefold()
        nothing = bool(answer.found.empty) or plain == strip_edges(contract.empty).casefold()
        if set(dropped) <= _NO_OBJECTS:
            says[verdict(text, nothing or _empty_list(text))] = 1
        else:
            says["unparsable"] = 1
    return {"truncated": int(truncated), **says}


def _empty_list(text: str) -> bool:
    """Whether a short text is an empty list, in wire forms that do not write lists."""
    return len(text) < _TAIL and any(not root.items and not root.cut for root in trees(text))
