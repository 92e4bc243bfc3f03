"""Lines of ``--dry-run``: what a model would be sent, and the memory that it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from detection_eval.words import counted

if TYPE_CHECKING:
    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.models.families import ModelFamily
    from rscovlm.tasks.task import Prompt
    from tiling.view import Size
    from zoom_chain.chat import Generation, Sampling


def print_request(prompt: Prompt, sizes: Sequence[Size], family: ModelFamily, options: Generation) -> None:
    """What a model would be sent, on stdout: the very words, image sizes, limits and sampling."""
    if prompt.system is not None:
        print(f"system: {prompt.system}")
    tokens = family.resolution.tokens
    shown = ", ".join(f"{size.width} x {size.height} px ({tokens(size):,} visual tokens)" for size in sizes)
    print(f"image: {shown}\nuser: {prompt.user}")
    rules = "the checkpoint's own" if options.sampling is None else _rules(options.sampling)
    held = "" if options.pattern is None else f", matching {options.pattern}"
    print(f"reply: at most {counted(options.max_new_tokens, 'token')}, sampling {rules}{held}", flush=True)


def print_memory(checkpoint: Checkpoint) -> None:
    """What a model in process would take of memory, on stdout; nothing for others.

    Raises:
        ModelError: for a folder without weights.
    """
    if checkpoint.runner != "transformers":
        return
    from rscovlm.doctor import running_dtype
    from rscovlm.models.memory import estimate, lines

    taken = estimate(checkpoint.local, checkpoint.family.resolution, running_dtype(checkpoint.dtype))
    print(f"memory: {'; '.join(f'{part} {words}' for part, words in lines(taken))}", flush=True)


def _rules(sampling: Sampling) -> str:
    if not sampling.temperature:
        return "greedy"
    return ", ".join(f"{name} {value:g}" for name, value in asdict(sampling).items())
