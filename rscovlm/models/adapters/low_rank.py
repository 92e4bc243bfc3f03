"""Low-rank adapters of linear layers, by peft."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from torch import nn

from rscovlm.errors import ModelError
from rscovlm.models.adapters.base import Adapter

if TYPE_CHECKING:
    from peft import PeftModel

    from rscovlm.models.qwen import VisionLanguageModel

_PREFIX = "lora_"
"""What peft calls the parameters of all of these, DoRA's magnitudes included."""


class Lora(Adapter):
    """LoRA (arXiv:2106.09685): a linear layer W becomes W + alpha / rank * B A.

    Args:
        rank: rows of A and columns of B.
        alpha: adapters are scaled by ``alpha / rank``.
        dropout: of what enters A, in [0, 1).
    """

    decomposed: ClassVar[bool] = False
    """Whether each row's length learns apart from its direction."""

    def __init__(self, rank: int, alpha: float, dropout: float = 0.0) -> None:
        self.rank, self.alpha, self.dropout = rank, alpha, dropout
        self._model: PeftModel | None = None

    @property
    def model(self) -> PeftModel:
        """peft's view of the adapted model."""
        if self._model is None:
            raise RuntimeError("the adapter has not been applied to a model yet")
        return self._model

    def apply(self, model: VisionLanguageModel, layers: Sequence[str]) -> None:
        """Put A, at random, and B, zero, beside each layer."""
        from peft import LoraConfig, get_peft_model

        settings = LoraConfig(
            r=self.rank,
            lora_alpha=cast(int, self.alpha),  # peft divides it by the rank, so a fraction is as good
            lora_dropout=self.dropout,
            use_dora=self.decomposed,
            target_modules=list(layers),
            task_type="CAUSAL_LM",
        )
        self._model = cast("PeftModel", get_peft_model(model, settings))

    def learns(self, parameter: str) -> bool:
        """Whether it is A, B or a magnitude."""
        return _PREFIX in parameter

    def save(self, folder: Path) -> None:
        """Write ``adapter_config.json`` and ``adapter_model.safetensors``, as peft reads them."""
        self.model.save_pretrained(str(folder))

    def load(self, folder: Path) -> None:
        """Take the weights of a folder that peft has written.

        Raises:
            ModelError: there are none, or they belong to other layers or another rank.
        """
        from peft.utils.save_and_load import load_peft_weights, set_peft_model_state_dict

        try:
            weights = load_peft_weights(str(folder), device="cpu")
            found: Any = set_peft_model_state_dict(self.model, weights)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise ModelError(f"the adapters in {folder} cannot be read: {reason}") from error
        wrong = [*found.unexpected_keys, *(name for name in found.missing_keys if self.learns(name))]
        if wrong:
            raise ModelError(f"the adapters in {folder} are of other layers; {wrong[0]} is one that differs")

    def merge(self) -> VisionLanguageModel:
        """Add the product of B and A to each layer's own weights."""
        return cast("VisionLanguageModel", self.model.merge_and_unload())


def update_sizes(model: nn.Module) -> dict[str, float]:
    """``update/<projection>``: what low-rank adapters add to layers, mean over those of a name.

    Each is ``alpha / rank * sqrt(tr(B^T B A A^T))``, the Frobenius norm of the update (ScaleEarth, figure 8).
    """
    found: dict[str, list[float]] = {}
    for name, layer in model.named_modules():
        for which in getattr(layer, "lora_A", None) or ():
            a, b = layer.lora_A[which].weight.detach().float(), layer.lora_B[which].weight.detach().float()
            if a.numel() and b.numel():  # other processes may hold them
                size = float(layer.scaling[which] * ((b.T @ b) * (a @ a.T)).sum().clamp_min(0).sqrt())
                found.setdefault(f"update/{name.split('.')[-1]}", []).append(size)
    return {name: sum(sizes) / len(sizes) for name, sizes in sorted(found.items())}


class Dora(Lora):
    """DoRA (arXiv:2402.09353): LoRA turns the rows of a layer, whose lengths learn by themselves."""

    decomposed = True


class Qlora(Lora):
    """QLoRA (arXiv:2305.14314): LoRA beside layers that training holds in 4 bits (CUDA alone)."""

    in_four_bits = True
