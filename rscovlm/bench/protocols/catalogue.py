"""The protocols of every benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rscovlm.bench.protocol import Protocol
from rscovlm.bench.protocols.captions import CAPTIONS, caption_protocols
from rscovlm.bench.protocols.choices import CHOICES, XLRS_SUBTASKS, choice_protocols
from rscovlm.bench.protocols.classification import CLASSIFICATION
from rscovlm.bench.protocols.detection import DETECTION
from rscovlm.bench.protocols.grounding import GROUNDING, RSEVALKIT, box_protocols, omniearth_box
from rscovlm.bench.protocols.questions import QUESTIONS
from rscovlm.bench.protocols.regression import REGRESSION
from rscovlm.bench.protocols.scored import ByKind

NAMES = ("official", "rscovlm", "strict")
"""Names of protocols, the default first."""


def _of_kinds(benchmark: str, **parts: tuple[Protocol, ...]) -> tuple[Protocol, ...]:
    """Protocols of a benchmark of several kinds from those of each kind."""
    return tuple(
        ByKind(f"{benchmark}/{name}/1", {kind: each[place] for kind, each in parts.items()})
        for place, name in enumerate(NAMES)
    )


_MIXED = {
    "xlrs-bench": _of_kinds(
        "xlrs-bench",
        choice=choice_protocols("xlrs-bench", "xlrs", "subtask", "micro", XLRS_SUBTASKS),
        ground=box_protocols("xlrs-bench", RSEVALKIT, "size"),
        caption=caption_protocols("xlrs-bench", "level"),
    ),
    "omniearth-bench": _of_kinds(
        "omniearth-bench",
        choice=choice_protocols("omniearth-bench", "xlrs", "sphere", "micro"),
        ground=box_protocols("omniearth-bench", omniearth_box, "sphere", "micro"),
    ),
}

PROTOCOLS: Mapping[str, Mapping[str, Protocol]] = MappingProxyType(
    {
        benchmark: MappingProxyType(dict(zip(NAMES, protocols, strict=True)))
        for family in (QUESTIONS, CHOICES, _MIXED, GROUNDING, CLASSIFICATION, CAPTIONS, DETECTION, REGRESSION)
        for benchmark, protocols in family.items()
    }
)
"""Protocols by benchmark and name, the default of each first."""
