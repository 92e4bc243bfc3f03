"""Processes that train together: one, DDP, or DeepSpeed, each behind the same few functions.

A step is: ``backward`` for each pack, the last one with ``last=True``, then ``apply``. Micro-steps may differ
in number from step to step, never between ranks. Losses handed to ``backward`` are shares of one sum over all
ranks; engines average over ranks, which is undone here, so that gradients are those of the sum.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import nn

from configs import ConfigError
from rscovlm.errors import UsageError
from rscovlm.training.settings import TrainConfig

if TYPE_CHECKING:
    from accelerate import Accelerator, DeepSpeedPlugin

    from rscovlm.training.modules import Learner

_OURS = ("optimizer", "scheduler")
_DEEPSPEED = "deepspeed"


class DeepSpeedEngine(Protocol):
    """DeepSpeed's engine as far as it is used here; it has no types of its own."""

    optimizer: Any

    def set_gradient_accumulation_boundary(self, is_boundary: bool) -> None:
        """Say whether the next backward pass is the last of a step."""

    def backward(self, loss: torch.Tensor) -> object:
        """Add a gradient."""

    def step(self) -> None:
        """Take the optimizer's step."""

    def get_global_grad_norm(self) -> float | torch.Tensor | None:
        """The norm of the gradient of the last step, before clipping."""

    def save_checkpoint(
        self, save_dir: str, *, tag: str, save_latest: bool, exclude_frozen_parameters: bool
    ) -> object:
        """Write the shards of this rank."""

    def load_checkpoint(
        self, load_dir: str, *, tag: str, load_module_strict: bool
    ) -> tuple[str | None, object]:
        """Read the shards of this rank: where they were, None if nowhere."""


def quiet_deepspeed() -> None:
    """Keep DeepSpeed, which libraries import wherever it is installed, from a warning on stdout on a CPU."""
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")


def start(config: TrainConfig) -> Accelerator:
    """The processes of this run, joined by accelerate's ``Accelerator``.

    Raises:
        UsageError: where the strategy does not fit the way the processes were started.
        ConfigError: for a DeepSpeed configuration that cannot be used.
    """
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    processes = int(os.environ.get("WORLD_SIZE", 1))
    if config.strategy == "single" and processes > 1:
        raise UsageError(
            f"strategy single is for one process, but {processes} were started; use ddp or deepspeed"
        )
    cpu = not torch.cuda.is_available()
    quiet_deepspeed()
    if config.strategy == _DEEPSPEED:
        plugin = _deepspeed_plugin(config)
        # Without a backend by name accelerate takes each CPU process to be alone.
        backend = [InitProcessGroupKwargs(backend="gloo")] if cpu else []
        accelerator = Accelerator(deepspeed_plugin=plugin, kwargs_handlers=backend)
        _check_processes(accelerator, processes)
        return accelerator
    # Weights stay float32, so autocast computes in bfloat16 and the optimizer holds master weights.
    accelerator = Accelerator(cpu=cpu, mixed_precision="bf16" if config.precision == "bf16" else "no")
    _check_processes(accelerator, processes)
    return accelerator


def _check_processes(accelerator: Accelerator, started: int) -> None:
    """Make sure that all processes that were started found each other, or each would train alone."""
    if accelerator.num_processes != started:
        raise UsageError(
            f"{started} processes were started, but accelerate joined {accelerator.num_processes}; "
            "check the launcher's settings"
        )


def _deepspeed_plugin(config: TrainConfig) -> DeepSpeedPlugin:
    try:
        import deepspeed
    except ImportError as error:
        raise UsageError("strategy deepspeed needs the package deepspeed (extra: train)") from error
    from accelerate import DeepSpeedPlugin

    # Its own all-reduce for CPUs is compiled at first use, for minutes; gloo does the same.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False

    if "LOCAL_RANK" not in os.environ:
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
        os.environ.setdefault("MASTER_PORT", str(_free_port()))
    return DeepSpeedPlugin(hf_ds_config=deepspeed_settings(config), zero3_init_flag=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def deepspeed_settings(config: TrainConfig) -> dict[str, Any]:
    """The DeepSpeed configuration of a run: the named one with what the run's own configuration decides.

    Raises:
        ConfigError: where there is none, or it decides itself what is decided there.
    """
    name = str(config.deepspeed)
    settings = _read_json(name)
    taken = [key for key in _OURS if key in settings]
    if taken:
        own = ", ".join(f"optimizer.{group}" for group in config.own_rates) or "optimizer and schedule"
        raise ConfigError(
            f"deepspeed configuration {name}: {' and '.join(taken)} cannot stand here, since DeepSpeed would "
            f"then ignore what this run says under {own}; remove it"
        )
    decided = {
        # One pack a micro-step; where a step ends is told to the engine for each pack.
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.optimizer.clip or 0.0,
        "bf16": {"enabled": config.precision == "bf16"},
    }
    for key, value in decided.items():
        if settings.get(key, "auto") not in ("auto", value):
            raise ConfigError(
                f"deepspeed configuration {name}: {key} is {settings[key]!r}, but this run needs {value!r}; "
                "remove it"
            )
    settings |= decided
    problem = _unfit_for_bf16(settings) if config.precision == "bf16" else None
    if problem:
        raise ConfigError(f"deepspeed configuration {name}: {problem}")
    settings.setdefault("steps_per_print", 1 << 60)
    return settings


def _unfit_for_bf16(settings: Mapping[str, Any]) -> str | None:
    """Why DeepSpeed could not save what these settings train, or None.

    Both cases run through its BF16_Optimizer, whose shards ``zero_to_fp32`` does not read.
    """
    stage = settings.get("zero_optimization", {}).get("stage", 0)
    if stage == 0:
        return "bf16 at stage 0 is not saved whole (DeepSpeed issue 7786); use strategy ddp, or stage 1"
    if stage == 1 and settings.get("data_types", {}).get("grad_accum_dtype") == "fp32":
        return "grad_accum_dtype fp32 at stage 1 makes checkpoints that cannot be exported; leave it out"
    return None


def _read_json(name: str) -> dict[str, Any]:
    path = Path(name)
    shipped = resources.files("configs") / _DEEPSPEED
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    elif (shipped / f"{name}.json").is_file():
        text = (shipped / f"{name}.json").read_text(encoding="utf-8")
    else:
        names = sorted(entry.name.removesuffix(".json") for entry in shipped.iterdir())
        raise ConfigError(f"no deepspeed configuration {name}: no such file; shipped are {', '.join(names)}")
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"deepspeed configuration {name} is not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(
            f"deepspeed configuration {name} holds a {type(data).__name__}; an object is needed"
        )
    return data


def zero_stage(accelerator: Accelerator) -> int | None:
    """DeepSpeed's ZeRO stage; None where DeepSpeed is not used."""
    plugin = accelerator.state.deepspeed_plugin
    return None if plugin is None else plugin.zero_stage


def engine_of(wrapped: nn.Module) -> DeepSpeedEngine:
    """DeepSpeed's engine, where ``zero_stage`` says that ``wrap`` made one."""
    return cast(DeepSpeedEngine, wrapped)


def wrap(
    accelerator: Accelerator, learner: Learner, optimizer: torch.optim.Optimizer
) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The learner and its optimizer as the strategy runs them."""
    if zero_stage(accelerator) == 3:
        _announce_output_layer(learner)
    elif zero_stage(accelerator) is None:
        learner.to(accelerator.device)
    wrapped, prepared = accelerator.prepare(learner, optimizer)
    return wrapped, prepared


def _announce_output_layer(learner: Learner) -> None:
    """Tell ZeRO-3 that the objective reads the output layer's weight outside of that layer."""
    import deepspeed

    deepspeed.zero.register_external_parameter(learner, learner.model.lm_head.weight)


def run_pack(accelerator: Accelerator, wrapped: nn.Module, last: bool) -> AbstractContextManager[object]:
    """Context of one forward and backward pass: gradients are exchanged in the last of a step alone."""
    if last or zero_stage(accelerator) is not None:
        return nullcontext()
    unsynchronised: AbstractContextManager[object] = accelerator.no_sync(wrapped)
    return unsynchronised


def backward(accelerator: Accelerator, wrapped: nn.Module, loss: torch.Tensor, last: bool) -> None:
    """Add the gradient of a share of the step's loss.

    Args:
        accelerator: the processes.
        wrapped: of ``wrap``.
        loss: scalar; the shares of all packs of all ranks add up to the step's loss.
        last: whether it is this rank's last of the step.
    """
    loss = loss * accelerator.num_processes
    if zero_stage(accelerator) is None:
        loss.backward()
        return
    engine = engine_of(wrapped)
    engine.set_gradient_accumulation_boundary(last)
    engine.backward(loss)


def apply(
    accelerator: Accelerator, wrapped: nn.Module, optimizer: torch.optim.Optimizer, clip: float | None
) -> float:
    """Clip, take the optimizer's step and forget the gradient; the norm before clipping."""
    if zero_stage(accelerator) is not None:
        engine = engine_of(wrapped)
        engine.step()
        found = engine.get_global_grad_norm()
        return float(found) if found is not None else float("nan")
    parameters = [parameter for parameter in wrapped.parameters() if parameter.requires_grad]
    norm = torch.nn.utils.clip_grad_norm_(parameters, float("inf") if clip is None else clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(norm)


def group_norms(
    accelerator: Accelerator, wrapped: nn.Module, grouped: Iterable[tuple[str, nn.Parameter]]
) -> dict[str, float]:
    """Norm of the gradient by group, before clipping; empty where the strategy keeps it elsewhere.

    Collective under DeepSpeed: every rank has to call it.
    """
    squares: dict[str, torch.Tensor] = {}
    stage = zero_stage(accelerator)
    if stage is None:
        for group, parameter in grouped:
            if parameter.grad is not None:
                squares[group] = squares.get(group, 0) + parameter.grad.float().square().sum()
        return {group: float(square) ** 0.5 for group, square in squares.items()}
    return _partitioned_norms(accelerator, engine_of(wrapped)) if stage in (1, 2) else {}


def _partitioned_norms(accelerator: Accelerator, engine: DeepSpeedEngine) -> dict[str, float]:
    """Under ZeRO-1 and 2 each rank holds a part of each group's gradient."""
    optimizer = engine.optimizer
    held = getattr(optimizer, "averaged_gradients", None)
    if not held or any(parts is None for parts in held.values()):
        return {}
    names = [group["group"] for group in optimizer.param_groups]
    sums = torch.zeros(len(names), device=accelerator.device)
    for index, parts in held.items():
        sums[index] = sum(part.float().square().sum() for part in parts)
    sums = accelerator.reduce(sums, "sum")
    squares: dict[str, float] = {}
    for name, value in zip(names, sums.tolist(), strict=True):
        squares[name] = squares.get(name, 0.0) + value
    return {name: value**0.5 for name, value in squares.items()}


def plain(wrapped: nn.Module) -> Learner:
    """The learner inside its engine."""
    return cast("Learner", getattr(wrapped, "module", wrapped))
