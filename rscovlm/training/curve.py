"""The learning curve of several runs: ``python -m rscovlm.training.curve RUN... --output FILE.svg``.

A course that takes several sittings leaves a run folder of each. Their logs, one after the other, are one
curve.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from detection_eval.files import write_text
from detection_eval.report.chart import PALETTE, Chart, round_axis
from rscovlm.errors import UsageError
from rscovlm.training.logs import LOG, read_log

Curves = Mapping[str, Sequence[tuple[float, float]]]
"""(conversations, nats per token) by name."""

_LOSS = "loss/task/"
_PARTS = 48  # of the course, over each of which a curve is a mean
_STYLE = (
    "<style>text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}.line{fill:none;stroke-width:1.8}"
    ".tick{text-anchor:middle}.end{text-anchor:end}.start{text-anchor:start}.name{text-anchor:middle;"
    "font-weight:600}</style>"
)


def learning_curves(runs: Sequence[Path], before: int = 0) -> dict[str, list[tuple[float, float]]]:
    """Loss of each task over the conversations of several runs, one after the other.

    Args:
        runs: their folders, in order.
        before: conversations of the course of which no log is left.

    Returns:
        Points by task, in alphabetical order.
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    seen = float(before)
    for run in runs:
        lines = [line for line in read_log(run / LOG) if line.get("seen/samples") is not None]
        for line in lines:
            for name, value in line.items():
                if name.startswith(_LOSS) and value is not None:
                    points = curves.setdefault(name.removeprefix(_LOSS), [])
                    points.append((seen + (line["seen/samples"] or 0), value))
        seen += (lines[-1]["seen/samples"] or 0) if lines else 0
    return dict(sorted(curves.items()))


def smoothed(points: Sequence[tuple[float, float]], width: float) -> list[tuple[float, float]]:
    """The mean of the points of each ``width`` of the course, along both axes."""
    parts: dict[int, list[tuple[float, float]]] = {}
    for x, y in points:
        parts.setdefault(int(x // width), []).append((x, y))
    return [
        (sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part))
        for _, part in sorted(parts.items())
    ]


def draw(curves: Curves) -> str:
    """The curves as an SVG file.

    Raises:
        UsageError: where there are none.
    """
    if not curves:
        raise UsageError("the logs hold no losses of tasks; give folders of runs that have taken steps")
    points = [point for line in curves.values() for point in line]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    curves = {name: smoothed(line, max((high - low) / _PARTS, 1.0)) for name, line in curves.items()}
    first = low / 1000
    last, x_parts = round_axis(high / 1000)
    highest, y_parts = round_axis(max(y for line in curves.values() for _, y in line))
    start = first // (last / x_parts) * (last / x_parts)
    chart = Chart(
        (start, last),
        (0.0, highest),
        "thousand conversations",
        "loss, nats per token",
        width=760,
        ticks=(round((last - start) / (last / x_parts)), y_parts),
    )
    for index, (name, line) in enumerate(curves.items()):
        colour = PALETTE[index % len(PALETTE)]
        smooth = [(x / 1000, y) for x, y in line]
        chart.line(smooth, colour)
        chart.point(*smooth[-1], colour, f"{name}: {smooth[-1][1]:.3g}", radius=3)
        px, py = 66 + 690 // len(curves) * index, 12
        chart.words(px, py, name)
        chart.mark(px - 6, py - 4, colour, name, radius=4)
    svg = str(chart.svg("learning curve"))
    opening = svg.index(">") + 1
    return (
        svg[:opening].replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1) + _STYLE + svg[opening:]
    )


def main() -> None:
    """Parse the command line, read the logs, write the drawing."""
    parser = argparse.ArgumentParser(
        description="Draw the learning curve of a course from the logs of its runs."
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders, in order")
    parser.add_argument("--before", type=int, default=0, help="conversations before the first of them")
    parser.add_argument("--tasks", type=lambda text: text.split(","), help="those to draw (default: all)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.svg", help="what to write")
    options = parser.parse_args()
    curves = learning_curves(options.runs, options.before)
    wanted = options.tasks or list(curves)
    if unknown := [name for name in wanted if name not in curves]:
        parser.error(f"no losses of {', '.join(unknown)}; the logs have {', '.join(curves)}")
    write_text(options.output, draw({name: curves[name] for name in wanted}) + "\n")


if __name__ == "__main__":
    main()
