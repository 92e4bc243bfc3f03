"""vLLM in process: continuous batching, and its own prefix cache between the turns of a conversation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rscovlm.engines import openai
from rscovlm.errors import ModelError
from rscovlm.models.families import ModelFamily
from rscovlm.models.prompting import prompter_of
from rscovlm.models.sampling import checkpoint_sampling
from zoom_chain.chat import Conversation, Generation, Reply, Sampling
from zoom_chain.scores import TOP, Scores, from_top

MOST_IMAGES = 32
"""Images of one conversation."""

MOST_TOKENS = 32_768
"""Tokens of one conversation, for checkpoints that would allow more than a usual cache holds."""


class VllmEngine:
    """A checkpoint run by vLLM in this process.

    On a CPU, vLLM reserves nearly all memory for its cache and fails where that is not free, unless the
    environment variable ``VLLM_CPU_KVCACHE_SPACE`` says how many GiB it may take.

    Args:
        folder: of the checkpoint.
        family: how the model sees and writes.
        name: for traces and provenance.
        dtype: ``bfloat16``, ``float16`` or ``float32``; None leaves it to the checkpoint.

    Raises:
        ModelError: where vLLM is not installed or cannot run the checkpoint.
    """

    scores: Scores = "top"

    def __init__(self, folder: Path, family: ModelFamily, name: str, *, dtype: str | None = None) -> None:
        # Results are printed to stdout; vLLM writes its log there unless told otherwise before its import.
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            from vllm import LLM
        except ImportError as error:
            raise ModelError(
                f"vllm:{folder} needs vLLM, which cannot be imported ({error}): pip install 'rscovlm[vllm]'"
            ) from error
        self.family = family
        self.name = name
        self._folder = folder
        self._prompter = prompter_of(folder, family)
        bounds = family.resolution
        try:
            self._llm = LLM(
                model=str(folder),
                dtype=dtype or "auto",
                seed=0,
                max_model_len=_model_length(folder),
                limit_mm_per_prompt={"image": MOST_IMAGES},
                mm_processor_kwargs={
                    "size": {"shortest_edge": bounds.min_pixels, "longest_edge": bounds.max_pixels}
                },
            )
        except (ValueError, RuntimeError, OSError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"vLLM cannot run {folder}: {reason}") from error
        self._length = self._llm.llm_engine.model_config.max_model_len

    def __enter__(self) -> VllmEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the weights; vLLM ends its worker with its last reference."""
        self._llm = None

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """One reply for each conversation, in order; see ``ChatModel``.

        Raises:
            ModelError: where vLLM resizes images.
        """
        sampling = options.sampling or checkpoint_sampling(self._folder)
        expected = [len(self._prompter.prompt(conversation).ids) for conversation in conversations]
        replies = {
            index: Reply(
                "",
                stop_reason="error",
                error=f"the conversation has {tokens} tokens; the model takes {self._length}",
            )
            for index, tokens in enumerate(expected)
            if tokens >= self._length
        }
        fitting = [index for index in range(len(conversations)) if index not in replies]
        if fitting:
            outputs = self._llm.chat(
                [openai.chat_messages(conversations[index]) for index in fitting],
                [_sampling(options, sampling, options.seed + index) for index in fitting],
                use_tqdm=False,
            )
            for index, output in zip(fitting, outputs, strict=True):
                counted = len(output.prompt_token_ids)
                if counted != expected[index]:
                    raise openai.resized(f"{counted} prompt tokens where {expected[index]} were sent")
                replies[index] = _reply(output, options)
        return [replies[index] for index in range(len(conversations))]


def _sampling(options: Generation, sampling: Sampling, seed: int) -> Any:
    from vllm import SamplingParams

    return SamplingParams(
        max_tokens=options.max_new_tokens,
        seed=seed,
        **openai.sampling_parameters(sampling, known=True),
        stop=list(options.stop) or None,
        # 0: of the chosen token and no others
        logprobs=TOP if options.choices else 0 if options.logprobs else None,
        **openai.VLLM_PARAMETERS,
    )


def _reply(output: Any, options: Generation) -> Reply:
    completion, prompt_tokens = output.outputs[0], len(output.prompt_token_ids)
    logprobs = None
    if options.logprobs:
        chosen = zip(completion.token_ids, completion.logprobs, strict=True)
        logprobs = np.array([known[token].logprob for token, known in chosen], dtype=float)
    choices = None
    if options.choices and completion.logprobs:
        first = completion.logprobs[0].values()
        choices = from_top([(each.decoded_token or "", each.logprob) for each in first], options.choices)
    reason, error = openai.ended(completion.finish_reason)
    return Reply(
        text=completion.text,
        stop_reason=reason,
        error=error,
        prompt_tokens=prompt_tokens,
        completion_tokens=len(completion.token_ids),
        prefilled_tokens=prompt_tokens - (output.num_cached_tokens or 0),
        logprobs=logprobs,
        choices=choices,
    )


def _model_length(folder: Path) -> int:
    """Tokens of one conversation: what the checkpoint allows, up to ``MOST_TOKENS``."""
    from transformers import AutoConfig

    text = AutoConfig.from_pretrained(folder, local_files_only=True).get_text_config()
    return min(int(text.max_position_embeddings), MOST_TOKENS)
