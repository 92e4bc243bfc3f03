"""A run on one page: its curves and a table of what it could do before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from detection_eval.files import write_text
from detection_eval.html import render
from detection_eval.report.chart import PALETTE, Chart, round_axis
from rscovlm.training.logs import LOG, read_log

PAGE = "summary.html"

_UPDATES, _THRESHOLDS = "update/", "gate/tau_"
_LOSSES, _EVALUATED, _EVALUATED_LOSSES = "loss/source/", "eval/", "eval/loss"
_POINTS = 60  # of a curve of losses, each a mean over its part of the run
_Series = Mapping[str, list[tuple[float, float]]]


def write_summary(run: Path, left_out: str | None = None) -> Path:
    """Write ``summary.html`` from a run's log; a page that needs nothing beside it.

    Args:
        run: folder of the run.
        left_out: one line about samples that were not trained on, where there are any.
    """
    lines = read_log(run / LOG)
    losses = _series(lines, lambda name: name.startswith(_LOSSES))
    held_out = _series(lines, lambda name: name.startswith(f"{_EVALUATED_LOSSES}/"))
    metrics = _series(
        lines, lambda name: name.startswith(_EVALUATED) and not name.startswith(_EVALUATED_LOSSES)
    )
    charts = []
    if losses:
        charts.append(_curves("Loss while training", _thinned(losses), "loss, nats per token", _LOSSES))
    if held_out:
        prefix = f"{_EVALUATED_LOSSES}/"
        charts.append(_curves("Loss on held-out samples", held_out, "loss, nats per token", prefix))
    charts += _adapter_charts(lines)
    if metrics:
        charts.append(_curves("Answers to held-out samples", metrics, "share", _EVALUATED, top=1.0))
    page = run / PAGE
    write_text(
        page,
        render(
            __package__,
            "summary.html",
            title=run.resolve().name,
            seen=next((line for line in reversed(lines) if "seen/samples" in line), None),
            left_out=left_out,
            charts=charts,
            evaluations=_first_and_last({**metrics, **held_out}),
        ),
    )
    return page


def _adapter_charts(lines: Sequence[Mapping[str, float | None]]) -> list[dict[str, object]]:
    """Curves of what adapters add to layers, and of the thresholds of gates, where there are any."""
    updates = _series(lines, lambda name: name.startswith(_UPDATES))
    gates = _series(lines, lambda name: name.startswith(_THRESHOLDS))
    told = {
        _UPDATES: ("Update of layers by adapters", updates, "Frobenius norm"),
        _THRESHOLDS: ("Thresholds of gates by tier", gates, "metres per pixel"),
    }
    return [_curves(*chart, prefix) for prefix, chart in told.items() if chart[1]]


def _series(lines: Sequence[Mapping[str, float | None]], wanted: Callable[[str], bool]) -> _Series:
    """(step, value) of each wanted number, by name, so that a source has one colour on all charts."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for name, value in line.items():
            if wanted(name) and value is not None:
                found.setdefault(name, []).append((float(line["step"] or 0), value))
    return dict(sorted(found.items()))


def _thinned(series: _Series) -> _Series:
    """Curves of at most ``_POINTS`` points, each the mean of its part."""
    thin = {}
    for name, points in series.items():
        size = -(-len(points) // _POINTS)
        parts = [points[start : start + size] for start in range(0, len(points), size)]
        thin[name] = [
            (sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts
        ]
    return thin


def _curves(
    title: str, series: _Series, unit: str, prefix: str, top: float | None = None
) -> dict[str, object]:
    points = [point for line in series.values() for point in line]
    last, x_parts = round_axis(max(x for x, _ in points))
    highest, y_parts = (top, 5) if top else round_axis(max(y for _, y in points))
    chart = Chart((0.0, last), (0.0, highest), "step", unit, ticks=(x_parts, y_parts))
    legend = []
    for index, (name, line) in enumerate(series.items()):
        colour, short = PALETTE[index % len(PALETTE)], name.removeprefix(prefix)
        chart.line(line, colour)
        chart.point(*line[-1], colour, f"{short}: {line[-1][1]:.3g}")
        legend.append({"text": short, "colour": colour})
    return {"title": title, "svg": chart.svg(unit), "legend": legend}


def _first_and_last(series: _Series) -> dict[str, list[str] | list[list[str]]] | None:
    """A table of the first and the last value of each series; None where nothing was evaluated."""
    if not series:
        return None
    (first, _), (last, _) = next(iter(series.values()))[0], next(iter(series.values()))[-1]
    rows = [
        [name.removeprefix(_EVALUATED), f"{line[0][1]:.3f}", f"{line[-1][1]:.3f}"]
        for name, line in series.items()
    ]
    return {"head": ["", f"step {first:.0f}", f"step {last:.0f}"], "rows": rows, "kinds": []}
