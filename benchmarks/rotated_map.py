"""mAP of rotated boxes: values and seconds beside MMRotate's own ``eval_rbbox_map``, one level and a sweep.

Generates scenes like DOTA's patches: crowded vehicles and ships, some large harbours, detections that are
off by a little, doubled, confused or out of nowhere, with scores that know some of this. Both evaluate the
same float32 boxes. MMRotate runs in its own environment (its interpreter is given), reads the problem from
a file and is timed inside, without imports. A sweep is 20 score thresholds x 10 IoU levels of APnc;
MMRotate's is measured at a few of these and multiplied.

    python benchmarks/rotated_map.py --mmrotate ENV/bin/python [--images 5000]

Differences have two sources. MMRotate's sort is unstable, so that the order of equal scores, and APnc with
it, depends on numpy and the processor: it is run a second time with a stable sort in its place. What then
remains comes from its overlaps in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from detection_eval.average_precision import class_average_precision, mean_over_classes
from detection_eval.detections import Detections
from detection_eval.geometry import canonical
from detection_eval.ground_truth import GroundTruth
from detection_eval.matching import LEVELS, match, overlap
from detection_eval.presets import preset
from detection_eval.rotated import boxes_to_quads
from detection_eval.thresholds import given_sweep, sweep

# Mean length in px, width as a part of it, share of all objects: DOTA's classes, roughly.
KINDS = {
    "small-vehicle": (22, 0.45, 0.5),
    "large-vehicle": (50, 0.3, 0.12),
    "ship": (60, 0.3, 0.2),
    "plane": (80, 0.9, 0.05),
    "harbor": (200, 0.25, 0.04),
    "storage-tank": (40, 1.0, 0.06),
    "bridge": (90, 0.3, 0.03),
}
PATCH_PX = 1024
THRESHOLDS = tuple(step / 20 for step in range(20))

PEER = """
import contextlib, io, json, os, sys, time
import numpy as np
if "STABLE" in os.environ:  # worker processes import this file too
    unstable = np.argsort
    np.argsort = lambda values, *args, **options: unstable(values, *args, **options | dict(kind="stable"))
from mmrotate.evaluation.functional import eval_rbbox_map

def main():
    with np.load(sys.argv[1]) as file:
        data = dict(file)
    classes, images = int(data["classes"]), int(data["images"])
    def per_image(name, width):
        order = np.argsort(data[name + "_image"], kind="stable")
        cuts = np.searchsorted(data[name + "_image"][order], np.arange(1, images))
        return np.split(data[name][order], cuts), np.split(data[name + "_label"][order], cuts)
    boxes, labels = per_image("truth", 5)
    nothing = dict(bboxes_ignore=np.zeros((0, 5), np.float32), labels_ignore=np.zeros(0, np.int64))
    truth = [dict(bboxes=b, labels=l, **nothing) for b, l in zip(boxes, labels)]
    boxes, labels = per_image("found", 6)
    def run(threshold, level):
        found = []
        for b, l in zip(boxes, labels):
            if threshold is not None:
                keep = b[:, 5] > threshold
                b, l = b[keep].copy(), l[keep]
                b[:, 5] = 1
            found.append([b[l == k] for k in range(classes)])
        begin = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            value, rows = eval_rbbox_map(found, truth, iou_thr=level, logger="silent", nproc=4)
        return dict(map=float(value), ap=[float(r["ap"]) for r in rows], seconds=time.perf_counter() - begin)
    print(json.dumps([run(*job) for job in json.loads(sys.argv[2])]))

if __name__ == "__main__":
    main()
"""


def problem(images: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Boxes (cx, cy, w, h, rad) of the truth and (..., score) of a detector, with their images and labels."""
    kinds = np.array(list(KINDS.values()))
    n = 15 * images
    labels = rng.choice(len(kinds), n, p=kinds[:, 2])
    length = kinds[labels, 0] * rng.uniform(0.7, 1.4, n)
    image = np.sort(rng.integers(0, images, n))
    centre = rng.uniform(0, PATCH_PX, (n, 2))
    truth = np.column_stack(
        [centre, length, length * kinds[labels, 1], rng.uniform(-np.pi / 2, np.pi / 2, n)]
    )
    doubled = np.concatenate([np.arange(n), rng.choice(n, n)])
    near = truth[doubled]
    near[:, :4] += rng.normal(0, 0.07, (2 * n, 4)) * np.sqrt(near[:, 2] * near[:, 3])[:, None]
    near[:, 4] += rng.normal(0, 0.08, 2 * n)
    named = np.where(rng.random(2 * n) < 0.06, rng.integers(0, len(kinds), 2 * n), labels[doubled])
    nowhere = truth[rng.choice(n, 4 * n // 3)]
    nowhere[:, :2] = rng.uniform(0, PATCH_PX, (len(nowhere), 2))
    scores = np.concatenate([rng.beta(5, 2, n), rng.beta(3, 3, n), rng.beta(1, 5, len(nowhere))])
    found = np.column_stack([np.concatenate([near, nowhere]), scores])
    found[:, 2:4] = np.maximum(found[:, 2:4], 2)
    return {
        "classes": np.array(len(kinds)),
        "images": np.array(images),
        "truth": truth.astype(np.float32),
        "truth_label": labels,
        "truth_image": image,
        "found": found.astype(np.float32),
        "found_label": np.concatenate([named, rng.choice(len(kinds), len(nowhere), p=kinds[:, 2])]),
        "found_image": np.concatenate([image[doubled], rng.integers(0, images, len(nowhere))]),
    }


def as_detections(data: dict[str, np.ndarray]) -> tuple[dict[str, GroundTruth], dict[str, Detections]]:
    """The problem as the package takes it."""
    classes, images = tuple(KINDS), int(data["images"])

    def per_image(name: str) -> list[Detections]:
        order = np.argsort(data[f"{name}_image"], kind="stable")
        cuts = np.searchsorted(data[f"{name}_image"][order], np.arange(1, images))
        boxes = data[name][order].astype(np.float64)
        quads, labels = canonical(boxes_to_quads(boxes[:, :5])), data[f"{name}_label"][order]
        scores = np.split(boxes[:, 5], cuts) if boxes.shape[1] > 5 else [None] * images
        return [
            Detections(*row[:2], classes, row[2])
            for row in zip(np.split(quads, cuts), np.split(labels, cuts), scores)
        ]

    truth = {f"P{k:05d}": GroundTruth(objects) for k, objects in enumerate(per_image("truth"))}
    return truth, dict(zip(truth, per_image("found")))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    begin = time.perf_counter()
    value = work()
    return time.perf_counter() - begin, value


def _peer(command: list[str], extra: dict[str, str]) -> list[dict[str, Any]]:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | extra)
    return json.loads(done.stdout.splitlines()[-1])  # imports print too


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--mmrotate", required=True, help="the interpreter of an environment with MMRotate 1.x"
    )
    parser.add_argument("--images", type=int, default=5000)
    options = parser.parse_args()
    data = problem(options.images, np.random.default_rng(0))
    truth, found = as_detections(data)
    protocol = preset("mmrotate-1.x")

    def one_level() -> np.ndarray:
        laid = overlap(truth, found, protocol)
        return class_average_precision(laid, match(laid, 0.5))

    def whole_sweep() -> tuple[np.ndarray, np.ndarray]:
        laid = overlap(truth, found, protocol)
        curve = sweep(laid, [match(laid, level) for level in LEVELS], THRESHOLDS)
        return curve.apnc, mean_over_classes(given_sweep(laid, LEVELS, THRESHOLDS), protocol)

    single_s, single = timed(one_level)
    sweep_s, (block, given) = timed(whole_sweep)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    jobs = [(None, 0.5), (0.0, 0.5), (0.3, 0.5), (0.6, 0.75)]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "problem.npz", **data)
        (Path(folder) / "peer.py").write_text(PEER)
        command = [options.mmrotate, f"{folder}/peer.py", f"{folder}/problem.npz", json.dumps(jobs)]
        peer, stable = (_peer(command, extra) for extra in ({}, {"STABLE": "1"}))
    print(f"{options.images} images, {len(data['found'])} detections, {len(data['truth'])} objects")
    print(f"{'value':24s}{'ours':>10s}{'MMRotate':>10s}{'difference':>12s}{'to stable sort':>16s}")
    values = [float(mean_over_classes(single, protocol))]
    values += [float(given[LEVELS.index(level), THRESHOLDS.index(cut)]) for cut, level in jobs[1:]]
    for (cut, level), ours, theirs, sorted_ in zip(jobs, values, peer, stable):
        name = f"AP{level:g}" if cut is None else f"APnc{level:g}, score > {cut:g}"
        row = f"{name:24s}{ours:10.5f}{theirs['map']:10.5f}{ours - theirs['map']:+12.5f}"
        print(f"{row}{ours - sorted_['map']:+16.5f}")
    print(f"order-free APnc0.5, score > 0.3: {block[0, THRESHOLDS.index(0.3)]:.5f}")
    print(f"largest difference of a class in AP0.5: {np.abs(single - stable[0]['ap']).max():.5f}")
    one_s = peer[0]["seconds"]
    all_s = len(LEVELS) * len(THRESHOLDS) * float(np.mean([job["seconds"] for job in peer[1:]]))
    print(f"one level:    {single_s:6.2f} s, MMRotate {one_s:8.1f} s, {one_s / single_s:.0f} times faster")
    print(f"whole sweep:  {sweep_s:6.2f} s, MMRotate {all_s:8.1f} s, {all_s / sweep_s:.0f} times faster")
    print(f"peak memory:  {memory:6.0f} MB")


if __name__ == "__main__":
    main()
