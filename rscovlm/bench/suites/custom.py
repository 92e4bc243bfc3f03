"""Benchmarks of a user's own, without code: YAML that says which field holds what, or items as JSON lines.

.. code-block:: yaml

    name: ponds
    data: ponds.csv          # JSON, JSON lines, CSV, Parquet, Arrow; or {test: a.jsonl, val: b.jsonl}
    images: pictures         # where image names start from
    fields: {id: number, image: file, question: text, answer: gold}
    groups: [district]

Without ``fields``, records are items as runs log them (``rscovlm.bench.records``), with images by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from configs import load_config
from configs.checking import Section, checked
from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item, Kind, Truth
from rscovlm.bench.records import item_from_json
from rscovlm.bench.suites.items import answers_of, choice, grounding, groups_of, scaled
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Items, Layout, Reader, benchmark, of_records
from rscovlm.data.readers.common import LeftOut, Options, Record, box_of, id_of, text_of
from rscovlm.data.readers.conversations import frames
from rscovlm.data.readers.fields import choices_of, field_at
from rscovlm.errors import UsageError

Unit = Literal["pixels", "0-1", "0-100", "0-1000"]
_EXTENTS: Mapping[str, float] = {"0-1": 1.0, "0-100": 100.0, "0-1000": 1000.0}
_SUFFIXES = (".yaml", ".yml", ".jsonl")


class Fields(Section):
    """Which field of a record holds what; a dot reaches into objects (``meta.image``)."""

    image: str
    """A name, a list of names, or an image inside a table."""
    question: str | None = None
    """The question, or the phrase to find; classes and captions need none."""
    answer: str | None = None
    """Words, a list of words that are right, letters of options, a class."""
    id: str | None = None
    """Of the record; its place in the file where it has none."""
    choices: str | None = None
    """Options, as a list or one in each line; of classification the classes."""
    boxes: str | None = None
    """The right box (4 or 8 numbers), or a list of boxes."""


class Sheet(Section):
    """A benchmark of a user's own, as YAML."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """As the command line and tables call it."""
    data: str | dict[str, str]
    """File of records, or one for each split, from the folder of this file."""
    images: str = "."
    """Folder that image names start from."""
    title: str = ""
    """In words."""
    source: str = "a file of the user"
    """How to get it."""
    licence: str = "not stated"
    """Of annotations and images."""
    kind: Kind | None = None
    """What is asked; left out, boxes make it ground, choices make it choice, and anything else open."""
    classes: tuple[str, ...] = ()
    """Of classification and detection, where they are the same for all records."""
    boxes_in: Unit = "pixels"
    """What coordinates are counted in; each side of the image is as long as the number after the dash."""
    groups: tuple[str, ...] = ()
    """Fields that scores are shown by."""
    fields: Fields | None = None
    """Which field holds what; None where records are items."""
    prompts: str = "default"
    """Profile of the words of the request."""


class UserBenchmark(NamedTuple):
    """A benchmark and the folder that its files lie in."""

    benchmark: Benchmark
    root: Path


def is_file_of_items(name: str) -> bool:
    """Whether a benchmark is given as a file rather than by its name."""
    return Path(name).suffix.lower() in _SUFFIXES


def load_benchmark(path: Path) -> UserBenchmark:
    """A benchmark from YAML (``Sheet``), or from JSON lines of items, called by the name of the file.

    Raises:
        UsageError: it is neither.
        ConfigError: YAML with unknown or wrong settings, all of them named.
        OSError: it does not exist.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    if path.suffix.lower() == ".jsonl":
        sheet = Sheet(name=path.stem.lower().replace(" ", "-"), data=path.name)
    elif path.suffix.lower() in _SUFFIXES:
        sheet = checked(Sheet, load_config(path), str(path))
    else:
        raise UsageError(f"{path} is no benchmark; give YAML or JSON lines ({', '.join(_SUFFIXES)})")
    return UserBenchmark(_benchmark(sheet), path.resolve().parent)


def _benchmark(sheet: Sheet) -> Benchmark:
    splits = {"test": sheet.data} if isinstance(sheet.data, str) else sheet.data
    files = {split: (name,) for split, name in splits.items()}
    items = of_records(_reader(sheet, sheet.fields)) if sheet.fields else _canonical()
    kinds: tuple[Kind, ...] = (sheet.kind,) if sheet.kind else ()
    return benchmark(
        Reader(sheet.name, (Layout(files, items, (sheet.images, ".")),), kinds, sheet.groups),
        title=sheet.title or sheet.name,
        layout=f"ROOT/{', ROOT/'.join(splits.values())}; images below ROOT/{sheet.images}",
        source=sheet.source,
        licence=sheet.licence,
        counts={},
        prompts=sheet.prompts,
    )


def _canonical() -> Items:
    def read(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
        item = item_from_json(record, place)
        yield replace(item, images=tuple(pictures.locate(name) for name in item.images))

    return of_records(read)


def _reader(sheet: Sheet, fields: Fields) -> Callable[[str, Record, Pictures, Options], Iterator[Item]]:
    named = {name: field for name, field in fields.model_dump().items() if field}

    def read(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
        found = {name: field_at(record, field, name) for name, field in named.items()}
        kind = sheet.kind or ("ground" if "boxes" in named else "choice" if "choices" in named else "open")
        images = tuple(pictures.locate(name) for name in frames({"images": found["image"]}))
        if not images:
            raise LeftOut("no image", f"{named['image']} is empty")
        groups = groups_of(record, **{name: name for name in sheet.groups})
        yield _item(kind, id_of(found, place), images, found, sheet, groups, pictures)

    return read


def _item(
    kind: Kind,
    key: str,
    images: tuple[str, ...],
    found: Record,
    sheet: Sheet,
    groups: Mapping[str, str],
    pictures: Pictures,
) -> Item:
    if kind == "ground":
        boxes = [box_of(corners) for corners in _corners(found.get("boxes"), sheet, images[0], pictures)]
        if not boxes:
            raise LeftOut("no right box", f"{found.get('boxes')!r:.60}")
        return grounding(key, images[0], text_of(found, "question"), boxes, groups=groups)
    if kind == "choice":
        question = text_of(found, "question")
        return choice(key, images, question, found.get("choices"), found.get("answer"), groups=groups)
    if kind == "classify":
        classes = sheet.classes or choices_of(found.get("choices"))
        answer = text_of(found, "answer")
        if answer not in classes:
            raise LeftOut("its class is none of the candidates", f"{answer!r} of {len(classes)}")
        return Item(key, images, kind, "", Truth((answer,)), classes, groups)
    if kind == "detect":
        raise LeftOut("detection is no table of questions", "give items, or bench detections")
    subject = "" if kind == "caption" and not found.get("question") else text_of(found, "question")
    return Item(key, images, kind, subject, Truth(answers_of(found.get("answer"))), groups=groups)


def _corners(written: object, sheet: Sheet, image: str, pictures: Pictures) -> list[list[float]]:
    """The boxes of a record in pixels of its image."""
    if not isinstance(written, list) or not written:
        raise LeftOut("its box is malformed", f"{written!r:.60}")
    boxes = written if isinstance(written[0], list) and len(written[0]) in (4, 8) else [written]
    if sheet.boxes_in == "pixels":
        return boxes
    size = pictures.size(image)
    if size is None:
        raise LeftOut("its box is in parts of an image that cannot be opened", image)
    extent = _EXTENTS[sheet.boxes_in]
    return [scaled([number / extent for number in box], size.width, size.height) for box in boxes]
