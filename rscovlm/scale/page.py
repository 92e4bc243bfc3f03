"""The page of the experiment: a table with intervals, the spoofing curve and the gates that were learnt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detection_eval.files import write_text
from detection_eval.html import render
from detection_eval.report.chart import PALETTE, Chart
from rscovlm.scale.conditions import FACTORS, spoofed
from rscovlm.scale.methods import OURS

PAGE = "index.html"
SHOWN = ("oracle", "predicted", "noisy", "missing")


def table(results: Mapping[str, Any]) -> str:
    """Accuracy of each method under each condition, as lines of text; a method without scale has one."""
    names = [*SHOWN, *(spoofed(factor) for factor in FACTORS)]
    lines = [f"{'method':<10}" + "".join(f"{name:>11}" for name in names)]
    for method, found in _with_ideal(results).items():
        cells = []
        for name in names:
            one = found["accuracy"].get(name)
            cells.append(f"{'-' if one is None else format(100 * one['share'], '.1f'):>11}")
        lines.append(f"{method:<10}" + "".join(cells))
        oracle = found["accuracy"]["oracle"]
        lines.append(f"{'':<10}{100 * oracle['low']:.0f} to {100 * oracle['high']:.0f} %: 95 % interval")
    for method, ahead in results.get("lead", {}).items():
        lines.append(f"{OURS} before {method}: {_percent(ahead)} points, told the truth")
    return "\n".join(lines)


def _with_ideal(results: Mapping[str, Any]) -> dict[str, Any]:
    """The ideal reader of pixels, then the methods."""
    return {"ideal": results["ideal"], **results["methods"]}


def write_page(results: Mapping[str, Any], folder: Path) -> Path:
    """Write ``index.html``, which needs nothing beside it.

    Args:
        results: of ``run_experiment``.
        folder: of the experiment.
    """
    methods: Mapping[str, Any] = results["methods"]
    shown = _with_ideal(results)
    charts = [_spoofing(shown)]
    charts += [_gates(name, found["thresholds"]) for name, found in methods.items() if "thresholds" in found]
    page = folder / PAGE
    write_text(
        page,
        render(
            __package__,
            "scale.html",
            title="Conditioning on scale",
            budget=results["budget"],
            test=results["test"],
            charts=charts,
            accuracy=_accuracy(shown),
            leads=_leads(results.get("lead", {})),
            tiers=_by_group(methods, "tier"),
            topics=_by_group(methods, "topic"),
            facts=_facts(methods),
        ),
    )
    return page


def _legend(names: list[str]) -> list[dict[str, str]]:
    return [{"text": name, "colour": PALETTE[index % len(PALETTE)]} for index, name in enumerate(names)]


def _spoofing(methods: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracy against the factor by which the scale is wrong; a line that is flat was told nothing."""
    chart = Chart((-2, 2), (0, 1), "told scale / true scale", "accuracy", ticks=(4, 5), powers=True)
    for index, found in enumerate(methods.values()):
        colour, accuracy = PALETTE[index % len(PALETTE)], found["accuracy"]
        points = [
            (math.log10(factor), accuracy["oracle" if factor == 1 else spoofed(factor)]["share"])
            for factor in sorted((*FACTORS, 1.0))
            if ("oracle" if factor == 1 else spoofed(factor)) in accuracy
        ]
        if len(points) == 1:
            points = [(-2.0, points[0][1]), (2.0, points[0][1])]
        chart.line(points, colour)
        for x, y in points:
            chart.point(x, y, colour, f"{y:.3f}")
    title = "Spoofing: accuracy where the scale is told wrongly"
    return {"title": title, "svg": chart.svg(title), "legend": _legend(list(methods))}


def _gates(method: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The mean gate of each tier of a method over scale, before any normalisation."""
    chart = Chart((-2, 2), (0, 1), "metres per pixel", "gate", ticks=(4, 5), powers=True)
    names = []
    for index, tier in enumerate(found["tiers"]):
        tau = math.log10(tier["mean_m"])
        steps = [-2 + step / 20 for step in range(81)]
        curve = [(s, 1 / (1 + math.exp(-found["sharpness"] * (tau - s)))) for s in steps]
        chart.line(curve, PALETTE[index % len(PALETTE)])
        names.append(f"tier {index + 1}: half open at {tier['mean_m']:.3g} m")
    title = f"Gates of {method} as learnt, slope {found['sharpness']:.2f} a decade"
    return {"title": title, "svg": chart.svg(title), "legend": _legend(names)}


def _percent(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "-"
    return f"{100 * found['share']:.1f} ({100 * found['low']:.0f} to {100 * found['high']:.0f})"


def _accuracy(methods: Mapping[str, Any]) -> dict[str, Any]:
    rows = [
        [name, *(_percent(found["accuracy"].get(each)) for each in SHOWN)] for name, found in methods.items()
    ]
    return {"head": ["method", *SHOWN], "rows": rows, "kinds": []}


def _leads(leads: Mapping[str, Any]) -> dict[str, Any]:
    rows = [[name, _percent(found)] for name, found in leads.items()]
    return {"head": ["before", "points"], "rows": rows, "kinds": []}


def _by_group(methods: Mapping[str, Any], group: str) -> dict[str, Any]:
    """Accuracy under the true scale by tier or topic."""
    names = sorted({name for found in methods.values() for name in found["accuracy"]["oracle"][group]})
    rows = []
    for method, found in methods.items():
        own = found["accuracy"]["oracle"][group]
        rows.append([method, *(f"{100 * own[name]['share']:.1f}" if name in own else "-" for name in names)])
    return {"head": ["method", *names], "rows": rows, "kinds": []}


def _facts(methods: Mapping[str, Any]) -> list[str]:
    """Lines about heads, gates and baked adapters."""
    lines = []
    for name, found in methods.items():
        if head := found.get("head"):
            trained = found["head_as_trained"]
            lines.append(
                f"{name}: scale from pixels is off by {head['error_decades']:.2f} decades in the mean "
                f"({head['constant_decades']:.2f} for the median of the test); 90 % intervals hold "
                f"{100 * head['coverage_90']:.0f} % ({100 * trained['coverage_90']:.0f} % as trained, before "
                f"calibration multiplied deviations by {head['calibration']:.2f}), 50 % intervals "
                f"{100 * head['coverage_50']:.0f} %"
            )
        for tier, own in found.get("without_tier", {}).items():
            lines.append(f"{name} without the dimensions of {tier}: {_percent(own)} %")
        if gap := found.get("gap"):
            baked = ", ".join(f"{each:g}" for each in gap["baked_m"])
            lines.append(
                f"{name}: adapters baked at {baked} m are {gap['probability']:.3f} (total variation of the "
                f"next token) from continuous gates at most, at {gap['gsd_m']:.2g} m; routed by scale they "
                f"are right in {_percent(found['routed'])} %"
            )
    return lines
