"""Before training: do packed samples really not see each other in this very model?

Whether they do depends on the version of transformers, the attention implementation, and whatever wraps or
patches the model. None of the known ways to leak gives a warning, so the model itself is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from rscovlm.data.example import Encoded, Key
from rscovlm.data.packing import NOT_LEARNT, Pack, collate, model_inputs
from rscovlm.errors import ModelError
from rscovlm.models.patches import PatchSpec
from rscovlm.models.positions import RopeSpec, mrope_positions
from tiling.view import Size

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageConfig, VisionLanguageModel

_WORDS = 24  # learnt tokens of each sample: short, and enough for a mean
_BOUNDS = {torch.float32: (1e-4, 1e-2), torch.bfloat16: (2e-3, 2e-1), torch.float16: (1e-3, 1e-1)}
"""Nats between which a tenth of the full leak is what is tolerated. Measured on random and trained models,
rounding is 1e-5 of it in float32, where TF32 needs more room, and 3e-3 in bfloat16."""


@dataclass(frozen=True)
class Isolation:
    """Result of ``check_isolation``, in nats per token.

    Attributes:
        differences: of each of the two samples, between its losses packed and alone.
        leak: the second sample's difference where the first is shown to it on purpose; below the
            tolerance, the model hardly attends to anything and the check could not tell.
        tolerance: what was allowed.
    """

    differences: tuple[float, float]
    leak: float
    tolerance: float


@torch.no_grad()
def check_isolation(
    model: VisionLanguageModel,
    spec: PatchSpec,
    config: VisionLanguageConfig | None = None,
    inputs_of: Callable[[Pack], Mapping[str, Any]] = model_inputs,
) -> Isolation:
    """Compare losses of two short made-up samples, packed and alone.

    Both say the same words after images of different sizes, so that a sample which sees the one before can
    copy from it. For scale, the leak is also made on purpose: rounding is far below it in any precision.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL as it will be trained, wrapped or not.
        spec: how it wants its images.
        config: of the model, where a wrapper hides it.
        inputs_of: the arguments that the training loop gives to the model.

    Raises:
        ModelError: what leaks, and by how much.
    """
    config = config if config is not None else model.config
    image_id, device = config.image_token_id, next(model.parameters()).device
    first, second = _samples(config, spec)
    was_training = model.training
    model.eval()
    try:
        together = _losses(model, _pack([first, second], spec, image_id, device), inputs_of)
        alone = [
            _losses(model, _pack([each], spec, image_id, device), inputs_of)[0] for each in (first, second)
        ]
        open_pack = _without_borders(_pack([first, second], spec, image_id, device))
        shown = _losses(model, open_pack, model_inputs)[1]
    finally:
        model.train(was_training)
    leak = float((shown - alone[1]).abs().mean())
    before, after = (float((a - b).abs().mean()) for a, b in zip(together, alone, strict=True))
    differences = (before, after)
    floor, ceiling = _BOUNDS.get(_precision(model), _BOUNDS[torch.bfloat16])
    tolerance = max(floor, min(leak / 10, ceiling))
    # Written so that a loss which is not a number is refused as well.
    if not max(differences) <= tolerance:
        raise ModelError(_complaint(differences, leak, tolerance, model))
    return Isolation(differences, leak, tolerance)


def _complaint(
    differences: tuple[float, float], leak: float, tolerance: float, model: VisionLanguageModel
) -> str:
    first, second = differences
    if not first <= tolerance:
        # The language model is causal: what comes later reaches the first sample through its image only.
        where = "the first sample changes as well, so images are mixed up or positions are wrong"
    else:
        where = "the second sample sees the first"
    attention = getattr(getattr(model, "config", None), "_attn_implementation", "unknown")
    return (
        f"packed samples are not isolated: {where}. Their losses differ from those of the samples alone by "
        f"{first:.2g} and {second:.2g} nats per token, {tolerance:.2g} is allowed, and a full leak makes "
        f"{leak:.2g}. Attention is {attention!r}; position ids of 4 rows, no attention mask and "
        "use_cache=False have to reach the model. Until they do, train without packing"
    )


def _samples(config: VisionLanguageConfig, spec: PatchSpec) -> tuple[Encoded, Encoded]:
    """Two samples with the same words after images of 1 x 2 and 2 x 2 visual tokens."""
    rng = np.random.default_rng(0)
    special = {value for name, value in vars(config).items() if name.endswith("_token_id")}
    usual = np.setdiff1d(np.arange(min(config.text_config.vocab_size, 4096)), [s for s in special if s])
    words = rng.choice(usual, _WORDS)
    rope = RopeSpec.of_config(config)
    return (
        _sample(0, Size(1, 2), words, rope, spec, config),
        _sample(1, Size(2, 2), words, rope, spec, config),
    )


def _sample(
    index: int,
    cells: Size,
    words: NDArray[np.int64],
    rope: RopeSpec,
    spec: PatchSpec,
    config: VisionLanguageConfig,
) -> Encoded:
    rows, columns = cells
    image = [config.vision_start_token_id, *[config.image_token_id] * (rows * columns)]
    ids = np.array([*image, config.vision_end_token_id, *words], dtype=np.int64)
    learnt = np.arange(len(ids)) >= len(ids) - _WORDS
    grids = np.array([[1, rows * spec.merge, columns * spec.merge]], dtype=np.int64)
    picture = _Noise(Size(rows * spec.factor, columns * spec.factor), spec.channels, index)
    return Encoded(
        ids, learnt, mrope_positions(ids, grids, rope), (picture,), grids, Key("check", index, 0), "check"
    )


@dataclass(frozen=True)
class _Noise:
    size: Size
    bands: int
    seed: int
    gsd_m: float | None = None

    def read(self) -> NDArray[np.uint8]:
        return np.random.default_rng(self.seed).integers(0, 256, (*self.size, self.bands), dtype=np.uint8)


def _pack(samples: list[Encoded], spec: PatchSpec, image_id: int, device: torch.device) -> Pack:
    return collate(samples, spec, image_id).to(device)


def _without_borders(pack: Pack) -> Pack:
    """The pack as one sample: what a leak would be."""
    positions = pack.position_ids.clone()
    positions[0] = torch.arange(pack.length, device=positions.device)
    ends = pack.cu_seqlens[[0, -1]]
    return replace(pack, position_ids=positions, cu_seqlens=ends, max_length=pack.length)


def _losses(
    model: VisionLanguageModel, pack: Pack, inputs_of: Callable[[Pack], Mapping[str, Any]]
) -> list[torch.Tensor]:
    """(learnt tokens,) losses of each sample."""
    logits = model(**inputs_of(pack)).logits[0].float()
    losses = torch.nn.functional.cross_entropy(
        logits, pack.targets[0], ignore_index=NOT_LEARNT, reduction="none"
    )
    learnt = pack.targets[0] != NOT_LEARNT
    return [losses[learnt & (pack.sample[0] == index)] for index in range(len(pack.keys))]


def _precision(model: VisionLanguageModel) -> torch.dtype:
    """Number type of the computation: autocast's precision, or that of the model's largest part."""
    device = next(model.parameters()).device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return max(model.parameters(), key=torch.Tensor.numel).dtype
