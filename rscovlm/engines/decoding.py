"""Forward passes of a batch: what is new of its prompts, token after token, and probabilities of answers.

Shape letters: B rows of a batch, P kept (prefix) positions, S new (suffix) positions, L = P + S.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from rscovlm.engines.generating import Generated, logprobs_of
from rscovlm.models.patches import PatchSpec, normalise, patchify
from rscovlm.models.prompting import Prompt, pad_left
from rscovlm.models.sampling import Chooser, sampling_of
from rscovlm.models.scale.state import tell_scale
from rscovlm.models.weights import stop_tokens
from zoom_chain.chat import Generation

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedTokenizerBase

    from rscovlm.models.qwen import VisionLanguageModel


class Decoder:
    """Runs a model on batches of prompts, whose keys and values are in a cache of the caller's.

    Args:
        model: of transformers, on its device and in its precision; used as it is.
        tokenizer: of the model.
        spec: how the model wants its images.

    Attributes:
        stops: tokens that end a turn.
        recurrent: some layers hold a state instead of keys and values, which cannot be taken back.
    """

    def __init__(
        self, model: VisionLanguageModel, tokenizer: PreTrainedTokenizerBase, spec: PatchSpec
    ) -> None:
        self.model = model
        self.device: torch.device = model.device
        self.dtype: torch.dtype = model.model.visual.dtype
        self._tokenizer = tokenizer
        self._spec = spec
        self.stops = stop_tokens(model, tokenizer)
        layers = getattr(model.config.get_text_config(), "layer_types", None) or ()
        self.recurrent = any(kind == "linear_attention" for kind in layers)

    def prefill(
        self, prompts: list[Prompt], known: list[int], cache: DynamicCache, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run what is new of each prompt: the logits (B, vocabulary) of what follows, and the mask (B, L)."""
        suffixes = [prompt.ids[length:] for prompt, length in zip(prompts, known, strict=True)]
        ids = self._tensor(pad_left(suffixes, self._tokenizer.pad_token_id or 0))
        new = self._tensor(pad_left([np.ones(len(suffix), dtype=np.int64) for suffix in suffixes], 0))
        positions = [prompt.positions[:, length:] for prompt, length in zip(prompts, known, strict=True)]
        mask = torch.cat([mask, new], dim=1)
        scales = [prompt.log_gsd[length:] for prompt, length in zip(prompts, known, strict=True)]
        self._tell(pad_left(scales, np.nan))
        output = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=self._tensor(pad_left(positions, 0)).transpose(0, 1),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **self.pixels(prompts, known),
        )
        return output.logits[:, -1], mask

    def pixels(self, prompts: list[Prompt], known: list[int]) -> dict[str, torch.Tensor]:
        """Patches and grids of the images that are new."""
        merge = self._spec.merge
        new = [
            (image.pixels, (1, rows * merge, columns * merge))
            for prompt, length in zip(prompts, known, strict=True)
            for image, (start, _), (rows, columns) in zip(
                prompt.images, prompt.spans, prompt.grids, strict=True
            )
            if start >= length
        ]
        if not new:
            return {}
        grids = np.array([grid for _, grid in new])
        ends = np.cumsum(grids.prod(axis=1)).tolist()
        # Filled image by image, since the patches of a batch are too large to be held twice.
        values = torch.empty(ends[-1], self._spec.numbers, dtype=self.dtype, device=self.device)
        for (pixels, _), start, end in zip(new, [0, *ends], ends, strict=False):
            patches = torch.from_numpy(patchify(pixels, self._spec)).to(self.device)
            normalise(patches, self._spec, values[start:end])
        return {"pixel_values": values, "image_grid_thw": self._tensor(grids)}

    def generate(
        self,
        prompts: list[Prompt],
        logits: torch.Tensor,
        cache: DynamicCache,
        mask: torch.Tensor,
        seeds: list[int],
        options: Generation,
    ) -> Generated:
        """Tokens one after the other, until each row has ended its turn or met its limit."""
        state = Generated(len(prompts), mask)
        following = self._tensor(np.array([prompt.positions.max() + 1 for prompt in prompts]))
        sampling = options.sampling or sampling_of(self.model.generation_config)
        last = np.array([[prompt.log_gsd[-1]] for prompt in prompts])
        choose = Chooser(sampling, seeds, [prompt.ids for prompt in prompts], self.device)
        for step in range(options.max_new_tokens):
            chosen = choose(logits)
            state.add(chosen.tolist(), logprobs_of(logits, chosen) if options.logprobs else None, self.stops)
            if options.stop:
                state.end_at(options.stop, self._tokenizer)
            if state.finished or step + 1 == options.max_new_tokens:
                break
            alive = self._tensor(np.array([[int(not stopped)] for stopped in state.stopped]))
            state.feed(chosen.tolist(), alive)
            self._tell(last)
            output = self.model(
                input_ids=chosen[:, None],
                attention_mask=state.mask,
                position_ids=(following + step).expand(3, -1)[..., None],
                past_key_values=cache,
                use_cache=True,
            )
            logits = output.logits[:, -1]
        return state

    def score(
        self,
        prompts: list[Prompt],
        logits: torch.Tensor,
        cache: DynamicCache,
        mask: torch.Tensor,
        choices: Sequence[str],
    ) -> list[NDArray[np.float64]]:
        """Log-probabilities (choices,) of answers after each prompt, read on its keys and values.

        Args:
            prompts: that were just prefilled.
            logits: (B, vocabulary) of the first token of the reply.
            cache: of the prompts; the same afterwards.
            mask: (B, L) which positions of it are real.
            choices: answers, none of them empty.
        """
        following = self._tensor(np.array([prompt.positions.max() + 1 for prompt in prompts]))
        first = logits.float().log_softmax(dim=-1)
        sums = []
        for choice in choices:
            ids = self._tokenizer.encode(choice, add_special_tokens=False)
            total = first[:, ids[0]].clone()
            if len(ids) > 1:
                read = self._tensor(np.array([ids[:-1]] * len(prompts)))
                steps = torch.arange(len(ids) - 1, device=self.device)
                last = np.array([[prompt.log_gsd[-1]] for prompt in prompts])
                self._tell(np.repeat(last, len(ids) - 1, axis=1))
                output = self.model(
                    input_ids=read,
                    attention_mask=torch.cat([mask, torch.ones_like(read)], dim=1),
                    position_ids=(following[:, None] + steps).expand(3, -1, -1),
                    past_key_values=copy.deepcopy(cache) if self.recurrent else cache,
                    use_cache=True,
                )
                if not self.recurrent:
                    cache.crop(-read.shape[1])
                further = self._tensor(np.array([ids[1:]] * len(prompts)))
                stated = output.logits.float().log_softmax(dim=-1)
                total += stated.gather(2, further[..., None])[..., 0].sum(dim=1)
            sums.append(total.double().cpu().numpy())
        return list(np.stack(sums, axis=1))

    def _tell(self, log_gsd: NDArray[np.floating[Any]]) -> None:
        """Tell gates the scales (B, S) of the tokens that come next."""
        tell_scale(self.model, torch.from_numpy(np.ascontiguousarray(log_gsd)).to(self.device))

    def _tensor(self, array: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
