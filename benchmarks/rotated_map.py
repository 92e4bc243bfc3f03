"""mAP of rotated boxes beside MMRotate: one results.pkl, both evaluators, values, seconds and memory.

Generates scenes like DOTA's patches: crowded vehicles and ships, some large harbours, some objects that are
to be ignored, detections that are off by a little, doubled, confused or out of nowhere, with scores that know
some of this. MMRotate's own environment (its interpreter is given) writes them as results.pkl by mmengine's
``DumpResults``, and evaluates that file by ``DOTAMetric``; here it is read without pickle and evaluated under
the preset ``mmrotate-1.x``. All processes run one after another on the same machine; seconds are medians.

    python benchmarks/rotated_map.py --mmrotate ENV/bin/python [--images 5000] [--rounds 3] [--json FILE]

MMRotate is timed twice: as its users call it, with the pool of four processes that ``eval_rbbox_map`` starts
each time, and with a loop in place of that pool, which is its algorithm alone. Beside the seconds on the
clock stand those of the processors, with all processes of the pool, which other work on the machine changes
less. A sweep is 20 score thresholds x 10 IoU levels of APnc; MMRotate's is measured at five of these, with
its pool at one, and multiplied.

Values differ for two reasons, and both are taken away in turn. MMRotate's sort is unstable, so that the order
of equal scores, and APnc with it, depends on numpy and the processor: ``stable`` is MMRotate with a stable
sort. Its overlaps are float32: the detections that it judges differently for that are counted, and with its
verdicts in place of ours the values are equal to the digits that it prints.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from detection_eval.formats.mmrotate import read_results
from detection_eval.metrics.average_precision import class_average_precision, mean_over_classes
from detection_eval.metrics.matching import FALSE, IGNORED, LEVELS, TRUE, match
from detection_eval.metrics.overlaps import Overlaps, overlap
from detection_eval.metrics.presets import preset
from detection_eval.metrics.thresholds import given_sweep, sweep

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
IGNORED_SHARE = 0.03
THRESHOLDS = tuple(step / 20 for step in range(20))
CELLS = ((0.1, 0.5), (0.3, 0.5), (0.5, 0.75), (0.7, 0.5), (0.9, 0.75))
"""Score threshold and IoU level: what of the sweep MMRotate is measured at, the middle of each fifth."""

PEER = Path(__file__).with_name("rotated_map_peer.py")
PROTOCOL = preset("mmrotate-1.x")


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
        "images": np.array(images),
        "truth": truth.astype(np.float32),
        "truth_label": labels,
        "truth_image": image,
        "truth_ignored": rng.random(n) < IGNORED_SHARE,
        "found": found.astype(np.float32),
        "found_label": np.concatenate([named, rng.choice(len(kinds), len(nowhere), p=kinds[:, 2])]),
        "found_image": np.concatenate([image[doubled], rng.integers(0, images, len(nowhere))]),
    }


# --- here -----------------------------------------------------------------------------------------


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds, seconds of the processor, and result."""
    begin, cpu = time.perf_counter(), time.process_time()
    value = work()
    return time.perf_counter() - begin, time.process_time() - cpu, value


def peak_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def laid_over(path: str) -> tuple[float, Callable[[], Overlaps]]:
    """Seconds to read a results.pkl, and what lays its detections over its ground truth."""
    read_s, _, results = timed(lambda: read_results(path, tuple(KINDS)))
    truth = results.with_truth_as_images().ground_truth()
    return read_s, lambda: overlap(truth, results.detections, PROTOCOL)


def ours(path: str, what: str) -> dict[str, Any]:
    """One level (``level``) or all levels and thresholds (``sweep``) of a results.pkl."""
    read_s, lay = laid_over(path)
    read_mb = peak_mb()

    def level() -> np.ndarray:
        laid = lay()
        return class_average_precision(laid, match(laid, 0.5))

    def whole() -> tuple[np.ndarray, np.ndarray]:
        laid = lay()
        curve = sweep(laid, [match(laid, level) for level in LEVELS], THRESHOLDS)
        return curve.apnc, mean_over_classes(given_sweep(laid, LEVELS, THRESHOLDS), PROTOCOL)

    if what == "level":
        runs = [timed(level) for _ in range(5)]
        values = {"map": float(mean_over_classes(runs[0][2], PROTOCOL)), "ap": runs[0][2].tolist()}
    else:
        runs = [timed(whole) for _ in range(3)]
        block, given = runs[0][2]
        cells = [(LEVELS.index(level), THRESHOLDS.index(cut)) for cut, level in CELLS]
        tables = {"block": block, "given": given}
        values = {name: [float(table[cell]) for cell in cells] for name, table in tables.items()}
    seconds, cpu = (median(run[column] for run in runs) for column in (0, 1))
    return {
        "seconds": seconds,
        "cpu": cpu,
        "read_s": read_s,
        "read_mb": read_mb,
        "peak_mb": peak_mb(),
        **values,
    }


def float32_verdicts(path: str, verdicts: Path) -> dict[str, Any]:
    """Which detections MMRotate judges differently, and the mAP of its verdicts by our curve."""
    laid = laid_over(path)[1]()
    matches = match(laid, 0.5)
    with np.load(verdicts) as file:
        right, wrong = file["tp"] > 0, file["fp"] > 0
    by_class = np.argsort(laid.detections.labels, kind="stable")  # MMRotate's order: class, image, place
    theirs = np.empty_like(matches.verdict)
    theirs[by_class] = np.where(right, TRUE, np.where(wrong, FALSE, IGNORED))
    other = theirs != matches.verdict
    iou = laid.claims[1][other]
    ap = class_average_precision(laid, replace(matches, verdict=theirs))
    return {
        "differently": int(other.sum()),
        "near_level": int((np.abs(iou - 0.5) < 1e-4).sum()),
        "map": float(mean_over_classes(ap, PROTOCOL)),
        "ap": ap.tolist(),
    }


# --- both -----------------------------------------------------------------------------------------


def _child(command: list[str], **extra: str) -> Any:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | extra)
    return json.loads(done.stdout.splitlines()[-1])  # imports print too


def measure(mmrotate: str, images: int, rounds: int) -> dict[str, Any]:
    """All values and seconds."""
    data = problem(images, np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder:
        source, results = f"{folder}/problem.npz", f"{folder}/results.pkl"
        arrays: dict[str, Any] = {"classes": np.array(list(KINDS)), **data}
        np.savez(source, **arrays)

        def peer(work: str, *jobs: tuple[float | None, float], **extra: str) -> Any:
            return _child([mmrotate, str(PEER), work, source, results, json.dumps(jobs)], **extra)

        def here(what: str) -> Any:
            return _child([sys.executable, __file__, "--ours", what, results])

        peer("write")
        mine, pooled, bare = [], [], []
        for _ in range(rounds):
            mine.append(here("level"))
            pooled.append(peer("pool", (None, 0.5)))
            bare.append(peer("bare", (None, 0.5)))
        swept = here("sweep")
        sweeps = {"bare": peer("bare", *CELLS), "pool": peer("pool", CELLS[2])}
        stable = peer("bare", (None, 0.5), *CELLS, STABLE="1", VERDICTS=f"{folder}/verdicts.npz")
        return {
            "images": images,
            "detections": len(data["found"]),
            "objects": len(data["truth"]),
            "pkl_mb": Path(results).stat().st_size / 1e6,
            "ours": mine,
            "ours_sweep": swept,
            "pool": pooled,
            "bare": bare,
            "sweeps": sweeps,
            "stable": stable,
            "float32": float32_verdicts(results, Path(folder) / "verdicts.npz"),
        }


def report(found: dict[str, Any]) -> None:
    """Print what was measured."""
    mine, swept, stable, float32 = (found[name] for name in ("ours", "ours_sweep", "stable", "float32"))
    print(
        f"{found['images']:,} images, {found['detections']:,} detections, {found['objects']:,} objects, "
        f"results.pkl of {found['pkl_mb']:.0f} MB"
    )
    print(f"\n{'value':24s}{'ours':>10s}{'MMRotate':>10s}{'ours -':>11s}{'ours - stable':>15s}")
    names = ["AP0.5", *(f"APnc{level:g}, score > {cut:g}" for cut, level in CELLS)]
    values = [mine[0]["map"], *swept["given"]]
    theirs = [found["bare"][0]["jobs"][0]["map"], *(job["map"] for job in found["sweeps"]["bare"]["jobs"])]
    for name, own, peer, sorted_ in zip(names, values, theirs, stable["jobs"]):
        print(f"{name:24s}{own:10.5f}{peer:10.5f}{own - peer:+11.6f}{own - sorted_['map']:+15.6f}")
    print("order-free APnc of the same cells: " + ", ".join(f"{value:.5f}" for value in swept["block"]))
    rest = np.abs(np.array(float32["ap"]) - stable["jobs"][0]["ap"]).max()
    print(
        f"judged differently for float32 overlaps at 0.5: {float32['differently']} detections, of which "
        f"{float32['near_level']} overlap by 0.5 to 4 digits; with MMRotate's verdicts and a stable sort "
        f"no class differs by more than {rest:.1e}"
    )
    for name, kind in (("seconds", "seconds"), ("seconds of all processors", "cpu")):
        print(f"\n{name:28s}{'ours':>9s}{'with pool':>12s}{'ratio':>8s}{'no pool':>10s}{'ratio':>8s}")
        for row in _rows(found, kind):
            _print_row(*row)
    read, load = median(run["read_s"] for run in mine), median(run["read_s"] for run in found["pool"])
    _print_row("reading results.pkl, seconds", read, load, load)
    print(
        f"\npeak memory: {median(run['peak_mb'] for run in mine):.0f} MB, of which reading "
        f"{median(run['read_mb'] for run in mine):.0f} MB; sweep {swept['peak_mb']:.0f} MB; MMRotate "
        f"{found['pool'][0]['peak_mb']:.0f} MB, and in each of 4 workers up to "
        f"{found['pool'][0]['worker_mb']:.0f} MB"
    )


def _rows(found: dict[str, Any], kind: str) -> list[tuple[str, float, float, float]]:
    """Name, ours, MMRotate with its pool and without, of ``seconds`` or ``cpu``."""
    cells = len(LEVELS) * len(THRESHOLDS)
    one = [median(run["jobs"][0][kind] for run in found[name]) for name in ("pool", "bare")]
    whole = [
        cells * float(np.mean([job[kind] for job in found["sweeps"][name]["jobs"]]))
        for name in ("pool", "bare")
    ]
    return [
        ("one level", median(run[kind] for run in found["ours"]), *one),
        (f"sweep of {cells}", found["ours_sweep"][kind], *whole),
    ]


def _print_row(name: str, own: float, pool: float, bare: float) -> None:
    columns = "".join(f"{peer:{width}.1f}{peer / own:7.0f}x" for peer, width in ((pool, 12), (bare, 10)))
    print(f"{name:28s}{own:9.2f}{columns}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mmrotate", help="the interpreter of an environment with MMRotate 1.x")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken")
    parser.add_argument("--json", type=Path, help="where everything that was measured is written")
    parser.add_argument("--ours", nargs=2, metavar=("WHAT", "PKL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(ours(options.ours[1], options.ours[0])))
        return
    if not options.mmrotate:
        parser.error("--mmrotate is missing: the interpreter of an environment with MMRotate 1.x")
    found = measure(options.mmrotate, options.images, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    report(found)


if __name__ == "__main__":
    main()
