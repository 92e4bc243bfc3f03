"""Contracts: how one model family writes boxes, declared once and never guessed from the answer.

A ``Contract`` is a coordinate frame x a vertex form x a wire form. The frame that a model writes in cannot
be told from its text (0-1000 or pixels?), and choosing it by what fits the ground truth would leak the answer
into the score; so it belongs to the model family and is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from detection_eval.errors import SettingError
from detection_eval.geometry.rotated import LE90, OC_V0, AngleConvention
from detection_eval.text.coordinates import PERCENT, PERMILLE, PIXELS, UNIT, CoordinateSpace
from detection_eval.text.labels import by_spoken_name, spoken

BINS_1000 = CoordinateSpace("1000 bins", 1000.0)
"""Location tokens 0-999: Florence-2."""

BINS_1024 = CoordinateSpace("1024 bins", 1024.0)
"""Location tokens 0-1023: PaliGemma."""

PERMILLE_999 = CoordinateSpace("0-999", 999.0)
"""0-999 of the image's width and height: DeepSeek-VL2, GeoGround."""


class VertexForm(Enum):
    """Numbers that describe one box: in words, and how many."""

    QUAD = ("x1, y1, x2, y2, x3, y3, x4, y4 clockwise from the topmost, then leftmost vertex", 8)
    ROTATED = ("cx, cy, w, h, angle", 5)
    TURNED = ("x1, y1, x2, y2 of the box before it is turned about its centre, angle", 5)
    HORIZONTAL = ("x1, y1, x2, y2", 4)

    @property
    def count(self) -> int:
        """Numbers per box."""
        return self.value[1]

    @property
    def has_angle(self) -> bool:
        """Whether the last number is an angle."""
        return self.count == 5


@dataclass(frozen=True)
class Angle:
    """Convention for a written angle, in degrees.

    Attributes:
        convention: the range it is written in; any angle is read.
        clockwise: whether a positive angle turns clockwise on the image.
        decimals: digits after the point.
    """

    convention: AngleConvention = LE90
    clockwise: bool = True
    decimals: int = 0


@dataclass(frozen=True)
class Lines:
    """One box per line: ``10,20,30,20,30,40,10,40 ship``, or the label first.

    Attributes:
        label_first: the label stands before the numbers, and no line break ends the last line. A model whose
            coordinates are uncertain then decides whether there is an object before it decides where.
    """

    label_first: bool = False


@dataclass(frozen=True)
class Json:
    """A fenced JSON list of objects, one per line.

    Attributes:
        key: JSON key of the numbers.
        label_key: JSON key of the class name.
    """

    key: str
    label_key: str = "label"


@dataclass(frozen=True)
class Tagged:
    """Boxes between markers, or made of location tokens.

    A box is ``box[0] + joiner.join(numbers) + box[1]``; the boxes of one label stand between ``boxes``.

    Attributes:
        number: template of one number, with ``{}`` in it.
        joiner: between two numbers of a box.
        pair: delimiters of an (x, y) pair inside a box; empty where pairs are not marked.
        angle_joiner: before an angle.
        box: delimiters of one box.
        box_joiner: between two boxes of one label.
        boxes: delimiters of the boxes of one label.
        label: delimiters of a label; None where the answer holds no labels.
        label_first: the label stands before its boxes.
        grouped: the boxes of one label follow one label; else each box has its own.
        group_joiner: between two labels' groups.
    """

    number: str = "{}"
    joiner: str = ", "
    pair: tuple[str, str] = ("", "")
    angle_joiner: str = "|"
    box: tuple[str, str] = ("", "")
    box_joiner: str = ", "
    boxes: tuple[str, str] = ("", "")
    label: tuple[str, str] | None = ("", "")
    label_first: bool = True
    grouped: bool = True
    group_joiner: str = ""


@dataclass(frozen=True)
class Contract:
    """Output contract: how a model family writes boxes about the image that it was shown.

    Attributes:
        name: key in ``CONTRACTS``.
        space: coordinate space of the numbers.
        form: numbers that make a box.
        syntax: how they are laid out in text.
        user: the prompt, with ``{classes}`` in it.
        open_user: the prompt without a class list; None where the family was not taught to answer one.
        system: the system turn that declares the format, or None.
        class_joiner: between the classes in the prompt.
        angle: how angles are written; None where the form has none.
        decimals: digits after the point of coordinates.
        binned: numbers are indices of equal bins, written by floor and read at the bin's centre.
        yx: y stands before x.
        empty: the answer when there is nothing to find.
    """

    name: str
    space: CoordinateSpace
    form: VertexForm
    syntax: Lines | Json | Tagged
    user: str = "find the {classes}"
    open_user: str | None = None
    system: str | None = None
    class_joiner: str = ", "
    angle: Angle | None = None
    decimals: int = 0
    binned: bool = False
    yx: bool = False
    empty: str = "There are none."

    def __post_init__(self) -> None:
        if self.form.has_angle != (self.angle is not None):
            raise ValueError(f"contract {self.name}: {self.form.name} and {self.angle} do not go together")
        if self.binned and self.space.extent is None:
            raise ValueError(f"contract {self.name}: bins need a space with an extent, not {self.space.name}")


def detection_prompt(contract: Contract, classes: Sequence[str] | None) -> tuple[str | None, str]:
    """The system text (or None) and the user text that ask for all objects of some classes.

    Classes are written in lower case with spaces for hyphens, in alphabetical order, as RSCoVLM was trained.

    Args:
        contract: the model family's.
        classes: names, or None for whatever there is.

    Raises:
        SettingError: no classes, and the family has no prompt without them.
    """
    if classes is None:
        if contract.open_user is None:
            raise SettingError(f"contract {contract.name} has no open-vocabulary prompt; give a class list")
        return contract.system, contract.open_user
    if not classes:
        raise SettingError("an empty class list asks for nothing; name at least one class, or None for any")
    wanted = contract.class_joiner.join(spoken(name) for name in by_spoken_name(classes))
    return contract.system, contract.user.format(classes=wanted)


_RSCOVLM_OPEN = "find all the visible remote sensing objects"


def _rscovlm(name: str, form: VertexForm, layout: str, domain: str, what: str) -> Contract:
    """RSCoVLM's plain contracts. Its weights expect this very system sentence."""
    return Contract(
        name,
        PIXELS,
        form,
        Lines(),
        open_user=_RSCOVLM_OPEN,
        system=f"As an AI assistant, you specialize in accurate {domain} detection, delivering coordinates "
        f"{what}in plain text format '{layout} object'.",
        angle=Angle() if form.has_angle else None,
    )


def _rscovlm_json(name: str, form: VertexForm, key: str, system: str | None) -> Contract:
    what = "" if form is VertexForm.HORIZONTAL else "oriented bbox "
    ask = f"Locate {{items}} in the image and output the {what}coordinates in JSON format."
    return Contract(
        name,
        PIXELS,
        form,
        Json(key),
        user=ask.format(items="every item from the category list") + " The category set includes {classes}.",
        open_user=ask.format(items="all the visible remote sensing objects"),
        system=system,
        angle=Angle() if form.has_angle else None,
    )


# as the weights were trained, spelling included
_RSCOVLM_JSON_SYSTEM = (
    "You are an AI assistant specializing in oriented object detection. Represent objects with"
)

_QWEN = Contract(
    "qwen3-vl",
    PERMILLE,
    VertexForm.HORIZONTAL,
    Json("bbox_2d"),
    # QwenLM/Qwen3-VL, evaluation/ODinW-13
    user="Locate every instance that belongs to the following categories: '{classes}'. "
    "Report bbox coordinates in JSON format.",
    open_user="Locate every object. Report bbox coordinates in JSON format.",
    empty="```json\n[]\n```",
)

_BRACKETS = Contract(
    "lhrs-bot",
    UNIT,
    VertexForm.HORIZONTAL,
    Tagged(box=("[", "]"), label=None),
    user="Where is the {classes}?",
    decimals=2,
)

_DETECT = "Detect the {classes}."

_ALL = (
    _rscovlm(
        "rscovlm-quad",
        VertexForm.QUAD,
        "x1,y1,x2,y2,x3,y3,x4,y4",
        "oriented object",
        "of the polygon vertices ",
    ),
    _rscovlm("rscovlm-obb", VertexForm.ROTATED, "x,y,w,h,a", "oriented object", ""),
    _rscovlm("rscovlm-hbb", VertexForm.HORIZONTAL, "x1,y1,x2,y2", "image object", ""),
    _rscovlm_json(
        "rscovlm-json-quad",
        VertexForm.QUAD,
        "quadrant bbox",
        _RSCOVLM_JSON_SYSTEM + " quadrant bbox: the corrdinates of each vertices of the oriented bounding "
        "boxes in clock-wise order.",
    ),
    _rscovlm_json(
        "rscovlm-json-obb",
        VertexForm.ROTATED,
        "oriented bbox",
        _RSCOVLM_JSON_SYSTEM.rstrip() + ": center (x,y), width (w), height (h), and rotation angle.",
    ),
    _rscovlm_json("rscovlm-json-hbb", VertexForm.HORIZONTAL, "bbox_2d", None),
    Contract("nano", PERMILLE, VertexForm.QUAD, Lines(label_first=True), user="find the {classes}."),
    replace(
        _QWEN,
        name="qwen2.5-vl",
        space=PIXELS,
        # QwenLM/Qwen2.5-VL, cookbooks/spatial_understanding
        user="Locate every item from the category list in the image and output the coordinates in JSON "
        "format. The category set includes {classes}.",
        open_user="Locate every object in the image and output the coordinates in JSON format.",
    ),
    _QWEN,
    Contract(
        "qwen2-vl",
        PERMILLE,
        VertexForm.HORIZONTAL,
        Tagged(
            joiner=",",
            pair=("(", ")"),
            box=("<|box_start|>", "<|box_end|>"),
            label=("<|object_ref_start|>", "<|object_ref_end|>"),
            grouped=False,
        ),
        user=_DETECT,
    ),
    Contract(
        "lmmrotate",
        BINS_1000,
        VertexForm.QUAD,
        Tagged(number="<loc_{}>", joiner="", box_joiner="", group_joiner="<sep>"),
        user="Use polygons to mark the location of each {classes} in the image.",
        binned=True,
    ),
    Contract(
        "florence-2",
        BINS_1000,
        VertexForm.HORIZONTAL,
        Tagged(number="<loc_{}>", joiner="", box_joiner=""),
        user="Locate the objects with category name {classes} in the image.",
        open_user="<OD>",
        binned=True,
    ),
    Contract(
        "internvl",
        PERMILLE,
        VertexForm.QUAD,
        Tagged(boxes=("<box>[", "]</box>"), box=("[", "]"), label=("<ref>", "</ref>")),
        user=_DETECT,
    ),
    Contract(
        "deepseek-vl2",
        PERMILLE_999,
        VertexForm.HORIZONTAL,
        Tagged(boxes=("<|det|>[", "]<|/det|>"), box=("[", "]"), label=("<|ref|>", "<|/ref|>")),
        user="<|ref|>{classes}<|/ref|>",
    ),
    Contract(
        "geochat",
        PERCENT,
        VertexForm.TURNED,
        Tagged(
            number="<{}>",
            joiner="",
            box=("{", "}"),
            box_joiner="<delim>",
            boxes=(" ", ""),
            label=("<p>", "</p>"),
        ),
        user="[refer] {classes}",
        open_user="[grounding] describe the image in detail",
        angle=Angle(clockwise=False),
    ),
    Contract(
        "paligemma",
        BINS_1024,
        VertexForm.HORIZONTAL,
        Tagged(number="<loc{:04d}>", joiner="", label_first=False, grouped=False, group_joiner=" ; "),
        user="detect {classes}",
        class_joiner=" ; ",
        binned=True,
        yx=True,
        empty="",
    ),
    Contract(
        "gemini",
        PERMILLE,
        VertexForm.HORIZONTAL,
        Json("box_2d"),
        user="Detect the 2d bounding boxes of: {classes}. Answer with a JSON list of box_2d and label.",
        open_user="Detect the 2d bounding boxes of all objects. Answer with a JSON list of box_2d and label.",
        yx=True,
        empty="```json\n[]\n```",
    ),
    _BRACKETS,
    replace(_BRACKETS, name="kimi-vl", decimals=3),
    replace(_BRACKETS, name="teochat", space=PERCENT, decimals=0),
    replace(_BRACKETS, name="vhm", space=PERMILLE, decimals=0),
    # no code of GeoGround is public: frame and order by its paper (arXiv 2411.11904), the rest a guess
    replace(_BRACKETS, name="geoground", space=PERMILLE_999, decimals=0),
    replace(
        _BRACKETS,
        name="geoground-obb",
        space=PERMILLE_999,
        form=VertexForm.ROTATED,
        syntax=Tagged(box=("[", "]"), angle_joiner=", ", label=None),
        angle=Angle(),
        decimals=0,
    ),
    Contract(
        "skysensegpt",
        PERCENT,
        VertexForm.ROTATED,
        Tagged(number="<{}>", joiner="", box=("{", "}"), boxes=("<rbox>(", ")</rbox>"), label=None),
        user="Detect all {classes} in the image.",
        angle=Angle(convention=OC_V0),
        decimals=2,
    ),
    Contract(
        "falcon",
        BINS_1000,
        VertexForm.QUAD,
        Tagged(number="<{}>", joiner="", box_joiner=""),
        user=_DETECT,
        binned=True,
    ),
    Contract(
        "falcon-hbb",
        BINS_1000,
        VertexForm.HORIZONTAL,
        Tagged(number="<{}>", joiner="", box_joiner=""),
        user=_DETECT,
        binned=True,
    ),
)

_RELATIVE = tuple(
    replace(contract, name=f"{contract.name}@{PERMILLE.name}", space=PERMILLE)
    for contract in _ALL
    if contract.name.startswith("rscovlm-")
)
"""RSCoVLM's words with Qwen3-VL's coordinates: what this project trains Qwen3-VL on."""

CONTRACTS: dict[str, Contract] = {contract.name: contract for contract in (*_ALL, *_RELATIVE)}
"""The contracts by name. Sources: the published code or cards of each family."""
