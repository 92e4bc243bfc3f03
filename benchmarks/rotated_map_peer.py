"""What ``rotated_map.py`` runs under MMRotate's interpreter: writing a results.pkl, and evaluating it.

    ENV/bin/python rotated_map_peer.py write|pool|bare PROBLEM.npz RESULTS.pkl JOBS

A job is a score threshold, or null, and an IoU level. With a threshold all scores become 1, as LMMRotate and
RSCoVLM compute APnc of a detector. STABLE in the environment puts a stable sort in place of numpy's default,
and VERDICTS names a file for the verdicts of the first job.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

if "STABLE" in os.environ:
    _argsort = np.argsort
    stable = {"kind": "stable"}
    np.argsort = lambda values, *args, **options: _argsort(values, *args, **options | stable)


class Loop:
    """A pool of no processes, which keeps the verdicts."""

    verdicts: ClassVar[list[Any]] = []

    def Pool(self, nproc: int) -> Loop:
        """One that starts nothing."""
        self.verdicts.clear()
        return self

    def starmap(self, function: Callable[..., Any], rows: Iterable[Sequence[Any]]) -> list[Any]:
        """Call after call."""
        found = [function(*row) for row in rows]
        self.verdicts.extend(found)
        return found

    def close(self) -> None:
        """Nothing to close."""


def write(source: Mapping[str, Any], path: str) -> None:
    """As ``tools/test.py --out`` does: data samples as dicts of tensors, through ``DumpResults``."""
    import torch
    from mmengine.evaluator import DumpResults

    def per_image(values: Any, image: Any) -> list[Any]:
        order = np.argsort(image, kind="stable")
        cuts = np.searchsorted(image[order], np.arange(1, int(source["images"])))
        return [torch.from_numpy(part.copy()) for part in np.split(values[order], cuts)]

    found = [per_image(source[name], source["found_image"]) for name in ("found", "found_label")]
    truth = [
        per_image(source[name], source["truth_image"]) for name in ("truth", "truth_label", "truth_ignored")
    ]
    samples = []
    for number, (boxes, labels, objects, kinds, ignored) in enumerate(zip(*found, *truth)):
        name = f"P{number:05d}__1024__0___0"
        samples.append(
            {
                "img_id": name,
                "img_path": f"images/{name}.png",
                "ori_shape": (1024, 1024),
                "img_shape": (1024, 1024),
                "scale_factor": (1.0, 1.0),
                "pred_instances": {
                    "bboxes": boxes[:, :5].clone(),
                    "scores": boxes[:, 5].clone(),
                    "labels": labels,
                },
                "gt_instances": {"bboxes": objects[~ignored], "labels": kinds[~ignored]},
                "ignored_instances": {"bboxes": objects[ignored], "labels": kinds[ignored]},
            }
        )
    dumper = DumpResults(path)
    dumper.process(None, samples)
    dumper.compute_metrics(dumper.results)


def kept(samples: list[Any], threshold: float | None) -> list[Any]:
    """Detections above a threshold, their scores 1."""
    if threshold is None:
        return samples
    samples = copy.deepcopy(samples)
    for sample in samples:
        found = sample["pred_instances"]
        keep = found["scores"] > threshold
        for name in found:
            found[name] = found[name][keep]
        found["scores"][:] = 1
    return samples


def cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def run(samples: list[Any], classes: Sequence[str], threshold: float | None, level: float) -> dict[str, Any]:
    """One evaluation by ``DOTAMetric``; the seconds are those of ``compute_metrics``, nothing else."""
    from mmrotate.evaluation.metrics import DOTAMetric, dota_metric

    metric = DOTAMetric(iou_thrs=level)
    metric.dataset_meta = {"classes": classes}
    metric.process(None, kept(samples, threshold))
    rows: list[Any] = []
    evaluate = dota_metric.eval_rbbox_map

    def recorded(*args: Any, **options: Any) -> Any:
        value = evaluate(*args, **options)
        rows.extend(value[1])
        return value

    dota_metric.eval_rbbox_map = recorded
    begin, cpu = time.perf_counter(), cpu_seconds()
    with contextlib.redirect_stdout(io.StringIO()):
        value = metric.compute_metrics(metric.results)
    seconds = time.perf_counter() - begin
    for worker in multiprocessing.active_children():
        worker.join()
    cpu = cpu_seconds() - cpu
    dota_metric.eval_rbbox_map = evaluate
    ap = [float(row["ap"]) for row in rows]
    return {"map": float(value["mAP"]), "ap": ap, "seconds": seconds, "cpu": cpu}


def main() -> None:
    if len(sys.argv) != 5:
        print(__doc__)
        sys.exit(0 if "--help" in sys.argv else 2)
    work, problem, path, jobs = sys.argv[1:]
    with np.load(problem) as file:
        source = dict(file)
    classes = tuple(source["classes"].tolist())
    if work == "write":
        write(source, path)
        print(json.dumps({}))
        return
    import mmrotate.evaluation.functional.mean_ap as mean_ap
    from mmengine.fileio import load

    if work == "bare":
        mean_ap.get_context = lambda *_: Loop()
    begin = time.perf_counter()
    samples = load(path)
    read_s = time.perf_counter() - begin
    done = []
    for number, (threshold, level) in enumerate(json.loads(jobs)):
        done.append(run(samples, classes, threshold, level))
        if number == 0 and "VERDICTS" in os.environ:
            tp, fp = (np.hstack(part)[0] for part in zip(*Loop.verdicts))
            np.savez(os.environ["VERDICTS"], tp=tp, fp=fp)
    self_mb, worker_mb = (
        resource.getrusage(who).ru_maxrss / 1e3 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(json.dumps({"jobs": done, "read_s": read_s, "peak_mb": self_mb, "worker_mb": worker_mb}))


if __name__ == "__main__":
    main()
