"""Counters of vLLM's own prefix cache: of all prompt tokens, those whose keys and values were kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

QUERIES = "vllm:prefix_cache_queries"
HITS = "vllm:prefix_cache_hits"

_SAMPLE = re.compile(rf"^({QUERIES}|{HITS})(?:_total)?(?:\{{.*\}})? +(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class PrefixCache:
    """Prompt tokens that vLLM looked up in its cache since it was started, of all users together.

    Attributes:
        queries: tokens that were looked up.
        hits: those that were found, in whole blocks (16 tokens on most GPUs, 128 on a CPU).
    """

    queries: int = 0
    hits: int = 0

    @property
    def share(self) -> float:
        """Of the tokens that were looked up, those found; 0 where none was looked up."""
        return self.hits / self.queries if self.queries else 0.0

    def __sub__(self, earlier: PrefixCache) -> PrefixCache:
        """What came since an earlier reading."""
        return PrefixCache(self.queries - earlier.queries, self.hits - earlier.hits)

    def __str__(self) -> str:
        return f"{self.hits:,} of {self.queries:,} prompt tokens from the prefix cache ({self.share:.0%})"

    @classmethod
    def in_metrics(cls, metrics: Iterable[Any]) -> PrefixCache:
        """The counters of ``vllm.LLM.get_metrics()``, of all its engines together."""
        return cls._of((metric.name, metric.value) for metric in metrics if metric.name in (QUERIES, HITS))

    @classmethod
    def in_text(cls, text: str) -> PrefixCache | None:
        """The counters in a server's ``/metrics``; None where it has none.

        Source: the text exposition format of Prometheus.
        """
        found = [(name, float(value)) for name, value in _SAMPLE.findall(text)]
        return cls._of(found) if found else None

    @classmethod
    def _of(cls, counts: Iterable[tuple[str, float]]) -> PrefixCache:
        sums = {QUERIES: 0, HITS: 0}
        for name, value in counts:
            sums[name] += int(value)
        return cls(sums[QUERIES], sums[HITS])
