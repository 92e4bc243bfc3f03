"""The shipped ``nano`` and the results.pkl of a detector in one report, end to end, on synthetic scenes.

Writes scenes (``rscovlm synth dataset``), looks for objects in each with nano (``rscovlm detect``), writes a
results.pkl in MMRotate 1.x's layout, and compares both (``rscovlm bench detections``). The detector is
SIMULATED: its boxes are the ground truth with seeded noise in place, size and angle, some missed, some
doubled and some out of nowhere, with scores that know some of this. It shows the report, not who is better.

    python benchmarks/nano_beside_detector.py [--output demo/detectors] [--scenes 16] [--size 1024]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from detection_eval.detections import Detections
from detection_eval.formats import Collection, read
from detection_eval.formats.mmrotate import write_results_1
from detection_eval.geometry.rotated import boxes_to_quads, quads_to_boxes

NAME = "simulated-detector"
MISSED, DOUBLED, FALSE = 0.12, 0.15, 0.5


def simulated(objects: Detections, size: tuple[int, int], rng: np.random.Generator) -> Detections:
    """What a middling detector would find in one image."""
    seen = rng.random(len(objects)) >= MISSED
    boxes, labels = quads_to_boxes(objects.polygons[seen]), objects.labels[seen]
    doubled = rng.random(len(boxes)) < DOUBLED
    near, named = np.concatenate([boxes, boxes[doubled]]), np.concatenate([labels, labels[doubled]])
    scale = np.sqrt(near[:, 2] * near[:, 3])[:, None]
    noise = np.abs(rng.normal(0.06, 0.04, (len(near), 1)))  # good boxes and bad ones
    near[:, :4] += rng.normal(size=(len(near), 4)) * noise * scale
    near[:, 4] += rng.normal(size=len(near)) * noise[:, 0]
    confused = rng.random(len(near)) < 0.05
    named = np.where(confused, rng.integers(0, len(objects.classes), len(near)), named)
    count = rng.poisson(FALSE * max(len(objects), 1))
    nowhere = near[rng.integers(0, len(near), count)] if len(near) else np.zeros((0, 5))
    nowhere[:, :2] = rng.uniform(0, size, (len(nowhere), 2))
    scores = np.concatenate(
        [
            np.clip(0.95 - 3 * noise[:, 0] - 0.3 * confused + rng.normal(0, 0.1, len(near)), 0.02, 0.999),
            rng.beta(1.5, 6, len(nowhere)),
        ]
    )
    found = np.concatenate([near, nowhere])
    found[:, 2:4] = np.maximum(found[:, 2:4], 2)
    labels = np.concatenate([named, rng.integers(0, len(objects.classes), len(nowhere))])
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes_to_quads(found)[order], labels[order], objects.classes, scores[order])


def simulate(truth: Collection, seed: int) -> Collection:
    """A results.pkl of the simulated detector, ground truth included."""
    found = {}
    for number, (image, held) in enumerate(truth.images.items()):
        objects = simulated(held.detections, held.size or (1024, 1024), np.random.default_rng([seed, number]))
        found[image] = replace(held, detections=objects, difficulty=None)
    return Collection(found, truth.classes, truth=truth.images)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("demo/detectors"))
    parser.add_argument("--scenes", type=int, default=16)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument(
        "--seed", type=int, default=20_000, help="of the scenes: not those nano was trained on"
    )
    options = parser.parse_args()

    def run(*words: object) -> None:
        command = [str(Path(sys.executable).with_name("rscovlm")), *map(str, words)]
        print("$ rscovlm", *command[1:], flush=True)
        subprocess.run(command, check=True)

    scenes, boxes = options.output / "scenes", options.output / "nano"
    boxes.mkdir(parents=True, exist_ok=True)
    count = ("--count", options.scenes, "--size", options.size, "--seed", options.seed)
    run("synth", "dataset", scenes, *count)
    for scene in sorted((scenes / "images").glob("*.tif")):
        target = boxes / f"{scene.stem}.txt"
        if not target.exists():
            run("detect", scene, "--output", target, "--overwrite")
    results = options.output / f"{NAME}.pkl"
    write_results_1(results, simulate(read(scenes / "annotations.json", "coco"), options.seed))
    methods = ("--pred", f"nano={boxes}:dota", "--pred", f"{NAME}={results}:mmrotate-1.x")
    truth = ("--gt", f"{scenes / 'annotations.json'}:coco")
    run("bench", "detections", *truth, *methods, "--bootstrap", 1000, "--output", options.output / "report")
    page = options.output / "report" / "report.html"
    print(f"{page}: {page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
