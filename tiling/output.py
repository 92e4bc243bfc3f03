"""Detections of scenes as files: map layers, COCO JSON and DOTA text.

Every file is written beside its destination and moved there when it is complete, so that a failure (a full
disk, an interruption) leaves what was there before. What each format can hold differs:

| format | coordinates | scenes | provenance |
|---|---|---|---|
| ``.geojson``, ``.gpkg``, ``.fgb``, ``.parquet``, ``.kml`` | see :mod:`tiling.map_files` | any number | |
| ``.json``, COCO instances | scene pixels | any number | ``info`` |
| ``.txt``, DOTA labelTxt | scene pixels | one | none: the format has no place for it |
| a folder, DOTA Task1 results | scene pixels | any number | ``provenance.json`` in the folder |

Map layers are refused for scenes without a CRS: pixel coordinates in a map layer look like a
place in the Gulf of Guinea.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite
from detection_eval.files import atomic_path, check_folder, write_json
from detection_eval.formats.coco import write_coco
from detection_eval.formats.dota import write_dota_labels, write_task1
from tiling.errors import NotGeoreferenced, OutputError
from tiling.layers import (
    Part,
    TileRecord,
    box_columns,
    box_layer,
    place,
    rows,
    tile_columns,
    tile_layer,
    tile_outlines,
)
from tiling.map_files import IN_ANY_CRS, IN_DEGREES, MAP_FORMATS, write_layers
from tiling.merging import MergedDetections
from tiling.scene import Scene

COCO, LABELS, TASK1 = ".json", ".txt", ""
"""Formats in scene pixels, by suffix; a folder has none."""

Provenance = Mapping[str, Any]


@dataclass(frozen=True)
class SceneResult:
    """Facts about a scene that files state; the scene may be closed by then.

    Attributes:
        file_name: of the scene.
        width: of the scene, px.
        height: likewise.
        gsd_m: metres per pixel, None where unknown.
        detections: the boxes in scene pixels.
        columns: their attributes.
        boxes: the same on the map; None for a format in scene pixels.
        tiles: what became of its tiles, on the map; None for a format in scene pixels.
    """

    file_name: str
    width: int
    height: int
    gsd_m: float | None
    detections: Detections
    columns: Mapping[str, Any]
    boxes: Part | None = None
    tiles: Part | None = None


def format_of(path: Path) -> str:
    """The format that a path names: its suffix, or ``TASK1`` for a folder.

    Raises:
        OutputError: for a suffix that no format has.
    """
    suffix = TASK1 if path.is_dir() else path.suffix.lower()
    if suffix not in (*MAP_FORMATS, COCO, LABELS, TASK1):
        raise OutputError(
            f"output {path.name} has the unknown suffix {suffix}; choose .geojson, .gpkg, .fgb, .parquet, "
            ".kml, .json (COCO), .txt (DOTA labels) or a folder (DOTA Task1)"
        )
    return suffix


def check_output(path: str | Path, scene: Scene, *, scored: bool = True, crs: str | None = None) -> Path:
    """Whether detections of a scene can be written to a path; to be asked before long work starts.

    Args:
        path: destination, as for :func:`write_detections`.
        scene: the scene.
        scored: whether the detections will have scores, or a constant one will be given.
        crs: of the map layer; None for the format's own.

    Raises:
        CannotWrite: DOTA Task1 without scores.
        OutputError: no format for the suffix.
        FileNotFoundError, NotADirectoryError, PermissionError: where the folder is missing, is a file or
            cannot be written.
        NotGeoreferenced: for a map format where the scene has no CRS, or none that leads to that of the file.
    """
    destination = Path(path)
    check_folder(destination)
    kind = format_of(destination)
    if kind == TASK1 and destination.is_file():
        raise NotADirectoryError(f"{destination} is a file; choose another folder for DOTA Task1 results")
    if kind == TASK1 and not scored:
        raise CannotWrite(
            f"{destination}: DOTA Task1 demands scores and the model states none; give a constant score",
            lacks="score",
        )
    if kind in MAP_FORMATS and not scene.georeferenced:
        lacks = "coordinate reference system" if scene.crs is None else "transform to map coordinates"
        raise NotGeoreferenced(
            f"{scene.source} has no {lacks}, so {destination.name} would have no place "
            "on a map; write scene pixels instead: .json (COCO), .txt (DOTA labels) or a folder (DOTA Task1)"
        )
    if crs is not None:
        _check_crs(destination, scene, crs)
    if kind == ".parquet" and find_spec("pyarrow") is None:
        raise OutputError(f"{destination.name} needs the library pyarrow: pip install pyarrow")
    if kind in IN_DEGREES:
        scene.to_lonlat((scene.width / 2, scene.height / 2))
    return destination


def check_tile_output(path: str | Path, scene: Scene, crs: str | None = None) -> Path:
    """Whether the tiles of a scene can be written to a path, as :func:`check_output`; map layers alone can.

    Raises:
        OutputError, NotGeoreferenced, OSError: as :func:`check_output`.
    """
    destination = Path(path)
    if format_of(destination) not in MAP_FORMATS:
        raise OutputError(f"{destination.name} is no map layer; give tiles as {', '.join(MAP_FORMATS)}")
    return check_output(destination, scene, crs=crs if takes_crs(destination) else None)


def takes_crs(path: Path) -> bool:
    """Whether the format of a path leaves the coordinate reference system open."""
    return format_of(path) in IN_ANY_CRS


def _check_crs(destination: Path, scene: Scene, crs: str) -> None:
    """Whether a layer can be written in a CRS.

    Raises:
        OutputError: where no layer can.
        NotGeoreferenced: where this scene has no way there.
    """
    if not takes_crs(destination):
        raise OutputError(
            f"{destination.name} has a coordinate system of its own; {', '.join(IN_ANY_CRS)} take any"
        )
    try:
        there = CRS.from_user_input(crs)
    except CRSError as error:
        raise OutputError(f"no coordinate reference system {crs!r}; give one such as EPSG:3857") from error
    assert scene.crs is not None  # has been refused otherwise
    try:
        way = Transformer.from_crs(CRS.from_wkt(scene.crs.to_wkt()), there, always_xy=True)
        centre = way.transform(*scene.to_map(scene.window.center))
    except ProjError as error:
        raise NotGeoreferenced(f"no way from {scene.source} to {there.name}: {error}") from error
    if not np.isfinite(centre).all():
        raise NotGeoreferenced(f"{scene.source} has no place in {there.name}; choose another --crs")


def scene_result(
    path: str | Path,
    scene: Scene,
    found: MergedDetections | Detections,
    tiles: Sequence[TileRecord] = (),
    *,
    name: str | None = None,
    file_name: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> SceneResult:
    """Take from an open scene the facts that a file states.

    Args:
        path: of the file; its format decides.
        scene: the scene whose pixels the boxes are in.
        found: the boxes; merged ones keep their tile, number of parts and whether they are still cut.
        tiles: what became of its tiles.
        name: of the scene in the column ``scene``; None leaves it out.
        file_name: that stands for the scene; None takes its own.
        more: further columns, one value for each box.

    Raises:
        NotGeoreferenced: for a map format where the scene has no place.
    """
    kind = format_of(Path(path))
    detections = found.detections if isinstance(found, MergedDetections) else found
    columns, boxes, examined = box_columns(scene, found, name) | dict(more or {}), None, None
    if kind in MAP_FORMATS:
        in_degrees = kind in IN_DEGREES
        boxes = place(scene, detections.polygons, columns, in_degrees)
        examined = place(scene, tile_outlines(tiles), tile_columns(tiles, name), in_degrees)
    own = Path(scene.source).name
    return SceneResult(
        file_name or own, scene.width, scene.height, scene.gsd_m, detections, columns, boxes, examined
    )


def write_detections(
    path: str | Path,
    scene: Scene,
    found: MergedDetections | Detections,
    provenance: Provenance | None = None,
    constant_score: float | None = None,
    crs: str | None = None,
    tiles: Sequence[TileRecord] = (),
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write the detections of a scene, in the format that the path's suffix names (see the module).

    Args:
        path: destination; an existing file is replaced. A path without suffix is a folder.
        scene: the scene whose pixels the boxes are in.
        found: the boxes; merged ones keep their tile, number of parts and whether they are still cut.
        provenance: origin (model, prompt hash, version ...), as JSON values.
        constant_score: as in :func:`write_results`.
        crs: of the map layer, such as ``EPSG:3857``; None for the format's own.
        tiles: what became of its tiles, for a second layer where the format has room for one.
        more: further columns, one value for each box.

    Raises:
        CannotWrite: Task1 from boxes without scores, and no constant one.
        OSError, OutputError, NotGeoreferenced: as :func:`check_output`; OSError also where writing fails.
            The destination is as it was before.
    """
    destination = check_output(path, scene, crs=crs)
    result = scene_result(destination, scene, found, tiles, more=more)
    write_results(destination, [result], provenance, constant_score, crs)


def write_results(
    path: str | Path,
    results: Sequence[SceneResult],
    provenance: Provenance | None = None,
    constant_score: float | None = None,
    crs: str | None = None,
) -> None:
    """Write the detections of scenes to one file; map layers get a style for QGIS.

    Args:
        path: destination; an existing file is replaced. A path without suffix is a folder.
        results: one or more, made for this path.
        provenance: origin (model, prompt hash, version ...), as JSON values.
        constant_score: the score that Task1 gets for boxes without one, since that format demands it. Such
            files rank nothing, and average precision from them depends on the order of lines.
        crs: of the map layer; None for the format's own, which is that of the first scene where it has none.

    Raises:
        CannotWrite: Task1 from boxes without scores, and no constant one; labels of several scenes.
        OSError, OutputError: where it cannot be written. The destination is as it was before.
    """
    destination, stated = Path(path), dict(provenance or {})
    kind = format_of(destination)
    if kind in MAP_FORMATS:
        classes = dict.fromkeys(name for result in results for name in result.detections.classes)
        layers = [box_layer([result.boxes for result in results if result.boxes], tuple(classes))]
        examined = [result.tiles for result in results if result.tiles]
        if any(len(part.shapes) for part in examined):
            layers.append(tile_layer(examined))
        write_layers(destination, layers, stated, crs)
        return
    if kind == LABELS and len(results) > 1:
        raise CannotWrite(f"{destination.name}: DOTA labels are of one image; write a file for each scene")
    with atomic_path(destination) as temporary:
        if kind == COCO:
            _write_coco(temporary, results, stated)
        elif kind == LABELS:
            _write_dota_labels(temporary, results[0])
        else:
            _write_dota_task1(temporary, results, stated, constant_score)


def write_tiles(
    path: str | Path,
    results: Sequence[SceneResult],
    provenance: Provenance | None = None,
    crs: str | None = None,
) -> None:
    """Write what became of the tiles of scenes as a map layer of its own.

    Args:
        path: destination, as for :func:`check_tile_output`; an existing file is replaced.
        results: one or more, made for this path.
        provenance: as for :func:`write_results`.
        crs: likewise.

    Raises:
        OSError: where it cannot be written. The destination is as it was before.
    """
    parts = [result.tiles for result in results if result.tiles]
    write_layers(Path(path), [tile_layer(parts)], dict(provenance or {}), crs)


def _write_coco(path: Path, results: Sequence[SceneResult], provenance: Provenance) -> None:
    """COCO instances with oriented boxes as segmentation; ``area`` is in square pixels."""
    write_coco(
        path,
        {
            result.file_name: (
                result.detections.with_polygons(result.detections.polygons.round(3)),
                result.width,
                result.height,
            )
            for result in results
        },
        info=provenance,
        attributes={result.file_name: _coco_rows(result.columns) for result in results},
    )


def coco_attributes(scene: Scene, found: MergedDetections | Detections) -> list[dict[str, Any]]:
    """For each box what its annotation says besides COCO's own keys: ground measures, tile, parts."""
    return _coco_rows(box_columns(scene, found))


def _coco_rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = ("class", "score", "scene")
    return [{key: value for key, value in row.items() if key not in own} for row in rows(columns)]


def _write_dota_labels(path: Path, result: SceneResult) -> None:
    """DOTA labelTxt, white space in class names as a hyphen; the difficulty of a detection is 0."""
    gsd_m = None if result.gsd_m is None else float(f"{result.gsd_m:.6g}")
    write_dota_labels(path, _for_dota(result.detections), source=result.file_name, gsd_m=gsd_m)


def _write_dota_task1(
    path: Path, results: Sequence[SceneResult], provenance: Provenance, constant_score: float | None
) -> None:
    """DOTA Task1: a file for each class, and ``provenance.json``, which says where the scores come from."""
    images = {
        re.sub(r"\s+", "_", Path(result.file_name).stem): _for_dota(result.detections) for result in results
    }
    write_task1(path, images, constant_score=constant_score)
    stated = "model"
    if any(result.detections.scores is None for result in results):
        constant = constant_score
        stated = "none" if constant is None else f"constant {constant:g}: the model states no confidence"
    write_json(path / "provenance.json", {**provenance, "scores": stated})


def _for_dota(detections: Detections) -> Detections:
    """Boxes as DOTA's text takes them: names without white space and separators, hundredths of a pixel."""
    names = tuple(re.sub(r"[\s/\\]+", "-", name.strip()) for name in detections.classes)
    return Detections(detections.polygons.round(2), detections.labels, names, detections.scores)
