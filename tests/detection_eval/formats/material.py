"""Made-up collections of boxes that formats can hold."""

import numpy as np

from detection_eval.detections import Detections
from detection_eval.formats import (
    FORMATS,
    Collection,
    ImageBoxes,
)
from detection_eval.formats.class_lists import CLASS_LISTS
from detection_eval.geometry.quads import canonical
from detection_eval.geometry.rotated import boxes_to_quads

NAMES = ("small-vehicle", "plane", "ship")


SCORED = ("task1", "mmrotate-0.x", "mmrotate-1.x", "mmrotate-json", "ultralytics-json")


FOLDERS = ("dota", "task1", "ultralytics", "dior-r", "fair1m", "hrsc2016", "rsar")


TWINS = {"srsdd": "coco", "rsar": "dota"}


MBOX = "".join(f"<mbox_{name}>1</mbox_{name}>" for name in ("cx", "cy", "w", "h", "ang"))


HRSC = (
    "<HRSC_Image><HRSC_Objects>\n<HRSC_Object>\n"
    "<Class_ID>{}</Class_ID>{}\n</HRSC_Object></HRSC_Objects></HRSC_Image>"
)


def boxes(rng, count, names=NAMES, scored=False, graded=False, whole=False):
    """Objects as a file lists them: by class, so that formats by class keep the order too."""
    numbers = np.column_stack(
        [rng.uniform(100, 900, (count, 2)), rng.uniform(20, 90, count), rng.uniform(4, 19, count)]
    )
    quads = canonical(boxes_to_quads(np.column_stack([numbers, rng.uniform(-1.5, 1.5, count)])))
    quads = canonical(quads.round()) if whole else quads
    labels = np.sort(rng.integers(0, len(names), count))
    scores = rng.random(count) if scored and count else None
    difficulty = rng.integers(0, 3, count) if graded and count else None
    return Detections(quads, labels, names, scores), difficulty


def collection(seed, counts, names=NAMES, **how):
    rng = np.random.default_rng(seed)
    images = {}
    for number, count in enumerate(counts):
        found, difficulty = boxes(rng, count, names, **how)
        images[f"P{number:04}"] = ImageBoxes(found, difficulty, (1024, 1000), f"P{number:04}.png")
    return Collection(images, names)


def options(name, images):
    """What a reader of the format has to be told."""
    told = {"classes": NAMES if FORMATS[name].classes is None else CLASS_LISTS[FORMATS[name].classes]}
    if name == "mmrotate-0.x":
        told["images"] = list(images)
    if name in ("ultralytics", "dota", "rsar", "lmmrotate"):
        told["sizes"] = (1024, 1000)
    return told


def sample(name, seed=1, counts=(4, 0, 3)):
    """A collection that the format can hold."""
    keeps = FORMATS[name].keeps
    names = options(name, ())["classes"]
    how = {"scored": "scores" in keeps, "graded": "difficulty" in keeps, "whole": name == "rscovlm"}
    return collection(seed, counts if "empty" in keeps else [n for n in counts if n], names, **how)


def target(folder, name):
    suffix = {"predictions": ".jsonl", "mmrotate-0.x": ".pkl", "mmrotate-1.x": ".pkl"}.get(name, ".json")
    return folder / ("written" if name in FOLDERS else f"written{suffix}")
