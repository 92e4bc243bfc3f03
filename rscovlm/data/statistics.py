"""Statistics of sample files, counted in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from rscovlm.data.sample import PLACEHOLDER, Sample

_QUANTILES = {"least": 0, "median": 50, "p95": 95, "most": 100}


class Statistics:
    """Counts over samples; ``update`` with each, then ``to_json``."""

    def __init__(self) -> None:
        self.samples = self.boxes = self.horizontal = self.difficult = self.without_turns = 0
        self.tasks: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self._files: dict[int, int] = {}
        self._sides: list[tuple[int, int]] = []
        self._numbers: dict[str, list[float]] = {
            name: []
            for name in ("images_per_sample", "boxes_per_sample", "turns", "question_words", "answer_words")
        }
        self._gsd: list[float] = []
        self._targets: dict[str, list[float]] = {}

    def update(self, samples: Iterable[Sample]) -> Statistics:
        """Count some samples."""
        for sample in samples:
            self._count(sample)
        return self

    def _count(self, sample: Sample) -> None:
        self.samples += 1
        self.tasks[sample.task] += 1
        self.sources[sample.source or "(none)"] += 1
        self._count_images(sample)
        if sample.boxes or sample.task in ("detection", "grounding"):
            self._numbers["boxes_per_sample"].append(len(sample.boxes))
        for box in sample.boxes:
            self.boxes += 1
            self.horizontal += box.horizontal
            self.difficult += box.difficult
            self.labels[box.label or "(none)"] += 1
        if sample.answer:
            self.answers[sample.answer] += 1
        self.without_turns += not sample.turns
        if sample.turns:
            self._numbers["turns"].append(len(sample.turns))
        for turn in sample.turns:
            words = len(PLACEHOLDER.sub(" ", turn.text).split())
            self._numbers["answer_words" if turn.role == "assistant" else "question_words"].append(words)
        for name, value in sample.targets.items():
            self._targets.setdefault(name, []).append(value)

    def _count_images(self, sample: Sample) -> None:
        self._numbers["images_per_sample"].append(len(sample.images))
        for image in sample.images:
            key = hash(image.path)
            if key not in self._files and image.size is not None:
                self._sides.append(image.size)
            self._files[key] = self._files.get(key, 0) + 1
            gsd_m = image.gsd_m or sample.gsd_m
            if gsd_m is not None:
                self._gsd.append(gsd_m)

    def to_json(self) -> dict[str, Any]:
        """Everything counted, as plain values; what did not occur is left out."""
        sides = np.array(self._sides, dtype=np.float64).reshape(-1, 2)
        report = {
            "samples": self.samples,
            "tasks": dict(self.tasks.most_common()),
            "sources": dict(self.sources.most_common()),
            "samples_without_turns": self.without_turns,
            "images": {
                "files": len(self._files),
                "shown": sum(self._files.values()),
                "of_unknown_size": len(self._files) - len(self._sides),
                "height_px": _spread(sides[:, 0]),
                "width_px": _spread(sides[:, 1]),
                "megapixels": _spread(sides.prod(axis=1) / 1e6),
                "gsd_m": _spread(self._gsd),
            },
            "boxes": {
                "count": self.boxes,
                "horizontal": self.horizontal,
                "difficult": self.difficult,
            },
            "labels": dict(self.labels.most_common()),
            "answers": dict(self.answers.most_common()),
            **{name: _spread(values) for name, values in self._numbers.items()},
            "targets": {name: _spread(values) for name, values in self._targets.items()},
        }
        return {name: value for name, value in report.items() if value not in ({}, None)}


def _spread(values: Any) -> dict[str, float] | None:
    """The least, median, 95th percentile, most and mean of numbers; None of none."""
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size:
        return None
    found = {name: float(np.percentile(numbers, share)) for name, share in _QUANTILES.items()}
    return {name: round(value, 4) for name, value in (found | {"mean": float(numbers.mean())}).items()}


def as_text(report: dict[str, Any], most: int = 15) -> str:
    """A report for a terminal; of names that are counted, the commonest."""
    lines: list[str] = []
    for name, value in report.items():
        title = name.replace("_", " ")
        if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
            lines.append(title)
            lines += [f"  {_line(key, part)}" for key, part in value.items() if part is not None]
        elif isinstance(value, dict) and name in ("tasks", "sources", "labels", "answers"):
            shown = ", ".join(f"{key} {count:,}" for key, count in list(value.items())[:most])
            more = f", and {len(value) - most} more" if len(value) > most else ""
            lines.append(f"{title} ({len(value)}): {shown}{more}")
        else:
            lines.append(_line(name, value))
    return "\n".join(lines)


def _line(name: str, value: Any) -> str:
    if isinstance(value, dict):
        value = ", ".join(f"{key} {part:,.6g}" for key, part in value.items())
    return (
        f"{name.replace('_', ' ')}: {value:,}"
        if isinstance(value, int)
        else f"{name.replace('_', ' ')}: {value}"
    )
