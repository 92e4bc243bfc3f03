"""Rendering: a canonical sample becomes a conversation for one model family, drawn anew at each visit.

What is drawn: the size of each image, the format of boxes, the wording. Boxes are written at the size drawn,
in the family's coordinate space ("scalable boxes"), by the inverse of the parser of answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from configs import ConfigError
from detection_eval.detections import Detections
from detection_eval.geometry.clipping import visible_quads
from detection_eval.text.contract import Contract, Json, VertexForm
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.coordinates import PERMILLE
from detection_eval.text.writing import render_box, render_response, writing_order
from rscovlm.data.example import BoxText, Example, Key
from rscovlm.data.pictures import FilePicture, check_size, open_scene
from rscovlm.data.randomness import generator
from rscovlm.data.sample import PLACEHOLDER, Box, ImageRef, Sample, Turn
from rscovlm.data.templates import Templates
from rscovlm.errors import DataError
from rscovlm.models.families import ModelFamily
from rscovlm.models.scale_words import gsd_words
from tiling.errors import ResolutionError
from tiling.headers import image_size
from tiling.resolution import SIZE_POLICIES, PolicyName, Resolution, random_size, resolution_policy
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation, Message, Picture
from zoom_chain.looks import CropRule, crop_window
from zoom_chain.settings import default_zoom_settings

Draw = Literal["area", "linear"]
DRAWS: tuple[Draw, ...] = ("area", "linear")
"""Random sizes: of uniform area, or as the RSCoVLM reference code draws them."""

Sizing = PolicyName | Draw
SIZINGS: tuple[Sizing, ...] = (*SIZE_POLICIES, *DRAWS)

_FORMS = ("quad", "obb", "hbb", "json-quad", "json-obb", "json-hbb")


@dataclass(frozen=True)
class Rules:
    """How the samples of a source are rendered.

    Attributes:
        family: whose coordinates, tool and formats are used.
        resolution: bounds on the size of an image.
        sizing: how sizes are chosen (``SIZINGS``) -> probability.
        forms: box formats -> probability: ``quad``, ``obb``, ``hbb``, ``json-quad``, ``json-obb``,
            ``json-hbb`` in the family's space, or any contract by name.
        templates: wordings.
        crops: how a box becomes the crop that is read; None takes the rule that ships for the dialect.
        decimals: digits after the point of numeric targets that are no whole numbers in the file.
    """

    family: ModelFamily
    resolution: Resolution
    templates: Templates
    sizing: Mapping[str, float] = field(default_factory=lambda: {"native": 1.0})
    forms: Mapping[str, float] = field(default_factory=dict)
    crops: CropRule | None = None
    decimals: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.sizing if name not in SIZINGS]
        if unknown:
            raise ConfigError(f"resolution {', '.join(unknown)} is unknown; choose from {', '.join(SIZINGS)}")
        if not self.forms:
            object.__setattr__(self, "forms", {self.family.detection: 1.0})
        for name in self.forms:
            box_contract(name, self.family)
        if self.crops is None:
            object.__setattr__(self, "crops", default_zoom_settings(self.family.dialect.name).crops)


def box_contract(name: str, family: ModelFamily) -> Contract:
    """The contract behind a format's name, in the family's coordinate space.

    Raises:
        ConfigError: naming the formats that exist.
    """
    if name in _FORMS:
        suffix = f"@{PERMILLE.name}" if family.space.extent is not None else ""
        return CONTRACTS[f"rscovlm-{name}{suffix}"]
    if name not in CONTRACTS:
        raise ConfigError(f"box format {name!r} is unknown; choose from {', '.join(_FORMS)} or a contract")
    return CONTRACTS[name]


def render_example(
    sample: Sample,
    rules: Rules,
    key: Key,
    seed: int,
    resolve: Callable[[ImageRef], Path] = lambda ref: Path(ref.path),
    most_boxes: int | None = None,
) -> Example:
    """The conversation of one visit to a sample.

    Args:
        sample: what is known.
        rules: how it is put.
        key: which visit; all choices are a pure function of it and the seed.
        seed: of the run.
        resolve: the file of an image.
        most_boxes: boxes that an answer may list; the last ones in the order of writing are left out.

    Raises:
        DataError, SceneError: the sample or a file of it cannot be used.
    """
    rendering = _Rendering(sample, rules, key, seed, resolve, most_boxes)
    messages = tuple(rendering.speak(turn) for turn in rendering.turns)
    return Example(
        Conversation(messages),
        key,
        sample.task,
        rendering.contract.name,
        rendering.cut,
        rendering.numbers,
    )


class _Rendering:
    """One visit: what has been drawn so far, and the views that have been shown."""

    def __init__(
        self,
        sample: Sample,
        rules: Rules,
        key: Key,
        seed: int,
        resolve: Callable[[ImageRef], Path],
        most_boxes: int | None,
    ) -> None:
        self.sample, self.rules, self.most_boxes = sample, rules, most_boxes
        self._place = (seed, key)
        self.paths = [str(resolve(ref)) for ref in sample.images]
        self.contract = box_contract(self._form(), rules.family)
        self.views = [self._view(index) for index in range(len(sample.images))]
        self.cut = 0
        self._shown: list[View] = []
        self._last_gsd_m: float | None = None
        self._pending = iter(range(len(sample.images)))
        self._first_user = True
        self._words: dict[str, str] = {}
        self._word_rng = self._draw("synonym")
        self.turns = self._turns()

    @property
    def numbers(self) -> dict[str, float]:
        """Targets, and ``shown_gsd_m``: metres per pixel of the first image as it is shown."""
        numbers = dict(self.sample.targets)
        shown = self._gsd_m(0, self.views[0]) if self.views else None
        return numbers if shown is None else numbers | {"shown_gsd_m": shown}

    def _gsd_m(self, image: int, view: View) -> float | None:
        """Metres per pixel of a view, from those of its image; sizes and crops change them."""
        own = self.sample.images[image].gsd_m or self.sample.gsd_m
        return None if own is None else own * math.sqrt(view.scale[0] * view.scale[1])

    # --- what is drawn ----------------------------------------------------------------------------

    def _draw(self, purpose: str) -> np.random.Generator:
        seed, key = self._place
        return generator(seed, *key, purpose)

    def _form(self) -> str:
        name = _choose(self.rules.forms, self._draw("form"))
        contract = box_contract(name, self.rules.family)
        only_bounds = any(item.horizontal for item in self.sample.boxes)
        if (
            only_bounds
            and contract.form is not VertexForm.HORIZONTAL
            and contract.name.startswith("rscovlm-")
        ):
            return "json-hbb" if isinstance(contract.syntax, Json) else "hbb"
        return name

    def _view(self, index: int) -> View:
        ref = self.sample.images[index]
        size = self._stated(index) or self._size_of_file(index)
        whole = Window(0, 0, size.width, size.height)
        window = Window(*ref.window).intersection(whole) if ref.window else whole
        if window is None:
            raise DataError(f"window {ref.window} lies outside {ref.path} of {size.width} x {size.height} px")
        # ``Rules`` has checked the names.
        sizing = cast(Sizing, _choose(self.rules.sizing, self._draw("sizing")))
        height, width = max(1, round(window.height)), max(1, round(window.width))
        try:
            if sizing == "area" or sizing == "linear":
                rng = self._draw(f"size {index}")
                return View(window, random_size(height, width, self.rules.resolution, rng, sizing))
            return View(window, resolution_policy(sizing, self.rules.resolution).fit(height, width))
        except ResolutionError as error:
            raise DataError(f"{ref.path}: {error}") from error

    def _size_of_file(self, index: int) -> Size:
        size = image_size(self.paths[index])
        for problem in self.sample.boxes_outside(index, size):
            raise DataError(f"sample {self.sample.id!r}: {problem}")
        return size

    # --- turns ------------------------------------------------------------------------------------

    def _turns(self) -> Sequence[Turn]:
        sample, rng = self.sample, self._draw("wording")
        if sample.turns:
            return self._with_tool(sample.turns) if sample.task == "zoom" else sample.turns
        templates = self.rules.templates
        if sample.task == "detection":
            system, user = templates.detection(self.contract, sample.classes, rng)
            return _dialogue(system, user, "<boxes>")
        if sample.task == "grounding":
            return _dialogue(
                self.contract.system, templates.grounding(self.contract, sample.phrase, rng), "<boxes>"
            )
        return _dialogue(None, templates.classification(sample.classes, rng), sample.answer)

    def _with_tool(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """The turns with the dialect's words about its tool: the offer, and what comes with a crop."""
        dialect = self.rules.family.dialect
        told: list[Turn] = []
        for turn in turns:
            if turn.role == "user" and not told:
                turn = replace(turn, text=turn.text + dialect.user_suffix)
            if turn.role == "user" and "<crop" in turn.text:
                turn = replace(turn, text=turn.text + dialect.crop_text)
            told.append(turn)
        return told if turns[0].role == "system" else [Turn("system", dialect.system_prompt), *told]

    def speak(self, turn: Turn) -> Message:
        """A turn with its placeholders filled in."""
        parts: list[str | Picture] = []
        end = 0
        for match in PLACEHOLDER.finditer(turn.text):
            parts += [turn.text[end : match.start()], self._fill(*match.group(1).partition(" ")[::2])]
            end = match.end()
        parts.append(turn.text[end:])
        return Message(turn.role, tuple(part for part in parts if part != ""))

    def _fill(self, name: str, argument: str) -> str | Picture:
        if name == "image":
            index = next(self._pending)
            return self._show(index, self.views[index])
        if name == "boxes":
            return BoxText(self._listed())
        if name == "gsd":
            return gsd_words(self._last_gsd_m)
        if name == "value":
            value = self.sample.targets[argument]
            return str(value) if isinstance(value, int) else f"{value:.{self.rules.decimals}f}"
        item = self.sample.boxes[int(argument)]
        if name == "crop":
            return self._show(item.image, self._crop_view(item))
        if name == "zoom":
            return BoxText(self._call(item))
        view = self.views[item.image]
        if Window.around(item.polygon).intersection(view.window) is None:
            raise DataError(
                f"sample {self.sample.id!r}: <box {argument}> lies outside the window of its image"
            )
        polygon = view.from_scene(item.polygon)
        return BoxText(render_box(polygon, self.contract, view.size.width, view.size.height))

    def _show(self, image: int, view: View) -> Picture:
        self._shown.append(view)
        self._last_gsd_m = self._gsd_m(image, view)
        return FilePicture(self.paths[image], view, self._stated(image), self._last_gsd_m)

    def _stated(self, image: int) -> Size | None:
        size = self.sample.images[image].size
        return Size(*size) if size else None

    # --- zooming ----------------------------------------------------------------------------------

    def _frame(self) -> View:
        if not self._shown:
            raise DataError(f"sample {self.sample.id!r} zooms before it shows an image")
        return self._shown[-1 if self.rules.family.dialect.frame == "latest" else 0]

    def _call(self, item: Box) -> str:
        frame, dialect = self._frame(), self.rules.family.dialect
        corners = frame.from_scene(np.reshape(Window.around(item.polygon).bounds, (2, 2))).ravel()
        return dialect.render_call(corners, frame.size.width, frame.size.height, item.label)

    def _crop_view(self, item: Box) -> View:
        """The view that the Zoom-in Chain would show for this box."""
        frame, scene = self._frame(), open_scene(self.paths[item.image])
        check_size(self.paths[item.image], Size(scene.height, scene.width), self._stated(item.image))
        extent = self.rules.family.dialect.space.extent
        unit = frame.scale if extent is None else (frame.window.width / extent, frame.window.height / extent)
        assert self.rules.crops is not None
        window = crop_window(Window.around(item.polygon), unit, scene.window, self.rules.crops)
        return scene.view(window, self.rules.resolution)

    # --- boxes ------------------------------------------------------------------------------------

    def _listed(self) -> str:
        """All boxes that can be seen in the image that they are on, with labels."""
        sample = self.sample
        image = next((item.image for item in sample.boxes), len(self.views) - 1)
        view = self.views[image]
        grounding, verbatim = sample.task == "grounding", self.rules.templates.verbatim
        height, width = view.size
        listed = [item for item in sample.boxes if item.image == image and not item.difficult]
        corners = view.from_scene(np.reshape([item.polygon for item in listed], (-1, 4, 2)))
        polygons, rows = visible_quads(corners, width, height)
        found = _detections(polygons, [self._label(listed[row]) for row in rows])
        if not len(found) and grounding:
            raise DataError(f"sample {sample.id!r}: its window shows none of its boxes")
        if self.most_boxes is not None and len(found) > self.most_boxes:
            self.cut += len(found) - self.most_boxes
            found = found.select(writing_order(found, self.contract, width, height)[: self.most_boxes])
        return render_response(found, self.contract, width, height, verbatim=grounding and verbatim)

    def _label(self, item: Box) -> str:
        if self.sample.task == "grounding":
            return self.rules.templates.grounded(self.sample.phrase, item.label)
        return self._word(item.label)

    def _word(self, name: str) -> str:
        """What a class is called in this answer: a synonym only where the question named no classes."""
        if self.sample.classes or self.sample.turns:
            return name
        if name not in self._words:
            self._words[name] = self.rules.templates.synonym(name, self._word_rng)
        return self._words[name]


def _detections(polygons: NDArray[np.float64], names: Sequence[str]) -> Detections:
    classes = tuple(dict.fromkeys(names))
    return Detections(polygons, np.array([classes.index(name) for name in names], dtype=np.int64), classes)


def _dialogue(system: str | None, user: str, answer: str) -> list[Turn]:
    opening = [Turn("system", system)] if system else []
    return [*opening, Turn("user", f"<image>{user}"), Turn("assistant", answer)]


def _choose(chances: Mapping[str, float], rng: np.random.Generator) -> str:
    names = list(chances)
    if len(names) == 1:
        return names[0]
    weights = np.array([chances[name] for name in names], dtype=np.float64)
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
