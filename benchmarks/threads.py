"""Waiting threads: ``rscovlm`` on a machine whose other cores are idle or busy, against threads that spin.

``rscovlm`` has OpenMP's threads sleep while they wait for each other (``OMP_WAIT_POLICY=PASSIVE``, unless the
environment says otherwise). Torch's default is that they spin, which costs most where another process takes
one of their cores. Both detect ships in one synthetic scene with nano, each ``--rounds`` times in turn, first
alone, then beside a process that does nothing but count.

    python benchmarks/threads.py [--rounds 3] [--size 4096]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

WAYS = ("", "PASSIVE")


def seconds(scene: Path, way: str) -> float:
    """Of one detection by a command of its own."""
    command = [sys.executable, "-m", "rscovlm", "detect", str(scene), "--classes", "ship"]
    command += ["--output", str(scene.with_suffix(".gpkg")), "--overwrite"]
    begun = time.monotonic()
    # An empty value is as good as none to OpenMP, and keeps rscovlm from setting its own.
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_WAIT_POLICY": way})
    return time.monotonic() - begun


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of each way (default: 3)")
    parser.add_argument("--size", type=int, default=4096, help="side of the scene in px (default: 4096)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as others:
        scene = Path(folder) / "scene.tif"
        command = [sys.executable, "-m", "rscovlm", "synth", "scene", str(scene)]
        subprocess.run(
            [*command, "--size", str(options.size), "--seed", "7", "--cover", "coast"],
            check=True,
            capture_output=True,
        )
        for beside in ("nothing", "a busy process"):
            if beside != "nothing":
                busy = others.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
                others.callback(busy.kill)
            rounds = [{way: seconds(scene, way) for way in WAYS} for _ in range(options.rounds)]
            spun, slept = (statistics.median(each[way] for each in rounds) for way in WAYS)
            ratio = f"{spun / slept:.2f} times as fast"
            print(f"beside {beside}: {slept:.1f} s asleep, {spun:.1f} s spinning, {ratio}")


if __name__ == "__main__":
    main()
