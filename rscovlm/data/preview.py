"""Contact sheets of samples: images with their boxes, and words, as one picture to look at."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from detection_eval.geometry.quads import canonical
from detection_eval.text.contract import Contract, VertexForm
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.parsing import parse_response
from detection_eval.text.vertices import decode
from rscovlm.data.example import BoxText, Example
from rscovlm.data.pictures import FilePicture
from rscovlm.data.sample import Box, ImageRef, Sample
from rscovlm.errors import DataError
from tiling.colours import numbered_colour
from tiling.errors import SceneError
from tiling.scene import Scene
from tiling.view import Size, View, Window

PANEL = 480
"""Width in px of the panel of a sample."""

_GAP = 16
_LINES, _SYSTEM_LINES = 14, 3
_CHARACTERS = 1200
_IMAGES = 6
_PAPER, _INK, _FAINT, _CASING, _WRONG = "#12161d", "#e8ecf2", "#8f9bab", "#0c1018", "#ff6b6b"
_ROLE_INK = {"error": _WRONG, "system": "#8f9bab", "user": "#9fd0ff", "assistant": "#b8f0a8"}
_SMOOTHING = 2
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
_FEW, _SMALL, _LEAST_CLOSE_UP = 3, 0.2, 48.0

Resolve = Callable[[ImageRef], Path]


@dataclass(frozen=True)
class Mark:
    """A box to draw: (4, 2) pixels of what is shown, the words beside it, and the number of its colour."""

    polygon: NDArray[np.float64]
    words: str
    colour: int
    faint: bool = False


@dataclass(frozen=True)
class Shown:
    """A view of an image file with boxes on it."""

    path: Path
    view: View
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One sample as shown on a contact sheet.

    Attributes:
        title: its id, task and source.
        shown: its images.
        words: (role, text) in order.
        facts: further lines.
    """

    title: str
    shown: tuple[Shown, ...]
    words: tuple[tuple[str, str], ...]
    facts: tuple[str, ...] = field(default=())


# --- what is shown --------------------------------------------------------------------------------


def panel_of_sample(sample: Sample, resolve: Resolve) -> Panel:
    """The canonical sample: boxes in pixels of the file drawn through a view, turns with placeholders."""
    shown = []
    colours = _colours(sample)
    for number, ref in enumerate(sample.images[:_IMAGES]):
        path = resolve(ref)
        view = _view(_window(ref, path), PANEL)
        marks = [
            Mark(view.from_scene(box.polygon), _words(place, box, sample), colours[box.label], box.difficult)
            for place, box in enumerate(sample.boxes)
            if box.image == number
        ]
        shown.append(Shown(path, view, tuple(marks)))
        shown += _close_up(path, view, marks)
    words = tuple((turn.role, turn.text) for turn in sample.turns)
    return Panel(_title(sample), tuple(shown), words, _facts(sample))


def _close_up(path: Path, view: View, marks: Sequence[Mark]) -> list[Shown]:
    """A second look at a few boxes that are too small to be judged in the whole image."""
    if not 0 < len(marks) <= _FEW:
        return []
    around = Window.around(view.to_scene(np.concatenate([mark.polygon for mark in marks])))
    side = max(around.width, around.height)
    if side > _SMALL * max(view.window.width, view.window.height):
        return []
    side = max(side * 1.6, _LEAST_CLOSE_UP)
    x, y = around.center
    close = _view(Window(x - side / 2, y - side / 2, side, side), PANEL)
    moved = [replace(mark, polygon=close.from_scene(view.to_scene(mark.polygon))) for mark in marks]
    return [Shown(path, close, tuple(moved))]


def panel_of_example(example: Example, sample: Sample) -> Panel:
    """A rendered visit: pictures as large as they are drawn, and the boxes that the answers state."""
    messages = example.conversation.messages
    pictures = [picture for picture in example.conversation.images if isinstance(picture, FilePicture)]
    stated = [part for turn in messages for part in turn.content if isinstance(part, BoxText)]
    shown = []
    for number, picture in enumerate(pictures[:_IMAGES]):
        marks = _stated(stated, example.form, picture.view.size) if number == 0 else ()
        shown.append(Shown(Path(picture.path), picture.view, marks))
    words = tuple(
        (
            turn.role,
            "".join(part if isinstance(part, str) else _size_words(part.size) for part in turn.content),
        )
        for turn in messages
    )
    sizes = ", ".join(f"{p.view.size.width} x {p.view.size.height}" for p in pictures)
    facts = [f"drawn at {sizes} px" if sizes else "", f"boxes as {example.form}" if stated else ""]
    return Panel(_title(sample), tuple(shown), words, tuple(fact for fact in facts if fact))


def panel_of_failure(sample: Sample, error: Exception) -> Panel:
    """A sample that cannot be rendered, and why."""
    return Panel(_title(sample), (), (("error", str(error)),), _facts(sample))


def _stated(texts: Sequence[str], form: str, size: Size) -> tuple[Mark, ...]:
    """The boxes that texts state, read back: what is drawn is what would be learnt."""
    marks: list[Mark] = []
    for text in texts if form in CONTRACTS else ():
        found = parse_response(text, CONTRACTS[form], None, size.width, size.height).detections
        names = list(dict.fromkeys(found.names))
        marks += [Mark(quad, name, names.index(name)) for quad, name in zip(found.polygons, found.names)]
        if not len(found):
            marks += _stated_alone(text, CONTRACTS[form], size)
    return tuple(marks)


def _stated_alone(text: str, contract: Contract, size: Size) -> list[Mark]:
    """The box of a text that states one without its label, as in running words or in a call to zoom."""
    numbers = [float(number) for number in _NUMBER.findall(text)]
    if len(numbers) == 4:
        contract = replace(contract, form=VertexForm.HORIZONTAL, angle=None)
    if len(numbers) != contract.form.count:
        return []
    return [Mark(canonical(decode(np.array([numbers]), contract, *size[::-1])[0])[0], "", 0)]


def _size_words(size: Size) -> str:
    return f"[image {size.width} x {size.height}] "


def _title(sample: Sample) -> str:
    return " · ".join(part for part in (sample.task, sample.source, sample.id) if part)


def _facts(sample: Sample) -> tuple[str, ...]:
    facts = []
    if sample.phrase:
        facts.append(f"phrase: {sample.phrase}")
    if sample.answer:
        facts.append(f"answer: {sample.answer}")
    if sample.classes:
        facts.append(f"classes ({len(sample.classes)}): {', '.join(sample.classes)}")
    facts += [f"{name} = {value:g}" for name, value in sample.targets.items()]
    if sample.gsd_m is not None:
        facts.append(f"{sample.gsd_m:g} m per pixel")
    if len(sample.images) > _IMAGES:
        facts.append(f"{len(sample.images) - _IMAGES} more images")
    return tuple(facts)


def _words(number: int, box: Box, sample: Sample) -> str:
    """The number of a box where turns refer to it, and its label; classes of a detection are in colour."""
    mentioned = any(f" {number}>" in turn.text for turn in sample.turns)
    return " ".join(part for part in (str(number) if mentioned else "", box.label) if part)


def _colours(sample: Sample) -> dict[str, int]:
    return {label: place for place, label in enumerate(dict.fromkeys(box.label for box in sample.boxes))}


def _window(ref: ImageRef, path: Path) -> Window:
    height, width = ref.size or (1, 1)
    if ref.size is None:
        try:
            with Scene(path) as scene:
                height, width = scene.height, scene.width
        except (SceneError, OSError):
            pass  # its place says so when it is drawn
    whole = Window(0, 0, width, height)
    part = Window(*ref.window).intersection(whole) if ref.window else whole
    if part is None:
        raise DataError(f"window {ref.window} lies outside {path}")
    return part


def _view(window: Window, side: int) -> View:
    """A window at a size whose longer side is ``side`` px; small ones are enlarged."""
    scale = side / max(window.width, window.height)
    return View(window, Size(max(1, round(window.height * scale)), max(1, round(window.width * scale))))


# --- drawing --------------------------------------------------------------------------------------


def draw_sheet(panels: Sequence[Panel], columns: int = 4) -> Image.Image:
    """Panels side by side, row by row."""
    pictures = [_draw_panel(panel) for panel in panels]
    columns = max(1, min(columns, len(pictures)))
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    heights = [max(picture.height for picture in row) for row in rows]
    size = (columns * (PANEL + _GAP) + _GAP, sum(heights) + _GAP * (len(rows) + 1))
    sheet = Image.new("RGB", size, _PAPER)
    top = _GAP
    for row, height in zip(rows, heights):
        for place, picture in enumerate(row):
            sheet.paste(picture, (_GAP + place * (PANEL + _GAP), top))
        top += height + _GAP
    return sheet


def _draw_panel(panel: Panel) -> Image.Image:
    title = [(line, _INK) for line in textwrap.wrap(panel.title, 58)[:2]]
    strip = _draw_images(panel.shown)
    words = [("", _INK)] if panel.shown else []
    for role, text in panel.words:
        most = _SYSTEM_LINES if role == "system" else _LINES
        words += [(line, _ROLE_INK.get(role, _INK)) for line in _wrapped(f"{role}: {text}", most)]
    words += [(line, _FAINT) for fact in panel.facts for line in _wrapped(fact, 3)]
    font = ImageFont.load_default(14)
    step = 18
    height = step * len(title) + 4 + (strip.height if strip else 0) + step * len(words) + 4
    result = Image.new("RGB", (PANEL, height), _PAPER)
    draw = ImageDraw.Draw(result)
    top = _write(draw, title, 0, font, step) + 4
    if strip is not None:
        result.paste(strip, (0, top))
        top += strip.height - step // 2
    _write(draw, words, top, font, step)
    return result


def _write(
    draw: ImageDraw.ImageDraw,
    lines: Sequence[tuple[str, str]],
    top: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    step: int,
) -> int:
    for line, colour in lines:
        draw.text((0, top), line, font=font, fill=colour)
        top += step
    return top


def _wrapped(text: str, most: int = _LINES) -> list[str]:
    """Lines that fit a panel; long texts end in an ellipsis."""
    pieces = text[:_CHARACTERS].split("\n")
    lines = [line for piece in pieces for line in (textwrap.wrap(piece, 62) or [""])]
    if len(lines) > most or len(text) > _CHARACTERS:
        lines = [*lines[: most - 1], f"{lines[min(most, len(lines)) - 1][:60]} …"]
    return lines


def _draw_images(shown: Sequence[Shown]) -> Image.Image | None:
    """One image across the panel, or several in rows of two."""
    if not shown:
        return None
    across = 1 if len(shown) == 1 else 2
    side = (PANEL - (across - 1) * 6) // across
    pictures = [_draw_image(each, side) for each in shown]
    rows = [pictures[start : start + across] for start in range(0, len(pictures), across)]
    heights = [max(picture.height for picture in row) for row in rows]
    strip = Image.new("RGB", (PANEL, sum(heights) + 6 * (len(rows) - 1)), _PAPER)
    top = 0
    for row, height in zip(rows, heights):
        for place, picture in enumerate(row):
            strip.paste(picture, (place * (side + 6), top))
        top += height + 6
    return strip


def _draw_image(shown: Shown, side: int) -> Image.Image:
    """A view, read at the size that is needed, with its boxes; what cannot be read says so in its place."""
    view = _view(shown.view.window, side)
    try:
        with Scene(shown.path) as scene:
            picture = scene.read(view).to_pil()
    except (SceneError, OSError) as error:
        return _draw_failure(str(error), side)
    scale = np.array([view.size.width / shown.view.size.width, view.size.height / shown.view.size.height])
    marks = [replace(mark, polygon=mark.polygon * scale) for mark in shown.marks]
    return _draw_marks(picture, marks)


def _draw_failure(message: str, side: int) -> Image.Image:
    picture = Image.new("RGB", (side, 60), "#2a1a1d")
    lines = [(line, _WRONG) for line in textwrap.wrap(message, max(20, side // 8))[:3]]
    _write(ImageDraw.Draw(picture), lines, 4, ImageFont.load_default(13), 17)
    return picture


def _draw_marks(picture: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """Outlines first, then words, so that no outline crosses a word."""
    canvas = picture.resize((picture.width * _SMOOTHING, picture.height * _SMOOTHING))
    draw = ImageDraw.Draw(canvas)
    for casing in (True, False):
        for mark in marks:
            ring = [tuple(point) for point in (mark.polygon * _SMOOTHING)[[0, 1, 2, 3, 0, 1]]]
            colour = _CASING if casing else (_FAINT if mark.faint else numbered_colour(mark.colour))
            draw.line(
                ring, fill=colour, width=round((4.5 if casing else 2.2) * _SMOOTHING / 1.5), joint="curve"
            )
    result = canvas.resize(picture.size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(result)
    font = ImageFont.load_default(13)
    taken: list[tuple[float, float, float, float]] = []
    for mark in marks:
        _label(draw, mark, font, result.size, taken)
    return result


def _label(
    draw: ImageDraw.ImageDraw,
    mark: Mark,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
    taken: list[tuple[float, float, float, float]],
) -> None:
    """The words of a box at its top, within the picture, where no other words stand; else none."""
    if not mark.words:
        return
    words = textwrap.shorten(mark.words, 28, placeholder="…")
    width, height = draw.textlength(words, font=font) + 6, 17
    x, y = mark.polygon[0]
    for top in (y - height - 2, mark.polygon[:, 1].max() + 2):
        left = float(np.clip(x - width / 2, 0, max(0, size[0] - width)))
        top = float(np.clip(top, 0, max(0, size[1] - height)))
        place = (left, top, left + width, top + height)
        if all(place[2] <= a or c <= place[0] or place[3] <= b or d <= place[1] for a, b, c, d in taken):
            colour = _FAINT if mark.faint else numbered_colour(mark.colour)
            draw.rectangle(place, fill=_CASING)
            draw.text((left + 3, top + 1), words, font=font, fill=colour)
            taken.append(place)
            return
