"""From a configuration to a model that is ready to learn, and a list of what is really in use."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from configs import ConfigError
from detection_eval.files import commit_folder
from rscovlm.data.encoding import Encoder
from rscovlm.data.rendering import box_contract
from rscovlm.errors import ModelError, UsageError
from rscovlm.models.adapters import ADAPTERS
from rscovlm.models.adapters.base import Adapter
from rscovlm.models.checkpoints import resolve
from rscovlm.models.families import ModelFamily
from rscovlm.models.heads import make_heads
from rscovlm.models.patches import PatchSpec
from rscovlm.models.sidecars import OWN, read_sidecar
from rscovlm.models.stem import BANDS, write_widened
from rscovlm.models.weights import attention_for, read_settings, read_tokenizer, read_weights
from rscovlm.training.modules import Learner, choose_trainable, enable_checkpointing
from rscovlm.training.objective import objective_of
from rscovlm.training.parallel import quiet_deepspeed
from rscovlm.training.settings import TrainConfig
from rscovlm.training.speedups import patch_embed_as_matmul
from tiling.errors import ResolutionError

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PreTrainedTokenizerBase

    from rscovlm.models.qwen import VisionLanguageConfig, VisionLanguageModel


@dataclass(frozen=True)
class Base:
    """The checkpoint that a run starts from, without its weights.

    Attributes:
        folder: of the checkpoint.
        family: how the trained model sees and writes, image bounds of the run included.
        tokenizer: of the checkpoint.
        patches: how it cuts images.
        settings: its transformers configuration.
    """

    folder: Path
    family: ModelFamily
    tokenizer: PreTrainedTokenizerBase
    patches: PatchSpec
    settings: VisionLanguageConfig

    @property
    def encoder(self) -> Encoder:
        """Examples to tokens, as the checkpoint wants them."""
        return Encoder(self.tokenizer, self.patches)


@dataclass(frozen=True)
class Built:
    """A model that is ready to learn.

    Attributes:
        learner: on the CPU, not wrapped yet.
        adapters: what learns in place of weights, or None.
        notes: what is in use and why, by name, for the start-up table.
    """

    learner: Learner
    adapters: Adapter | None
    notes: dict[str, str]


BASE = "base"
"""Folder of a fresh starting checkpoint, inside that of its run."""


def write_fresh(config: TrainConfig, run: Path) -> None:
    """Write the starting checkpoint of a run that has one of its own, where it is not there yet.

    Raises:
        ModelError: a patch embedding cannot be widened.
    """
    from rscovlm.nano.base import write_base

    folder = run / BASE
    if folder.is_dir() or (config.fresh is None and not _widens(config)):
        return
    quiet_deepspeed()
    partial = folder.with_name(f".partial-{BASE}")
    shutil.rmtree(partial, ignore_errors=True)
    if config.fresh is not None:
        write_base(partial, config.seed)
    elif config.stem is not None:
        source = resolve(str(config.model), family=config.family).local
        write_widened(source, partial, config.stem.bands, config.stem.start)
    commit_folder(partial, folder)


def _widens(config: TrainConfig) -> bool:
    """Whether the patch embedding has to be widened; that of an earlier stage's model is wide already.

    Raises:
        ModelError: where it has been widened to other bands.
    """
    if config.stem is None or config.model is None:
        return False
    folder = resolve(config.model, family=config.family).local
    known = (read_sidecar(folder, OWN) or {}).get(BANDS)
    if known is not None and tuple(known) != config.stem.bands:
        raise ModelError(
            f"{config.model} has a stem for {', '.join(known)}; leave stem out, or state these bands"
        )
    return known is None


def open_base(config: TrainConfig, run: Path) -> Base:
    """Everything about the starting checkpoint but its weights.

    Args:
        config: of the run.
        run: its folder, which holds the starting checkpoint where the run started from nothing.

    Raises:
        ModelError: where it cannot be found or used.
        UsageError: for a box format that does not exist, or bounds that leave no image size.
    """
    own = config.model is None or _widens(config)
    checkpoint = resolve(str(run / BASE) if own else str(config.model), family=config.family)
    folder, family = checkpoint.local, checkpoint.family
    bounds = family.resolution
    least = config.resolution.min_pixels or bounds.min_pixels
    most = config.resolution.max_pixels or max(bounds.max_pixels, least)
    try:
        family = replace(family, resolution=replace(bounds, min_pixels=min(least, most), max_pixels=most))
    except ResolutionError as error:
        raise UsageError(f"resolution: {error}") from error
    if config.detection is not None:
        try:
            family = replace(family, detection=box_contract(config.detection, family).name)
        except ConfigError as error:
            raise UsageError(f"detection: {error}") from error
    settings = read_settings(folder)
    patches = PatchSpec.of_checkpoint(folder, settings.vision_config)
    return Base(folder, family, read_tokenizer(folder), patches, settings)


def build(base: Base, config: TrainConfig, device: torch.device) -> Built:
    """Load the weights and make those learn that should.

    Args:
        base: of the run.
        config: of the run.
        device: that it will train on.

    Raises:
        ModelError: where the weights cannot be loaded.
        UsageError: where an option would have no effect, with the reason.
    """
    attention, why = choose_attention(config, device)
    model = read_model(base.folder, config, attention)
    notes = {"attention": f"{attention}: {why}", "liger": apply_liger(model, config, device)}
    learner = Learner(model, heads_of(model, config), objective_of(config, base.tokenizer))
    adapters = choose_trainable(learner, config)
    enable_checkpointing(model, config)
    patch_embed_as_matmul(model)
    _settle_dtypes(learner, config)
    notes["precision"] = _precision_note(config)
    notes["checkpointing"] = _checkpointing_note(config)
    return Built(learner.train(), adapters, notes)


def choose_attention(config: TrainConfig, device: torch.device) -> tuple[str, str]:
    """The attention implementation and why it is taken.

    Raises:
        UsageError: where the one that is asked for cannot run.
    """
    compute = torch.bfloat16 if config.precision == "bf16" else torch.float32
    best, why = attention_for(device, compute)
    if config.attention == "auto":
        return best, why
    if config.attention == "flash_attention_2" and best != config.attention:
        raise UsageError(f"attention: flash_attention_2 cannot be used: {why}; choose auto or sdpa")
    return config.attention, "as configured"


def heads_of(model: VisionLanguageModel, config: TrainConfig) -> nn.ModuleDict:
    """Fresh heads, as the configuration asks for them."""
    # Seeded, or two processes, and a run and its repetition, would begin with different ones.
    torch.manual_seed(config.seed)
    return make_heads(model, config.heads.chosen)


def read_model(folder: Path, config: TrainConfig, attention: str) -> VisionLanguageModel:
    """The model, in float32, or in bfloat16 where DeepSpeed keeps the float32 master weights itself.

    Raises:
        ModelError: where it cannot be loaded.
        UsageError: for 4-bit weights where they cannot be had.
    """
    quantization = _four_bits(config) if _in_four_bits(config) else None
    half = config.strategy == "deepspeed" and config.precision == "bf16"
    dtype = torch.bfloat16 if half or quantization else torch.float32
    return read_weights(folder, dtype, attention, quantization)


def _in_four_bits(config: TrainConfig) -> bool:
    return any(ADAPTERS[name].in_four_bits for name in config.adapters.chosen)


def _four_bits(config: TrainConfig) -> BitsAndBytesConfig:
    """How adapted towers are quantised; all others stay as they are."""
    from importlib.util import find_spec

    if not torch.cuda.is_available():
        raise UsageError("adapters.qlora: holds weights in 4 bits on CUDA alone; use lora here")
    if find_spec("bitsandbytes") is None:
        raise UsageError("adapters.qlora: needs the package bitsandbytes; install it or use lora")
    from transformers import BitsAndBytesConfig

    modules = {"vision": "visual.blocks", "merger": "merger", "language": "language_model"}
    kept = [modules[name] for name in modules if config.adapted is None or name not in config.adapted.towers]
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=["lm_head", *kept],
    )


def apply_liger(model: VisionLanguageModel, config: TrainConfig, device: torch.device) -> str:
    """Fused norms and MLPs of liger-kernel, where they can run; what came of it.

    Its fused cross-entropy is left out: the loss has weights of its own, which that one does not take.

    Raises:
        UsageError: where ``liger: on`` would have no effect.
    """
    if config.liger == "off":
        return "off: as configured"
    reason = _patch_with_liger(model, device)
    patched = Counter(
        type(module).__name__ for module in model.modules() if _comes_from_liger(module.forward)
    )
    if patched:
        return "on: " + ", ".join(f"{count} x {name}" for name, count in sorted(patched.items()))
    if config.liger == "on":
        raise UsageError(f"liger: on has no effect: {reason or 'it patched no module of this model'}")
    return f"off: {reason or 'it patched no module of this model'}"


def _patch_with_liger(model: VisionLanguageModel, device: torch.device) -> str | None:
    """Apply what liger-kernel has for this model; the reason where nothing could be applied."""
    if device.type != "cuda":
        return f"its kernels need CUDA; the device is {device.type}"
    try:
        from liger_kernel.transformers import monkey_patch
    except ImportError as error:
        return f"liger-kernel cannot be imported ({error}; extra: liger)"
    name = f"apply_liger_kernel_to_{model.config.model_type}"
    patch = getattr(monkey_patch, name, None)
    if patch is None:
        return f"it has no {name}"
    # The rotary patch sets an attribute that transformers no longer reads; norms and MLPs take effect.
    patch(rope=False, fused_linear_cross_entropy=False, rms_norm=True, swiglu=True, model=model)
    return None


def _comes_from_liger(function: object) -> bool:
    return str(getattr(function, "__module__", "")).startswith("liger_kernel")


def _settle_dtypes(learner: Learner, config: TrainConfig) -> None:
    """Under autocast what learns stays float32, as master weights; what is frozen needs bfloat16 at most."""
    if config.precision != "bf16" or config.strategy == "deepspeed" or _in_four_bits(config):
        return
    for parameter in learner.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(torch.bfloat16)


def _precision_note(config: TrainConfig) -> str:
    if config.precision == "fp32":
        return "float32"
    if config.strategy == "deepspeed":
        return "bfloat16 weights, float32 master weights in the optimizer"
    return "bfloat16 by autocast, trained weights in float32"


def _checkpointing_note(config: TrainConfig) -> str:
    towers = [name for name in ("vision", "language") if getattr(config.checkpointing, name)]
    return ", ".join(towers) or "off"
