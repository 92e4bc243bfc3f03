"""XML annotations: DIOR-R, FAIR1M and HRSC2016, one file per image.

XML from elsewhere is not trusted: a document type, and with it every entity, is refused, and so is nesting
deeper than these formats need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape

from detection_eval.errors import CannotWrite, FormatError
from detection_eval.files import write_text
from detection_eval.formats.class_lists import HRSC2016, HRSC2016_CODES
from detection_eval.formats.lines import (
    check_names,
    finite_numbers,
    shortest,
    text_files,
)
from detection_eval.formats.records import Collection, Gathering, ImageBoxes
from detection_eval.geometry.quads import Floats
from detection_eval.geometry.rotated import LE90, boxes_to_quads, quads_to_boxes
from detection_eval.text.labels import spoken

_DEEPEST = 32
_CORNERS = ("left_top", "right_top", "right_bottom", "left_bottom")


@dataclass
class Element:
    """An XML element with the line on which it starts, its tag without namespace.

    Attributes play no part in these formats.
    """

    tag: str
    place: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, path: str) -> Element | None:
        """The first element at a path of tags below this one, or None."""
        found: Element | None = self
        for tag in path.split("/"):
            found = next((child for child in found.children if child.tag == tag), None) if found else None
        return found

    def all(self, tag: str) -> list[Element]:
        """The children of a tag."""
        return [child for child in self.children if child.tag == tag]

    def word(self, path: str) -> str | None:
        """The text at a path, stripped; None where there is none."""
        found = self.find(path)
        return (found.text.strip() or None) if found else None

    def demand(self, path: str) -> str:
        """The text at a path.

        Raises:
            FormatError: there is none.
        """
        word = self.word(path)
        if word is None:
            raise FormatError(f"{self.place}: <{self.tag}> without <{path}>")
        return word

    def numbers(self, paths: Iterable[str]) -> list[float]:
        """The numbers at some paths.

        Raises:
            FormatError: one is missing or no number.
        """
        return [finite_numbers([self.demand(path)], self.place)[0] for path in paths]


def parse_xml(path: Path) -> Element:
    """The root of an XML file.

    Raises:
        FormatError: no XML, a document type, or too deep.
        OSError: the file cannot be read.
    """
    root = Element("", f"{path}:1")
    open_elements: list[tuple[Element, list[str]]] = [(root, [])]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag.rpartition(":")[2], f"{path}:{parser.CurrentLineNumber}")
        if len(open_elements) > _DEEPEST:
            raise FormatError(f"{element.place}: nested deeper than {_DEEPEST} elements")
        open_elements[-1][0].children.append(element)
        open_elements.append((element, []))

    def end(tag: str) -> None:
        element, pieces = open_elements.pop()
        element.text = "".join(pieces)

    def text(data: str) -> None:
        open_elements[-1][1].append(data)

    def refuse(*_: object) -> NoReturn:
        raise FormatError(
            f"{path}:{parser.CurrentLineNumber}: a document type, which annotations do not need"
        )

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise FormatError(f"{path}:{error.lineno}: not XML ({reason})") from None
    except (ValueError, LookupError) as error:  # an encoding that expat does not know
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}:1: not XML ({error})") from None
    return root.children[0]


def _read_folder(
    path: str | Path, gathering: Gathering, root: str, read: Callable[[Element, str, Gathering], None]
) -> Collection:
    for file in text_files(Path(path), ".xml"):
        element = parse_xml(file)
        if element.tag != root:
            raise FormatError(f"{element.place}: expected <{root}>, not <{element.tag}>")
        read(element, file.stem, gathering)
    return gathering.finish()


def _size(element: Element, width: str, height: str) -> tuple[int, int] | None:
    if element.word(width) is None or element.word(height) is None:
        return None
    sides = element.numbers([width, height])
    return int(sides[0]), int(sides[1])


def _grade(element: Element, path: str) -> int | None:
    word = element.word(path)
    if word is None or word.lower() == "unspecified":  # as annotation tools write it that have no such field
        return None
    return int(element.numbers([path])[0])


def _write_folder(
    folder: str | Path, collection: Collection, render: Callable[[str, ImageBoxes], list[str]]
) -> None:
    folder = Path(folder)
    check_names(collection.images, file=True)
    folder.mkdir(exist_ok=True)
    for image, boxes in collection.images.items():
        lines = ['<?xml version="1.0" encoding="utf-8"?>', *render(image, boxes)]
        write_text(folder / f"{image}.xml", "\n".join(lines) + "\n")


def _tag(name: str, value: object) -> str:
    return f"<{name}>{escape(shortest(value) if isinstance(value, float) else str(value))}</{name}>"


# --- DIOR-R ---------------------------------------------------------------------------------------


def read_dior(path: str | Path, classes: Sequence[str] | None = None) -> Collection:
    """Read DIOR-R: ``object/robndbox``, or ``bndbox`` of the horizontal variant.

    Args:
        path: a file, or a folder of them.
        classes: the names that count; None takes those of the files.

    Raises:
        FormatError: with the line.
        OSError: a file cannot be read.
    """
    return _read_folder(path, Gathering(classes), "annotation", _read_dior)


def _read_dior(root: Element, image: str, gathering: Gathering) -> None:
    size = _size(root, "size/width", "size/height")
    gathering.image(image, root.place, file_name=root.word("filename"), size=size)
    for element in root.all("object"):
        box = element.find("robndbox")
        if box is not None:
            corners = box.numbers(f"{axis}_{corner}" for corner in _CORNERS for axis in "xy")
        else:
            x0, y0, x1, y1 = element.numbers(f"bndbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))
            corners = [x0, y0, x1, y0, x1, y1, x0, y1]
        grade = _grade(element, "difficult")
        gathering.box(image, corners, element.demand("name"), element.place, None, grade)


def write_dior(folder: str | Path, collection: Collection) -> None:
    """Write DIOR-R annotations.

    Raises:
        CannotWrite: an image id that is not a valid file name.
        OSError: a file cannot be written.
    """
    _write_folder(folder, collection, _render_dior)


def _render_dior(image: str, boxes: ImageBoxes) -> list[str]:
    lines = ["<annotation>", _tag("filename", boxes.file_name)] if boxes.file_name else ["<annotation>"]
    if boxes.size:
        sides = _tag("width", boxes.size[0]) + _tag("height", boxes.size[1])
        lines.append(f"<size>{sides}<depth>3</depth></size>")
    for row, (polygon, name) in enumerate(zip(boxes.detections.polygons, boxes.detections.names)):
        corners = "".join(
            _tag(f"x_{corner}", float(x)) + _tag(f"y_{corner}", float(y))
            for corner, (x, y) in zip(_CORNERS, polygon)
        )
        grade = "" if boxes.difficulty is None else _tag("difficult", int(boxes.difficulty[row]))
        lines.append(
            f"<object>{_tag('name', name)}{grade}<type>robndbox</type><robndbox>{corners}</robndbox></object>"
        )
    return [*lines, "</annotation>"]


# --- FAIR1M ---------------------------------------------------------------------------------------


def read_fair1m(path: str | Path, classes: Sequence[str] | None = None) -> Collection:
    """Read FAIR1M: ``objects/object/points`` of four points, or five where the first closes the ring.

    Submissions have ``possibleresult/probability``, which is read as a score. Categories ``other-...`` are
    left out where they are none of the classes.

    Raises:
        FormatError: with the line.
        OSError: a file cannot be read.
    """
    return _read_folder(path, Gathering(classes), "annotation", _read_fair1m)


def _read_fair1m(root: Element, image: str, gathering: Gathering) -> None:
    size = _size(root, "size/width", "size/height")
    gathering.image(image, root.place, file_name=root.word("source/filename"), size=size)
    objects = root.find("objects")
    for element in objects.all("object") if objects else []:
        points = element.find("points")
        written = [point.text.strip() for point in points.all("point")] if points else []
        if len(written) == 5 and written[4] == written[0]:
            del written[4]
        if len(written) != 4 or any(point.count(",") != 1 for point in written):
            raise FormatError(f"{element.place}: expected <points> as a ring of four points 'x,y'")
        corners = finite_numbers((number for point in written for number in point.split(",")), element.place)
        known = element.word("possibleresult/probability") is not None
        score = element.numbers(["possibleresult/probability"])[0] if known else None
        gathering.box(image, corners, element.demand("possibleresult/name"), element.place, score)


def write_fair1m(folder: str | Path, collection: Collection) -> None:
    """Write FAIR1M annotations, with probabilities where there are scores.

    Raises:
        CannotWrite: an image id that is not a valid file name.
        OSError: a file cannot be written.
    """
    _write_folder(folder, collection, _render_fair1m)


def _render_fair1m(image: str, boxes: ImageBoxes) -> list[str]:
    lines = ["<annotation>", f"<source>{_tag('filename', boxes.file_name or f'{image}.tif')}</source>"]
    if boxes.size:
        sides = _tag("width", boxes.size[0]) + _tag("height", boxes.size[1])
        lines.append(f"<size>{sides}<depth>3</depth></size>")
    lines.append("<objects>")
    found = boxes.detections
    for row, (polygon, name) in enumerate(zip(found.polygons, found.names)):
        ring = [*polygon, polygon[0]]
        points = "".join(_tag("point", f"{shortest(x)},{shortest(y)}") for x, y in ring)
        score = "" if found.scores is None else _tag("probability", float(found.scores[row]))
        lines.append(
            "<object><coordinate>pixel</coordinate><type>rectangle</type><description>None</description>"
            f"<possibleresult>{_tag('name', name)}{score}</possibleresult><points>{points}</points></object>"
        )
    return [*lines, "</objects>", "</annotation>"]


# --- HRSC2016 -------------------------------------------------------------------------------------

_HRSC_BOX = ("mbox_cx", "mbox_cy", "mbox_w", "mbox_h", "mbox_ang")


def read_hrsc(path: str | Path, classes: Sequence[str] | None = None) -> Collection:
    """Read HRSC2016: ``HRSC_Object`` with ``mbox_cx .. mbox_ang`` (radians).

    Args:
        path: a file, or a folder of them.
        classes: ``("ship",)``, which is also meant by None, takes objects of every ``Class_ID``; other
            lists take the names of ``HRSC2016_CODES``.

    Raises:
        FormatError: with the line.
        OSError: a file cannot be read.
    """
    wanted = HRSC2016 if classes is None else tuple(classes)
    one = len(wanted) == 1 and spoken(wanted[0]) == "ship"

    def read(root: Element, image: str, gathering: Gathering) -> None:
        _read_hrsc(root, image, gathering, wanted[0] if one else None)

    return _read_folder(path, Gathering(wanted), "HRSC_Image", read)


def _read_hrsc(root: Element, image: str, gathering: Gathering, one: str | None) -> None:
    name = root.word("Img_FileName")
    suffix = root.word("Img_FileFmt")
    file_name = f"{name}.{suffix}" if name and suffix and "." not in name else name
    size = _size(root, "Img_SizeWidth", "Img_SizeHeight")
    gathering.image(image, root.place, file_name=file_name, size=size)
    objects = root.find("HRSC_Objects")
    for element in objects.all("HRSC_Object") if objects else []:
        corners = boxes_to_quads([element.numbers(_HRSC_BOX)]).reshape(8).tolist()
        code = element.demand("Class_ID")
        category = one or HRSC2016_CODES.get(code[-2:] if code.startswith("1000000") else "")
        if category is None:
            raise FormatError(
                f"{element.place}: Class_ID {code} is none of HRSC2016's; read as one class, ship"
            )
        gathering.box(image, corners, category, element.place, None, _grade(element, "difficult"))


def write_hrsc(folder: str | Path, collection: Collection) -> None:
    """Write HRSC2016 annotations: the rectangles around the polygons, to 9 decimals.

    Raises:
        CannotWrite: a class unknown to HRSC2016, or an image id that is not a valid file name.
        OSError: a file cannot be written.
    """
    codes = {name: code for code, name in HRSC2016_CODES.items()}
    for name in collection.classes:
        if name not in codes:
            raise CannotWrite(f"class {name!r} is none of HRSC2016's: {', '.join(codes)}")
    _write_folder(folder, collection, lambda image, boxes: _render_hrsc(image, boxes, codes))


def _render_hrsc(image: str, boxes: ImageBoxes, codes: dict[str, str]) -> list[str]:
    stem, _, suffix = (boxes.file_name or f"{image}.bmp").rpartition(".")
    lines = ["<HRSC_Image>", _tag("Img_FileName", stem), _tag("Img_FileFmt", suffix)]
    if boxes.size:
        lines += [_tag("Img_SizeWidth", boxes.size[0]), _tag("Img_SizeHeight", boxes.size[1])]
    lines.append("<HRSC_Objects>")
    rectangles: Floats = quads_to_boxes(boxes.detections.polygons, LE90).round(9) + 0.0
    for row, (numbers, name) in enumerate(zip(rectangles.tolist(), boxes.detections.names)):
        box = "".join(_tag(tag, number) for tag, number in zip(_HRSC_BOX, numbers))
        grade = "" if boxes.difficulty is None else _tag("difficult", int(boxes.difficulty[row]))
        lines.append(f"<HRSC_Object>{_tag('Class_ID', f'1000000{codes[name]}')}{grade}{box}</HRSC_Object>")
    return [*lines, "</HRSC_Objects>", "</HRSC_Image>"]
