"""Visual grounding: refGeo's records, DIOR-RSVG's XML, and what is published in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from detection_eval.formats.lines import text_files
from detection_eval.formats.markup import parse_xml
from rscovlm.data.readers.common import (
    ImageFolder,
    LeftOut,
    Options,
    Record,
    box_of,
    each,
    id_of,
    kept,
    outside,
    read_records,
    stated_size,
    text_of,
)
from rscovlm.data.sample import Box, ImageRef, Sample

PHRASES = ("question", "expression", "phrase", "description", "sentence", "referring_sentence", "caption")
"""Fields that hold the phrase, the first filled one."""
IMAGES = ("image_id", "image", "file_name", "filename", "img_id", "image_path")
"""Fields that name the image, the first filled one."""


def read_refgeo(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """refGeo (GeoGround): JSON or JSON lines of DIOR-RSVG, RSVG, GeoChat, VRSBench and AVVG.

    A record has ``image_id``, ``question``, ``bbox`` in pixels (x0, y0, x1, y1), and often ``poly`` (four
    points), ``dataset``, ``image_width`` and ``image_height``. Images lie in ``IMAGES/<dataset>`` or in
    ``IMAGES``. The polygon counts where there is one, unless ``options.geometry`` is hbb. Other names of the
    same fields (``expression``, ``description``, ``image``, ...) are read too.
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        phrase = text_of(record, *PHRASES, what="phrase")
        image = _image(record, folder)
        written = record.get("poly")
        if not written or options.geometry == "hbb":
            written = record.get("bbox") or written
        box = _inside(box_of(written or [], options.geometry), image)
        yield _sample(
            id_of(record, place), image, phrase, box, kept(record, "dataset", "split", "type", "mask")
        )

    yield from each(read_records(path, options), options, read)


def _image(record: Record, folder: ImageFolder) -> ImageRef:
    name = text_of(record, *IMAGES, what="image")
    size = stated_size(record, "image_height", "image_width")
    part = record.get("dataset")
    if isinstance(part, str) and part:
        try:
            return folder.ref(f"{part}/{name}", size)
        except LeftOut as error:
            if "missing" not in error.reason:
                raise
    return folder.ref(name, size)


def _inside(box: Box, image: ImageRef) -> Box:
    if image.size is not None and outside(box, image.size):
        raise LeftOut("its box lies outside its image", str(box.polygon.tolist()))
    return box


def _sample(name: str, image: ImageRef, phrase: str, box: Box, attributes: dict[str, Any]) -> Sample:
    phrase = " ".join(phrase.split()).rstrip(". ")
    return Sample(name, "grounding", (image,), (), (box,), phrase=phrase, attributes=attributes)


class Described(NamedTuple):
    """An object of DIOR-RSVG's XML.

    Attributes:
        key: ``<file>:<number>``.
        image: name of its image.
        phrase: its description.
        box: its bounds in pixels, with its class.
        place: file and line.
    """

    key: str
    image: str
    phrase: str
    box: Box
    place: str


def xml_objects(path: Path, options: Options) -> Iterator[Described]:
    """The described objects of DIOR-RSVG's XML; others are left out and counted."""
    for file in text_files(path, ".xml"):
        root = parse_xml(file)
        name = root.word("filename") or file.stem
        for number, element in enumerate(root.all("object")):
            try:
                phrase = element.word("description")
                if phrase is None:
                    raise LeftOut("no phrase", "<object> without <description>")
                corners = element.numbers(f"bndbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))
                box = box_of(corners, options.geometry, label=element.word("name") or "")
                yield Described(f"{file.stem}:{number}", name, phrase, box, element.place)
            except LeftOut as error:
                options.account.leave_out(error, element.place)


def read_rsvg_xml(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """DIOR-RSVG as published: a folder of XML files with ``object/description`` and ``object/bndbox``.

    A sample for each object, called ``<file>:<number>``. The official split files number objects over all
    files in the order in which the system listed them, which differs between machines; use ids instead.
    """
    folder = ImageFolder(images)
    for found in xml_objects(path, options):
        try:
            image = folder.ref(found.image)
            yield _sample(found.key, image, found.phrase, _inside(found.box, image), {})
        except LeftOut as error:
            options.account.leave_out(error, found.place)
