"""Merging 100,000 boxes from overlapping tiles: seconds, and how many objects come back exactly once.

A perfect detector looks at each tile of a scene full of vehicles, ships and bridges, and draws the smallest
rectangle around what shows, off by about a pixel. The peer is what most tiling tools do: greedy non-maximum
suppression, here over a spatial index; boxes of text-only models have no scores, so larger ones come first.

    python benchmarks/merging.py [--boxes 100000]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import shapely

from detection_eval.detections import Detections
from detection_eval.geometry.quads import min_area_rectangle
from tiling.grid import Tile, TileGrid
from tiling.merging import merge_tiles

CLASSES = ("small vehicle", "ship", "bridge")
# Mean length in px, width as a part of it, share of all objects.
KINDS = ((18, 0.45, 0.8), (90, 0.25, 0.195), (700, 0.05, 0.005))
TILE, OVERLAP, ERROR_PX = 1024, 128, 0.7


def objects(side: int, rng: np.random.Generator) -> Detections:
    """Objects that keep clear of each other, about one on each 65 x 65 px where there is room."""
    count = (side // 65) ** 2
    labels = rng.choice(len(KINDS), count, p=[share for *_, share in KINDS])
    length = np.array([kind[0] for kind in KINDS])[labels] * rng.uniform(0.7, 1.4, count)
    width = length * np.array([kind[1] for kind in KINDS])[labels]
    turn = rng.uniform(0, np.pi, count)
    along = np.stack([np.cos(turn), np.sin(turn)], -1)
    across = np.stack([-along[:, 1], along[:, 0]], -1)
    half = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    polygons = (
        rng.uniform(0, side, (count, 1, 2))
        + half[:, :1] * (length[:, None] * along)[:, None]
        + half[:, 1:] * (width[:, None] * across)[:, None]
    )
    inside = ((polygons >= 0) & (polygons <= side)).all(axis=(1, 2))
    polygons, labels = polygons[inside], labels[inside]
    order = np.argsort(-labels, kind="stable")  # bridges take their place first
    polygons, labels = polygons[order], labels[order]
    shapes = shapely.buffer(shapely.polygons(polygons), 4)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    keep = np.ones(len(labels), bool)
    for i, j in zip(first.tolist(), second.tolist()):
        if i < j and keep[i]:
            keep[j] = False
    return Detections(polygons[keep], labels[keep], CLASSES)


def observe(grid: TileGrid, truth: Detections, rng: np.random.Generator) -> list[tuple[Tile, Detections]]:
    """What a detector draws in each tile."""
    shapes = shapely.polygons(truth.polygons)
    tree = shapely.STRtree(shapes)
    seen = []
    for tile in grid:
        window = shapely.box(*tile.window.bounds)
        index = np.sort(tree.query(window, predicate="intersects"))
        parts = shapely.intersection(shapes[index], window)
        visible = shapely.area(parts) > 20
        drawn = truth.polygons[index]
        for place in np.flatnonzero(visible & ~shapely.within(shapes[index], window)):
            drawn[place] = min_area_rectangle(shapely.get_coordinates(parts[place]))
        noisy = drawn + rng.normal(0, ERROR_PX, drawn.shape)
        x0, y0, x1, y1 = tile.window.bounds
        noisy = np.clip(noisy, (x0, y0), (x1, y1))
        seen.append((tile, Detections(noisy[visible], truth.labels[index[visible]], CLASSES)))
    return seen


def suppress(boxes: Detections, iou: float = 0.5) -> Detections:
    """Greedy non-maximum suppression of one class at a time, larger boxes first."""
    shapes = shapely.convex_hull(shapely.polygons(boxes.polygons))
    area = shapely.area(shapes)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = (first != second) & (boxes.labels[first] == boxes.labels[second])
    first, second = first[pairs], second[pairs]
    common = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    same = common / (area[first] + area[second] - common) >= iou
    rivals: dict[int, list[int]] = {}
    for i, j in zip(first[same].tolist(), second[same].tolist()):
        rivals.setdefault(i, []).append(j)
    keep = np.ones(len(boxes), bool)
    for i in np.argsort(-area, kind="stable").tolist():
        if keep[i]:
            keep[rivals.get(i, [])] = False
    return boxes.select(keep)


def score(truth: Detections, found: Detections) -> tuple[int, int]:
    """Objects found exactly once (IoU >= 0.5), and boxes that are no object or one found already."""
    a = shapely.convex_hull(shapely.polygons(truth.polygons))
    b = shapely.convex_hull(shapely.polygons(found.polygons))
    i, j = shapely.STRtree(b).query(a, predicate="intersects")
    common = shapely.area(shapely.intersection(a[i], b[j]))
    hit = (common / (shapely.area(a[i]) + shapely.area(b[j]) - common) >= 0.5) & (
        truth.labels[i] == found.labels[j]
    )
    matches = np.bincount(i[hit], minlength=len(truth))
    return int((matches == 1).sum()), len(found) - int((matches > 0).sum())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boxes", type=int, default=100_000, help="about how many boxes to merge")
    wanted = parser.parse_args().boxes
    rng = np.random.default_rng(7)
    side = max(4 * TILE, int(80 * wanted**0.5))
    grid = TileGrid(side, side, TILE, OVERLAP)
    truth = objects(side, rng)
    per_tile = observe(grid, truth, rng)
    everything = Detections(
        np.concatenate([found.polygons for _, found in per_tile]),
        np.concatenate([found.labels for _, found in per_tile]),
        CLASSES,
    )
    print(f"{len(everything):,} boxes of {len(truth):,} objects in {len(grid)} tiles of a {side} px scene")

    start = time.perf_counter()
    merged = merge_tiles(per_tile, grid)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    suppressed = suppress(everything)
    peer = time.perf_counter() - start

    for name, seconds, found in (("merge_tiles", ours, merged.detections), ("greedy NMS", peer, suppressed)):
        once, surplus = score(truth, found)
        print(
            f"{name:12s} {seconds:6.2f} s  {len(found):,} boxes  found exactly once {once / len(truth):.2%}  "
            f"surplus boxes {surplus:,}"
        )
    print(
        f"joined {merged.joined:,}, duplicates {merged.duplicates:,}, "
        f"cut boxes dropped {merged.cut_dropped:,}"
    )
    print(f"time ratio merge_tiles / greedy NMS: {ours / peer:.2f}")


if __name__ == "__main__":
    main()
