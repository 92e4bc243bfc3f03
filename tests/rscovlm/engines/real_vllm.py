"""The real vLLM, as a server on loopback or in a process of its own, run by another environment's Python.

Run as a program, ``python -m tests.rscovlm.engines.real_vllm MODEL``, it asks a ``vllm:`` engine all that
``asked`` asks, and prints what came back as JSON.
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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from rscovlm.engines import Engine, load_model
from rscovlm.engines.prefix_cache import PrefixCache
from rscovlm.models.checkpoints import resolve
from zoom_chain.chat import Conversation, Generation, ImagePart, Reply

ROOT = Path(__file__).resolve().parents[3]
GREEDY = Generation(max_new_tokens=24, logprobs=True)

PATTERN = r"(?:red|blue), [0-9]{2}\."
"""Something that no checkpoint says by itself."""

BLOCK = 32
"""Tokens of a block of vLLM's cache; on a CPU it would take 128, more than a short turn has."""

SETTINGS = {
    "enforce_eager": True,  # compiling for minutes does not pay for seconds of work
    "max_model_len": 4096,
    "limit_mm_per_prompt": {"image": 8},
    "block_size": BLOCK,
}
"""How vLLM is started: quickly rather than for speed."""

_LONGEST_S = 600.0
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB, where vLLM runs on the CPU; by default it takes nearly all memory
    # On a CPU vLLM ties its threads to cores of its choice, whether or not these are busy with other work.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


def conversations(factor: int) -> list[Conversation]:
    """Questions with images of several sizes, one without, and one of two images in two turns."""
    first = [
        Conversation()
        .say("system", "You can zoom in.")
        .say("user", _picture(seed, factor, 4 + seed, 5), f"How many ships? {'x' * seed}")
        for seed in range(4)
    ]
    zoomed = first[0].say("assistant", '<tool_call>{"a": 1}</tool_call>')
    return [
        *first,
        Conversation().say("user", "red or blue?"),
        zoomed.say("user", _picture(9, factor, 6, 6), "Answer now."),
    ]


def chain(factor: int) -> list[Conversation]:
    """The turns of a zoom chain: an overview of 64 visual tokens, then a view of 36 and one more of 36."""
    turns = [Conversation().say("system", "You can zoom in.")]
    turns[0] = turns[0].say("user", _picture(20, factor, 8, 8), "How many ships?")
    for number in (1, 2):
        called = turns[-1].say("assistant", f'<tool_call>{{"a": {number}}}</tool_call>')
        turns.append(called.say("user", _picture(20 + number, factor, 6, 6), "Look again."))
    return turns


def _picture(seed: int, factor: int, rows: int, columns: int) -> ImagePart:
    rng = np.random.default_rng(seed)
    return ImagePart(rng.integers(0, 256, (rows * factor, columns * factor, 3), dtype=np.uint8))


@dataclass(frozen=True)
class Asked:
    """What an engine replied to ``asked``, on whatever weights it has.

    Attributes:
        replies: to ``conversations``.
        stop: a character of the longest of them; ``stopped`` is that reply anew, with this as a stop string.
        scored: one token, with the probabilities of ``choices``: its own text, and what no reply begins with.
        held: a reply that has to match ``PATTERN``; None where the engine is not vLLM.
        turns: replies to the turns of ``chain``, one after another.
        caches: what vLLM's prefix cache counted for each turn; none where the engine is not vLLM.
        start_s: seconds that loading took.
    """

    replies: list[Reply]
    stop: str
    stopped: Reply
    choices: tuple[str, str]
    scored: Reply
    held: Reply | None
    turns: list[Reply]
    caches: list[PrefixCache]
    start_s: float


def asked(engine: Engine, start_s: float = 0.0) -> Asked:
    """All that is to be compared between engines of the same weights."""
    factor = engine.family.resolution.factor
    questions = conversations(factor)
    replies = engine.chat(questions, GREEDY)
    longest = max(range(len(replies)), key=lambda index: len(replies[index].text))
    stop = next(each for each in reversed(replies[longest].text) if each.isascii() and each.isprintable())
    (stopped,) = engine.chat([questions[longest]], replace(GREEDY, stop=(stop,)))
    one = replace(GREEDY, max_new_tokens=1)
    begun = [reply.text.strip() for reply in engine.chat(questions, one)]
    clear = next(index for index, text in enumerate(begun) if text.isascii() and text.isprintable() and text)
    choices = (begun[clear], "\N{SNOWMAN}")
    (scored,) = engine.chat([questions[clear]], replace(one, choices=choices))
    held = None
    if _cache(engine) is not None:
        (held,) = engine.chat([questions[clear]], replace(GREEDY, pattern=PATTERN))
    turns, caches = [], []
    for turn in chain(factor):
        before = _cache(engine)
        turns += engine.chat([turn], GREEDY)
        if before is not None:
            caches.append(_cache(engine) - before)
    return Asked(replies, stop, stopped, choices, scored, held, turns, caches, start_s)


def _cache(engine: Engine) -> PrefixCache | None:
    return engine.prefix_cache() if hasattr(engine, "prefix_cache") else None


class Served(NamedTuple):
    """A running server: its address, the name of its model, and the seconds until it was up."""

    url: str
    name: str
    start_s: float

    @property
    def spec(self) -> str:
        """What ``--model`` takes."""
        return f"{self.url}#{self.name}"


@contextlib.contextmanager
def vllm_server(python: str, folder: Path, log: Path, *further: str) -> Iterator[Served]:
    """A server of one checkpoint on a free port, killed with all its processes at the end of the block.

    Args:
        python: of an environment that has vLLM.
        folder: of the checkpoint, served under the folder's name.
        log: file that takes what the server prints.
        further: arguments of ``vllm serve``.

    Raises:
        RuntimeError: with the end of the log, where the server does not come up.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(python, "-m", "vllm.entrypoints.cli.main", "serve", str(folder)),
        *("--served-model-name", folder.name, "--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", "float32", "--max-model-len", "4096", "--enforce-eager"),
        *("--limit-mm-per-prompt", '{"image": 8}', "--block-size", str(BLOCK)),
        *("--enable-prompt-tokens-details", *further),
    ]
    start = time.monotonic()
    with log.open("w") as output, _running(command, {}, stdout=output, stderr=output) as process:
        _wait_for(process, f"http://127.0.0.1:{port}/health", log)
        yield Served(f"http://127.0.0.1:{port}/v1", folder.name, time.monotonic() - start)


def asked_in_process(python: str, model: str, *, one_process: bool = False) -> Asked:
    """What a ``vllm:`` engine in another environment replies to ``asked``.

    Args:
        python: of an environment that has vLLM.
        model: what ``--model`` takes.
        one_process: without processes for vLLM's core and worker; starts in half the time.

    Raises:
        RuntimeError: with the end of what it printed, where it fails.
    """
    command = [python, "-m", "tests.rscovlm.engines.real_vllm", model]
    further = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"} if one_process else {}
    with _running(command, further, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        printed, said = process.communicate(timeout=_LONGEST_S)
    if process.returncode:
        raise RuntimeError(f"vLLM in process ended with {process.returncode}:\n{said[-4000:]}")
    found = json.loads(printed.splitlines()[-1])
    return Asked(
        replies=_replies(found["replies"]),
        stop=found["stop"],
        stopped=_replies([found["stopped"]])[0],
        choices=tuple(found["choices"]),
        scored=_replies([found["scored"]])[0],
        held=_replies([found["held"]])[0],
        turns=_replies(found["turns"]),
        caches=[PrefixCache(**each) for each in found["caches"]],
        start_s=found["start_s"],
    )


def _replies(stated: Sequence[dict[str, Any]]) -> list[Reply]:
    arrays = ("logprobs", "choices")
    return [
        Reply(**{name: _array(value) if name in arrays else value for name, value in each.items()})
        for each in stated
    ]


def _array(values: list[float] | None) -> np.ndarray | None:
    return None if values is None else np.array(values, dtype=float)


@contextlib.contextmanager
def _running(command: list[str], further: dict[str, str], **arguments: Any) -> Iterator[subprocess.Popen]:
    """A process in a group of its own, none of which outlives the block."""
    environment = {**os.environ, **_ENVIRONMENT, **further}
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
    """Ask in this process and print what came back as one line of JSON."""
    start = time.monotonic()
    with load_model(replace(resolve(sys.argv[1]), settings=SETTINGS), dtype="float32") as engine:
        found = asked(engine, time.monotonic() - start)
    print(json.dumps(asdict(found), default=lambda array: array.tolist()))


if __name__ == "__main__":
    main()
