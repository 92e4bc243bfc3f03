"""Memory of ``rscovlm regress`` over synthetic Sentinel-2 scenes of several sizes.

Each scene is a forest whose biomass is known (``rscovlm synth forest``), 12 bands of 16 bits at 10 m, written
strip by strip. The peak of resident memory of the command is measured in a process of its own, and the map is
held against the truth.

    python benchmarks/regression_map.py --model CHECKPOINT [--sides 2745,10980] [--stride 120] [--folder DIR]

With --plots 200 the intervals are fitted on so many plots at random places of the scene.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

from rscovlm.synth.forest_scene import biomass_of, write_forest


def footprint(side: int, x: int, y: int) -> float:
    """True biomass of the 3 x 3 px about a pixel."""
    around = biomass_of(slice(max(0, y - 1), y + 2), side)[0].mean(axis=0)
    return float(around[max(0, x - 1) : x + 2].mean())


def write_plots(path: Path, side: int, count: int) -> None:
    """Plots at random places of the scene with errors as the labels of ``rscovlm.synth.forest`` have them."""
    rng = np.random.default_rng([10, side])
    lines = ["x,y,agb"]
    while len(lines) <= count:
        x, y = (int(each) for each in rng.integers(13, side - 13, 2))
        if x + y < side // 5 + 25:
            continue  # on the edge of the swath
        known = footprint(side, x, y)
        error = 0.6 * (3 + 0.08 * known + rng.gamma(2.0, 1.0))
        label = float(np.clip(rng.normal(known, error), 0, 500))
        lines.append(f"{500_000 + 10 * x + 5},{5_600_000 - 10 * y - 5},{label:.2f}")
    path.write_text("\n".join(lines) + "\n")


def agreement(path: Path, side: int, stride: int) -> str:
    """How the map compares with the truth at the middles of its cells."""
    with rasterio.open(path) as dataset:
        mean, lower, upper = dataset.read([1, 2, 3])
    middles = [min(row * stride + stride // 2, side - 1) for row in range(mean.shape[0])]
    truth = np.full_like(mean, np.nan)
    for row, middle in enumerate(middles):
        around = biomass_of(slice(max(0, middle - 1), middle + 2), side)[0].mean(axis=0)
        truth[row] = [around[max(0, x - 1) : x + 2].mean() for x in middles]
    known = np.isfinite(mean)
    error, spread = (mean - truth)[known], truth[known].std()
    inside = ((truth >= lower) & (truth <= upper))[known].mean()
    return (
        f"RMSE {np.sqrt((error**2).mean()):.1f} of a deviation of {spread:.1f} Mg/ha, "
        f"{inside:.1%} inside the interval, {known.mean():.0%} of cells with an estimate"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--sides", default="2745,10980")
    parser.add_argument("--stride", type=int, default=120)
    parser.add_argument("--plots", type=int, default=0, help="in the scene, to fit intervals on")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    for side in map(int, options.sides.split(",")):
        path, output = folder / f"s2-{side}.tif", folder / f"agb-{side}.tif"
        if not path.is_file():
            write_forest(path, side)
        command = [sys.executable, "-m", "rscovlm", "regress", str(path), "--model", options.model]
        command += ["--output", str(output), "--stride", str(options.stride), "--overwrite"]
        if options.plots:
            write_plots(folder / f"plots-{side}.csv", side, options.plots)
            command += ["--target", "agb", "--plots", str(folder / f"plots-{side}.csv")]
        begun = time.monotonic()
        subprocess.run(command, check=True)
        seconds = time.monotonic() - begun
        # ru_maxrss is the largest child so far; sizes go up.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{side} px: {seconds:.0f} s, peak {peak:.0f} MiB; {agreement(output, side, options.stride)}")


if __name__ == "__main__":
    main()
