"""Protocol: how replies are judged and summed up, under a versioned identifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from typing import Protocol as Interface

from rscovlm.bench.row import Row

Status = Literal["read", "unread", "refused", "failed"]
"""Whether a reply could be read; ``failed`` is one that never came."""


@dataclass(frozen=True)
class Verdict:
    """How good the reply to one item is.

    Attributes:
        score: in [0, 1]; None for an item that the protocol leaves out.
        parsed: what was read of the reply, for people to see.
        status: whether it could be read.
        counts: what adds up over items beside the score, ``<metric>/hits`` and ``<metric>/of``.
    """

    score: float | None
    parsed: str = ""
    status: Status = "read"
    counts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """Sums over the rows of a run.

    Attributes:
        headline: name of the metric that the benchmark's authors report.
        metrics: name to value, the headline among them; NaN where nothing was asked.
        groups: (column, value) to metrics, with ``n`` among them.
    """

    headline: str
    metrics: Mapping[str, float]
    groups: Mapping[tuple[str, str], Mapping[str, float]]


class Protocol(Interface):
    """How rows are judged; implementations are frozen dataclasses.

    Attributes:
        id: benchmark, name and version: ``lrs-vqa/official/1``. Stored with each score.
    """

    @property
    def id(self) -> str:
        """``<benchmark>/<name>/<version>``."""
        ...

    def judge(self, row: Row) -> Verdict:
        """How good one reply is; never raises on what the text holds."""
        ...

    def summarise(self, rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Summary:
        """Metrics over all rows, in the protocol's own averaging."""
        ...
