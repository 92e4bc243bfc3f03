"""Detections of a scene as files: map layers, COCO JSON and DOTA text.

Every file is written beside its destination and moved there when it is complete, so that a failure (a full
disk, an interruption) leaves what was there before. What each format can hold differs:

| format | coordinates | provenance |
|---|---|---|
| ``.geojson``, RFC 7946 | WGS84 longitude and latitude, 7 decimals (1 cm) | member ``provenance`` |
| ``.gpkg``, OGC GeoPackage | the scene's CRS or another | metadata of the layer ``detections`` |
| ``.fgb``, FlatGeobuf | the scene's CRS or another | none |
| ``.parquet``, GeoParquet | the scene's CRS or another | none |
| ``.kml``, OGC KML | WGS84 longitude and latitude | none |
| ``.json``, COCO instances | scene pixels | ``info`` |
| ``.txt``, DOTA labelTxt | scene pixels | none: the format has no place for it |
| a folder, DOTA Task1 results | scene pixels | ``provenance.json`` in the folder |

Map layers are refused for scenes without a CRS: pixel coordinates in a map layer look like a
place in the Gulf of Guinea.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite
from detection_eval.files import atomic_path, check_folder, write_json
from detection_eval.formats.coco import write_coco
from detection_eval.formats.dota import write_dota_labels, write_task1
from tiling.errors import NotGeoreferenced, OutputError
from tiling.ground import Ground, lonlat_polygons
from tiling.merging import MergedDetections
from tiling.scene import Scene

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

LAYER = "detections"
_IN_ANY_CRS = (".gpkg", ".fgb", ".parquet")
_MAP_FORMATS = (".geojson", ".kml", *_IN_ANY_CRS)

Provenance = Mapping[str, Any]


class _Options(NamedTuple):
    """Content of a file besides the boxes."""

    provenance: dict[str, Any]
    constant_score: float | None
    crs: str | None = None


def check_output(path: str | Path, scene: Scene, *, scored: bool = True, crs: str | None = None) -> Path:
    """Whether detections of a scene can be written to a path; to be asked before long work starts.

    Args:
        path: destination, as for :func:`write_detections`.
        scene: the scene.
        scored: whether the detections will have scores, or a constant one will be given.

    Raises:
        CannotWrite: DOTA Task1 without scores.
        OutputError: no format for the suffix.
        FileNotFoundError, NotADirectoryError, PermissionError: where the folder is missing, is a file or
            cannot be written.
        NotGeoreferenced: for a map format where the scene has no CRS, or none that leads to WGS84.
    """
    destination = Path(path)
    check_folder(destination)
    if _writer_for(destination) is _write_dota_task1 and destination.is_file():
        raise NotADirectoryError(f"{destination} is a file; choose another folder for DOTA Task1 results")
    if _writer_for(destination) is _write_dota_task1 and not scored:
        raise CannotWrite(
            f"{destination}: DOTA Task1 demands scores and the model states none; give a constant score"
        )
    if destination.suffix.lower() in _MAP_FORMATS and not scene.georeferenced:
        lacks = "coordinate reference system" if scene.crs is None else "transform to map coordinates"
        raise NotGeoreferenced(
            f"{scene.source} has no {lacks}, so {destination.name} would have no place "
            "on a map; write scene pixels instead: .json (COCO), .txt (DOTA labels) or a folder (DOTA Task1)"
        )
    if crs is not None:
        _check_crs(destination, crs)
    if destination.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise OutputError(f"{destination.name} needs the library pyarrow: pip install pyarrow")
    if destination.suffix.lower() in (".geojson", ".kml"):
        scene.to_lonlat((scene.width / 2, scene.height / 2))
    return destination


def _check_crs(destination: Path, crs: str) -> None:
    """Whether a layer can be written in a CRS.

    Raises:
        OutputError: where it cannot.
    """
    if destination.suffix.lower() not in _IN_ANY_CRS:
        raise OutputError(
            f"{destination.name} has a coordinate system of its own; {', '.join(_IN_ANY_CRS)} take any"
        )
    try:
        CRS.from_user_input(crs)
    except CRSError as error:
        raise OutputError(f"no coordinate reference system {crs!r}; give one such as EPSG:3857") from error


def write_detections(
    path: str | Path,
    scene: Scene,
    found: MergedDetections | Detections,
    provenance: Provenance | None = None,
    constant_score: float | None = None,
    crs: str | None = None,
) -> None:
    """Write the detections of a scene, in the format that the path's suffix names (see the module).

    Args:
        path: destination; an existing file is replaced. A path without suffix is a folder.
        scene: the scene whose pixels the boxes are in.
        found: the boxes; merged ones keep their tile, number of parts and whether they are still cut.
        provenance: origin (model, prompt hash, version ...), as JSON values.
        constant_score: the score that Task1 gets for boxes without one, since that format demands it. Such
            files rank nothing, and average precision from them depends on the order of lines.
        crs: of the map layer, such as ``EPSG:3857``; None for the format's own.

    Raises:
        CannotWrite: Task1 from boxes without scores, and no constant one.
        OSError, OutputError, NotGeoreferenced: as :func:`check_output`; OSError also where writing fails.
            The destination is as it was before.
    """
    destination = check_output(path, scene, crs=crs)
    with atomic_path(destination) as temporary:
        _writer_for(destination)(
            temporary, scene, found, _Options(dict(provenance or {}), constant_score, crs)
        )


def _writer_for(path: Path) -> Callable[[Path, Scene, MergedDetections | Detections, _Options], None]:
    """The function that writes the format of a path."""
    suffix = path.suffix.lower()
    writers = {
        ".geojson": _write_geojson,
        ".gpkg": _write_geopackage,
        ".fgb": _write_flatgeobuf,
        ".parquet": _write_geoparquet,
        ".kml": _write_kml,
        ".json": _write_coco,
        ".txt": _write_dota_labels,
        "": _write_dota_task1,
    }
    if path.is_dir():
        return _write_dota_task1
    if suffix not in writers:
        raise OutputError(
            f"output {path.name} has the unknown suffix {suffix}; choose .geojson, .gpkg, .fgb, .parquet, "
            ".kml, .json (COCO), .txt (DOTA labels) or a folder (DOTA Task1)"
        )
    return writers[suffix]


def _write_geojson(path: Path, scene: Scene, found: MergedDetections | Detections, options: _Options) -> None:
    """RFC 7946: WGS84, counter-clockwise outer rings, cut in two at the antimeridian."""
    polygons = _detections(found).polygons
    geometries = shapely.to_geojson(lonlat_polygons(scene, polygons))
    rows = _rows(_attributes(scene, found))
    features = (
        f'{{"type": "Feature", "id": {number}, "geometry": {geometry or "null"}, "properties": {_json(row)}}}'
        for number, (geometry, row) in enumerate(zip(geometries, rows), start=1)
    )
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection",\n')
        file.write(f'"provenance": {_json(options.provenance)},\n"features": [\n')
        _write_lines(file.write, features)
        file.write("]}\n")


def _write_geopackage(
    path: Path, scene: Scene, found: MergedDetections | Detections, options: _Options
) -> None:
    """One layer of polygons in the CRS of the scene, with the provenance as the layer's metadata."""
    metadata = {
        key: value if isinstance(value, str) else _json(value) for key, value in options.provenance.items()
    }
    _write_layer(path, _on_map(scene, found, options.crs), "GPKG", layer_metadata=metadata)


def _write_flatgeobuf(
    path: Path, scene: Scene, found: MergedDetections | Detections, options: _Options
) -> None:
    """One layer of polygons in the CRS of the scene."""
    _write_layer(path, _on_map(scene, found, options.crs), "FlatGeobuf")


def _write_geoparquet(
    path: Path, scene: Scene, found: MergedDetections | Detections, options: _Options
) -> None:
    """A table with a column of polygons in the CRS of the scene."""
    _on_map(scene, found, options.crs).to_parquet(path, index=False)


def _write_kml(path: Path, scene: Scene, found: MergedDetections | Detections, options: _Options) -> None:
    """Placemarks in WGS84, named by class; what has no place on the Earth is left out."""
    import geopandas

    shapes = lonlat_polygons(scene, _detections(found).polygons)
    frame = geopandas.GeoDataFrame(_attributes(scene, found), geometry=shapes, crs="EPSG:4326")
    frame.insert(0, "Name", frame["class"])
    _write_layer(path, frame[frame.geometry.notna()], "LIBKML", geometry_type="Unknown")


def _on_map(scene: Scene, found: MergedDetections | Detections, crs: str | None) -> GeoDataFrame:
    """The boxes and their attributes in a CRS; None for that of the scene."""
    import geopandas

    assert scene.crs is not None  # check_output has refused the scene otherwise
    polygons = shapely.orient_polygons(shapely.polygons(scene.to_map(_detections(found).polygons)))
    frame = geopandas.GeoDataFrame(_attributes(scene, found), geometry=polygons, crs=scene.crs.to_wkt())
    return frame if crs is None else frame.to_crs(crs)


def _write_layer(path: Path, frame: GeoDataFrame, driver: str, **options: Any) -> None:
    """A file of one layer by GDAL.

    Raises:
        OSError: where GDAL cannot write.
    """
    from pyogrio.errors import DataLayerError, DataSourceError

    options = {"geometry_type": "Polygon", **options}
    try:
        frame.to_file(path, layer=LAYER, driver=driver, engine="pyogrio", **options)
    except (DataSourceError, DataLayerError) as error:
        raise OSError(f"cannot write {path.name}: {error}") from error


def _write_coco(path: Path, scene: Scene, found: MergedDetections | Detections, options: _Options) -> None:
    """COCO instances with oriented boxes as segmentation; ``area`` is in square pixels."""
    detections = _detections(found)
    rounded = detections.with_polygons(detections.polygons.round(3))
    write_coco(
        path,
        {_name(scene): (rounded, scene.width, scene.height)},
        info=options.provenance,
        attributes={_name(scene): coco_attributes(scene, found)},
    )


def coco_attributes(scene: Scene, found: MergedDetections | Detections) -> list[dict[str, Any]]:
    """For each box what its annotation says besides COCO's own keys: ground measures, tile, parts."""
    own = ("class", "score")
    return [
        {key: value for key, value in row.items() if key not in own}
        for row in _rows(_attributes(scene, found))
    ]


def _write_dota_labels(
    path: Path, scene: Scene, found: MergedDetections | Detections, options: _Options
) -> None:
    """DOTA labelTxt, white space in class names as a hyphen; the difficulty of a detection is 0."""
    gsd_m = None if scene.gsd_m is None else float(f"{scene.gsd_m:.6g}")
    write_dota_labels(path, _for_dota(_detections(found)), source=_name(scene), gsd_m=gsd_m)


def _write_dota_task1(
    path: Path, scene: Scene, found: MergedDetections | Detections, options: _Options
) -> None:
    """DOTA Task1: a file for each class, and ``provenance.json``, which says where the scores come from."""
    detections = _for_dota(_detections(found))
    image = re.sub(r"\s+", "_", Path(_name(scene)).stem)
    write_task1(path, {image: detections}, constant_score=options.constant_score)
    stated = "model"
    if detections.scores is None:
        constant = options.constant_score
        stated = "none" if constant is None else f"constant {constant:g}: the model states no confidence"
    write_json(path / "provenance.json", {**options.provenance, "scores": stated})


def _for_dota(detections: Detections) -> Detections:
    """Boxes as DOTA's text takes them: names without white space and separators, hundredths of a pixel."""
    names = tuple(re.sub(r"[\s/\\]+", "-", name.strip()) for name in detections.classes)
    return Detections(detections.polygons.round(2), detections.labels, names, detections.scores)


def _detections(found: MergedDetections | Detections) -> Detections:
    return found.detections if isinstance(found, MergedDetections) else found


def _attributes(scene: Scene, found: MergedDetections | Detections) -> dict[str, Any]:
    """The columns that describe each box, ground measures among them where the scene has a CRS."""
    detections = _detections(found)
    columns: dict[str, Any] = {"class": detections.names}
    if detections.scores is not None:
        columns["score"] = detections.scores
    ground = Ground.of(scene.crs) if scene.crs is not None and scene.georeferenced else None
    if ground is not None:
        columns |= ground.measure(scene.to_map, detections.polygons)
    if isinstance(found, MergedDetections):
        columns |= {"tile": found.tile, "pieces": found.pieces, "cut": found.cut}
        if found.scale is not None and scene.gsd_m is not None:
            columns["gsd_m"] = (found.scale * scene.gsd_m).round(6)
    return columns


def _rows(columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Columns as one dict for each box, of values that JSON can hold."""
    lists = [values if isinstance(values, list) else values.tolist() for values in columns.values()]
    for values in zip(*lists):
        # What has no place on the Earth has no measures either: NaN is not JSON.
        yield {
            key: None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in zip(columns, values)
        }


def _write_lines(write: Callable[[str], object], items: Iterable[str]) -> None:
    """Items of a JSON array, one a line."""
    separator = ""
    for item in items:
        write(separator + item)
        separator = ",\n"
    write("\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _name(scene: Scene) -> str:
    return Path(scene.source).name
