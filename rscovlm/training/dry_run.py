"""Dry run: report on the data before any model loads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from rscovlm.data.report import MixReport, report_mix
from rscovlm.training.building import open_base, write_fresh
from rscovlm.training.run import open_mix
from rscovlm.training.settings import TrainConfig


def dry_run(config: TrainConfig, progress: Callable[[int, int], None] | None = None) -> MixReport:
    """Encode some samples of each source of a run's mix; reads headers, no pixels and no weights.

    Raises:
        ConfigError, ModelError: where the mix or the checkpoint cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_fresh(config, Path(folder))
        base = open_base(config, Path(folder))
        return report_mix(open_mix(config, base), base.patches.merge, progress=progress)


def print_report(report: MixReport, config: TrainConfig) -> None:
    """Print a report to stdout as a table; means are for each visit, shares are of an epoch."""
    from rich.console import Console
    from rich.table import Table

    names = (
        "source",
        "samples",
        "held out",
        "draws",
        "text tokens",
        "visual tokens",
        "learnt tokens",
        "longest",
        f"loss ({config.reduction})",
        "lost boxes",
        "too long",
        "broken",
    )
    table = Table(*names, title=f"An epoch of {config.mix}")
    for column in table.columns[1:]:
        column.justify = "right"
    shares = report.loss_share(config.reduction)
    for source in report.sources:
        broken = sum(source.broken.values())
        table.add_row(
            source.name,
            f"{source.samples:,}",
            f"{source.held_out:,}",
            f"{source.draws:,}",
            f"{source.text_tokens:,.0f}",
            f"{source.visual_tokens:,.0f}",
            f"{source.label_tokens:,.0f}",
            f"{source.longest:,}",
            f"{shares[source.name]:.1%}",
            f"{source.cut_boxes:,} in {source.cut_visits:,}",
            f"{source.too_long:,}",
            f"{broken:,} of {broken + source.too_long + source.measured:,}",
        )
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    for source in report.sources:
        for reason, count in sorted(source.broken.items(), key=lambda item: -item[1])[:3]:
            console.print(f"{source.name}: {count} x {reason}", highlight=False)
