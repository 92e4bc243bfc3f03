"""Write synthetic scenes as GeoTIFFs with their exact ground truth, block by block in bounded memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.files import atomic_path, write_text
from detection_eval.formats.coco import write_coco
from rscovlm.synth.catalogue import CLASS_NAMES
from rscovlm.synth.objects import corners
from rscovlm.synth.questions import Question, all_questions
from rscovlm.synth.render import render
from rscovlm.synth.world import World, plan_world
from tiling.output import coco_attributes, write_detections
from tiling.scene import Scene
from tiling.view import Size, Window

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

BLOCK = 512
_CRS = "EPSG:32631"
_ORIGIN = (480_000.0, 4_600_000.0)
_CACHE_BYTES = 96 * 2**20
_READ_AHEAD = 4

Progress = Callable[[int, int], None]


def scene_truth(world: World) -> Detections:
    """The rotated boxes of a scene in scene pixels, classes as in CLASS_NAMES."""
    polygons = corners(world.objects)
    labels = np.array([CLASS_NAMES.index(item.kind_of.name) for item in world.objects], dtype=np.int64)
    return Detections(polygons, labels, CLASS_NAMES)


def write_scene(world: World, path: Path, *, cog: bool = False, progress: Progress | None = None) -> None:
    """Write a scene as a tiled GeoTIFF with overviews (UTM, 8-bit RGB).

    The same world gives the same bytes. Memory stays bounded whatever the size, and a file appears under
    its name only when it is complete.

    Args:
        world: the planned scene.
        path: of the GeoTIFF.
        cog: rearrange it as a cloud-optimised GeoTIFF.
        progress: called with (blocks done, blocks in all).

    Raises:
        OSError: the folder does not exist or the disk is full.
    """
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.shutil import copy as copy_raster

    profile = _profile(world.width, world.height, world.gsd_m)
    with (
        rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES, GDAL_TIFF_OVR_BLOCKSIZE=BLOCK),
        atomic_path(path) as partial,
    ):
        with rasterio.open(partial, "w", **profile) as raster:
            _write_blocks(world, raster, progress)
        with rasterio.open(partial, "r+") as raster:
            raster.build_overviews(_overview_factors(world), Resampling.average)
        if cog:
            arranged = partial.with_name(f"{partial.name}.cog")
            options = {"compress": "deflate", "predictor": "yes", "bigtiff": "if_safer", "blocksize": BLOCK}
            copy_raster(partial, arranged, driver="COG", copy_src_overviews=True, **options)
            os.replace(arranged, partial)


def write_picture(pixels: NDArray[np.uint8], gsd_m: float, path: Path) -> None:
    """Write (height, width, 3) pixels as a GeoTIFF like that of a scene, without overviews.

    Raises:
        OSError: the folder does not exist or the disk is full.
    """
    import rasterio

    height, width, _ = pixels.shape
    with (
        atomic_path(path) as partial,
        rasterio.open(partial, "w", **_profile(width, height, gsd_m)) as raster,
    ):
        raster.write(np.moveaxis(pixels, -1, 0))


def _profile(width: int, height: int, gsd_m: float) -> dict[str, Any]:
    """How a picture of so many pixels is stored, and where it lies."""
    from rasterio import Affine

    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": 3,
        "dtype": "uint8",
        "crs": _CRS,
        "transform": Affine(gsd_m, 0, _ORIGIN[0], 0, -gsd_m, _ORIGIN[1]),
        "photometric": "RGB",
        "compress": "deflate",
        "predictor": 2,
        "zlevel": 4,
        "BIGTIFF": "IF_SAFER",
    }
    tiled = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK} if min(width, height) >= 16 else {}
    return profile | tiled


def _write_blocks(world: World, raster: DatasetWriter, progress: Progress | None) -> None:
    from rasterio.windows import Window as RasterWindow

    windows = list(_blocks(world))

    def pixels(window: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        x, y, width, height = window
        return render(world, Window(x, y, width, height), Size(height, width))

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        waiting = iter(windows)
        ahead = [(window, pool.submit(pixels, window)) for window in islice(waiting, _READ_AHEAD)]
        for done in range(1, len(windows) + 1):
            window, block = ahead.pop(0)
            raster.write(np.moveaxis(block.result(), -1, 0), window=RasterWindow(*window))
            ahead += [(following, pool.submit(pixels, following)) for following in islice(waiting, 1)]
            if progress:
                progress(done, len(windows))


def _blocks(world: World) -> Iterator[tuple[int, int, int, int]]:
    for y in range(0, world.height, BLOCK):
        for x in range(0, world.width, BLOCK):
            yield x, y, min(BLOCK, world.width - x), min(BLOCK, world.height - y)


def _overview_factors(world: World) -> list[int]:
    factors: list[int] = []
    side = max(world.width, world.height)
    while side > BLOCK:
        side = -(-side // 2)
        factors.append(2 ** (len(factors) + 1))
    return factors


def question_record(world: World, question: Question, image: str) -> dict[str, object]:
    """A line of ``questions.jsonl``; the evidence is left, top, right, bottom in scene pixels."""
    return {
        "image": image,
        "question": question.text,
        "answer": question.answer,
        "topic": question.topic,
        "evidence": [round(value, 2) for value in question.evidence.bounds],
        "scene_class": world.cover,
    }


def write_dataset(
    folder: Path,
    count: int,
    *,
    seed: int = 0,
    size: int = 2048,
    gsd_m: float = 0.3,
    progress: Progress | None = None,
) -> None:
    """Write scenes with labels and questions, as DOTA lays its folders out.

    The folder gets ``images/*.tif``, ``labelTxt/*.txt``, ``annotations.json`` (COCO), ``questions.jsonl`` and
    ``scenes.jsonl`` (image, scene class, seed). Scene i of a seed is the same whatever ``count`` is. Images
    already there are kept, so an interrupted run continues.

    Raises:
        ValueError: ``count`` or ``size`` is not positive.
        OSError: the folder cannot be written.
    """
    if count < 1 or size < 1:
        raise ValueError(f"{count} scenes of {size} px; give at least 1 of each")
    for part in ("images", "labelTxt"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    coco: dict[str, tuple[Detections, int, int]] = {}
    attributes: dict[str, list[dict[str, Any]]] = {}
    questions, scenes = [], []
    for index in range(count):
        world = plan_world(seed * 1_000_003 + index, size, size, gsd_m)
        name = f"scene_{seed}_{index:05d}"
        image = folder / "images" / f"{name}.tif"
        if not image.exists():
            write_scene(world, image)
        with Scene(image) as scene:
            truth = scene_truth(world)
            write_detections(folder / "labelTxt" / f"{name}.txt", scene, truth)
            coco[image.name] = (truth.with_polygons(truth.polygons.round(3)), scene.width, scene.height)
            attributes[image.name] = coco_attributes(scene, truth)
        questions += [question_record(world, question, image.name) for question in all_questions(world)]
        scenes.append({"image": image.name, "scene_class": world.cover, "seed": world.seed, "gsd_m": gsd_m})
        if progress:
            progress(index + 1, count)
    write_coco(folder / "annotations.json", coco, attributes=attributes)
    write_text(folder / "questions.jsonl", "".join(json.dumps(record) + "\n" for record in questions))
    write_text(folder / "scenes.jsonl", "".join(json.dumps(record) + "\n" for record in scenes))
