"""Scene classification: a folder for each class, and VHM's conversations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rscovlm.data.readers.common import (
    IMAGE_SUFFIXES,
    ImageFolder,
    LeftOut,
    Options,
    Record,
    each,
    id_of,
    kept,
    read_records,
)
from rscovlm.data.readers.conversations import Dialogue, dialogue, untagged, with_boxes
from rscovlm.data.sample import Sample
from rscovlm.errors import DataError

_CANDIDATES = re.compile(
    r"Classify the (?:given )?image (?:within|into|as) one of the (?:given|following) classes:\s*(.+?)"
    r"\s*(?:\.?\s*Answer with one word or (?:a )?short phrase\.?)?\s*$",
    re.IGNORECASE | re.DOTALL,
)


def read_folders(path: Path, images: Path | None, options: Options) -> Iterator[Sample]:
    """AID, UCMerced, NWPU-RESISC45, WHU-RS19 and the like: images in folders named by their class.

    The candidates are all folders that hold images, or ``options.classes``, to which images are limited then.
    """
    del images  # they are what is read
    folder = ImageFolder(path)
    for name, files, classes in class_folders(path, options.classes):
        for file in files:
            try:
                image = folder.ref(f"{name}/{file}")
                yield Sample(f"{name}/{file}", "classification", (image,), classes=classes, answer=name)
            except LeftOut as error:
                options.account.leave_out(error, str(path / name / file))


def class_folders(
    path: Path, wanted: Sequence[str] | None = None
) -> Iterator[tuple[str, list[str], tuple[str, ...]]]:
    """The folders of images named by a class: (class, image names, all classes).

    Args:
        path: holds them.
        wanted: the classes that count, in order; None takes all folders that hold images.

    Raises:
        NotADirectoryError: it is no folder.
        DataError: there are no such folders.
    """
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is no folder with a folder for each class")
    found = {entry.name: _images(entry) for entry in sorted(path.iterdir()) if entry.is_dir()}
    found = {name: files for name, files in found.items() if files}
    classes = tuple(found) if wanted is None else tuple(wanted)
    if not any(name in found for name in classes):
        raise DataError(f"{path} holds no folders of images named by a class")
    for name in classes:
        yield name, found.get(name, []), classes


def _images(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in IMAGE_SUFFIXES)


def read_vhm(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """VHM's JSON, its training conversations and its evaluation sets (``cls_AID.json``, ...).

    A question that lists classes becomes a classification sample with these candidates. ``image_path`` is a
    folder below ``images`` where a record has one. Boxes are ``[x1, y1, x2, y2]`` in 0-1000.
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        if isinstance(record.get("image_path"), str) and isinstance(record.get("image"), str):
            record = {**record, "image": f"{record['image_path'].rstrip('/')}/{record['image']}"}
        said = dialogue(record, folder, options, place)
        name, attributes = id_of(record, place), kept(record, "dataset", "task", "type")
        scene = _scene(name, said, attributes)
        if scene is not None:
            yield scene
            return
        turns, boxes = with_boxes(said, "0-1000", options)
        task = options.task or ("vqa" if said.images else "chat")
        yield Sample(name, task, said.images, tuple(untagged(turns)), boxes, attributes=attributes)

    yield from each(read_records(path, options), options, read)


def candidates(question: str) -> tuple[str, ...]:
    """The classes that a question lists to choose from; () where it asks for no class."""
    found = _CANDIDATES.search(question)
    return split_classes(found[1]) if found else ()


def split_classes(text: str) -> tuple[str, ...]:
    """Classes that stand in one text with commas or semicolons between them, each once."""
    return tuple(dict.fromkeys(part.strip(" .") for part in re.split(r"[,;]", text) if part.strip(" .")))


def _scene(name: str, said: Dialogue, attributes: dict[str, Any]) -> Sample | None:
    """A classification sample, where that is what is asked and the answer is one of the candidates."""
    classes = candidates(said.first_question)
    if not classes or len(said.turns) != 2 or len(said.images) != 1:
        return None
    spoken = {each.lower(): each for each in classes}
    answer = spoken.get(said.turns[-1].text.strip(" .").lower())
    if answer is None:
        return None
    return Sample(name, "classification", said.images, classes=classes, answer=answer, attributes=attributes)
