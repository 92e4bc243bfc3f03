"""Real processes that train together, without importing everything anew in each: a host imports what they
need and forks them.

Run as a module it is the host: it reads jobs as JSON lines from stdin, forks one process for each rank,
prints their ids, and, when they have ended, their exit codes.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PRELOADED = (
    "accelerate",
    "deepspeed",
    "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl",
    "transformers.models.qwen3_vl.modeling_qwen3_vl",
    "torch.utils.tensorboard",
    "rscovlm.training.run",
    "rscovlm.training.export",
    "tests.rscovlm.training.jobs",
)


class Ranks:
    """A host of ranks; a context manager."""

    def __init__(self, log: Path) -> None:
        self.log = log
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
        self._stderr = log.open("w")
        self._host = subprocess.Popen(
            [sys.executable, "-m", "tests.rscovlm.training.ranks"],
            cwd=ROOT,
            env=os.environ | threads,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *_: object) -> None:
        self._host.stdin.close()
        self._host.wait()
        self._stderr.close()

    def start(self, world: int, job: str, *arguments) -> list[int]:
        """Start a job of ``jobs`` on so many ranks; their process ids."""
        request = {"world": world, "job": job, "arguments": [str(a) for a in arguments]}
        self._host.stdin.write(json.dumps(request) + "\n")
        self._host.stdin.flush()
        return self._answer()

    def wait(self) -> list[int]:
        """Exit codes of the ranks, negative for signals."""
        return self._answer()

    def run(self, world: int, job: str, *arguments) -> None:
        """Run a job to its end; fails with what it wrote where it fails."""
        self.start(world, job, *arguments)
        codes = self.wait()
        assert codes == [0] * world, self.log.read_text()[-6000:]

    def _answer(self) -> list[int]:
        line = self._host.stdout.readline()
        assert line, self.log.read_text()[-6000:]
        return json.loads(line)


def kill(pids: list[int]) -> None:
    """``kill -9`` at once, of those that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def host() -> None:
    """Serve jobs until stdin ends."""
    for name in PRELOADED:
        importlib.import_module(name)
    channel = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        port = _free_port()
        pids = [_fork(request, rank, port) for rank in range(request["world"])]
        os.write(channel, (json.dumps(pids) + "\n").encode())
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        os.write(channel, (json.dumps(codes) + "\n").encode())


def _fork(request, rank: int, port: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    world = request["world"]
    if world > 1:
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        os.environ |= {name: str(value) for name, value in places.items()}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        import torch

        torch.set_num_threads(1)
        jobs = importlib.import_module("tests.rscovlm.training.jobs")
        getattr(jobs, request["job"])(*request["arguments"])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.stderr.flush()
    # Without the exit handlers of what the host imported.
    os._exit(0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    host()
