"""Shared by all readers: options, the account of omissions, records with places, images, boxes."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from detection_eval.formats.lines import json_lines, read_json
from detection_eval.geometry.quads import area, bounds, box_quads, canonical, min_area_rectangle
from rscovlm.data.readers.containers import Extracted, contained, kind_of_container
from rscovlm.data.sample import Box, ImageRef, Task, Turn
from rscovlm.errors import DataError
from tiling.errors import SceneError
from tiling.headers import image_size

Geometry = Literal["auto", "hbb", "obb", "polygon"]
Record = Mapping[str, Any]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".vrt", ".jp2")
"""Image files that are looked for where a data set names an image without suffix, in this order."""

_FARTHEST = 1e7  # px; no image is as large, and areas stay finite


class LeftOut(Exception):
    """One record cannot become a sample; the message is the reason that it is counted under.

    Args:
        reason: the same for all records that fail alike.
        detail: what was found.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass
class Account:
    """Account of the records of a conversion.

    Attributes:
        left_out: records that did not become samples, by reason.
        changed: what was mended, or kept other than it was written, by kind.
        places: of everything in ``left_out``: (reason, place and detail).
        record: number from 0 of the record at hand in its file.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    places: list[tuple[str, str]] = field(default_factory=list)
    record: int = 0

    def leave_out(self, error: LeftOut, place: str) -> None:
        """Count a record that does not become a sample."""
        self.left_out[error.reason] += 1
        self.places.append((error.reason, f"{place}: {error.detail}" if error.detail else place))

    def reasons(self) -> str:
        """Why records were left out, with counts and the first place, in one line; "it is empty" for none."""
        told = "; ".join(f"{count:,} x {reason}" for reason, count in self.left_out.most_common())
        return f"{told or 'it is empty'}{f' (first: {self.places[0][1]})' if self.places else ''}"

    def lines(self, examples: int, rest: str = "") -> list[str]:
        """For a terminal: what was left out with its first places, then what was changed.

        Args:
            examples: places of a reason that are named.
            rest: where the others are, after "and n more".
        """
        lines = []
        for reason, count in self.left_out.most_common():
            places = [place for own, place in self.places if own == reason]
            lines += [f"{count:,} left out: {reason}", *(f"  {place}" for place in places[:examples])]
            if len(places) > examples:
                lines.append(f"  and {len(places) - examples:,} more{rest}")
        return lines + [f"{count:,} changed: {kind}" for kind, count in self.changed.most_common()]


@dataclass(frozen=True)
class Options:
    """Options of a user for a data set. Each reader takes those that concern it.

    Attributes:
        source: the name that samples carry.
        classes: detection and scene classes: the names that count; None takes the data set's own.
        geometry: boxes as annotated (auto), or made horizontal (hbb), rectangles (obb), or taken as polygons.
        boxes: the contract of box text in conversations (``detection_eval.text.contracts``); None takes the
            family's own; "none" leaves text as it is.
        clockwise: how GeoChat's angles turn on the image. Its two published readers disagree; the one that
            draws the boxes of its demo turns them counter-clockwise.
        unreadable: what happens to a sample with box text that cannot be read: drop, or keep as plain text.
        task: what conversations teach; None takes what the family's data set says.
        targets: REO-Instruct: name of the target by the field that holds it.
        fields: the generic reader: field of the records by what it holds (``rscovlm.data.readers.fields``).
        crop_margin_px: LRS-VQA-Zoom: added to each side of the boxes to zoom to, in pixels of the image.
        extracted: where images inside tables and archives are written.
        peek: records are only looked at, so that images inside are named, and not written.
        rows: of a table, those that are read by their numbers from 0, rising; None for all.
        account: is filled as records are read.
    """

    source: str = ""
    classes: Sequence[str] | None = None
    geometry: Geometry = "auto"
    boxes: str | None = None
    clockwise: bool = False
    unreadable: Literal["drop", "keep"] = "drop"
    task: Task | None = None
    targets: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    crop_margin_px: float = 0.0
    extracted: Extracted = field(default_factory=Extracted)
    peek: bool = False
    rows: Sequence[int] | None = None
    account: Account = field(default_factory=Account)


# --- records --------------------------------------------------------------------------------------


def read_records(path: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """The objects of a JSON list or of JSON lines, each with its place ``file:line`` or ``file: entry n``.

    An object that holds one list (``{"data": [...]}``) stands for the list. The rows of CSV, Parquet and
    Arrow, shards of them in a folder, and the members of tar and zip are records too
    (``rscovlm.data.readers.containers``).

    Raises:
        FormatError: not JSON.
        DataError: a record is not an object.
        OSError: it cannot be read.
    """
    kind = kind_of_container(path)
    if kind:
        extracted = Extracted(None, names_only=True) if options.peek else options.extracted
        found = contained(path, extracted, _values, options.rows)
    else:
        found = _values(path)
    some = options.rows if kind == "table" else None
    for number, (place, value) in zip(itertools.count() if some is None else some, found):
        if not isinstance(value, dict):
            raise DataError(f"{place}: a record is a JSON object, not {type(value).__name__}")
        options.account.record = number
        yield place, value


def _values(path: Path) -> Iterator[tuple[str, Any]]:
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the JSON file in it")
    if path.suffix.lower() in (".jsonl", ".ndjson") or not _one_document(path):
        yield from json_lines(path)
        return
    content = read_json(path)
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        content = lists[0] if len(lists) == 1 else [content]
    if not isinstance(content, list):
        raise DataError(f"{path}: a list of records is due, not {type(content).__name__}")
    for position, value in enumerate(content):
        yield f"{path}: entry {position}", value


def _one_document(path: Path) -> bool:
    """Whether a file is one JSON text. Its first line is not one by itself, or it is the only line."""
    with path.open("rb") as file:
        head = file.readline().lstrip(b"\xef\xbb\xbf").strip()
        second = file.readline().strip()
    if head.startswith(b"[") or not second:
        return True
    try:
        json.loads(head)
    except ValueError:
        return True
    return False


def each(
    records: Iterator[tuple[str, Record]], options: Options, read: Callable[[str, Record], Iterator[Any]]
) -> Iterator[Any]:
    """Apply a function to each record; records on which it fails are put down in the account."""
    for place, record in records:
        try:
            yield from read(place, record)
        except LeftOut as error:
            options.account.leave_out(error, place)
        except DataError as error:  # a sample that contradicts itself
            options.account.leave_out(LeftOut("it makes no valid sample", str(error)), place)


def text_of(record: Record, *names: str, what: str = "") -> str:
    """The first filled text among some fields; numbers count as text.

    Raises:
        LeftOut: there is none.
    """
    for name in names:
        value = record.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return value.strip()
    raise LeftOut(f"no {what or names[0]}", f"none of the fields {', '.join(names)} holds text")


def id_of(record: Record, place: str, *names: str) -> str:
    """The id of a record, or one from its place."""
    for name in (*names, "id", "question_id"):
        value = record.get(name)
        if isinstance(value, (str, int)) and str(value).strip():
            return str(value)
    return PurePosixPath(place.replace(": entry ", ":")).name


def listed(record: Record, *names: str) -> list[Any]:
    """The first filled list among some fields; [] where all are empty or missing.

    Raises:
        LeftOut: a field holds something else.
    """
    for name in names:
        value = record.get(name)
        if value:
            if not isinstance(value, list):
                raise LeftOut("a field is malformed", f"{name} is no list but {value!r:.60}")
            return value
    return []


def stated_size(record: Record, height: str, width: str) -> tuple[int, int] | None:
    """(height, width) that two fields state, or None where one is missing or empty.

    Raises:
        LeftOut: they are no positive numbers.
    """
    sides: tuple[Any, Any] = record.get(height), record.get(width)
    if not all(sides):
        return None
    if not all(isinstance(side, (int, float)) and 1 <= side < _FARTHEST for side in sides):
        raise LeftOut("a field is malformed", f"{sides!r:.60} is no height and width")
    return int(sides[0]), int(sides[1])


def kept(record: Record, *names: str) -> dict[str, Any]:
    """The fields of a record that are worth keeping as attributes."""
    return {name: record[name] for name in names if record.get(name) not in (None, "", [], {})}


def ask(question: str, answer: str, images: int = 1) -> tuple[Turn, Turn]:
    """One question about some images and its answer."""
    return Turn("user", "<image>" * images + question.strip()), Turn("assistant", answer.strip())


# --- images ---------------------------------------------------------------------------------------


class ImageFolder:
    """Images of a folder, by name or by id.

    Args:
        folder: where names start from.

    Raises:
        NotADirectoryError: it is none.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder of images")
        self.folder = folder.resolve()
        self._names: dict[Path, dict[str, str]] = {}

    def find(self, *names: str) -> Path:
        """The file of the first name that has one.

        Args:
            names: relative to the folder; without a suffix, or with another one, if need be.

        Raises:
            LeftOut: there is none.
        """
        for name in names:
            found = self._file(name)
            if found is not None:
                return found
        raise LeftOut("its image is missing", names[0])

    def _file(self, name: str) -> Path | None:
        relative = PurePosixPath(PureWindowsPath(name).as_posix())
        path = self.folder / relative
        if path.is_file():
            return path
        if path.parent not in self._names:
            self._names[path.parent] = _stems(path.parent)
        here = self._names[path.parent]
        found = here.get(relative.name) or here.get(relative.stem)
        return None if found is None else path.parent / found

    def ref(self, name: str, size: tuple[int, int] | None = None) -> ImageRef:
        """The image of a name with its size from the header.

        Args:
            name: of the file.
            size: (height, width) that the annotations state, if they do.

        Raises:
            LeftOut: it is missing, cannot be opened, or is of another size than its boxes are for.
        """
        path = self.find(name)
        try:
            found = image_size(path)
        except (SceneError, OSError) as error:
            raise LeftOut("its image cannot be opened", str(error)) from error
        if size is not None and tuple(size) != found:
            raise LeftOut(
                "its image is of another size than annotated",
                f"{name} has {found[1]} x {found[0]} px, its annotation says {size[1]} x {size[0]}",
            )
        return ImageRef(str(path), size=(found.height, found.width))


def _stems(folder: Path) -> dict[str, str]:
    """The images of a folder by name without suffix."""
    if not folder.is_dir():
        return {}
    rank = {suffix: place for place, suffix in enumerate(IMAGE_SUFFIXES)}
    names = [path.name for path in folder.iterdir() if path.suffix.lower() in rank]
    names.sort(key=lambda name: (-rank[Path(name).suffix.lower()], name))
    return {Path(name).stem: name for name in names}


# --- boxes ----------------------------------------------------------------------------------------


def box_of(
    corners: ArrayLike,
    geometry: Geometry = "auto",
    *,
    label: str = "",
    image: int = 0,
    difficult: bool = False,
    horizontal: bool | None = None,
) -> Box:
    """A box from its numbers: x0, y0, x1, y1 in pixels, or four points.

    Args:
        corners: 4 or 8 numbers, or (4, 2).
        geometry: see ``Options``.
        label: its class.
        image: which image it is on.
        difficult: marked so.
        horizontal: whether only bounds are known; None says so of 4 numbers.

    Raises:
        LeftOut: other than 4 or 8 numbers, numbers that no image reaches, or a box without area.
    """
    try:
        numbers = np.asarray(corners, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.size not in (4, 8) or not (np.abs(numbers) < _FARTHEST).all():
        raise LeftOut("its box is malformed", f"{corners!r:.80} is neither 4 nor 8 coordinates")
    flat = numbers.size == 4 if horizontal is None else horizontal
    low_high = bounds(numbers.reshape(-1, 2))
    if numbers.size == 4 or geometry == "hbb":
        quad = box_quads(low_high)[0]
    else:
        quad = canonical(numbers.reshape(1, 4, 2))[0]
    if geometry == "obb" and numbers.size == 8:
        quad = min_area_rectangle(quad)
    if area(quad) <= 0:
        raise LeftOut("its box has no area", f"{np.round(numbers, 2).tolist()}")
    return Box(quad, label, image, flat or geometry == "hbb", difficult)


def outside(box: Box, size: tuple[int, int]) -> bool:
    """Whether nothing of a box lies inside an image of (height, width)."""
    x0, y0, x1, y1 = bounds(box.polygon).tolist()
    return bool(x1 <= 0 or y1 <= 0 or x0 >= size[1] or y0 >= size[0])


def box_inside(
    corners: ArrayLike,
    size: tuple[int, int],
    options: Options,
    *,
    label: str,
    difficult: bool = False,
    horizontal: bool | None = None,
) -> Box | None:
    """A labelled box of an image of (height, width); None, counted, without area or outside the image.

    Args:
        corners: as of :func:`box_of`.
        size: of the image.
        options: of the reader, whose account counts.
        label: its class.
        difficult: marked so.
        horizontal: as of :func:`box_of`.
    """
    try:
        box = box_of(corners, options.geometry, label=label, difficult=difficult, horizontal=horizontal)
    except LeftOut:
        options.account.changed["boxes without area removed"] += 1
        return None
    if outside(box, size):
        options.account.changed["boxes outside their image removed"] += 1
        return None
    return box
