"""Broken samples: counted by kind, with the first places of each, for terminals and summaries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from detection_eval.words import counted
from rscovlm.data.pictures import check_size
from rscovlm.data.sample import ImageRef, Sample
from rscovlm.errors import DataError
from tiling.errors import SceneError
from tiling.headers import image_size
from tiling.view import Size

_PLACE = re.compile(r"^(?:\S.*?\.\w+:(?:\d+| row \d+): )?(?:sample (?:'.*?'|\".*?\"|\S+?): )?")
_NAMES = re.compile(
    r"'[^']*'|\"[^\"]*\"|\S*[/\\]\S*|\S+\.(?:png|jpe?g|tiff?|webp|bmp|jp2|vrt)\b|[-+]?\d+(?:[.,]\d+)*"
)
_PLACES = 3


def kind_of(reason: str) -> str:
    """A reason without place, names and numbers: the same for samples that are broken in the same way."""
    return " ".join(_NAMES.sub("#", _PLACE.sub("", reason)).split())


class Broken:
    """An account of samples that cannot be used.

    Attributes:
        counts: samples by kind of reason.
        places: the first reasons of each kind, in full.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.places: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, reason: str) -> None:
        """Count one sample; the reason starts with its place."""
        kind = kind_of(reason)
        self.counts[kind] += 1
        self.places.setdefault(kind, [])
        if len(self.places[kind]) < _PLACES:
            self.places[kind].append(reason)

    def first(self) -> str:
        """The first reason counted."""
        return next(iter(self.places.values()))[0]

    def lines(self) -> list[str]:
        """For a terminal: each kind with its count and its first places, the most frequent first."""
        told = []
        for kind, count in self.counts.most_common():
            told.append(f"{count:,} broken: {kind}")
            told += [f"  {place}" for place in self.places[kind]]
            if count > len(self.places[kind]):
                told.append(f"  and {count - len(self.places[kind]):,} more")
        return told

    def to_json(self) -> list[dict[str, object]]:
        """Kinds with counts and first places."""
        return [
            {"reason": kind, "samples": count, "first": self.places[kind]}
            for kind, count in self.counts.most_common()
        ]


class Files:
    """The image files of samples, each opened once, without reading pixels."""

    def __init__(self) -> None:
        self._known: dict[str, Size | str] = {}

    def check(self, sample: Sample, resolve: Callable[[ImageRef], Path]) -> None:
        """Make sure that the images of a sample exist, and have the sizes that it states.

        Raises:
            DataError: naming what is missing or different.
        """
        for index, image in enumerate(sample.images):
            path = str(resolve(image))
            if path not in self._known:
                self._known[path] = self._size(path)
            size = self._known[path]
            if isinstance(size, str):
                raise DataError(f"sample {sample.id!r}: {size}")
            try:
                check_size(path, size, Size(*image.size) if image.size else None)
            except DataError as error:
                raise DataError(f"sample {sample.id!r}: {error}") from None
            for problem in sample.boxes_outside(index, size):
                raise DataError(f"sample {sample.id!r}: {problem}")

    @staticmethod
    def _size(path: str) -> Size | str:
        try:
            return image_size(path)
        except (SceneError, OSError) as error:
            return str(error) or type(error).__name__


# --- of a run -------------------------------------------------------------------------------------


class SkippedSample(Protocol):
    """A sample that a loader left out (``rscovlm.data.loading.Skipped``)."""

    @property
    def why(self) -> str:
        """``broken`` or ``too long``."""
        ...

    @property
    def reason(self) -> str:
        """In words."""
        ...


def skipped_counts(skipped: Iterable[SkippedSample]) -> dict[str, dict[str, int]]:
    """Samples that a run left out: {"broken": {kind: samples}, "too long": {kind: samples}}."""
    counts: dict[str, Counter[str]] = {}
    for each in skipped:
        counts.setdefault(each.why, Counter())[kind_of(each.reason)] += 1
    return {why: dict(kinds.most_common()) for why, kinds in counts.items()}


def skipped_line(counts: Mapping[str, Mapping[str, int]], drawn: int) -> str | None:
    """One line about the samples that a run left out, or None where it used all.

    Args:
        counts: by ``skipped_counts``.
        drawn: different samples that the run drew, those left out included.
    """
    parts = []
    for why, kinds in counts.items():
        if number := sum(kinds.values()):
            most, times = max(kinds.items(), key=lambda item: item[1])
            chiefly = f"mostly ({times:,}) " if times < number else ""
            parts.append(f"{number:,} {why}: {chiefly}{most}")
    if not parts:
        return None
    left_out = sum(sum(kinds.values()) for kinds in counts.values())
    share = 100 * left_out / max(1, drawn)
    return (
        f"{left_out:,} of {counted(drawn, 'sample')} ({share:.0f} %) were not trained on; {'; '.join(parts)}"
    )
