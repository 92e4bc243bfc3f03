"""``detect`` and ``ask`` killed at random moments and resumed: the same results, and what is asked again.

Run: python benchmarks/kills.py [--kills 50]

``detect`` and ``ask`` (chains, and a sweep) are killed with SIGKILL at so many random moments and resumed
each time, and the results are compared with those of a run that was left alone. The server notes when it was
asked what and when it had sent the reply. What it is asked again was in flight at a kill, or its reply was
sent and not yet kept: of those the number is told, and the longest time between the reply and the kill.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import Served, ask_command, command, detect_command, run, write_scene  # noqa: E402


@dataclass(frozen=True)
class Work:
    """A command that is killed.

    Attributes:
        name: for the line about it.
        verb: of the package.
        suffix: of its output.
        build: the command for a server and an output.
    """

    name: str
    verb: str
    suffix: str
    build: Callable[..., list[str]]


def kills(folder: Path, options: argparse.Namespace) -> None:
    """Kill and resume commands at random moments; results are compared, and requests counted."""
    scene = write_scene(folder / "killed.tif", 8 * 128)
    questions = folder / "questions.txt"
    questions.write_text("".join(f"question {number} ?\n" for number in range(16)))

    def detecting(server: Served, output: Path, *more: object) -> list[str]:
        return detect_command(scene, server, output, 64, *more)

    def chaining(server: Served, output: Path, *more: object) -> list[str]:
        return ask_command(scene, server, output, questions, *more)

    def sweeping(server: Served, output: Path, *more: object) -> list[str]:
        views = ("--zoom", "sweep", "--max-pixels", 128 * 128, "--max-tiles", 81)
        return command("ask", scene, server, output, "How many ships are there?", *views, *more)

    rng = random.Random(options.seed)
    half, quarter = options.kills // 2, options.kills // 4
    for work, times in (
        (Work("detect", "detect", "geojson", detecting), half),
        (Work("ask, chains of two zooms", "ask", "json", chaining), options.kills - half - quarter),
        (Work("ask, a sweep", "ask", "json", sweeping), quarter),
    ):
        kill_often(folder, work, times, rng, options)


def kill_often(folder: Path, work: Work, times: int, rng: random.Random, options: argparse.Namespace) -> None:
    """Runs of one command, killed so often in all, and a line about them."""
    with Served(0.0, 0.0, 2) as server:
        alone = folder / f"alone-{work.verb}.{work.suffix}"
        _, code, err = run(work.build(server, alone))
        expected, requests = results(work.verb, alone), server.number
        alone.unlink()
        if code != 0:
            raise SystemExit(f"{work.name}: exit {code}: {err}")
    done, sent, again = 0, 0, 0
    lost: list[float] = []
    while done < times:
        with Served(options.delay, options.delay, 2) as server:
            output = folder / f"killed-{work.verb}.{work.suffix}"
            most = min(3, times - done)
            killed = killed_and_resumed(work, server, output, requests, most, rng, options)
            same = results(work.verb, output) == expected
            journals = list(folder.glob(f"{output.name}*journal*"))
            if not same or journals:
                raise SystemExit(
                    f"{work.name}: after {len(killed)} kills: same result {same}, journals {journals}"
                )
            output.unlink()
            more, late = server.asked_again(killed)
            done, sent, again, lost = done + len(killed), sent + server.number, again + more, lost + late
    longest = f", {max(lost) * 1000:.1f} ms before the kill at most" if lost else ""
    print(
        f"{work.name}: {done} kills, all results identical | {sent:,} requests, {again} of them asked again: "
        f"{again - len(lost)} were in flight at a kill, of {len(lost)} the reply was sent and not yet kept"
        f"{longest}",
        flush=True,
    )
    if again > done * options.in_flight:
        raise SystemExit(f"{work.name}: {again} requests asked again after {done} kills")


def killed_and_resumed(
    work: Work,
    server: Served,
    output: Path,
    requests: int,
    most: int,
    rng: random.Random,
    options: argparse.Namespace,
) -> dict[str, float]:
    """Run a command until it ends, killed at random numbers of replies up to so often.

    Returns:
        When which process was killed, by the key that it showed the server.
    """
    killed: dict[str, float] = {}
    started = False
    while True:
        more = ["--resume"] if started else []
        process = subprocess.Popen(
            work.build(server, output, *more),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env={**os.environ, "RSCOVLM_API_KEY": f"process-{len(killed)}"},
        )
        until = server.number + rng.randint(0, max(1, requests - len(server.exchanges)))
        while process.poll() is None and server.number < until:
            time.sleep(0.003)
        time.sleep(rng.random() * 2 * options.delay)
        if process.poll() is None and len(killed) < most:
            killed[f"Bearer process-{len(killed)}"] = time.monotonic()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            started = journal_of(output).exists()
            if output.exists() and not started:  # it had done everything but end
                return killed
            continue
        _, err = process.communicate()
        if process.returncode:
            raise SystemExit(f"{work.name}: exit {process.returncode}: {err}")
        return killed


def journal_of(output: Path) -> Path:
    """Where a command keeps its replies."""
    from rscovlm.journal import journal_path

    return journal_path(output)


def results(verb: str, path: Path) -> object:
    """What a run found, without times."""
    record = json.loads(path.read_text())
    if verb == "ask":
        return [(each["question"], each["answer"], each["views"]) for each in record["answers"]]
    return sorted(json.dumps(feature["geometry"]) for feature in record["features"])


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of both commands together")
    parser.add_argument("--delay", type=float, default=0.3, help="seconds of a reply")
    parser.add_argument("--in-flight", type=int, default=16, help="as the package has it by default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory() as place:
        kills(Path(place), options)


if __name__ == "__main__":
    main()
