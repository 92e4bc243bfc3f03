"""A model's answer <-> ``Detections``: parsing that never raises, and its inverse."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.contracts import Contract, Json, Lines, Tagged
from detection_eval.detections import Detections
from detection_eval.geometry import Floats
from detection_eval.labels import LabelMatcher, by_spoken_name, spoken, strip_edges
from detection_eval.scanning import RawBox, scan
from detection_eval.validity import Policy, Validity, examine, repair
from detection_eval.vertices import decode, encode

_REFUSAL = re.compile(r"\b(?:sorry|cannot|can't|can not|unable to|not able to|won't)\b", re.IGNORECASE)
_NONE = re.compile(
    r"(?:there (?:are|is|were) (?:none|no\b)|none\b|no (?:such |visible )?(?:objects?|instances?)\b|nothing\b"
    r"|(?:```(?:json)?\s*)?\[\s*\]|i (?:do not|don't) see any\b)",
    re.IGNORECASE,
)
_CUT_SHORT = re.compile(r"remaining (?:objects|items|boxes) (?:are|were) not listed", re.IGNORECASE)
_HEAD = 2000  # what an answer declares as a whole, it declares at once


class LabelGuess(NamedTuple):
    """A label that named its class by something looser than its spelling.

    Attributes:
        box: index of the box.
        written: the label as written.
        name: the class it was taken for.
        how: plural, alias or fuzzy.
        likeness: 1 except for fuzzy ones.
    """

    box: int
    written: str
    name: str
    how: str
    likeness: float


@dataclass(frozen=True)
class ParseReport:
    """What was read, mended and dropped, in one response or (by ``+``) in many.

    Attributes:
        responses: how many were parsed.
        boxes: boxes returned.
        ok: those of them that needed no repair.
        repaired: boxes returned after a repair, by its kind; one box may have had several.
        dropped: boxes not returned, by reason.
        unknown_labels: boxes not returned since their label names no class, by label.
        duplicate: boxes returned that repeat an earlier one exactly, label and all; none is removed.
        outside: boxes returned that reach beyond the image: with many, suspect the coordinate space.
        no_area: boxes returned whose vertices lie on one line.
        truncated: responses that end inside a box or list.
        refused: responses that decline to answer.
        declared_empty: responses that say there is nothing to find.
        unparsable: responses in which nothing at all could be read.
        guesses: labels that were matched by plural, alias or likeness, box by box.
    """

    responses: int = 0
    boxes: int = 0
    ok: int = 0
    repaired: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    unknown_labels: Mapping[str, int] = field(default_factory=dict)
    duplicate: int = 0
    outside: int = 0
    no_area: int = 0
    truncated: int = 0
    refused: int = 0
    declared_empty: int = 0
    unparsable: int = 0
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

    def to_json(self) -> dict[str, object]:
        """Plain values, for journals and reports."""
        values = {name: value for name, value in vars(self).items() if name != "guesses"}
        return {**values, "guesses": [guess._asdict() for guess in self.guesses]}


@dataclass(frozen=True)
class ParsedResponse:
    """The boxes of one response.

    Attributes:
        detections: in pixels of the image as shown, in the order written, without scores.
        report: what parsing kept, mended and dropped.
        spans: (n, 2) int64, the characters of the text that state each box.
    """

    detections: Detections
    report: ParseReport
    spans: NDArray[np.int64]


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
        width: of the image as the model saw it, pixels.
        height: likewise.
        aliases: other words for classes, {word: class}.
        fuzzy: lowest likeness (0 to 1) at which an unknown label is taken for a class; None for never.
        policy: what happens to boxes whose sides cross: the hull, rejection, or nothing.

    Raises:
        ValueError: never for what stands in the text; for an alias of no class, or a bad cut-off or policy.
    """
    found = scan(text, contract)
    dropped = Counter(found.dropped)
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
        repairs[guess.box].append(f"label by {guess.how}" if guess.how != "plural" else "plural label")
    report = ParseReport(
        responses=1,
        boxes=len(boxes),
        ok=sum(not own for own in repairs),
        repaired=dict(Counter(kind for own in repairs for kind in own)),
        dropped=dict(dropped),
        unknown_labels=dict(labelled.unknown),
        duplicate=len(boxes) - len({(label, raw.numbers) for label, raw in zip(labels.tolist(), boxes)}),
        outside=int(defects.out_of_canvas[kept].sum()),
        no_area=int(defects.zero_area[kept].sum()),
        guesses=guesses,
        **_verdict(text, contract, len(boxes) + sum(labelled.unknown.values()), found.truncated),
    )
    spans = np.array([raw.span for raw in boxes], dtype=np.int64).reshape(-1, 2)
    return ParsedResponse(Detections(polygons, labels, labelled.classes), report, spans)


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


def _verdict(text: str, contract: Contract, read: int, truncated: bool) -> dict[str, int]:
    """What the response as a whole says: each 0 or 1."""
    plain = strip_edges(text[:_HEAD]).casefold()
    nothing = plain == strip_edges(contract.empty).casefold() or _NONE.match(text[:_HEAD].strip()) is not None
    empty = read == 0 and nothing
    refused = read == 0 and not empty and _REFUSAL.search(text[:_HEAD]) is not None
    return {
        "truncated": int(truncated or _CUT_SHORT.search(text[-_HEAD:]) is not None),
        "refused": int(refused),
        "declared_empty": int(empty),
        "unparsable": int(read == 0 and not empty and not refused),
    }


def render_response(detections: Detections, contract: Contract, width: int, height: int) -> str:
    """The text in which a model of this family states these boxes: the inverse of ``parse_response``.

    Boxes are ordered as RSCoVLM was trained: by class (alphabetical as spoken), then y, then x of the first
    vertex. Without boxes it is the contract's sentence for nothing to find.

    Args:
        detections: in pixels of the width x height image as the model sees it.
        contract: how the model family writes.
        width: of that image, pixels.
        height: likewise.

    Raises:
        ValueError: several classes in a wire form that writes no labels.
    """
    if not len(detections):
        return contract.empty
    numbers = encode(detections.polygons, contract, width, height)
    rank = {name: index for index, name in enumerate(by_spoken_name(detections.classes))}
    ranks = np.array([rank[name] for name in detections.names])
    x, y = (1, 0) if contract.yx else (0, 1)
    order = np.lexsort((numbers[:, x], numbers[:, y], ranks))
    labels = [spoken(detections.names[index]) for index in order]
    decimals = _decimals(contract)
    boxes = [[_written(value, digits) for value, digits in zip(numbers[index], decimals)] for index in order]
    if isinstance(contract.syntax, Lines):
        if contract.syntax.label_first:
            return "\n".join(f"{label} {','.join(box)}" for box, label in zip(boxes, labels))
        return "".join(f"{','.join(box)} {label}\n" for box, label in zip(boxes, labels))
    if isinstance(contract.syntax, Json):
        return _render_json(boxes, labels, contract.syntax)
    return _render_tagged(boxes, labels, contract, contract.syntax)


def render_box(polygon: Floats, contract: Contract, width: int, height: int) -> str:
    """One box as the contract writes it inside a sentence, without a label.

    Args:
        polygon: (4, 2) pixels of the width x height image as the model sees it.
        contract: how the model family writes.
        width: of that image, pixels.
        height: likewise.
    """
    numbers = encode(np.asarray(polygon, dtype=np.float64)[None], contract, width, height)[0]
    box = [_written(value, digits) for value, digits in zip(numbers, _decimals(contract))]
    if isinstance(contract.syntax, Tagged):
        return _tagged_box(box, contract, contract.syntax)
    return f"[{', '.join(box)}]" if isinstance(contract.syntax, Json) else ",".join(box)


def _decimals(contract: Contract) -> list[int]:
    """Digits after the point of each number of a box."""
    decimals = [contract.decimals] * contract.form.count
    if contract.angle is not None:
        decimals[-1] = contract.angle.decimals
    return decimals


def _written(value: float, decimals: int) -> str:
    return str(int(value)) if decimals == 0 else f"{value:.{decimals}f}"


def _render_json(boxes: list[list[str]], labels: list[str], syntax: Json) -> str:
    key, label_key = json.dumps(syntax.key), json.dumps(syntax.label_key)
    items = [
        f"{{{key}: [{', '.join(box)}], {label_key}: {json.dumps(label, ensure_ascii=False)}}}"
        for box, label in zip(boxes, labels)
    ]
    return "```json\n[\n\t" + ",\n\t".join(items) + "\n]\n```"


def _render_tagged(boxes: list[list[str]], labels: list[str], contract: Contract, syntax: Tagged) -> str:
    if syntax.label is None and len(set(labels)) > 1:
        raise ValueError(
            f"contract {contract.name} writes no labels; give boxes of one class, not {set(labels)}"
        )
    groups: list[tuple[str, list[str]]] = []
    for box, label in zip(boxes, labels):
        if not groups or groups[-1][0] != label or not syntax.grouped:
            groups.append((label, []))
        groups[-1][1].append(_tagged_box(box, contract, syntax))
    return syntax.group_joiner.join(_tagged_group(label, members, syntax) for label, members in groups)


def _tagged_box(box: list[str], contract: Contract, syntax: Tagged) -> str:
    written = [syntax.number.format(int(text) if "." not in text else text) for text in box]
    angle = syntax.angle_joiner + written.pop() if contract.angle is not None else ""
    if syntax.pair[0]:
        pairs = zip(written[::2], written[1::2])
        written = [f"{syntax.pair[0]}{x}{syntax.joiner}{y}{syntax.pair[1]}" for x, y in pairs]
    return syntax.box[0] + syntax.joiner.join(written) + angle + syntax.box[1]


def _tagged_group(label: str, boxes: list[str], syntax: Tagged) -> str:
    listed = syntax.boxes[0] + syntax.box_joiner.join(boxes) + syntax.boxes[1]
    if syntax.label is None:
        return listed
    named = syntax.label[0] + label + syntax.label[1]
    return named + listed if syntax.label_first else f"{listed} {named}"
