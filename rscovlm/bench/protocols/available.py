"""Which protocols a benchmark has, by name."""

from __future__ import annotations

from collections.abc import Mapping

from rscovlm.bench.protocol import Protocol
from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.bench.protocols.strict import generic
from rscovlm.errors import UsageError


def protocols_of(benchmark: str) -> Mapping[str, Protocol]:
    """The protocols of a benchmark by short name, the default first; any has ``strict`` and ``answered``."""
    own = PROTOCOLS.get(benchmark, {})
    return {**own, **{name: each for name, each in generic(benchmark).items() if name not in own}}


def protocol_of(benchmark: str, name: str | None = None) -> Protocol:
    """A protocol of a benchmark.

    Args:
        benchmark: its name.
        name: short (``strict``), whole (``lrs-vqa/strict/1``), or None for the benchmark's first.

    Raises:
        UsageError: naming those that it has.
    """
    every = protocols_of(benchmark)
    if name is None:
        return next(iter(every.values()))
    for short, protocol in every.items():
        if name in (short, protocol.id):
            return protocol
    known = ", ".join(f"{short} ({protocol.id})" for short, protocol in every.items())
    raise UsageError(f"{benchmark} has no protocol {name!r}; choose {known}")
