"""``rscovlm bench protocols``."""

from __future__ import annotations

from typing import Annotated

import typer

from rscovlm.errors import UsageError


def protocols(
    names: Annotated[
        list[str] | None, typer.Argument(help="Benchmarks; all without any.", metavar="[NAME]...")
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="Show replies that they judge differently, in Markdown.")
    ] = False,
) -> None:
    """Name the protocols of benchmarks, and show where they disagree."""
    from rscovlm.bench.protocols.catalogue import PROTOCOLS
    from rscovlm.bench.protocols.disagreement import FAMILIES, document

    if unknown := [name for name in names or () if name not in PROTOCOLS]:
        raise UsageError(f"no benchmark {unknown[0]!r}; choose {', '.join(PROTOCOLS)}")
    chosen = tuple(names or PROTOCOLS)
    if not tables:
        for name in chosen:
            print(f"{name}: {', '.join(protocol.id for protocol in PROTOCOLS[name].values())}")
        return
    shown = {name for family in FAMILIES for name in family.benchmarks}
    if without := [name for name in names or () if name not in shown]:
        raise UsageError(
            f"no table for {', '.join(without)}: captions and detection have the same metrics under each "
            "protocol (docs/protocols.md)"
        )
    print(document(chosen))
