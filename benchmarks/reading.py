"""Seconds and peak memory of one overview and eight zoom crops of a 16384 x 16384 px scene, against Pillow.

    python benchmarks/reading.py --folder /var/tmp/reading

Each reader runs in a process of its own, which reports the seconds from its imports to the last view, those
of them that its threads had a processor (user and system, all together), and its largest resident set,
imports included; each runs three times, in turn, and its best times count. Processor seconds hardly depend on
what else the machine does; seconds do, and are fewer where blocks are decoded in threads. Pillow does what
most code around vision-language models does: decode the image whole, then crop and resize. The same views are
read from a striped file without overviews, too: there every reader has to decode everything once, and what
counts is memory. Last, a sparse scene is cut into tiles, those of nodata left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SIDE = 16384  # px
OVERVIEW = 1008  # px
CROP, SHOWN = 1500, 1008  # px of the scene, px of the view
CROPS = [(i * 1800 + 37, (i * 5 % 8) * 1800 + 91) for i in range(8)]  # left, top
ROUNDS = 3

TARGET_SPEED = 10
TARGET_MEMORY = 8
STRIPED_MB = 400
SPARSE_SIDE = 60_000  # px
PLANNING_SECONDS = 10


class Cost(NamedTuple):
    """What a reader took: seconds, processor seconds, and megabytes resident at the peak."""

    seconds: float
    processor: float
    peak_mb: float


def scene_reader() -> Callable[[str], None]:
    from tiling.scene import Scene
    from tiling.view import Size, View, Window

    def read(path: str) -> None:
        with Scene(path) as scene:
            scene.read(View(scene.window, Size(OVERVIEW, OVERVIEW)))
            for x, y in CROPS:
                scene.read(View(Window(x, y, CROP, CROP), Size(SHOWN, SHOWN)))

    return read


def pillow_reader() -> Callable[[str], None]:
    from PIL import Image

    def read(path: str) -> None:
        Image.MAX_IMAGE_PIXELS = None
        image = Image.open(path).convert("RGB")
        image.resize((OVERVIEW, OVERVIEW), Image.Resampling.BICUBIC)
        for x, y in CROPS:
            crop = image.crop((x, y, x + CROP, y + CROP))
            crop.resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)

    return read


def overview_reader() -> Callable[[str], None]:
    from tiling.resolution import Resolution
    from tiling.scene import Scene

    def read(path: str) -> None:
        with Scene(path) as scene:
            scene.read(scene.overview(Resolution(28, 56 * 56, OVERVIEW**2)))

    return read


def planner() -> Callable[[str], None]:
    from tiling.grid import TileGrid
    from tiling.scene import Scene

    def read(path: str) -> None:
        with Scene(path) as scene:
            scene.require_pixels()
            plan = TileGrid.for_scene(scene, 512, 128).valid_tiles(scene)
            assert len(plan.tiles) == 16

    return read


READERS = {"scene": scene_reader, "pillow": pillow_reader, "overview": overview_reader, "plan": planner}


def write_scenes(folder: str) -> None:
    """Write the tiled file with overviews and the striped one without, a run of rows at a time."""
    import numpy as np
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.windows import Window

    rng = np.random.default_rng(0)
    # Fields some hundred pixels wide under a smooth texture: about as compressible as an aerial photograph.
    fields = rng.integers(40, 200, (3, 64, 64), dtype=np.uint8)
    noise = rng.integers(0, 12, (3, 512, SIDE), dtype=np.uint8)
    texture = np.sum([np.roll(noise, shift, axis=(1, 2)) for shift in (0, 1, 2, 3)], axis=0, dtype=np.uint8)

    def rows(top: int) -> np.ndarray:
        field = fields[:, (top // 256 + np.arange(2)) % 64]
        ground = field.repeat(256, axis=1).repeat(256, axis=2)
        return ground + np.roll(texture, top // 7, axis=2)

    shape = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8"}
    stored = {"compress": "deflate", "predictor": 2, "interleave": "pixel", "crs": "EPSG:32618"}
    where = {"transform": rasterio.Affine(0.5, 0, 500000, 0, -0.5, 4_000_000)}
    layouts = {
        "tiled.tif": {"tiled": True, "blockxsize": 512, "blockysize": 512},
        "striped.tif": {"blockysize": 4},
    }
    for name, layout in layouts.items():
        path = Path(folder) / name
        if path.exists():
            continue
        part = path.with_suffix(".part")
        with rasterio.Env(GDAL_CACHEMAX=64 * 2**20):
            with rasterio.open(part, "w", **shape, **stored, **where, **layout) as dataset:
                for top in range(0, SIDE, 512):
                    dataset.write(rows(top), window=Window(0, top, SIDE, 512))
            if name == "tiled.tif":
                with rasterio.open(part, "r+") as dataset:
                    dataset.build_overviews([2, 4, 8, 16], Resampling.average)
        part.rename(path)


def write_sparse(path: Path) -> None:
    """Write a scene of which a square of 1000 px is stored."""
    import numpy as np
    import rasterio
    from rasterio.windows import Window

    shape = {"width": SPARSE_SIDE, "height": SPARSE_SIDE, "count": 3, "dtype": "uint8", "nodata": 0}
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "SPARSE_OK": True, "BIGTIFF": "YES"}
    where = {"crs": "EPSG:32618", "transform": rasterio.Affine(0.5, 0, 500000, 0, -0.5, 4_000_000)}
    with rasterio.open(path, "w", driver="GTiff", **shape, **layout, **where) as dataset:
        dataset.write(np.full((3, 1000, 1000), 77, np.uint8), window=Window(20_000, 30_000, 1000, 1000))


def run(*arguments: str) -> str:
    """What this script prints with these arguments in a fresh process."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(reader: str, path: Path) -> Cost:
    """The cost of a reader in a fresh process."""
    return Cost(*json.loads(run("--worker", reader, str(path))))


def work(reader: str, path: str) -> None:
    read = READERS[reader]()
    started, worked = time.perf_counter(), time.process_time()
    read(path)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes on macOS, KiB on Linux
    print(json.dumps([seconds, processor, peak / unit]))


def compare(folder: Path, others: list[Path]) -> bool:
    """Print the table; True where the targets are met."""
    # This process imports nothing large: on Linux a child's peak never reads lower than its parent's size.
    run("--write", str(folder))
    tiled, striped = folder / "tiled.tif", folder / "striped.tif"
    print(f"overview {OVERVIEW} px + {len(CROPS)} crops {CROP} -> {SHOWN} px of {SIDE} x {SIDE} x 3, deflate")
    costs: dict[tuple[str, Path], Cost] = {}
    for path in (tiled, striped):
        runs = [(measure("scene", path), measure("pillow", path)) for _ in range(ROUNDS)]
        for reader, measured in zip(("scene", "pillow"), zip(*runs)):
            seconds, processor, peaks = zip(*measured)
            cost = costs[reader, path] = Cost(min(seconds), min(processor), max(peaks))
            print(
                f"  {path.name:11} {reader:6} {cost.seconds:6.2f} s, {cost.processor:6.2f} s of a processor, "
                f"{cost.peak_mb:5.0f} MB peak",
                flush=True,
            )
    faster, busier, leaner = (
        whole / part for whole, part in zip(costs["pillow", tiled], costs["scene", tiled])
    )
    peak_mb = costs["scene", striped].peak_mb
    print(f"tiled, with overviews: {faster:.1f} x faster (target {TARGET_SPEED})")
    print(f"tiled, with overviews: {busier:.1f} x less processor time")
    print(f"tiled, with overviews: {leaner:.1f} x less memory (target {TARGET_MEMORY})")
    print(f"striped, without overviews: {peak_mb:.0f} MB peak (target below {STRIPED_MB})")
    planning = measure("plan", folder / "sparse.tif").seconds
    print(f"sparse, {SPARSE_SIDE} px: planned in {planning:.1f} s (target below {PLANNING_SECONDS})")
    for path in others:
        cost = measure("overview", path)
        print(f"{path.name}: overview in {cost.seconds:.2f} s, {cost.peak_mb:.0f} MB peak")
    return (
        faster >= TARGET_SPEED
        and leaner >= TARGET_MEMORY
        and peak_mb < STRIPED_MB
        and planning < PLANNING_SECONDS
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the test rasters are kept; temporary without")
    parser.add_argument("--scene", type=Path, action="append", default=[], help="time its overview too")
    parser.add_argument("--worker", nargs=2, metavar=("READER", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--write", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(*arguments.worker)
    if arguments.write:
        write_sparse(Path(arguments.write) / "sparse.tif")
        return write_scenes(arguments.write)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        sys.exit(0 if compare(folder, arguments.scene) else 1)


if __name__ == "__main__":
    main()
