"""A report of zoom chains as one HTML file: no server, no network, no script, nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection_eval.files import write_text
from detection_eval.html import render
from detection_eval.words import counted
from tiling.bounds import Bounds
from zoom_chain.trace import ReplyRecord, Trace, ViewRecord

Fact = tuple[str, str]

_COLOURS = ("#f0e442", "#56b4e9", "#e69f00", "#cc79a7", "#2fd6a0", "#ff7a3d")  # after Okabe and Ito
_MOST_TILES = 60  # of a sweep, shown one by one
_PIXELATED_BELOW = 300  # px; a smaller view is shown as the squares that the model saw
_ENDS = {
    "answered": "The model answered.",
    "cut_off": "The reply was cut off by the limit of new tokens.",
    "zoom_budget": "No zooms were left; the model was asked for its answer.",
    "view_budget": "As many views were judged as the budget allows.",
    "confident": "The search was sure of its answer.",
    "exhausted": "The search had seen all that there is.",
    "pixel_budget": "No pixels were left for another crop; the model was asked for its answer.",
    "time_budget": "The time was used up; the model was asked for its answer.",
    "invalid_request": "Too many requests could not be carried out; the model was asked for its answer.",
    "repeated_view": "The model asked again for what it had seen; it was asked for its answer.",
    "no_more_detail": "The scene has no more detail there; the model was asked for its answer.",
    "no_data": "There is no image data where it wanted to look; it was asked for its answer.",
    "no_answer": "The last reply holds no answer.",
    "partial": "Parts of the scene were not examined, or requests failed on the way.",
    "error": "It failed.",
}


def write_report(path: str | Path, traces: Sequence[Trace], title: str = "Zoom-in Chain") -> None:
    """Write the chains to one HTML file, complete or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    write_text(Path(path), render_report(traces, title))


def render_report(traces: Sequence[Trace], title: str = "Zoom-in Chain") -> str:
    """The HTML of a report. All text of users, models and files is escaped; no script is allowed to run."""
    return render(
        __package__,
        "report.html",
        title=title,
        traces=traces,
        chips=_chips,
        figure=_figure,
        scene_facts=_scene_facts,
        view_facts=_view_facts,
        colour=_colour,
        steps=_steps,
        is_answer=_is_answer,
        pictures=_pictures,
    )


def _chips(trace: Trace) -> list[Fact]:
    facts = [
        ("end", _ENDS.get(trace.stop_reason, trace.stop_reason)),
        _looks(trace),
        ("visual tokens", f"{trace.visual_tokens:,}"),
        ("time", f"{trace.seconds:.1f} s"),
    ]
    facts += [
        (key, str(trace.settings[key])) for key in ("model", "dialect", "policy") if trace.settings.get(key)
    ]
    if chosen := trace.settings.get("chosen"):
        facts.append(("answered by", f"{chosen}: {trace.settings['why']}"))
    asks = _way(trace) in ("single", "chain")
    if asks and trace.settings.get("tool_offered") is False and trace.views:
        facts.append(("zoom", "not offered: the overview shows all the detail there is"))
    return facts


def _way(trace: Trace) -> str:
    """The policy that answered."""
    return str(trace.settings.get("chosen") or trace.settings.get("policy"))


def _looks(trace: Trace) -> Fact:
    closer = max(0, len(trace.views) - 1)
    if _way(trace) == "sweep":
        return ("tiles", f"{closer:,}")
    if ranked := sum(view.ranked for view in trace.views):
        return ("views", f"{closer:,}, {ranked:,} of them ranked")
    return ("zooms", str(closer))


def _steps(trace: Trace) -> list[ReplyRecord]:
    """The replies that have something to show.

    Not those that judge a view, which the overview shows; of a sweep those about tiles with objects, or in
    trouble.
    """
    if _way(trace) != "sweep":
        return [turn for turn in trace.turns if turn.score is None]
    holding = {record.view for record in trace.evidence}
    return [turn for turn in trace.turns if turn.refusal or holding.intersection(turn.about)][:_MOST_TILES]


def _is_answer(trace: Trace, turn: ReplyRecord, last: bool) -> bool:
    """Whether a reply is the answer: the last one, or the one that a search chose."""
    if trace.stop_reason == "error":
        return False
    chosen = trace.chosen_answer
    return last if chosen is None else turn is chosen


def _pictures(trace: Trace, turn: ReplyRecord) -> tuple[int, ...]:
    """The views to show with a reply: those that it led to, and in sweep and search those it is about."""
    if _way(trace) == "sweep":
        return turn.about
    found = tuple(index for index in turn.about if trace.views[index].ranked and index not in turn.shown)
    return (*found, *turn.shown)


def _scene_facts(trace: Trace) -> list[Fact]:
    scene, view = trace.scene, trace.views[0]
    facts = [
        ("scene", Path(scene["source"]).name),
        ("size", f"{scene['width']:,} x {scene['height']:,} px"),
        ("overview", f"{view.view.size.width} x {view.view.size.height} px"),
    ]
    if scene.get("gsd_m"):
        source = f" ({scene['gsd']['source']})" if scene.get("gsd") else ""
        ground = f"{_metres(scene['gsd_m'])} per pixel{source}, {_metres(view.gsd_m)} here"
        facts.append(("ground sampling", ground))
    if scene.get("crs"):
        facts.append(("CRS", str(scene["crs"])))
    return facts + _place(view)


def _view_facts(record: ViewRecord) -> list[Fact]:
    window, size = record.closer, record.view.size
    gain = (
        f"{record.gain:.1f} times finer than shown before"
        if record.gain > 1
        else "enlarged, no finer than shown before"
    )
    focused = record.focus is not None
    facts = [
        (
            "enlarged" if focused else "window",
            f"{window.width:,.0f} x {window.height:,.0f} px at ({window.x:,.0f}, {window.y:,.0f})",
        ),
        (
            "shown at",
            f"{size.width} x {size.height} px"
            + (", the whole scene" if focused else "")
            + f", {counted(record.visual_tokens, 'token')}",
        ),
        ("magnification", f"{record.magnification:.1f} times the overview; {gain}"),
    ]
    if record.score is not None:
        facts.append(("score", f"{record.score:.3g}, of how likely it shows what is asked about"))
    if record.gsd_m is not None:
        facts.append(("ground sampling", f"{_metres(record.gsd_m)} per pixel"))
    return facts + _place(record)


def _figure(trace: Trace, index: int) -> dict[str, Any]:
    """A view with the windows of later views to be drawn on it."""
    record = trace.views[index]
    height, width = record.view.size
    unit = max(width, height) / 100
    marked = {number for turn in _steps(trace) for number in (*turn.shown, *_pictures(trace, turn))}
    return {
        "name": "Overview" if index == 0 else f"Image {index}",
        "width": width,
        "height": height,
        "crisp": max(width, height) < _PIXELATED_BELOW,
        "picture": base64.b64encode(record.thumbnail).decode("ascii"),
        "unit": unit,
        "marks": [
            _mark(record, later, number, unit)
            for number, later in enumerate(trace.views)
            if number > index
            and number in marked
            and (_way(trace) != "tree" or later.parent == index)
            and record.view.window.intersection(later.closer) is not None
        ],
        "ranked": _ranked(trace) if index == 0 else [],
        "outlines": [
            " ".join(f"{x:.2f},{y:.2f}" for x, y in record.frame.from_scene(found.polygon).tolist())
            for found in trace.evidence
            if index == 0 or found.view == index
        ],
    }


def _ranked(trace: Trace) -> list[dict[str, float]]:
    """The views that were ranked, on the overview: the likelier, the less transparent."""
    ranked = [(view.score, view) for view in trace.views if view.score is not None]
    scores = [score for score, _ in ranked]
    low, high = min([0.0, *scores]), max([1.0, *scores])
    if scores and (low < 0.0 or high > 1.0):  # similarities, which have a scale of their own
        low, high = min(scores), max(max(scores), min(scores) + 1e-9)
    boxes = []
    for score, view in ranked:
        corners = trace.views[0].frame.from_scene(np.reshape(view.closer.bounds, (2, 2)))
        (x0, y0), (x1, y1) = np.sort(corners, axis=0).tolist()
        share = (score - low) / (high - low)
        boxes.append({"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, "opacity": 0.5 * share})
    return boxes


def _mark(record: ViewRecord, later: ViewRecord, number: int, unit: float) -> dict[str, Any]:
    """The window of a later view, with its number on a flag that stays readable and inside the picture."""
    height, width = record.view.size
    corners = record.frame.from_scene(np.reshape(later.closer.bounds, (2, 2)))
    (x0, y0), (x1, y1) = np.sort(np.clip(corners, 0, (width, height)), axis=0).tolist()
    flag = 6 * unit
    return {
        "number": number,
        "colour": _colour(number),
        "x": x0,
        "y": y0,
        "width": x1 - x0,
        "height": y1 - y0,
        "flag": flag,
        "left": min(max(x0 - unit / 2, 0), width - flag),
        "top": y0 - flag - unit if y0 > flag + unit else min(y1 + unit, height - flag),
    }


def _colour(number: int) -> str:
    return _COLOURS[(number - 1) % len(_COLOURS)]


def _place(record: ViewRecord) -> list[Fact]:
    places = []
    if record.lonlat_bounds:
        places.append(("longitude, latitude", _bounds(record.lonlat_bounds, 5, "°")))
    if record.map_bounds and record.map_bounds != record.lonlat_bounds:
        places.append(("map", _bounds(record.map_bounds, 1, "")))
    return places


def _bounds(bounds: Bounds, digits: int, unit: str) -> str:
    west, south, east, north = (f"{value:,.{digits}f}{unit}" for value in bounds)
    return f"{west} to {east}, {south} to {north}"


def _metres(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.3g} m" if value < 1000 else f"{value / 1000:,.3g} km"
