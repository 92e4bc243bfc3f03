"""A small DOTA-like problem: objects, a detector with scores, and a model that writes without any."""

from __future__ import annotations

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.metrics.ground_truth import GroundTruth

CLASSES = ("plane", "ship", "small-vehicle")


def problem(images: int = 12, seed: int = 0):
    """Ground truth, a scored detector's boxes and an unscored model's, by image id."""
    rng = np.random.default_rng(seed)
    truth, detector, model = {}, {}, {}
    for index in range(images):
        name = f"P{index // 3:04d}__1__{index % 3}___0"
        n = int(rng.integers(3, 12))
        boxes = np.column_stack(
            [rng.uniform(40, 984, (n, 2)), rng.uniform(20, 90, (n, 2)), rng.uniform(-np.pi / 2, np.pi / 2, n)]
        )
        labels = rng.integers(0, 3, n)
        truth[name] = GroundTruth(Detections(boxes_to_quads(boxes), labels, CLASSES), size=(1024, 1024))
        for predictions, jitter, scored in ((detector, 2.5, True), (model, 4.0, False)):
            kept = rng.random(n) < 0.8
            noise = rng.normal(0, 1, (n, 5)) * [jitter, jitter, jitter, jitter, 0.08]
            guesses, names = (boxes + noise)[kept], labels[kept].copy()
            wrong = rng.random(len(names)) < 0.1
            names[wrong] = (names[wrong] + 1) % 3
            false = int(rng.integers(0, 6 if scored else 3))
            extra = np.column_stack(
                [rng.uniform(40, 984, (false, 2)), rng.uniform(20, 90, (false, 2)), np.zeros(false)]
            )
            scores = np.concatenate([rng.beta(6, 2, len(names)), rng.beta(2, 6, false)])
            predictions[name] = Detections(
                boxes_to_quads(np.concatenate([guesses, extra])),
                np.concatenate([names, rng.integers(0, 3, false)]),
                CLASSES,
                scores if scored else None,
            )
    return truth, detector, model
