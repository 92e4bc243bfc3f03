"""A report of zoom chains as one HTML file: no server, no network, no script, nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np

from detection_eval.files import write_text
from zoom_chain.trace import Bounds, RequestRecord, Trace, Turn, ViewRecord

_COLOURS = ("#f0e442", "#56b4e9", "#e69f00", "#cc79a7", "#2fd6a0", "#ff7a3d")  # after Okabe and Ito
_PIXELATED_BELOW = 300  # px; a smaller view is shown as the squares that the model saw
_ENDS = {
    "answered": "The model answered.",
    "cut_off": "The reply was cut off by the limit of new tokens.",
    "zoom_budget": "No zooms were left; the model was asked for its answer.",
    "pixel_budget": "No pixels were left for another crop; the model was asked for its answer.",
    "time_budget": "The time was used up; the model was asked for its answer.",
    "invalid_request": "Too many requests could not be carried out; the model was asked for its answer.",
    "repeated_view": "The model asked again for what it had seen; it was asked for its answer.",
    "no_more_detail": "The scene has no more detail there; the model was asked for its answer.",
    "no_data": "There is no image data where it wanted to look; it was asked for its answer.",
    "error": "The chain failed.",
}


def write_report(path: str | Path, traces: Sequence[Trace], title: str = "Zoom-in Chain") -> None:
    """Write the chains to one HTML file, complete or not at all.

    Raises:
        OSError: where the file cannot be written.
    """
    write_text(Path(path), render_report(traces, title))


def render_report(traces: Sequence[Trace], title: str = "Zoom-in Chain") -> str:
    """The HTML of a report. All text of users, models and files is escaped; no script is allowed to run."""
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    contents = ""
    if len(traces) > 1:
        entries = "".join(
            f'<li><a href="#q{n}">{escape(trace.question)}</a> '
            f"<span>{escape(trace.answer or 'no answer')}</span></li>"
            for n, trace in enumerate(traces, 1)
        )
        contents = f"<nav><ol>{entries}</ol></nav>"
    articles = "".join(_article(trace, number) for number, trace in enumerate(traces, 1))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><header><h1>{escape(title)}</h1></header>{contents}<main>{articles}</main></body></html>\n"
    )


def _article(trace: Trace, number: int) -> str:
    steps = "".join(_step(trace, turn, index) for index, turn in enumerate(trace.turns))
    overview = ""
    if trace.views:
        overview = f'<div class="overview">{_figure(trace, 0)}{_scene_facts(trace)}</div>'
    return (
        f'<article id="q{number}"><div class="headline"><h2>{escape(trace.question)}</h2>'
        f"{_verdict(trace)}{_chips(trace)}</div>"
        f'<div class="columns">{overview}<ol class="steps">{steps}</ol></div></article>'
    )


def _verdict(trace: Trace) -> str:
    if trace.error:
        return f'<p class="answer failed">{escape(trace.error)}</p>'
    text = escape(trace.answer) if trace.answer else "<em>no answer</em>"
    return f'<p class="answer">{text}</p>'


def _chips(trace: Trace) -> str:
    zooms = max(0, len(trace.views) - 1)
    facts = [
        ("end", _ENDS.get(trace.stop_reason, trace.stop_reason)),
        ("zooms", str(zooms)),
        ("visual tokens", f"{trace.visual_tokens:,}"),
        ("time", f"{trace.seconds:.1f} s"),
    ]
    facts += [
        (key, str(trace.settings[key])) for key in ("model", "dialect", "policy") if trace.settings.get(key)
    ]
    if trace.settings.get("tool_offered") is False and trace.settings.get("policy") != "off" and trace.views:
        facts.append(("zoom", "not offered: the overview shows all the detail there is"))
    return _definition_list(facts, "chips")


def _scene_facts(trace: Trace) -> str:
    scene, view = trace.scene, trace.views[0]
    facts = [
        ("scene", Path(scene["source"]).name),
        ("size", f"{scene['width']:,} x {scene['height']:,} px"),
        ("overview", f"{view.view.size.width} x {view.view.size.height} px"),
    ]
    if scene.get("gsd_m"):
        facts.append(("ground sampling", f"{_metres(scene['gsd_m'])} per pixel, {_metres(view.gsd_m)} here"))
    if scene.get("crs"):
        facts.append(("CRS", str(scene["crs"])))
    return _definition_list(facts + _place(view), "facts")


def _step(trace: Trace, turn: Turn, index: int) -> str:
    """What the model said, what it asked for, and what it was given."""
    parts = []
    if turn.words:
        kind = "final" if _is_answer(trace, index) else "aside"
        parts.append(f'<blockquote class="{kind}">{escape(turn.words)}</blockquote>')
    if turn.request is not None:
        parts.append(_request(turn.request))
    if turn.refusal:
        parts.append(f'<p class="refusal">Not carried out: {escape(turn.refusal)}</p>')
    if turn.shown is not None:
        parts.append(_figure(trace, turn.shown) + _view_facts(trace.views[turn.shown]))
    if turn.final and turn.request is not None:
        parts.append('<p class="refusal">It asked again instead of answering.</p>')
    parts.append(_accounting(turn))
    if turn.shown is not None:
        badge = f'<span class="badge" style="background:{_colour(turn.shown)}">{turn.shown}</span>'
    else:
        badge = f'<span class="badge plain">{"✓" if turn.words and not turn.refusal else "!"}</span>'
    return f'<li>{badge}<div class="card">{"".join(parts)}</div></li>'


def _is_answer(trace: Trace, index: int) -> bool:
    return index == len(trace.turns) - 1 and not trace.error


def _request(request: RequestRecord) -> str:
    label = f" for <b>{escape(request.label)}</b>" if request.label else ""
    box = ", ".join(f"{100 * value:.1f}" for value in request.box)
    source = "the overview" if request.frame == 0 else f"image {request.frame}"
    notes = "".join(f"<li>{escape(note)}</li>" for note in request.notes)
    mended = f'<ul class="notes">{notes}</ul>' if notes else ""
    return f'<p class="request">Asked to look closer{label}: [{box}] % of {source}</p>{mended}'


def _view_facts(record: ViewRecord) -> str:
    window, size = record.view.window, record.view.size
    gain = (
        f"{record.gain:.1f} times finer than shown before"
        if record.gain > 1
        else "enlarged, no finer than shown before"
    )
    facts = [
        ("window", f"{window.width:,.0f} x {window.height:,.0f} px at ({window.x:,.0f}, {window.y:,.0f})"),
        ("shown at", f"{size.width} x {size.height} px, {record.visual_tokens:,} tokens"),
        ("magnification", f"{record.magnification:.1f} times the overview; {gain}"),
    ]
    if record.gsd_m is not None:
        facts.append(("ground sampling", f"{_metres(record.gsd_m)} per pixel"))
    return _definition_list(facts + _place(record), "facts")


def _accounting(turn: Turn) -> str:
    prompt = f"{turn.prompt_tokens:,} prompt tokens"
    if turn.prefilled_tokens is not None:
        prompt += f" ({turn.prefilled_tokens:,} computed)"
    summary = f"{prompt}, {turn.completion_tokens:,} generated, {turn.seconds:.2f} s"
    return f"<details><summary>{summary}</summary><pre>{escape(turn.reply)}</pre></details>"


def _figure(trace: Trace, index: int) -> str:
    """A view with the windows of later views drawn on it."""
    record = trace.views[index]
    height, width = record.view.size
    unit = max(width, height) / 100
    marks = "".join(
        _mark(record, later, number, unit)
        for number, later in enumerate(trace.views)
        if number > index and record.view.window.intersection(later.view.window) is not None
    )
    crisp = ' class="crisp"' if max(width, height) < _PIXELATED_BELOW else ""
    name = "Overview" if index == 0 else f"Image {index}"
    picture = base64.b64encode(record.thumbnail).decode("ascii")
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" style="--aspect:{width / height:.4f}" '
        f'role="img" aria-label="{name}">'
        f'<image{crisp} width="{width}" height="{height}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{picture}"/>{marks}</svg></figure>'
    )


def _mark(record: ViewRecord, later: ViewRecord, number: int, unit: float) -> str:
    """The window of a later view, with its number on a flag that stays readable and inside the picture."""
    height, width = record.view.size
    corners = record.view.from_scene(np.reshape(later.view.window.bounds, (2, 2)))
    (x0, y0), (x1, y1) = np.clip(corners, 0, (width, height)).tolist()
    flag = 6 * unit
    left = min(max(x0 - unit / 2, 0), width - flag)
    top = y0 - flag - unit if y0 > flag + unit else min(y1 + unit, height - flag)
    rect = f'x="{x0:.2f}" y="{y0:.2f}" width="{x1 - x0:.2f}" height="{y1 - y0:.2f}"'
    return (
        f'<rect class="halo" {rect}/><rect class="window" {rect} stroke="{_colour(number)}"/>'
        f'<rect x="{left:.2f}" y="{top:.2f}" width="{flag:.2f}" height="{flag:.2f}" rx="{unit:.2f}" '
        f'fill="{_colour(number)}"/><text x="{left + flag / 2:.2f}" y="{top + flag * 0.74:.2f}" '
        f'font-size="{flag * 0.72:.2f}">{number}</text>'
    )


def _colour(number: int) -> str:
    return _COLOURS[(number - 1) % len(_COLOURS)]


def _place(record: ViewRecord) -> list[tuple[str, str]]:
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


def _definition_list(facts: list[tuple[str, str]], kind: str) -> str:
    rows = "".join(f"<div><dt>{escape(term)}</dt><dd>{escape(text)}</dd></div>" for term, text in facts)
    return f'<dl class="{kind}">{rows}</dl>'
