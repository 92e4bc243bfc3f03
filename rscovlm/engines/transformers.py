"""Qwen2.5-VL and Qwen3-VL in process, with the key-value cache kept between the turns of a conversation.

Shape letters: B rows of a batch, P kept (prefix) positions, S new (suffix) positions, L = P + S.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from detection_eval.closing import Closing
from rscovlm.engines.decoding import Decoder
from rscovlm.engines.generating import Generated, before
from rscovlm.engines.numbers import dense_head_of, distributions_of, fields_of, head_of, prompts_of
from rscovlm.engines.prefixes import Layers, Prefixes, restored
from rscovlm.errors import ModelError
from rscovlm.models.adapters.scaled import read_scaled
from rscovlm.models.checkpoints import SCALED_ADAPTER
from rscovlm.models.families import ModelFamily
from rscovlm.models.heads import WEIGHTS as HEAD_WEIGHTS
from rscovlm.models.heads import read_heads
from rscovlm.models.heads.gsd import GsdHead, LogGsd
from rscovlm.models.memory import KEPT_TOKENS, batch_rows
from rscovlm.models.patches import PatchSpec, normalise, patchify
from rscovlm.models.prompting import Prompt, Prompter, decoded, token_grid
from rscovlm.models.taps import tapped
from rscovlm.models.weights import (
    best_device,
    default_dtype,
    dtype_named,
    model_for_inference,
    read_tokenizer,
)
from tiling.gsd import Range
from zoom_chain.chat import Conversation, Generation, ImagePart, Picture, Reply
from zoom_chain.scores import Scores

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedTokenizerBase

    from rscovlm.models.heads.dense.head import Field
    from rscovlm.models.heads.distribution import Distribution
    from rscovlm.models.qwen import VisionLanguageConfig, VisionLanguageModel

GSD = "gsd"
"""Name of the head that estimates the ground sampling distance."""


class TransformersEngine(Closing):
    """A model of the Qwen2.5-VL or Qwen3-VL architecture, run in this process.

    Args:
        model: of transformers, on its device and in its precision; used as it is.
        tokenizer: with a chat template.
        spec: how the model wants its images.
        family: how it sees and writes.
        name: for traces and provenance.
        heads: that were trained beside the model and are needed at inference, by name.
        max_batch: rows of one batch; None derives it from the family's largest image.
        keep_tokens: positions whose keys and values are kept between calls; 0 keeps nothing.
    """

    scores: Scores = "exact"

    def __init__(
        self,
        model: VisionLanguageModel,
        tokenizer: PreTrainedTokenizerBase,
        spec: PatchSpec,
        family: ModelFamily,
        name: str,
        *,
        heads: nn.ModuleDict | None = None,
        max_batch: int | None = None,
        keep_tokens: int = KEPT_TOKENS,
    ) -> None:
        self.heads = nn.ModuleDict() if heads is None else heads
        self.family = family
        self.name = name
        self._decoder: Decoder | None = Decoder(model, tokenizer, spec)
        self.device, self.dtype = self._decoder.device, self._decoder.dtype
        self.max_batch = max_batch or batch_rows(family.resolution)
        self._spec = spec
        self._prompter = Prompter(tokenizer, model.config.image_token_id, spec.factor)
        self._tokenizer = tokenizer
        self.estimate_gsd = self._estimate_gsd if GSD in self.heads else None
        """Range of metres per pixel of an image, from its pixels; None for a model without such a head."""
        # A state cannot be taken back to where prompts part.
        self._memory = Prefixes(0 if self._decoder.recurrent else keep_tokens)

    @property
    def model(self) -> VisionLanguageModel:
        """The model that runs.

        Raises:
            ModelError: after ``close``.
        """
        return self._open.model

    @property
    def _open(self) -> Decoder:
        if self._decoder is None:
            raise ModelError(f"{self.name} is closed; load it again to ask more")
        return self._decoder

    @classmethod
    def of_checkpoint(
        cls,
        folder: Path,
        family: ModelFamily,
        name: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        adapter: Path | None = None,
        max_batch: int | None = None,
        keep_tokens: int = KEPT_TOKENS,
    ) -> TransformersEngine:
        """The engine of a checkpoint's folder.

        Args:
            folder: of the checkpoint: config, safetensors, tokenizer with chat template, preprocessor config.
            family: how the checkpoint sees and writes.
            name: for traces and provenance.
            device: ``cuda``, ``mps`` or ``cpu``; ``auto`` spreads the layers over all GPUs; None takes the
                best there is.
            dtype: ``bfloat16``, ``float16`` or ``float32``; None takes bfloat16 on CUDA, else float32.
            adapter: folder of a LoRA adapter over the checkpoint.
            max_batch: as above.
            keep_tokens: as above.

        Raises:
            ModelError: for a checkpoint that cannot be loaded.
        """
        chosen = torch.device(best_device() if device in (None, "auto") else device)
        precision = default_dtype(chosen) if dtype is None else dtype_named(dtype)
        tokenizer = read_tokenizer(folder)
        scaled = adapter is not None and (adapter / SCALED_ADAPTER).is_file()
        model = model_for_inference(
            folder, None if device == "auto" else chosen, precision, None if scaled else adapter
        )
        if scaled and adapter is not None:
            read_scaled(adapter, model)
        config: VisionLanguageConfig = model.config
        spec = PatchSpec.of_checkpoint(folder, config.vision_config)
        if spec.factor != family.resolution.factor:
            raise ModelError(
                f"{folder} has visual tokens of {spec.factor} px, but family {family.name} of "
                f"{family.resolution.factor} px; choose the family of the checkpoint"
            )
        beside = adapter is not None and (adapter / HEAD_WEIGHTS).is_file()
        heads = read_heads(adapter if adapter is not None and beside else folder, model)
        return cls(
            model, tokenizer, spec, family, name, heads=heads, max_batch=max_batch, keep_tokens=keep_tokens
        )

    @property
    def kept_tokens(self) -> int:
        """Positions whose keys and values are kept between calls; 0 where nothing is kept."""
        return self._memory.most_tokens

    def close(self) -> None:
        """Forget kept conversations and let go of the weights."""
        self._memory.clear()
        self._decoder = None

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """One reply for each conversation, in order; see ``ChatModel``."""
        return self.answer([self.prompt(conversation) for conversation in conversations], options)

    def release(self, conversations: Sequence[Conversation], shared: Collection[Picture] = ()) -> None:
        """Forget conversations that do not go on; see ``zoom_chain.keeping.release``."""
        for prompt in map(self.prompt, conversations):
            opens = prompt.images and prompt.images[0] in shared
            self._memory.release(prompt.keys, prompt.spans[0][1] if opens else 0)

    def estimate(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        numbers: Sequence[Mapping[str, float]] | None = None,
    ) -> list[Distribution]:
        """The distributions that the head of each target gives of all conversations, in one forward pass.

        Args:
            conversations: that ask the same about images of the same sizes, no more than a batch holds.
            targets: names of heads in ``heads``, or of what they give.
            numbers: what is known of each, by name: the statistics of its region
                (``rscovlm.models.regions``); None for nothing.

        Raises:
            ModelError: where no head gives the target.
        """
        prompts = prompts_of(self._prompter, conversations)
        heads = [head_of(self.heads, target) for target in targets]
        return distributions_of(self.model, heads, prompts, self._spec, numbers)

    def estimate_maps(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        numbers: Sequence[Mapping[str, float]] | None = None,
    ) -> list[Field]:
        """The maps that the dense head of each target gives of all conversations; otherwise as ``estimate``.

        Raises:
            ModelError: where no head gives the target, or one without a map.
        """
        prompts = prompts_of(self._prompter, conversations)
        heads = [dense_head_of(self.heads, target) for target in targets]
        return fields_of(self.model, heads, prompts, self._spec, numbers)

    def _estimate_gsd(self, image: ImagePart) -> Range:
        return self.gsd_of(image).interval(0)

    @torch.inference_mode()
    def gsd_of(self, image: ImagePart) -> LogGsd:
        """The distribution of the scale of an image, from its pixels, by the head that a model may have."""
        grid = token_grid(image.size, self._spec.factor)
        head = cast(GsdHead, self.heads[GSD])
        patches = torch.from_numpy(patchify(image.pixels, self._spec)).to(self.device)
        grids = torch.tensor(
            [[1, grid[0] * self._spec.merge, grid[1] * self._spec.merge]], device=self.device
        )
        with tapped(self.model, head.taps) as taps:
            self.model.model.visual(normalise(patches, self._spec).to(self.dtype), grid_thw=grids)
        return cast(LogGsd, head(taps.features(grids), [grid[0] * grid[1]]))

    def prompt(self, conversation: Conversation) -> Prompt:
        """A conversation as the model reads it."""
        return self._prompter.prompt(conversation)

    def answer(self, prompts: Sequence[Prompt], options: Generation) -> list[Reply]:
        """One reply for each prompt, in order; those of a length share batches.

        Raises:
            ModelError: where replies are to match a pattern.
        """
        if options.pattern is not None:
            raise ModelError(
                f"{self.name} in process is held to no pattern; run it in vLLM (vllm:PATH, or a server), or "
                "leave --structured out"
            )
        replies: dict[int, Reply] = {}
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index].ids))
        for start in range(0, len(order), self.max_batch):
            rows = order[start : start + self.max_batch]
            answered = self._chat_batch(
                [prompts[row] for row in rows], [options.seed + row for row in rows], options
            )
            replies.update(zip(rows, answered, strict=True))
        return [replies[index] for index in range(len(prompts))]

    @torch.inference_mode()
    def _chat_batch(self, prompts: list[Prompt], seeds: list[int], options: Generation) -> list[Reply]:
        if options.max_new_tokens == 0:
            prompts = [prompt.before_last() for prompt in prompts]
        cache, mask, known = self._restore(prompts)
        decoder = self._open
        logits, mask = decoder.prefill(prompts, known, cache, mask)
        scores = (
            decoder.score(prompts, logits, cache, mask, options.choices)
            if options.choices
            else [None] * len(prompts)
        )
        generated = decoder.generate(prompts, logits, cache, mask, seeds, options)
        if self._memory.most_tokens:
            self._remember(prompts, generated, cache)
        texts = [decoded(self._tokenizer, tokens) for tokens, _, _ in generated.replies()]
        return [
            Reply(
                text=before(text, options.stop),
                stop_reason="stop" if stopped else "length",
                prompt_tokens=len(prompt.ids),
                completion_tokens=len(tokens) + (stopped and before(text, options.stop) == text),
                prefilled_tokens=len(prompt.ids) - length,
                logprobs=np.array(logprobs) if options.logprobs else None,
                choices=choices,
            )
            for prompt, length, text, choices, (tokens, stopped, logprobs) in zip(
                prompts, known, texts, scores, generated.replies(), strict=True
            )
        ]

    # --- keys and values ----------------------------------------------------------------------------

    def _restore(self, prompts: list[Prompt]) -> tuple[DynamicCache, torch.Tensor, list[int]]:
        """A batch cache of what is kept of prompts, its mask (B, P), and how long that is of each."""
        self._memory.next_batch()
        known = [self._memory.beginning(prompt) for prompt in prompts]
        cache, mask = restored(known, self.model.config.get_text_config(), self.device)
        return cache, mask, [each.length for each in known]

    def _remember(self, prompts: list[Prompt], generated: Generated, cache: DynamicCache) -> None:
        """Keep what each row of the cache holds, without padding."""
        for row, prompt in enumerate(prompts):
            keys = np.concatenate([prompt.keys, np.array(generated.fed[row], dtype=np.int64)])
            places = generated.mask[row].nonzero()[:, 0]

            def read(start: int, end: int, row: int = row, places: torch.Tensor = places) -> Layers:
                part = places[start:end]
                return [(keys[row][:, part], values[row][:, part]) for keys, values in _held(cache)]

            self._memory.keep(keys, read, len(generated.fed[row]))


def _held(cache: DynamicCache) -> Layers:
    """Keys and values (B, heads, L, dim) of each layer of a cache that has been filled."""
    return [(layer.keys, layer.values) for layer in cast("list[Any]", cache.layers)]
