"""Low-rank adapters whose dimensions are weighted by the ground sampling distance (GSD) of each token."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from detection_eval.files import write_json
from rscovlm.errors import ModelError
from rscovlm.models.adapters.low_rank import Lora
from rscovlm.models.checkpoints import SCALED_ADAPTER
from rscovlm.models.scale.gates import BucketGate, Gate, SigmoidGate
from rscovlm.models.scale.state import ScaleState, give_state, scale_state

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageModel

WEIGHTS = "scale_adapter.safetensors"

_GATE = "scale_gate"
_ONLY = "default"


class ScaledLora(Lora):
    """LoRA with a gate between A and B; with all gates at 1 it is plain LoRA, bit for bit.

    peft does the arithmetic of A and B. It is saved in files of its own, and not as an adapter of peft's: any
    program that takes it for plain LoRA would answer with all gates open and not say so.

    Args:
        rank, alpha, dropout: as of ``Lora``.
        projections: last parts of the names of the layers to adapt (``q_proj``); empty for all.
        shared: whether all layers have one gate; else each its own.
        withheld: part of the samples whose GSD is withheld in training.
        gate: settings of the gate, see ``gate_of``; what is left out is its default.
    """

    mergeable = False
    kind: ClassVar[str]
    gate_of: ClassVar[type[Gate]]

    def __init__(
        self,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        projections: Sequence[str] = (),
        shared: bool = False,
        withheld: float = 0.0,
        **gate: Any,
    ) -> None:
        super().__init__(rank, alpha, dropout)
        self.projections, self.shared, self.withheld = tuple(projections), shared, withheld
        self.gate_settings = self.gate_of.settled(**gate)
        self.layers: tuple[str, ...] = ()
        self._base: VisionLanguageModel | None = None
        self._gate()  # what is wrong with the settings is said before weights are loaded

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of the same adapter."""
        own = {"rank": self.rank, "alpha": self.alpha, "dropout": self.dropout}
        place = {"projections": self.projections, "shared": self.shared, "withheld": self.withheld}
        return {**own, **place, **self.gate_settings}

    def apply(self, model: VisionLanguageModel, layers: Sequence[str]) -> None:
        """Put A, at random, B, zero, and a gate beside each layer.

        Raises:
            ModelError: for layers of the vision tower, whose tokens have no gate, or none that is left.
        """
        wanted = [each for each in layers if not self.projections or each.split(".")[-1] in self.projections]
        if any("visual" in name.split(".") for name in wanted):
            raise ModelError(f"{self.kind} adapts the language model alone; write towers: [language]")
        if not wanted:
            raise ModelError(f"{self.kind}: no layer is called {' or '.join(self.projections)}")
        super().apply(model, wanted)
        self.layers, self._base = tuple(wanted), model
        state, common = ScaleState(withheld=self.withheld), self._gate()
        give_state(model, state)
        for layer in self._adapted():
            gate = common if self.shared else self._gate()
            layer.add_module(_GATE, gate)
            layer.lora_A[_ONLY].register_forward_hook(partial(_weighted, gate, state))

    def _gate(self) -> Gate:
        return self.gate_of(self.rank, **self.gate_settings)

    def _adapted(self) -> Iterator[Any]:
        """The layers with A and B, in order."""
        for module in self.model.modules():
            lowering = getattr(module, "lora_A", None)
            if isinstance(lowering, nn.ModuleDict) and len(lowering):
                yield module

    @property
    def gates(self) -> list[Gate]:
        """Those of the layers in order; the same one for all where it is shared."""
        return [getattr(layer, _GATE) for layer in self._adapted()]

    def learns(self, parameter: str) -> bool:
        """Whether it is A, B or of a gate, but for a sharpness that is fixed."""
        if parameter.endswith("raw_sharpness") and not self.gate_settings["learns_sharpness"]:
            return False
        return super().learns(parameter) or _GATE in parameter.split(".")

    def save(self, folder: Path) -> None:
        """Write ``scale_adapter.json`` and ``scale_adapter.safetensors``."""
        from safetensors.torch import save_file

        base = getattr(self._base, "name_or_path", "")
        facts = {"kind": self.kind, "base_model_name_or_path": base, "layers": self.layers}
        write_json(folder / SCALED_ADAPTER, {**facts, "settings": self.settings}, indent=2)
        save_file({name: value.cpu().contiguous() for name, value in self._own().items()}, folder / WEIGHTS)

    def _own(self) -> dict[str, Tensor]:
        names = self.model.named_parameters()
        return {name: each.detach() for name, each in names if Lora.learns(self, name) or _GATE in name}

    def load(self, folder: Path) -> None:
        """Take the weights that ``save`` has written.

        Raises:
            ModelError: there are none, or they belong to other layers or another rank.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            weights = load_file(folder / WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"the adapters in {folder} cannot be read: {str(error).splitlines()[0]}"
            ) from error
        own = self._own()
        wrong = sorted(weights.keys() ^ own.keys())
        wrong += [name for name in weights.keys() & own.keys() if weights[name].shape != own[name].shape]
        if wrong:
            raise ModelError(f"the adapters in {folder} are of other layers; {wrong[0]} is one that differs")
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(weights[name])

    def merge(self) -> VisionLanguageModel:
        """Nothing: what is added to a layer depends on the GSD.

        Raises:
            ModelError: always; ``merge_at`` is for one GSD.
        """
        raise ModelError(f"{self.kind} has no weights that hold at every GSD; give one, as in --gsd 0.3")

    def merge_at(self, gsd_m: float) -> VisionLanguageModel:
        """Fold the weights at one GSD into the layers, ``B diag(h) A``; the plain model that is left."""
        with self.fixed_at(gsd_m):
            merged = super().merge()
        give_state(merged, None)
        return merged

    def save_at(self, folder: Path, gsd_m: float) -> None:
        """Write plain LoRA of peft's that is this adapter at one GSD: A with its rows weighted."""
        with self.fixed_at(gsd_m):
            plain = {name: each for name, each in self.model.state_dict().items() if Lora.learns(self, name)}
            self.model.save_pretrained(str(folder), state_dict=plain)

    @contextmanager
    def fixed_at(self, gsd_m: float) -> Iterator[None]:
        """A with its rows weighted as at one GSD while the context is open, for what knows no gates."""
        import math

        at = torch.tensor(math.log10(gsd_m))
        before: list[tuple[nn.Parameter, Tensor]] = []
        try:
            with torch.no_grad():
                for layer, gate in zip(list(self._adapted()), self.gates, strict=True):
                    weight = layer.lora_A[_ONLY].weight
                    before.append((weight, weight.detach().clone()))
                    weight.mul_(gate(at.to(weight.device))[:, None].to(weight.dtype))
            yield
        finally:
            with torch.no_grad():
                for weight, value in before:
                    weight.copy_(value)


class CsHlora(ScaledLora):
    """CS-HLoRA (ScaleEarth, arXiv 2605.07562): sigmoid gates with thresholds that learn."""

    kind, gate_of = "cs_hlora", SigmoidGate


class CsHqlora(CsHlora):
    """CS-HLoRA beside layers that training holds in 4 bits (CUDA alone), as in the paper."""

    kind, in_four_bits = "cs_hqlora", True


class BucketedLora(ScaledLora):
    """A mixture of LoRA experts of equal parameters, of which the bucket of the GSD chooses one."""

    kind, gate_of = "bucketed_lora", BucketGate


KINDS: dict[str, type[ScaledLora]] = {each.kind: each for each in (CsHlora, CsHqlora, BucketedLora)}


def read_scaled(folder: Path, model: VisionLanguageModel) -> ScaledLora:
    """The adapter in a folder of ``save``, beside the layers of a model, which changes.

    Raises:
        ModelError: it cannot be read, or belongs to another model.
    """
    try:
        facts = json.loads((folder / SCALED_ADAPTER).read_text(encoding="utf-8"))
        adapter = KINDS[facts["kind"]](**facts["settings"])
        layers = [str(name) for name in facts["layers"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / SCALED_ADAPTER} cannot be read: {error}") from error
    missing = sorted(set(layers) - {name for name, _ in model.named_modules()})
    if missing:
        raise ModelError(f"the adapters in {folder} are of another model, which has a layer {missing[0]}")
    device, dtype = model.device, next(model.parameters()).dtype
    adapter.apply(model, layers)
    adapter.load(folder)
    cast("nn.Module", model).to(device=device, dtype=dtype)
    for gate in adapter.gates:
        gate.float()
    model.eval()
    return adapter


def _weighted(gate: Gate, state: ScaleState, module: nn.Module, arguments: Any, lowered: Tensor) -> Tensor:
    """A forward hook of A."""
    return state.gated(gate, lowered)


def gate_numbers(model: nn.Module) -> dict[str, float]:
    """Numbers for the log: mean sharpness, and mean threshold of each tier in metres; empty without gates."""
    if scale_state(model) is None:
        return {}
    gates = [module for module in model.modules() if isinstance(module, SigmoidGate)]
    if not gates or not gates[0].tau.numel():  # another process holds them
        return {}
    tau = torch.stack([gate.tau.detach().float() for gate in gates]).mean(dim=0).cpu()
    tier = gates[0].get_buffer("tier").cpu()
    found = {"gate/sharpness": float(torch.stack([gate.sharpness.detach() for gate in gates]).mean())}
    for number in range(int(tier.max()) + 1):
        found[f"gate/tau_{number}_m"] = 10 ** float(tau[tier == number].mean())
    return found
