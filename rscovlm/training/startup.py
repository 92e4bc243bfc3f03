"""Start-up report: the settings of a run in effect, shown before the first step."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rscovlm.training.modules import Rate
from rscovlm.training.settings import GROUPS


def print_startup(
    rates: Sequence[Rate], trainable: Mapping[str, int], total: Mapping[str, int], notes: Mapping[str, str]
) -> None:
    """Print to stderr which groups learn at which rate, and what else is in use.

    Args:
        rates: read back from the engine's optimizer.
        trainable: weights that learn, by group.
        total: all weights, by group.
        notes: further lines by name.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("modules", "weights", "learn", "learning rate", "decay", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for group in GROUPS:
        if not total.get(group):
            continue
        own = [rate for rate in rates if rate.group == group]
        decays = [rate.weight_decay for rate in own if rate.decays]
        table.add_row(
            group,
            f"{total[group]:,}",
            f"{trainable.get(group, 0):,}",
            f"{own[0].lr:.3g}" if own else "frozen",
            f"{decays[0]:g}, norms and biases 0" if decays else "",
        )
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 110)
    console.print(table)
    for name, value in notes.items():
        console.print(f"[bold]{name}[/bold]  {value}", highlight=False)
