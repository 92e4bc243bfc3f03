"""Items from what annotations state: answers, options, boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.quads import bounds
from rscovlm.bench.item import Item, Kind, Truth
from rscovlm.data.readers.common import LeftOut, Options, Record, box_of
from rscovlm.data.readers.fields import choices_of
from rscovlm.data.sample import Box
from rscovlm.scoring.answers import choice_letter

_MARK = re.compile(r"\s*(?:\(([A-Z])\)|([A-Z])[.):])\s*")
_REQUESTS = (
    "Answer the question using a single word or phrase.",
    "Answer the question using a single word or a short phrase.",
    "Answer with one word or short phrase.",
)
_SMALL_PX, _MEDIUM_PX = 32**2, 96**2


def groups_of(record: Record, **fields: str) -> dict[str, str]:
    """Columns of an item, by the field of the record that holds each; empty fields make no column."""
    return {
        column: str(record[field]).strip()
        for column, field in fields.items()
        if record.get(field) not in (None, "", [])
    }


def without_request(asked: str, options: Options) -> str:
    """A question without a sentence that asks for a short answer: that is the prompt's to say; counted."""
    for sentence in _REQUESTS:
        if asked.endswith(sentence):
            options.account.changed["sentences that ask for a short answer taken off"] += 1
            return asked.removesuffix(sentence).strip()
    return asked


def answers_of(value: Any) -> tuple[str, ...]:
    """The right answers of a record: a text, a number or a list of texts.

    Raises:
        LeftOut: there is none.
    """
    listed = value if isinstance(value, (list, tuple)) else [value]
    found = tuple(
        str(each).strip()
        for each in listed
        if isinstance(each, (str, int, float)) and not isinstance(each, bool) and str(each).strip()
    )
    if not found:
        raise LeftOut("no right answer", f"{value!r:.60}")
    return found


def question(
    key: str,
    image: str | Sequence[str],
    subject: str,
    answer: Any,
    *,
    kind: Kind = "open",
    **fields: Any,
) -> Item:
    """An item whose answer is in words: a question, a count, a caption.

    Raises:
        LeftOut: there is no right answer.
    """
    images = (image,) if isinstance(image, str) else tuple(image)
    return Item(key, images, kind, subject, Truth(answers_of(answer)), **fields)


def choice(
    key: str,
    images: Sequence[str],
    subject: str,
    written: Any,
    answer: Any,
    *,
    several: bool = False,
    extra: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Item:
    """A question with options, without the letters before them; ``extra`` says whether several may be right.

    Args:
        key: of the item.
        images: as GDAL reads them.
        subject: the question.
        written: the options, as the record has them.
        answer: the letters that are right together, in one text or a list.
        several: whether models are told that more than one may be right.
        extra: of the item, beside ``several``.
        fields: of the item.

    Raises:
        LeftOut: there are no options, or the right letters are none of them.
    """
    options = tuple(without_mark(option, place) for place, option in enumerate(choices_of(written)))
    if not options:
        raise LeftOut("no options", f"{written!r:.60}")
    letters = tuple(dict.fromkeys(letters_of(answer)))
    valid = [choice_letter(place) for place in range(len(options))]
    if not letters or not set(letters) <= set(valid):
        raise LeftOut("its right letter is none of its options", f"{answer!r:.40}, of {', '.join(valid)}")
    more = {**(extra or {}), **({"several": True} if several else {})}
    return Item(key, tuple(images), "choice", subject, Truth(letters), options, extra=more, **fields)


def without_mark(option: str, place: int) -> str:
    """An option without the letter of its place before it (``(B) red``, ``B. red``)."""
    mark = _MARK.match(option)
    if mark is None or (mark[1] or mark[2]) != choice_letter(place):
        return option.strip()
    return option[mark.end() :].strip()


def letters_of(answer: Any) -> list[str]:
    """The letters that are right together: ``"AC"``, ``"A, C"``, ``["(A)", "C"]``; [] of anything else."""
    text = " ".join(map(str, answer)) if isinstance(answer, (list, tuple)) else str(answer or "")
    return re.findall(r"[A-Z]", text) if re.fullmatch(r"[A-Z\s,;()\[\].&'\"]*", text) else []


def grounding(
    key: str, image: str, phrase: str, boxes: Sequence[Box], *, groups: Mapping[str, str], **fields: Any
) -> Item:
    """A phrase and the boxes that answer to it, with a column ``size`` of the first (COCO's S, M and L)."""
    polygons = np.stack([box.polygon for box in boxes])
    labels = tuple(box.label or phrase for box in boxes)
    columns = {**groups, "size": size_of(polygons[0])}
    return Item(key, (image,), "ground", phrase, Truth((), polygons, labels), groups=columns, **fields)


def size_of(polygon: NDArray[np.float64]) -> str:
    """``small`` (up to 32 x 32 px), ``medium`` (up to 96 x 96 px) or ``large``, by a polygon's bounds."""
    x0, y0, x1, y1 = bounds(polygon).tolist()
    area_px = (x1 - x0) * (y1 - y0)
    return "small" if area_px <= _SMALL_PX else "medium" if area_px <= _MEDIUM_PX else "large"


def scaled(numbers: Iterable[float], width: float, height: float) -> list[float]:
    """Coordinates x, y, x, y, ... in parts of an image's sides, in pixels of it."""
    return [value * (height if place % 2 else width) for place, value in enumerate(numbers)]


def evidence_of(*written: Any) -> tuple[float, float, float, float] | None:
    """Bounds of all boxes in some fields, however they are nested; None where there is none.

    Boxes are lists of 4 or 8 numbers in pixels.
    """
    boxes = [box for value in written for box in _boxes(value)]
    if not boxes:
        return None
    x0, y0, x1, y1 = bounds(np.concatenate([box.polygon for box in boxes])).tolist()
    return x0, y0, x1, y1


def _boxes(value: Any) -> list[Box]:
    if not isinstance(value, (list, tuple)) or not value:
        return []
    if all(isinstance(part, (int, float)) for part in value):
        try:
            return [box_of(value)]
        except LeftOut:
            return []
    if all(isinstance(part, (list, tuple)) and len(part) == 2 for part in value) and len(value) == 4:
        return _boxes([number for part in value for number in part])
    return [box for part in value for box in _boxes(part)]
