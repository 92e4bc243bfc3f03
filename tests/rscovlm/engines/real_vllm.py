"""The real vLLM, as a server on loopback or in a process of its own, run by another environment's Python.

Run as a program, ``python -m tests.rscovlm.engines.real_vllm FOLDER``, it answers ``conversations`` with the
``vllm:FOLDER`` engine and prints the replies as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from zoom_chain.chat import Conversation, Generation, ImagePart, Reply

ROOT = Path(__file__).resolve().parents[3]
GREEDY = Generation(max_new_tokens=24, logprobs=True)

_LONGEST_S = 600.0
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB, where vLLM runs on the CPU; by default it takes nearly all memory
}


def conversations(factor: int) -> list[Conversation]:
    """Questions with images of several sizes, one without, and one of two images in two turns."""

    def picture(seed: int, rows: int, columns: int) -> ImagePart:
        rng = np.random.default_rng(seed)
        return ImagePart(rng.integers(0, 256, (rows * factor, columns * factor, 3), dtype=np.uint8))

    first = [
        Conversation()
        .say("system", "You can zoom in.")
        .say("user", picture(seed, 4 + seed, 5), f"How many ships? {'x' * seed}")
        for seed in range(4)
    ]
    zoomed = first[0].say("assistant", '<tool_call>{"a": 1}</tool_call>')
    return [
        *first,
        Conversation().say("user", "red or blue?"),
        zoomed.say("user", picture(9, 6, 6), "Answer now."),
    ]


class Served(NamedTuple):
    """A running server: its address and the name of its model."""

    url: str
    name: str

    @property
    def spec(self) -> str:
        """What ``--model`` takes."""
        return f"{self.url}#{self.name}"


@contextlib.contextmanager
def vllm_server(python: str, folder: Path, log: Path) -> Iterator[Served]:
    """A server of one checkpoint on a free port, killed with all its processes at the end of the block.

    Args:
        python: of an environment that has vLLM.
        folder: of the checkpoint, served under the folder's name.
        log: file that takes what the server prints.

    Raises:
        RuntimeError: with the end of the log, where the server does not come up.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(python, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(folder), "--served-model-name", folder.name),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", "float32", "--max-model-len", "4096", "--enforce-eager"),
        *("--limit-mm-per-prompt", '{"image": 8}'),
    ]
    with log.open("w") as output, _running(command, stdout=output, stderr=output) as process:
        _wait_for(process, f"http://127.0.0.1:{port}/health", log)
        yield Served(f"http://127.0.0.1:{port}/v1", folder.name)


def replies_in_process(python: str, folder: Path) -> list[Reply]:
    """The replies to ``conversations`` of the ``vllm:`` engine in another environment.

    Raises:
        RuntimeError: with the end of what it printed, where it fails.
    """
    command = [python, "-m", "tests.rscovlm.engines.real_vllm", str(folder)]
    with _running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        printed, said = process.communicate(timeout=_LONGEST_S)
    if process.returncode:
        raise RuntimeError(f"vLLM in process ended with {process.returncode}:\n{said[-4000:]}")
    replies = [Reply(**fields) for fields in json.loads(printed.splitlines()[-1])]
    return [replace(reply, logprobs=np.array(reply.logprobs)) for reply in replies]


@contextlib.contextmanager
def _running(command: list[str], **arguments: Any) -> Iterator[subprocess.Popen]:
    """A process in a group of its own, none of which outlives the block."""
    environment = {**os.environ, **_ENVIRONMENT}
    process = subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True, **arguments)
    try:
        yield process
    finally:
        process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
        finally:
            # vLLM's workers stay behind where their parent died without its goodbyes.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(process: subprocess.Popen, health: str, log: Path) -> None:
    end = time.monotonic() + _LONGEST_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(health, timeout=5.0).is_success:
                return
        time.sleep(0.5)
    state = "is not up" if process.returncode is None else f"ended with {process.returncode}"
    last = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
    raise RuntimeError(f"vLLM {state}:\n{last}")


def main() -> None:
    """Answer in this process and print the replies as one line of JSON."""
    from rscovlm.engines import load_model

    with load_model(f"vllm:{sys.argv[1]}", dtype="float32") as engine:
        replies = engine.chat(conversations(engine.family.resolution.factor), GREEDY)
    print(json.dumps([{**asdict(reply), "logprobs": reply.logprobs.tolist()} for reply in replies]))


if __name__ == "__main__":
    main()
