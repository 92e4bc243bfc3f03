"""Sampling of the next token: penalties, temperature, top-k and top-p, and a checkpoint's own rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from zoom_chain.chat import Sampling

if TYPE_CHECKING:
    from transformers import GenerationConfig


class Chooser:
    """Picks the next token of each row of a batch, and remembers what each row has said.

    Args:
        sampling: the rules.
        seeds: of each row's own generator, so that a row's reply does not depend on its batch.
        prompts: token ids (length,) of each row, for the repetition penalty.
        device: of the logits.
    """

    def __init__(
        self,
        sampling: Sampling,
        seeds: Sequence[int],
        prompts: Sequence[NDArray[np.int64]],
        device: torch.device,
    ) -> None:
        self.sampling = sampling
        self._generators = (
            [torch.Generator(device).manual_seed(seed) for seed in seeds] if sampling.temperature else []
        )
        self._read = [np.unique(ids) for ids in prompts]
        self._said: list[list[int]] = [[] for _ in prompts]

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The chosen tokens (B,) from logits (B, vocabulary)."""
        logits = self._penalised(logits.float())
        if self.sampling.temperature:
            probabilities = self._truncated(logits / self.sampling.temperature).softmax(dim=-1)
            drawn = [
                torch.multinomial(row, 1, generator=generator)
                for row, generator in zip(probabilities, self._generators, strict=True)
            ]
            chosen = torch.cat(drawn)
        else:
            chosen = logits.argmax(dim=-1)
        for said, token in zip(self._said, chosen.tolist(), strict=True):
            said.append(token)
        return chosen

    def _penalised(self, logits: torch.Tensor) -> torch.Tensor:
        presence, repetition = self.sampling.presence_penalty, self.sampling.repetition_penalty
        if presence == 0 and repetition == 1:
            return logits
        logits = logits.clone()
        for row, (read, said) in enumerate(zip(self._read, self._said, strict=True)):
            if repetition != 1:
                tokens = torch.from_numpy(np.union1d(read, np.array(said, dtype=np.int64))).to(logits.device)
                values = logits[row, tokens]
                logits[row, tokens] = torch.where(values > 0, values / repetition, values * repetition)
            if presence and said:
                logits[row, torch.tensor(sorted(set(said)), device=logits.device)] -= presence
        return logits

    def _truncated(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (B, vocabulary) with -inf for what ``top_k`` and ``top_p`` leave out."""
        top_k, top_p = self.sampling.top_k, self.sampling.top_p
        if 0 < top_k < logits.shape[-1]:
            least = logits.topk(top_k, dim=-1).values[:, -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        if top_p < 1:
            ordered, order = logits.sort(dim=-1, descending=True)
            shares = ordered.softmax(dim=-1)
            # A token stays while those likelier than it do not reach top_p yet: the first always does.
            beyond = shares.cumsum(dim=-1) - shares >= top_p
            logits = logits.masked_fill(beyond.scatter(1, order, beyond), -torch.inf)
        return logits


def sampling_of(config: GenerationConfig) -> Sampling:
    """The rules in a ``transformers.GenerationConfig``; greedy where it does not sample."""
    temperature = config.temperature if config.temperature is not None else 1.0
    return Sampling(
        temperature=float(temperature) if config.do_sample else 0.0,
        top_p=float(config.top_p if config.top_p is not None else 1.0),
        top_k=int(config.top_k or 0),
        repetition_penalty=float(config.repetition_penalty or 1.0),
    )


def checkpoint_sampling(folder: Path) -> Sampling:
    """The rules in a checkpoint's ``generation_config.json``; those of transformers where it has none."""
    from transformers import GenerationConfig

    try:
        config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    except OSError:
        config = GenerationConfig()
    return sampling_of(config)
