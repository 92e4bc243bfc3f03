"""A contract: how a model family writes boxes, declared once and never guessed from the answer.

A ``Contract`` is a coordinate frame x a vertex form x a wire form. The frame that a model writes in cannot
be told from its text (0-1000 or pixels?), and choosing it by what fits the ground truth would leak the answer
into the score; so it belongs to the model family. ``contracts`` has those of the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from detection_eval.errors import SettingError
from detection_eval.geometry.rotated import LE90, AngleConvention
from detection_eval.text.coordinates import CoordinateSpace
from detection_eval.text.labels import by_spoken_name, spoken


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
