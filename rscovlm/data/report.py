"""Report on a mix before any model loads: tokens, shares of the loss, samples that do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rscovlm.data.broken import kind_of
from rscovlm.data.example import BROKEN, Key, Source
from rscovlm.data.mix import Mix
from rscovlm.data.pictures import FilePicture

PROBE = 500
"""Visits of each source that are encoded for the report."""

REDUCTIONS = ("token", "sample", "sqrt", "source")


@dataclass(frozen=True)
class SourceReport:
    """One source of a mix. Means are over the visits that were encoded.

    Attributes:
        name: of the source.
        samples: that training may draw.
        held_out: that are kept for evaluation.
        draws: visits an epoch.
        measured: visits that were encoded and can be used.
        text_tokens, visual_tokens, label_tokens: means for each visit; label tokens are text that is learnt.
        longest: tokens of the longest visit.
        patches: mean for each visit, of what the vision tower sees.
        cut_boxes: boxes left out to keep answers within bounds.
        cut_visits: visits that lost boxes.
        too_long: visits that do not fit into a sequence and cannot be shortened.
        broken: visits that cannot be used, by reason (its names and numbers left out).
        tasks: visits by task.
        numbers: names of the numbers for heads that visits bring.
        root_label_tokens: mean square root of label tokens, for the ``sqrt`` reduction.
    """

    name: str
    samples: int
    held_out: int
    draws: int
    measured: int
    text_tokens: float = 0.0
    visual_tokens: float = 0.0
    label_tokens: float = 0.0
    root_label_tokens: float = 0.0
    longest: int = 0
    patches: float = 0.0
    cut_boxes: int = 0
    cut_visits: int = 0
    too_long: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()

    @property
    def usable(self) -> float:
        """Share of the visits that can be used."""
        return self.measured / max(1, self.measured + self.too_long + sum(self.broken.values()))


@dataclass(frozen=True)
class MixReport:
    """A mix, source by source."""

    sources: tuple[SourceReport, ...]

    def loss_share(self, reduction: str) -> dict[str, float]:
        """The part of the loss that each source has in an epoch under a reduction (``REDUCTIONS``).

        For ``source`` it is what each optimizer step gives a source that is present in it.
        """
        weight = {
            "token": lambda s: s.draws * s.usable * s.label_tokens,
            "sample": lambda s: s.draws * s.usable,
            "sqrt": lambda s: s.draws * s.usable * s.root_label_tokens,
            "source": lambda s: float(s.measured > 0),
        }[reduction]
        weights = {source.name: weight(source) for source in self.sources}
        whole = sum(weights.values()) or 1.0
        return {name: value / whole for name, value in weights.items()}

    def unusable(self) -> list[str]:
        """One line for each source none of whose visits tried can be trained on."""
        lines = []
        for source in self.sources:
            if source.measured or not (source.too_long or source.broken):
                continue
            parts = [f"{source.too_long:,} too long for a pack"] if source.too_long else []
            parts += [f"{count:,} broken: {reason}" for reason, count in source.broken.items()]
            lines.append(f"source {source.name}: none of its samples can be trained on; {'; '.join(parts)}")
        return lines

    def to_json(self) -> dict[str, object]:
        """As a JSON object; totals are of an epoch."""
        return {
            "sources": [
                {
                    **vars(source),
                    "loss_share": {name: self.loss_share(name)[source.name] for name in REDUCTIONS},
                }
                for source in self.sources
            ],
            "epoch": {
                "samples": sum(s.draws for s in self.sources),
                **{
                    name: round(sum(s.draws * s.usable * getattr(s, name) for s in self.sources))
                    for name in ("text_tokens", "visual_tokens", "label_tokens", "patches")
                },
            },
        }


def report_mix(
    mix: Mix, merge: int, probe: int = PROBE, progress: Callable[[int, int], None] | None = None
) -> MixReport:
    """Encode some visits of each source and open their images, without reading a pixel.

    Args:
        mix: to report on.
        merge: patches along the side of a visual token.
        probe: visits of each source; an epoch that has fewer is encoded whole.
        progress: called with (visits encoded, visits in all).
    """
    order = mix.order(0)
    keys: dict[str, list[Key]] = {name: [] for name in mix.sources}
    for key in order:
        if len(keys[key.source]) < probe:
            keys[key.source].append(key)
        elif all(len(keys[name]) >= min(probe, mix.draws[name]) for name in keys):
            break
    whole, done, reports = sum(map(len, keys.values())), 0, []
    for name, source in mix.sources.items():
        reports.append(_report(mix, source, keys[name], merge))
        done += len(keys[name])
        if progress:
            progress(done, whole)
    return MixReport(tuple(reports))


def _report(mix: Mix, source: Source, keys: Sequence[Key], merge: int) -> SourceReport:
    rows: list[tuple[int, int, int, int, int]] = []
    broken: Counter[str] = Counter()
    tasks: Counter[str] = Counter()
    numbers: set[str] = set()
    too_long, most = 0, getattr(source, "max_tokens", None)
    for key in keys:
        try:
            coded = source.encode(key.index, key.visit)
            for picture in coded.pictures:
                if isinstance(picture, FilePicture):
                    picture.check()
        except BROKEN as error:
            broken[kind_of(str(error))] += 1
            continue
        if most is not None and len(coded.ids) > most:
            too_long += 1
            continue
        rows.append(
            (len(coded.ids), coded.patches // merge**2, int(coded.learnt.sum()), coded.patches, coded.cut)
        )
        tasks[coded.task] += 1
        numbers.update(coded.numbers)
    facts: dict[str, Any] = {
        "name": source.name,
        "samples": mix.trained_on(source.name),
        "held_out": len(mix.held_out[source.name]),
        "draws": mix.draws[source.name],
        "measured": len(rows),
        "too_long": too_long,
        "broken": dict(broken),
        "tasks": dict(tasks),
        "numbers": tuple(sorted(numbers)),
    }
    if not rows:
        return SourceReport(**facts)
    table = np.array(rows, dtype=np.float64)
    return SourceReport(
        **facts,
        text_tokens=float((table[:, 0] - table[:, 1]).mean()),
        visual_tokens=float(table[:, 1].mean()),
        label_tokens=float(table[:, 2].mean()),
        root_label_tokens=float(np.sqrt(table[:, 2]).mean()),
        longest=int(table[:, 0].max()),
        patches=float(table[:, 3].mean()),
        cut_boxes=int(table[:, 4].sum()),
        cut_visits=int((table[:, 4] > 0).sum()),
    )
