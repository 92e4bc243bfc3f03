"""The training loop.

A step: this rank's packs come from the loader; the counts that its loss is a mean over are added up over
all ranks; each pack goes forward and backward; the gradient is clipped and applied; numbers are logged. Then,
where it is due, the model is evaluated and a checkpoint is written. Everything that a step depends on is in
the checkpoint or a function of (seed, step), so an interrupted run goes on as if it had not been.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from rscovlm.data.mix import Mix
from rscovlm.data.packing import Pack
from rscovlm.data.randomness import generator
from rscovlm.errors import DataError, UsageError
from rscovlm.models.adapters.low_rank import update_sizes
from rscovlm.models.adapters.scaled import gate_numbers
from rscovlm.training.building import Built
from rscovlm.training.checkpoint import State, check_resume, checkpoints, load, read_state, save
from rscovlm.training.logs import Logs
from rscovlm.training.loss import Reduction
from rscovlm.training.metrics import (
    StepFlops,
    Tally,
    memory_numbers,
    peak_flops,
    step_numbers,
    summed,
    waiting,
)
from rscovlm.training.modules import (
    Learner,
    build_optimizer,
    check_rates,
    full_size,
    group_of,
    grouped_parameters,
    rates_in,
    trainable_counts,
)
from rscovlm.training.objective import Moment
from rscovlm.training.parallel import apply, backward, group_norms, plain, run_pack, wrap, zero_stage
from rscovlm.training.schedule import rate_share
from rscovlm.training.settings import TrainConfig
from rscovlm.training.startup import print_startup
from rscovlm.training.stopping import Interruption, SaveClock

if TYPE_CHECKING:
    from accelerate import Accelerator

Evaluator = Callable[[Learner], Mapping[str, float]]


@dataclass(frozen=True)
class Run:
    """All that stays the same from step to step.

    Attributes:
        config: of the run.
        folder: where it writes.
        accelerator: accelerate's, of all processes.
        wrapped, optimizer: the learner and its optimizer in their engine.
        reduction: what the loss is a mean of.
        steps: of the whole run.
        flops: FLOPs of packs.
        adapters: whether adapters are trained.
        mix: fingerprint of the data.
    """

    config: TrainConfig
    folder: Path
    accelerator: Accelerator
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    reduction: Reduction
    steps: int
    flops: StepFlops
    adapters: bool
    mix: str

    @property
    def learner(self) -> Learner:
        """The learner inside its engine."""
        return plain(self.wrapped)


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        step: steps taken.
        checkpoint: the last one.
        stopped_by: the signal that stopped it early, or None.
    """

    step: int
    checkpoint: Path
    stopped_by: str | None


def prepare(
    config: TrainConfig, built: Built, mix: Mix, steps: int, folder: Path, accelerator: Accelerator
) -> Run:
    """Put a built model into its engine, and check there that all learns as asked.

    Raises:
        UsageError: where an option had no effect in the engine.
    """
    flops, trainable = StepFlops.of(built.learner), trainable_counts(built.learner)
    totals: Counter[str] = Counter()
    for name, parameter in built.learner.named_parameters():
        totals[group_of(name)] += full_size(parameter)
    wrapped, optimizer = wrap(accelerator, built.learner, build_optimizer(built.learner, config))
    rates = rates_in(optimizer.param_groups)
    check_rates(rates, config, trainable)
    if accelerator.is_main_process:
        print_startup(rates, trainable, totals, built.notes | {"processes": _processes_note(accelerator)})
    reduction = Reduction(config.reduction, tuple(mix.sources))
    return Run(
        config, folder, accelerator, wrapped, optimizer, reduction, steps, flops, built.adapters is not None,
        mix.fingerprint,
    )  # fmt: skip


def _processes_note(accelerator: Accelerator) -> str:
    stage = zero_stage(accelerator)
    strategy = f"DeepSpeed ZeRO-{stage}" if stage is not None else str(accelerator.distributed_type.value)
    return f"{accelerator.num_processes} ({strategy}) on {accelerator.device.type}"


def resume(run: Run) -> State | None:
    """Go on from the newest checkpoint; None where there is none yet.

    Raises:
        UsageError: where it is of another run, naming what differs.
    """
    found = checkpoints(run.folder)
    if not found:
        return None
    state = read_state(found[-1])
    config = json.loads(run.config.model_dump_json())
    check_resume(state, config, run.mix, run.accelerator.num_processes, zero_stage(run.accelerator))
    load(found[-1], run.accelerator, run.wrapped, run.optimizer)
    return state


def train(
    run: Run, batches: Iterable[Sequence[Pack]], state: State | None, logs: Logs, evaluate: Evaluator | None
) -> Ending:
    """Take the steps that are left.

    Args:
        run: of ``prepare``.
        batches: this rank's packs of each step, from the step after ``state`` on; as many on all ranks.
        state: of the checkpoint that the run goes on from, or None.
        logs: where numbers go.
        evaluate: numbers of the learner as it is, by name; None never evaluates.

    Raises:
        UsageError: where the gradient is no longer finite.
        DataError: where every sample was left out.
    """
    settings = run.config
    step = state.step if state else 0
    seen: defaultdict[str, float] = defaultdict(float, state.seen if state else {})
    clock, tally, packs_of = SaveClock(settings.checkpoints), Tally(), iter(batches)
    if evaluate and step == 0:
        logs.write(0, evaluate(run.learner))
    last_saved, started, logged = step, time.perf_counter(), step
    with Interruption() as interruption:
        while step < run.steps:
            with waiting(tally):
                packs = next(packs_of)
            wishes = (interruption.received is not None, clock.by_time())
            totals, stop, by_time = _agree(run, packs, wishes)
            log_now = stop or (step + 1) % settings.logging.every == 0 or step + 1 == run.steps
            norms = _take_step(run, step, packs, totals, tally, log_now)
            step += 1
            logs.progress(step, run.steps)
            if log_now:
                seconds = time.perf_counter() - started
                _log(run, logs, step, tally, norms, seconds, step - logged, seen)
                started, logged = time.perf_counter(), step
                if step == run.steps and not seen["samples"]:
                    raise DataError(f"all samples of all {step} steps were left out; nothing was learnt")
            if evaluate and (step == run.steps or step % (settings.evaluation.every or run.steps) == 0):
                logs.write(step, evaluate(run.learner))
                started = time.perf_counter()
            if stop or by_time or clock.by_steps(step) or step == run.steps:
                _save(run, step, seen)
                clock.saved()
                last_saved, started = step, time.perf_counter()
            if stop:
                break
    final = checkpoints(run.folder)[-1] if last_saved == step else _save(run, step, seen)
    return Ending(step, final, None if step == run.steps else interruption.received or "another rank")


def _agree(run: Run, packs: Sequence[Pack], wishes: tuple[bool, bool]) -> tuple[torch.Tensor, bool, bool]:
    """The step's counts over all ranks; whether any was told to stop; whether the first wants to save."""
    stop, save_now = wishes
    mine = torch.tensor([float(stop), float(save_now and run.accelerator.is_main_process)])
    counts = torch.cat([run.reduction.totals(packs), mine.double()])
    counts = run.accelerator.reduce(counts.to(run.accelerator.device), "sum").cpu()
    return counts[:-2], bool(counts[-2]), bool(counts[-1])


def _take_step(
    run: Run, step: int, packs: Sequence[Pack], totals: torch.Tensor, tally: Tally, log_now: bool
) -> dict[str, float]:
    """One optimizer step over this rank's packs; the norms of its gradient."""
    accelerator, share = run.accelerator, rate_share(run.config.schedule, step, run.steps)
    for group in run.optimizer.param_groups:
        group["lr"] = group["peak_lr"] * share
    for number, pack in enumerate(packs):
        last = number == len(packs) - 1
        tally.add_pack(pack, run.config.batch.max_tokens, run.flops(pack))
        _seed_dropout(run.config.seed, step, accelerator.process_index, number)
        pack = pack.to(accelerator.device, non_blocking=True)
        with run_pack(accelerator, run.wrapped, last):
            weights = run.reduction.weights(pack, totals)
            outcome = run.wrapped(pack, weights, Moment(step, run.steps))
            backward(accelerator, run.wrapped, outcome.loss, last)
        tally.add_losses(pack, outcome.token_losses, {"loss": outcome.loss, **outcome.parts})
    norms = group_norms(accelerator, run.wrapped, grouped_parameters(run.learner)) if log_now else {}
    norm = apply(accelerator, run.wrapped, run.optimizer, run.config.optimizer.clip)
    if norm in (float("inf"), float("-inf")) or norm != norm:
        raise UsageError(
            f"the gradient of step {step + 1} is not finite; the last checkpoint is sound. "
            "Lower optimizer.lr, or look at the data of this step"
        )
    return {"gradient/all": norm, **{f"gradient/{group}": value for group, value in norms.items()}}


def _seed_dropout(seed: int, *place: int) -> None:
    """Dropout is a function of the seed and the place, so a checkpoint need not hold a generator's state."""
    torch.manual_seed(int(generator(seed, "dropout", *place).integers(1 << 62)))


def _log(
    run: Run,
    logs: Logs,
    step: int,
    tally: Tally,
    norms: dict[str, float],
    seconds: float,
    steps: int,
    seen: defaultdict[str, float],
) -> None:
    """Add up the tallies of all ranks and write what they say."""
    from accelerate.utils import gather_object

    accelerator, device = run.accelerator, run.accelerator.device
    total = summed(gather_object([tally.settle()]))
    for name in ("samples", "tokens", "learnt", "patches"):
        seen[name] += total.get(name, 0.0)
    seen["seconds"] += seconds
    peak = peak_flops(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    rates = {f"rate/{group['group']}": group["lr"] for group in run.optimizer.param_groups}
    numbers = step_numbers(total, seconds, steps, accelerator.num_processes, peak)
    if run.adapters:
        numbers |= update_sizes(run.learner.model) | gate_numbers(run.learner.model)
    seen_so_far = {f"seen/{name}": value for name, value in seen.items()}
    logs.write(step, numbers | norms | rates | memory_numbers(device) | seen_so_far)


def _save(run: Run, step: int, seen: Mapping[str, float]) -> Path:
    state = State(
        step=step,
        cursor=step,
        seen=dict(seen),
        config=json.loads(run.config.model_dump_json()),
        mix=run.mix,
        processes=run.accelerator.num_processes,
        zero_stage=zero_stage(run.accelerator),
        adapters=run.adapters,
        versions=_versions(),
    )
    keep = run.config.checkpoints.keep
    return save(run.folder, state, run.accelerator, run.wrapped, run.optimizer, keep)


def _versions() -> dict[str, str]:
    from importlib import metadata

    found = {}
    for package in ("rscovlm", "torch", "transformers", "accelerate", "deepspeed", "peft"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
