"""Small made-up data sets for the metrics."""

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads, canonical
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.metrics.ground_truth import GroundTruth

CLASSES = ("plane", "ship", "harbor")


def boxes(rows, labels=None, scores=None, classes=("plane",)):
    """Axis-aligned boxes x0, y0, x1, y1 as detections."""
    quads = box_quads(rows)
    labels = np.zeros(len(quads), np.int64) if labels is None else labels
    return Detections(quads, labels, classes, None if scores is None else np.array(scores, float))


def apart(count, start=0):
    """Axis-aligned boxes of 10 x 10 that do not touch."""
    x = 20.0 * (start + np.arange(count))
    return np.column_stack([x, np.zeros(count), x + 10, np.full(count, 10.0)])


def random_problem(seed, images=6, scored=True, levels=None, upright=False, difficult=True):
    """Crowded rotated boxes in a small frame: (truth, predictions) with noise, duplicates, confusion.

    Args:
        seed: of everything.
        images: their number; about one in four has no objects, one in four no detections.
        scored: give the detections scores.
        levels: round scores to so many levels, which makes ties.
        upright: axis-aligned boxes with whole coordinates.
        difficult: mark some objects as difficult.
    """
    rng = np.random.default_rng(seed)
    truth, predictions = {}, {}
    for number in range(images):
        image = f"P{number // 2}__1__{number}___0"
        n = 0 if rng.random() < 0.25 else int(rng.integers(1, 12))
        drawn = _drawn(rng, n)
        labels = rng.integers(0, len(CLASSES), n)
        grade = rng.choice([0, 0, 0, 1, 2, 101], n) if difficult else np.zeros(n, np.int64)
        truth[image] = GroundTruth(Detections(_quads(drawn, upright), labels, CLASSES), grade, size=(70, 70))
        near = [drawn + rng.normal(0, 1, drawn.shape) * [1.5, 1.5, 2, 2, 0.1] for _ in range(2)]
        found = np.concatenate([*near, _drawn(rng, int(rng.integers(0, 6)))])
        named = np.concatenate([labels, labels, rng.integers(0, len(CLASSES), len(found) - 2 * n)])
        keep = rng.random(len(found)) < (0.0 if rng.random() < 0.25 else 0.7)
        found, named = found[keep], named[keep]
        scores = rng.random(len(found))
        scores = np.round(scores * levels) / levels if levels else scores
        predictions[image] = Detections(_quads(found, upright), named, CLASSES, scores if scored else None)
    return truth, predictions


def _drawn(rng, count):
    sizes = rng.uniform(4, 24, (count, 2))
    return np.column_stack([rng.uniform(0, 70, (count, 2)), sizes, rng.uniform(-1.5, 1.5, count)])


def _quads(drawn, upright):
    drawn = drawn.copy()
    drawn[:, 2:4] = np.abs(drawn[:, 2:4]) + 1
    if upright:
        drawn[:, 4] = 0
        low = np.round(drawn[:, :2] - drawn[:, 2:4] / 2)
        return box_quads(np.column_stack([low, low + np.ceil(drawn[:, 2:4])]))
    return canonical(boxes_to_quads(drawn))


def permuted(truth, predictions, seed):
    """The same problem with images and boxes in another order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(list(truth)).tolist()
    moved_truth, moved = {}, {}
    for image in order:
        objects = truth[image].objects
        index = rng.permutation(len(objects))
        moved_truth[image] = GroundTruth(
            objects.select(index), truth[image].difficulty[index], truth[image].scene, truth[image].size
        )
        if image in predictions:
            moved[image] = predictions[image].select(rng.permutation(len(predictions[image])))
    return moved_truth, moved
