"""vLLM in process: continuous batching, and its own prefix cache between the turns of a conversation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np

from detection_eval.closing import Closing
from rscovlm.engines import openai
from rscovlm.engines.prefix_cache import PrefixCache
from rscovlm.engines.vllm_settings import adapter_settings, require_known
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


class VllmEngine(Closing):
    """A checkpoint run by vLLM in this process.

    On a CPU, vLLM reserves nearly all memory for its cache and fails where that is not free, unless the
    environment variable ``VLLM_CPU_KVCACHE_SPACE`` says how many GiB it may take.

    Args:
        folder: of the checkpoint.
        family: how the model sees and writes.
        name: for traces and provenance.
        dtype: ``bfloat16``, ``float16`` or ``float32``; None leaves it to the checkpoint.
        adapter: folder of a LoRA adapter that is asked for with every request; not merged into the weights.
        settings: further arguments of vLLM (``tensor_parallel_size``, ``enforce_eager``, ...), by name.

    Raises:
        ModelError: where vLLM is not installed, or cannot run the checkpoint or the adapter.
    """

    scores: Scores = "top"

    def __init__(
        self,
        folder: Path,
        family: ModelFamily,
        name: str,
        *,
        dtype: str | None = None,
        adapter: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        # Results are printed to stdout; vLLM writes its log there unless told otherwise before its import.
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            from vllm import LLM, EngineArgs
        except ImportError as error:
            raise ModelError(
                f"vllm:{folder} needs vLLM, which cannot be imported ({error}): pip install 'rscovlm[vllm]'"
            ) from error
        self.family = family
        self.name = name
        self._folder = folder
        self._prompter = prompter_of(folder, family)
        stated = dict(settings or {})
        require_known(stated, [field.name for field in fields(EngineArgs)])
        arguments = {**_arguments(folder, family, dtype), **_for_adapter(adapter), **stated}
        self._lora = None if adapter is None else _request(adapter)
        try:
            self._llm = LLM(model=str(folder), **arguments)
            if self._lora is not None:
                # At once, so that an adapter that does not fit is refused before anything is asked.
                self._llm.llm_engine.add_lora(self._lora)
        except Exception as error:  # its worker's errors come as those of many libraries
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"vLLM cannot run {adapter or folder}: {reason}") from error
        self._length = self._llm.llm_engine.model_config.max_model_len

    def close(self) -> None:
        """Let go of the weights; vLLM ends its worker with its last reference."""
        self._llm = None

    def prefix_cache(self) -> PrefixCache:
        """The counters of vLLM's prefix cache since the start."""
        return PrefixCache.in_metrics(self._llm.get_metrics())

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
                lora_request=self._lora,
            )
            for index, output in zip(fitting, outputs, strict=True):
                counted = len(output.prompt_token_ids)
                if counted != expected[index]:
                    raise openai.resized(f"{counted} prompt tokens where {expected[index]} were sent")
                replies[index] = _reply(output, options)
        return [replies[index] for index in range(len(conversations))]


def _arguments(folder: Path, family: ModelFamily, dtype: str | None) -> dict[str, Any]:
    """Arguments of vLLM that follow from a checkpoint and how it is shown images."""
    bounds = family.resolution
    return {
        "dtype": dtype or "auto",
        "seed": 0,
        "max_model_len": _model_length(folder),
        "limit_mm_per_prompt": {"image": MOST_IMAGES},
        "mm_processor_kwargs": {
            "size": {"shortest_edge": bounds.min_pixels, "longest_edge": bounds.max_pixels}
        },
        "disable_log_stats": False,  # else it counts nothing
    }


def _for_adapter(adapter: Path | None) -> dict[str, Any]:
    if adapter is None:
        return {}
    from vllm.config.lora import MaxLoRARanks

    return adapter_settings([adapter], get_args(MaxLoRARanks))


def _request(adapter: Path) -> Any:
    from vllm.lora.request import LoRARequest

    return LoRARequest(adapter.name, 1, str(adapter))


def _sampling(options: Generation, sampling: Sampling, seed: int) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    held = None if options.pattern is None else StructuredOutputsParams(regex=options.pattern)
    return SamplingParams(
        max_tokens=options.max_new_tokens,
        seed=seed,
        **openai.sampling_parameters(sampling, known=True),
        stop=list(options.stop) or None,
        # 0: of the chosen token and no others
        logprobs=TOP if options.choices else 0 if options.logprobs else None,
        structured_outputs=held,
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
