"""REO-Instruct: questions about forest plots, some of whose answers are numbers.

The schema of its files is not published. Conversations and flat questions are read, one image or several, and
targets from fields of their own or from the one number of the answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rscovlm.data.readers.common import (
    ImageFolder,
    LeftOut,
    Options,
    Record,
    each,
    id_of,
    kept,
    read_records,
    text_of,
)
from rscovlm.data.readers.conversations import dialogue, rounds_of, untagged
from rscovlm.data.sample import Sample, Turn
from rscovlm.scoring.quantities import Written, written_in

AGB = "agb_mg_per_ha"
PATCHES = "patch_count"

UNITS: Mapping[str, str] = {AGB: "Mg/ha", "canopy_height_m": "m"}
"""Units of targets, of ``rscovlm.scoring.quantities.FACTORS``; others have none."""

TARGET_FIELDS = {
    "agb": AGB,
    "agbd": AGB,
    AGB: AGB,
    "biomass": AGB,
    "patch_count": PATCHES,
    "num_patches": PATCHES,
}
"""The target that a field holds, units in its name (GEDI L4A gives Mg/ha)."""

_AGB_WORDS = re.compile(r"\b(?:agbd?|above-?\s?ground biomass|biomass)\b", re.IGNORECASE)
_COUNT_WORDS = re.compile(r"\bpatch(?:es)?\b", re.IGNORECASE)
_KIND_FIELDS = ("task", "type", "category", "question_type")


def read_reo(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """REO-Instruct: regression where there is a numeric target, else a question.

    A target comes from a field (``TARGET_FIELDS`` and ``options.targets``) or from ``targets``, or it is the
    only number of the answer where the task's name, or else the question, is about biomass or counts patches.
    In the answer ``<value NAME>`` stands for it.
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        said = dialogue(_as_conversation(record), folder, options, place)
        targets = _targets(record, options.targets)
        wanted = _wanted(record, said.turns[-2].text, said.turns[-1].text, targets)
        turns, task = untagged(said.turns), options.task or "vqa"
        if wanted is not None:
            turns[-1], value = _with_value(turns[-1], wanted, targets.get(wanted))
            targets[wanted] = value
            task = "regression"
        yield Sample(
            id_of(record, place),
            task,
            said.images,
            tuple(turns),
            targets=targets,
            gsd_m=_positive(record.get("gsd", record.get("gsd_m"))),
            attributes=kept(record, *_KIND_FIELDS, "split", "lat", "lon", "date", "modality", "agbd_se"),
        )

    yield from each(read_records(path, options), options, read)


class Said(NamedTuple):
    """Question and answer of a record.

    Attributes:
        question, answer: words alone.
        target: name of the number that is the answer; None where it is words.
        targets: numbers of the record by name, that of the answer among them.
    """

    question: str
    answer: str
    target: str | None
    targets: dict[str, float]


def said_in(record: Record, options: Options) -> list[Said]:
    """Each question of a record with its answer, without images, with what is known in numbers.

    Raises:
        LeftOut: there is no such conversation, or a target is not one number of its answer.
    """
    found = []
    for question, answer in rounds_of(_as_conversation(record), options):
        targets = _targets(record, options.targets)
        wanted = _wanted(record, question, answer, targets)
        if wanted is not None and wanted not in targets:
            _, targets[wanted] = _with_value(Turn("assistant", answer), wanted, None)
        found.append(Said(question, answer, wanted, targets))
    return found


def _as_conversation(record: Record) -> Record:
    if any(name in record for name in ("conversations", "messages", "conversation")):
        return record
    question, answer = text_of(record, "question", "text"), text_of(record, "answer", "ground_truth")
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {**record, "conversations": turns}


def _positive(value: Any) -> float | None:
    number = _finite(value)
    return number if number is not None and number > 0 else None


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None


def _targets(record: Record, named: Mapping[str, str]) -> dict[str, float]:
    """The targets that fields of the record state."""
    found = {}
    stated = record.get("targets")
    fields = {**record, **(stated if isinstance(stated, dict) else {})}
    for name, target in {**TARGET_FIELDS, **named}.items():
        number = _finite(fields.get(name))
        if number is not None:
            found[target] = number
    return found


def _wanted(record: Record, question: str, answer: str, targets: Mapping[str, float]) -> str | None:
    """The target that an answer states, or None where it is words."""
    stated = [
        name for name, value in targets.items() if any(_same(each, value) for each in _numbers(answer, name))
    ]
    if len(stated) == 1:
        return stated[0]
    kind = " ".join(str(record[name]) for name in _KIND_FIELDS if record.get(name))
    for words in (kind, question):
        if _AGB_WORDS.search(words) and _numbers(answer, AGB):
            return AGB
        counts = "count" in words.lower() or "how many" in words.lower()
        if _COUNT_WORDS.search(words) and counts and _numbers(answer, PATCHES):
            return PATCHES
    return None


def _numbers(answer: str, name: str) -> list[Written]:
    """The numbers of an answer that a target may be: those with a unit of it where there are any."""
    found = written_in(answer, UNITS.get(name, ""))
    return [each for each in found if each.factor is not None] or found


def _with_value(turn: Turn, name: str, value: float | None) -> tuple[Turn, float]:
    """The answer with a placeholder for its number, and the number, the field's where there is one.

    A number in another unit of the target's kind is stated in the target's own.
    """
    numbers = _numbers(turn.text, name)
    if value is not None:
        numbers = [number for number in numbers if _same(number, value)]
    if len(numbers) != 1:
        raise LeftOut("its target is not one number of its answer", turn.text[:100])
    (found,) = numbers
    own = found.factor in (None, 1.0)
    end = found.start + len(found.digits) if own else found.end
    unit = "" if own else f" {UNITS[name]}"
    text = f"{turn.text[: found.start]}<value {name}>{unit}{turn.text[end:]}"
    return Turn(turn.role, text), found.value if value is None else value


def _same(written: Written, value: float) -> bool:
    """Whether a written number is a value, rounded to as many digits as are written."""
    decimals = len(written.digits.partition(".")[2])
    scale = 1.0 if written.factor is None else written.factor
    return abs(written.value - value) <= scale * 0.5 * 10.0**-decimals + 1e-9
