"""A run on one page: its curves and a table of what it could do before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from detection_eval.files import write_text
from detection_eval.report.chart import PALETTE, Chart
from rscovlm.training.logs import LOG, read_log

PAGE = "summary.html"

_LOSSES, _EVALUATED, _EVALUATED_LOSSES = "loss/source/", "eval/", "eval/loss"
_POINTS = 60  # of a curve of losses, each a mean over its part of the run
_Series = Mapping[str, list[tuple[float, float]]]


def write_summary(run: Path) -> Path:
    """Write ``summary.html`` from a run's log; a page that needs nothing beside it.

    Args:
        run: folder of the run.
    """
    lines = read_log(run / LOG)
    losses = _series(lines, lambda name: name.startswith(_LOSSES))
    held_out = _series(lines, lambda name: name.startswith(f"{_EVALUATED_LOSSES}/"))
    metrics = _series(
        lines, lambda name: name.startswith(_EVALUATED) and not name.startswith(_EVALUATED_LOSSES)
    )
    parts = [f"<h1>{escape(run.resolve().name)}</h1>", _facts(lines)]
    if losses:
        parts += ["<h2>Loss while training</h2>", _curves(_thinned(losses), "loss, nats per token", _LOSSES)]
    if held_out:
        parts += [
            "<h2>Loss on held-out samples</h2>",
            _curves(held_out, "loss, nats per token", f"{_EVALUATED_LOSSES}/"),
        ]
    if metrics:
        parts += ["<h2>Answers to held-out samples</h2>", _curves(metrics, "share", _EVALUATED, top=1.0)]
    if held_out or metrics:
        parts += ["<h2>First and last evaluation</h2>", _table({**metrics, **held_out})]
    style = resources.files("detection_eval.report").joinpath("report.css").read_text(encoding="utf-8")
    page = run / PAGE
    write_text(
        page,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(run.resolve().name)}</title>'
        f"<style>{style}</style><main>{''.join(parts)}</main></html>",
    )
    return page


def _series(lines: Sequence[Mapping[str, float | None]], wanted) -> _Series:
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


def _curves(series: _Series, unit: str, prefix: str, top: float | None = None) -> str:
    points = [point for line in series.values() for point in line]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    chart = Chart(
        (first, max(last, first + 1)), (0.0, top or max(y for _, y in points) * 1.05 or 1.0), "step", unit
    )
    legend = []
    for index, (name, line) in enumerate(series.items()):
        colour, short = PALETTE[index % len(PALETTE)], name.removeprefix(prefix)
        chart.line(line, colour)
        chart.point(*line[-1], colour, f"{short}: {line[-1][1]:.3g}")
        legend.append(f'<span style="color:{colour}">&#9632;</span> {escape(short)}')
    return f"<figure>{chart.svg(unit)}<figcaption>{' &ensp; '.join(legend)}</figcaption></figure>"


def _table(series: _Series) -> str:
    rows = [
        f"<tr><th>{escape(name.removeprefix(_EVALUATED))}</th>"
        f"<td>{line[0][1]:.3f}</td><td>{line[-1][1]:.3f}</td></tr>"
        for name, line in series.items()
    ]
    (first, _), (last, _) = next(iter(series.values()))[0], next(iter(series.values()))[-1]
    head = f"<tr><th></th><th>step {first:.0f}</th><th>step {last:.0f}</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _facts(lines: Sequence[Mapping[str, float | None]]) -> str:
    """Samples, tokens and time so far, from the last line that has them."""
    seen = next((line for line in reversed(lines) if "seen/samples" in line), None)
    if seen is None:
        return "<p>Nothing has been logged yet.</p>"
    minutes = (seen.get("seen/seconds") or 0) / 60
    return (
        f"<p>{seen['step']:,.0f} steps, {seen['seen/samples']:,.0f} samples, "
        f"{seen.get('seen/tokens') or 0:,.0f} tokens in {minutes:,.1f} minutes of training.</p>"
    )
