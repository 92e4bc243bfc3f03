"""``detect`` and ``ask`` over HTTP beside the unbatched ideal; failed requests; peak memory.

Run: python benchmarks/serving.py [--requests 100] [--delay 0.3] [--slow 3]

The server is a process of this script on loopback, which answers by rule and counts what it gets. Every 16th
request is slow. The ideal is what as many workers need that are never idle, each going through the steps of
one question after another. Start-up and planning are measured with a server that does not delay.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.rscovlm.engines.server import ModelServer  # noqa: E402
from zoom_chain.chat import Conversation  # noqa: E402
from zoom_chain.dialect import QWEN3_VL_PLAIN  # noqa: E402

EVERY = 16
"""Of so many requests one is slow."""


class Served(ModelServer):
    """Answers ``detect`` and ``ask`` by rule, each 16th request slowly.

    Args:
        delay_s: of a reply.
        slow_s: of each 16th.
        zooms: calls that a question makes before its answer.
    """

    def __init__(self, delay_s: float, slow_s: float, zooms: int) -> None:
        super().__init__()
        # Clients that are killed break their connections, which is no news here.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.usual_s, self.slow_s, self.zooms = delay_s, slow_s, zooms
        self.answer = self._say
        self.fail_at: set[int] = set()
        self.number = 0
        self.exchanges: defaultdict[str, list[Exchange]] = defaultdict(list)

    def __enter__(self) -> Served:
        return self

    def reply(self, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        """A reply after its delay."""
        probe = body["max_tokens"] == 1
        self.caller.exchange = exchange = Exchange(self.caller.headers.get("Authorization", ""))
        with self.lock:
            self.number += not probe
            number = self.number
            if not probe:
                self.exchanges[name_of(body)].append(exchange)
        if not probe:
            time.sleep(self.slow_s if number % EVERY == 0 else self.usual_s)
            if number in self.fail_at:
                return 422, {}, {"error": {"message": "this request is refused"}}
        given = super().reply(body)
        self.requests.clear()  # bodies hold images
        return given

    def sent(self) -> None:
        """Note when a reply was sent whole."""
        self.caller.exchange.replied_s = time.monotonic()

    def asked_again(self, kills: dict[str, float]) -> tuple[int, list[float]]:
        """Requests that came again, and how long before the kill of its process each lost reply was sent."""
        before = [exchange for each in self.exchanges.values() for exchange in each[:-1]]
        waits = [kills[exchange.key] - exchange.replied_s for exchange in before if exchange.replied_s]
        return len(before), [wait for wait in waits if wait > 0]

    def _say(self, conversation: Conversation) -> str:
        first = next(message.text for message in conversation.messages if message.role == "user")
        if not first.startswith("question"):
            return '[{"bbox_2d": [100, 100, 200, 200], "label": "ship"}]'
        said = sum(message.role == "assistant" for message in conversation.messages)
        if said < self.zooms:
            corner = 80 + 140 * said
            return QWEN3_VL_PLAIN.render_call((corner, corner, corner + 120, corner + 120), 1000, 1000)
        return f"answer to {first.split()[1]}"


@dataclass
class Exchange:
    """A request: the key of the process that sent it, and when its reply was sent; None before."""

    key: str
    replied_s: float | None = None


def name_of(body: dict[str, Any]) -> str:
    """A request, told from others by all it says and shows."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def write_scene(path: Path, side: int) -> Path:
    """A scene of noise, so that PNGs are as large as those of photographs."""
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 3, "dtype": "uint8", "tiled": True}
    place = {"crs": "EPSG:32633", "transform": Affine(0.3, 0, 500_000, 0, -0.3, 5_000_000)}
    with rasterio.open(path, "w", **profile, **place) as dataset:
        for band in (1, 2, 3):
            dataset.write(rng.integers(0, 256, (side, side), dtype=np.uint8), band)
    return path


def command(verb: str, scene: Path, server: Served, output: Path, *more: object) -> list[str]:
    """A command of the package against the server."""
    model = f"{server.url}#{server.model}"
    parts = [sys.executable, "-m", "rscovlm", verb, scene, *more, "--model", model, "--family", "qwen3-vl"]
    return [str(part) for part in (*parts, "--output", output)]


def run(parts: list[str]) -> tuple[float, int, str]:
    """Wall-clock seconds, exit code and messages of a command."""
    began = time.monotonic()
    done = subprocess.run(parts, capture_output=True, text=True, check=False)
    return time.monotonic() - began, done.returncode, done.stderr


def detect_command(scene: Path, server: Served, output: Path, tiles: int, *more: object) -> list[str]:
    """``detect`` with about so many tiles of 128 px."""
    grid = ("--classes", "ship", "--tile", 128, "--overlap", 0, "--max-pixels", 128 * 128)
    return command("detect", scene, server, output, *grid, *more)


def ask_command(scene: Path, server: Served, output: Path, questions: Path, *more: object) -> list[str]:
    """``ask`` with a file of questions and five zooms each."""
    views = ("--questions", questions, "--max-pixels", 256 * 256, "--max-zooms", server.zooms)
    return command("ask", scene, server, output, *views, *more)


def ideal_s(questions: int, steps: int, delay_s: float, slow_s: float, workers: int) -> float:
    """The time of so many workers that are never idle, each with one question after another, step by step.

    As the server does it, each 16th request that begins is slow.
    """
    free = [(0.0, worker, 0) for worker in range(workers)]  # when, and the steps left of the question at hand
    waiting, number, end = questions, 0, 0.0
    while free:
        when, worker, left = heapq.heappop(free)
        if not left:
            if not waiting:
                continue
            waiting, left = waiting - 1, steps
        number += 1
        done = when + (slow_s if number % EVERY == 0 else delay_s)
        end = max(end, done)
        heapq.heappush(free, (done, worker, left - 1))
    return end


def slow_requests(folder: Path, options: argparse.Namespace) -> None:
    """One slow request in sixteen: seconds beside the ideal, for both commands."""
    side = int(options.requests**0.5)
    tiles = side * side
    scene = write_scene(folder / "tiles.tif", side * 128)
    zooms = 2
    questions = folder / "questions.txt"
    count = max(1, options.requests // (zooms + 1))
    questions.write_text("".join(f"question {number} ?\n" for number in range(count)))
    for verb, asked, steps in (("detect", tiles, 1), ("ask", count, zooms + 1)):
        requests = asked * steps
        seconds = {}
        for slowly in (False, True):
            delay_s, slow_s = (options.delay, options.slow) if slowly else (0.0, 0.0)
            with Served(delay_s, slow_s, zooms) as server:
                output = folder / f"{verb}-{slowly}.{'json' if verb == 'ask' else 'geojson'}"
                parts = (
                    detect_command(scene, server, output, tiles)
                    if verb == "detect"
                    else ask_command(scene, server, output, questions)
                )
                seconds[slowly], code, err = run(parts)
                if code != 0 or server.number != requests:
                    raise SystemExit(f"{verb}: exit {code}, {server.number} of {requests} requests: {err}")
        ideal = ideal_s(asked, steps, options.delay, options.slow, options.in_flight)
        spent = seconds[True] - seconds[False]
        print(
            f"{verb}: {requests} requests, {options.delay:g} s each, {options.slow:g} s every {EVERY}th, "
            f"{options.in_flight} in flight: {seconds[True]:.2f} s, {seconds[False]:.2f} s of it without any "
            f"delay | waiting {spent:.2f} s, ideal {ideal:.2f} s | "
            f"{seconds[True] / (seconds[False] + ideal):.2f}x the ideal in all, {spent / ideal:.2f}x in "
            "waiting",
            flush=True,
        )


def failures(folder: Path) -> None:
    """4 of 25 requests fail; what ``--resume`` sends."""
    scene = write_scene(folder / "failing.tif", 5 * 128)
    with Served(0.0, 0.0, 0) as server:
        server.fail_at = {3, 9, 14, 22}
        output = folder / "failing.geojson"
        _, code, _ = run(detect_command(scene, server, output, 25))
        first, server.fail_at = server.number, set()
        _, again, err = run(detect_command(scene, server, output, 25, "--resume"))
        print(
            f"detect: {first} requests, 4 of them refused (exit {code}); --resume sends "
            f"{server.number - first} (exit {again})",
            flush=True,
        )
        if (first, server.number - first, code, again) != (25, 4, 1, 0):
            raise SystemExit(f"expected 25, then 4 requests: {err}")


def memory(folder: Path, options: argparse.Namespace) -> None:
    """Peak memory of ``ask`` with many questions and five zooms each."""
    scene = write_scene(folder / "large.tif", 6000)
    questions = folder / "many.txt"
    questions.write_text("".join(f"question {number} ?\n" for number in range(64)))
    with Served(0.01, 0.05, 5) as server:
        parts = command(
            "ask",
            *(scene, server, folder / "many.json", "--questions", questions),
            *("--max-zooms", 5, "--max-pixels", options.pixels),
        )
        done = subprocess.run(
            [sys.executable, str(Path(__file__)), "--peak", *parts],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        peak = int(done.stdout.split()[-1])
        print(
            f"ask: 64 questions, 5 zooms each, views of {options.pixels:,} px, {server.number} requests: "
            f"peak memory {peak / 1024:.0f} MB",
            flush=True,
        )


def peak(parts: list[str]) -> None:
    """Run a command and print the largest resident size of it in KiB."""
    done = subprocess.run(parts, check=False, stdout=subprocess.DEVNULL)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    sys.exit(done.returncode)


def main() -> None:
    """Parse the command line and measure."""
    if sys.argv[1:2] == ["--peak"]:
        peak(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--delay", type=float, default=0.3, help="seconds of a reply")
    parser.add_argument("--slow", type=float, default=3.0, help="seconds of each 16th")
    parser.add_argument("--pixels", type=int, default=1_003_520, help="largest view of the memory's run")
    parser.add_argument("--in-flight", type=int, default=16, help="as the package has it by default")
    parser.add_argument("--only", choices=("slow", "failures", "memory"))
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if options.only in (None, "slow"):
            slow_requests(folder, options)
        if options.only in (None, "failures"):
            failures(folder)
        if options.only in (None, "memory"):
            memory(folder, options)


if __name__ == "__main__":
    main()
