"""Sources of annotated images: synthetic data sets, STAR's scene graphs, lines of JSON, detection formats.

| format | layout |
|---|---|
| ``synth`` | a folder of ``rscovlm synth dataset``: ``scenes.jsonl``, from whose seeds all is known exactly |
| ``star`` | a folder of STAR's scene graphs, laid out as Visual Genome's: ``*image_data*.json`` (``image_id``, ``width``, ``height``), ``*objects*.json`` (``objects`` of ``object_id``, ``names``, ``x``, ``y``, ``w``, ``h``), ``*relationships*.json`` (``subject``, ``predicate``, ``object``) |
| ``objects`` | JSON lines, one image each; see ``read_lines`` |
| others | any of ``detection_eval.formats``; FAIR1M's fine classes become kinds of plane, ship and vehicle |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detection_eval.errors import FormatError
from detection_eval.formats import (
    FORMATS,
    Collection,
    detect_format,
    read,
    split_format,
)
from detection_eval.formats.lines import json_lines, read_json
from detection_eval.formats.markup import read_fair1m
from detection_eval.geometry.quads import box_quads, canonical
from detection_eval.text.labels import spoken
from detection_eval.words import counted
from rscovlm.data.annotations import ATTRIBUTES, Annotated, Place, Relation, Thing
from rscovlm.data.readers.common import ImageFolder, LeftOut
from rscovlm.data.words import FAIR1M_FAMILIES
from rscovlm.errors import DataError
from tiling.errors import SceneError
from tiling.view import Window

if TYPE_CHECKING:
    from rscovlm.synth.world import World

ANNOTATION_FORMATS = ("synth", "star", "objects", *FORMATS)


@dataclass(frozen=True)
class Source:
    """Annotated images, and what could not be taken.

    Attributes:
        images: in the order of the annotations, their files found and their sizes known.
        name: of the data set.
        format: as which it was read.
        skipped: one line for each image without a readable file, and each thing left out.
    """

    images: tuple[Annotated, ...]
    name: str
    format: str
    skipped: tuple[str, ...] = ()


def read_annotations(spec: str, images: Path | None = None) -> Source:
    """Read annotated images and look up their files.

    Args:
        spec: ``PATH`` or ``PATH:FORMAT``; without a format it is told by the content.
        images: the folder of the image files; None takes ``images`` beside or below the annotations.

    Raises:
        SettingError: an unknown format after the colon.
        DataError: nothing that can be read, or no image file at all; one clear line.
        OSError: something cannot be read.
    """
    path, format = split_format(spec, ANNOTATION_FORMATS)
    if not path.exists():
        raise DataError(f"annotations {path} do not exist; give a file or a folder")
    format = format or _format_of(path)
    folder = _image_folder(path, images)
    try:
        if format == "synth":
            found: Iterable[Annotated] = _read_synth(path, folder)
        elif format == "star":
            found = _read_star(path, folder)
        elif format == "objects":
            found = read_lines(path, folder)
        else:
            found = _read_detections(path, format, folder)
        kept, skipped = _with_files(found)
    except FormatError as error:
        raise DataError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not read as {format}: {type(error).__name__}: {error}") from error
    if not kept:
        reason = skipped[0] if skipped else "it annotates no image"
        raise DataError(f"{path}: no image to ask about: {reason}")
    return Source(tuple(kept), path.stem, format, tuple(skipped))


def _format_of(path: Path) -> str:
    if path.is_dir() and (path / "scenes.jsonl").is_file():
        return "synth"
    if path.is_dir() and any(path.glob("*relationships*.json")):
        return "star"
    if path.is_file() and path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as file:
            first = file.readline()
        if '"objects"' in first:
            return "objects"
    try:
        return detect_format(path)
    except FormatError as error:
        raise DataError(f"{path}: format not recognised; give PATH:FORMAT ({error})") from error


def _image_folder(path: Path, images: Path | None) -> Path:
    if images is not None:
        if not images.is_dir():
            raise DataError(f"--images {images} is no folder")
        return images
    for folder in (path / "images", path.parent / "images"):
        if folder.is_dir():
            return folder
    raise DataError(f"no folder images beside {path}; name the folder of the images with --images")


def _with_files(images: Iterable[Annotated]) -> tuple[list[Annotated], list[str]]:
    """Images whose file opens, with their sizes; a line for each of the others."""
    from tiling.scene import Scene

    kept, skipped, seen = [], [], set()
    for image in images:
        if image.id in seen:
            raise DataError(f"image {image.id!r} is annotated twice; ids are file names without suffix")
        seen.add(image.id)
        try:
            with Scene(image.path) as scene:
                gsd = image.gsd_m if image.gsd_m is not None else scene.gsd_m
                kept.append(replace(image, width=scene.width, height=scene.height, gsd_m=gsd))
        except (SceneError, OSError) as error:
            skipped.append(f"{image.path}: {str(error).splitlines()[0]}")
    return kept, skipped


def _file_of(folder: ImageFolder, image: str, name: str | None = None) -> Path:
    """The file of an image; where there is none, the one that is missing."""
    try:
        return folder.find(*([name] if name else []), image)
    except LeftOut:
        return folder.folder / (name or f"{image}.png")


# --- detection formats ----------------------------------------------------------------------------


def _read_detections(path: Path, format: str, folder: Path) -> Iterator[Annotated]:
    files = ImageFolder(folder)
    # FAIR1M's own list has no ``other-...``, whose objects are there all the same and must not be forgotten.
    collection: Collection = read_fair1m(path) if format.startswith("fair1m") else read(path, format)
    kinds = {fine: name for name, fines in FAIR1M_FAMILIES.items() for fine in fines}
    families = kinds if format.startswith("fair1m") else {}
    for image, boxes in collection.images.items():
        found = boxes.detections
        grades = boxes.difficulty if boxes.difficulty is not None else np.zeros(len(found), np.int64)
        things = tuple(
            _detected(polygon, name, bool(grade), families)
            for polygon, name, grade in zip(found.polygons, found.names, grades)
        )
        where = _file_of(files, image, boxes.file_name)
        yield Annotated(image, where, 0, 0, things, gsd_m=boxes.gsd_m, source=path.stem)


def _detected(polygon: np.ndarray, name: str, difficult: bool, families: Mapping[str, str]) -> Thing:
    family = families.get(name)
    attributes = {"kind": kind_name(name)} if family and not name.startswith("other-") else {}
    return Thing(family or spoken(name), polygon, attributes, difficult)


def kind_name(name: str) -> str:
    """A sub-type as an answer gives it: names of models as they are, words in lower case."""
    return name if any(character.isdigit() for character in name) or name.isupper() else spoken(name)


# --- synthetic scenes -----------------------------------------------------------------------------


def _read_synth(path: Path, folder: Path) -> Iterator[Annotated]:
    from rscovlm.synth.world import plan_world
    from tiling.scene import Scene

    lines = (path if path.is_dir() else path.parent) / "scenes.jsonl"
    for _, record in json_lines(lines):
        file = folder / record["image"]
        if not file.is_file():
            yield Annotated(file.stem, file, 0, 0)
            continue
        with Scene(file) as scene:
            world = plan_world(record["seed"], scene.width, scene.height, record["gsd_m"])
        yield synthetic(world, file.stem, file, path.stem)


def synthetic(world: World, name: str, path: Path, source: str = "synth") -> Annotated:
    """All that is known of a planned scene (``rscovlm.synth.world.World``)."""
    things: list[Thing] = []
    places: list[Place] = []
    at_sites: set[int] = set()
    for site in world.sites:
        at_sites |= set(map(id, site.objects))
        first = len(things)
        things += [_synthetic_thing(world, item, site.kind.name, None) for item in site.objects]
        here = tuple(range(first, len(things)))
        places.append(Place(site.kind.name, site.window, here, site.kind.objects.name))
    rest = [item for item in world.objects if id(item) not in at_sites]
    covers = world.covers_at(np.array([o.x for o in rest]), np.array([o.y for o in rest]))
    things += [_synthetic_thing(world, item, None, cover) for item, cover in zip(rest, covers, strict=True)]
    return Annotated(
        name,
        path,
        world.width,
        world.height,
        tuple(things),
        tuple(places),
        gsd_m=world.gsd_m,
        source=source,
    )


def _synthetic_thing(world: World, item: Any, place: str | None, cover: str | None) -> Thing:
    attributes = {"color": item.colour, "kind": item.kind}
    if place is not None:
        attributes["place"] = place
    elif cover is not None:
        attributes["background"] = cover
    # What the edge of the scene cuts is not asked about, but counts beside others.
    cut = not world.whole.contains(Window.around(item.polygon))
    return Thing(item.kind_of.name, canonical(item.polygon[None])[0], attributes, cut)


# --- STAR -----------------------------------------------------------------------------------------


def _read_star(path: Path, folder: Path) -> Iterator[Annotated]:
    files = ImageFolder(folder)
    about = read_json(_only(path, "*image_data*.json"))
    objects = read_json(_only(path, "*objects*.json"))
    relations = read_json(_only(path, "*relationships*.json"))
    if not len(about) == len(objects) == len(relations):
        raise DataError(
            f"{path}: {counted(len(about), 'image')}, {counted(len(objects), 'list')} of objects, "
            f"{len(relations)} of relations; "
            "the three files do not belong together"
        )
    for image, listed, related in zip(about, objects, relations):
        name = str(image["image_id"])
        rows = {row["object_id"]: index for index, row in enumerate(listed["objects"])}
        things = tuple(_star_thing(row) for row in listed["objects"])
        pairs = [
            (
                rows.get(r["subject"]["object_id"]),
                str(r["predicate"]).strip(),
                rows.get(r["object"]["object_id"]),
            )
            for r in related["relationships"]
        ]
        triplets = tuple(
            Relation(a, what, b) for a, what, b in pairs if a is not None and b is not None and what
        )
        where = _file_of(files, name, image.get("file_name"))
        yield Annotated(name, where, 0, 0, things, (), triplets, source=path.stem)


def _star_thing(row: Mapping[str, Any]) -> Thing:
    names = row["names"]
    name = spoken(names[0] if isinstance(names, list) else str(names))
    if "polygon" in row:
        polygon = canonical(np.reshape(np.asarray(row["polygon"], np.float64), (1, 4, 2)))[0]
    else:
        x, y, width, height = (float(row[key]) for key in ("x", "y", "w", "h"))
        polygon = box_quads([[x, y, x + width, y + height]])[0]
    return Thing(name, polygon)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise DataError(f"{folder} holds {counted(len(found), 'file')} {pattern}; exactly one is needed")
    return found[0]


# --- lines of JSON --------------------------------------------------------------------------------


def read_lines(path: Path, folder: Path) -> Iterator[Annotated]:
    """Read JSON lines, an image each, for annotations with attributes.

    ``{"image": "a.tif", "gsd_m": 0.3, "objects": [{"name": "ship", "polygon": [8 numbers], "color": "red",
    "kind": "tanker", "difficult": false}, ...], "relations": [[0, "docked at", 1], ...],
    "places": [{"name": "harbour", "box": [x0, y0, x1, y1], "objects": [0], "usual": "ship"}]}``.
    Instead of a polygon an object may have a ``box`` of four edges.

    Raises:
        DataError: a line that holds something else; the message names it.
    """
    files = ImageFolder(folder)
    for place, record in json_lines(path):
        try:
            yield _line(record, files, path.stem)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{place}: {type(error).__name__}: {error}") from error


def _line(record: Mapping[str, Any], files: ImageFolder, source: str) -> Annotated:
    things = tuple(_line_thing(row) for row in record["objects"])
    relations = tuple(Relation(int(a), str(what), int(b)) for a, what, b in record.get("relations", ()))
    places = tuple(
        Place(p["name"], Window.from_bounds(*p["box"]), tuple(p.get("objects", ())), p.get("usual", ""))
        for p in record.get("places", ())
    )
    mentioned = [i for r in relations for i in (r.subject, r.object)] + [i for p in places for i in p.things]
    if mentioned and not 0 <= min(mentioned) <= max(mentioned) < len(things):
        raise ValueError(f"a relation or place names an object beyond the {len(things)} there are")
    name = str(record["image"])
    where = _file_of(files, Path(name).stem, name)
    return Annotated(
        Path(name).stem,
        where,
        0,
        0,
        things,
        places,
        relations,
        record.get("gsd_m"),
        record.get("source", source),
    )


def _line_thing(row: Mapping[str, Any]) -> Thing:
    unknown = set(row) - {"name", "polygon", "box", "difficult", *ATTRIBUTES}
    if unknown:
        raise ValueError(f"unknown fields {', '.join(sorted(unknown))} of an object")
    corners = box_quads([row["box"]]) if "box" in row else np.reshape(row["polygon"], (1, 4, 2))
    attributes = {key: str(row[key]).strip() for key in ATTRIBUTES if row.get(key)}
    polygon = canonical(np.asarray(corners, dtype=np.float64))[0]
    if not np.isfinite(polygon).all():
        raise ValueError(f"a polygon of {polygon.tolist()}")
    return Thing(spoken(row["name"]), polygon, attributes, bool(row.get("difficult", False)))
