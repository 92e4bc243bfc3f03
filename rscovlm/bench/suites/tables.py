"""The table of all benchmarks in docs/benchmark_sets.md: ``python -m rscovlm.bench.suites.tables FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.suites import SUITES
from rscovlm.bench.suites.reading import Reader

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
_HEAD = ("name", "benchmark", "tasks", "items (published)", "columns", "protocols", "licence")


def table(benchmarks: Iterable[Benchmark]) -> str:
    """Markdown: one row for each benchmark, then how each is laid out and where it comes from."""
    found = list(benchmarks)
    lines = [f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}"]
    lines += [f"| {' | '.join(_cells(each))} |" for each in found]
    for each in found:
        laid = "".join(f"    {line}\n" for line in each.layout.splitlines())
        lines.append(f"\n**`{each.name}`** from {each.source}\n\n{laid}".rstrip())
    return "\n".join(lines) + "\n"


def _cells(each: Benchmark) -> tuple[str, ...]:
    reader = each.read
    kinds, groups = (reader.kinds, reader.groups) if isinstance(reader, Reader) else ((), ())
    counts = [f"{split} {each.counts[split]:,}" if split in each.counts else split for split in each.splits]
    return (
        f"`{each.name}`",
        each.title,
        ", ".join(kinds),
        ", ".join(counts),
        ", ".join(groups) or "none",
        ", ".join(each.protocols) or "none yet",
        each.licence,
    )


def updated(text: str) -> str:
    """A page with its table made anew.

    Raises:
        ValueError: the page has no place for it.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n\n{table(SUITES.values())}\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
