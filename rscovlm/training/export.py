"""A trained model as a checkpoint that ``rscovlm ask --model FOLDER`` and ``vllm serve`` load.

| file | from |
|---|---|
| ``config.json``, ``model*.safetensors``, ... | the trained model |
| ``heads/weights.safetensors`` | heads that inference needs; those for training alone are left out |
| tokenizer files, ``chat_template.jinja`` | the starting checkpoint |
| ``preprocessor_config.json`` | the starting checkpoint, with the run's bounds on image areas |
| ``rscovlm.json`` | the family that was trained and the run's bounds, so that it is run as it learnt; heads |
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from detection_eval.files import commit_folder, write_json
from rscovlm.errors import UsageError
from rscovlm.models.adapters import ADAPTERS
from rscovlm.models.adapters.base import Adapter
from rscovlm.models.adapters.scaled import ScaledLora
from rscovlm.models.heads import write_heads
from rscovlm.models.inputs import write_inputs
from rscovlm.models.sidecars import OWN, spoken_facts
from rscovlm.models.weights import move, read_weights
from rscovlm.training.baking import Gap, bake, largest_gap
from rscovlm.training.building import Base, heads_of, open_base
from rscovlm.training.checkpoint import ZERO, checkpoints, read_state, restore_weights
from rscovlm.training.live import live_engine
from rscovlm.training.modules import Learner, adapted_layers, adapter_of, choose_trainable
from rscovlm.training.objective import next_token
from rscovlm.training.settings import Checkpointing, TrainConfig
from zoom_chain.chat import Conversation, Generation, ImagePart

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageModel

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
    "chat_template.jinja",
)

_LAUNCHED = (
    "RANK",
    "LOCAL_RANK",
    "GROUP_RANK",
    "ROLE_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
)
_LAUNCHERS = ("ACCELERATE_", "TORCHELASTIC_")

INPUTS = "inputs.json"
"""File of a run that says how its sources show their data."""

QUESTIONS = ("What is in this image?", "Describe the image briefly.")
"""Questions that a merged model answers before and after merging."""


@dataclass(frozen=True)
class Exported:
    """The outcome of an export.

    Attributes:
        folder: of the checkpoint, or of the adapters.
        step: of the run that it holds.
        checked: whether what was written was asked the same as the adapters were, and answered alike; None
            where there are no adapters, or where they are baked at several scales.
        gap: how far adapters that are baked at some scales are from continuous gates; None for others.
    """

    folder: Path
    step: int
    checked: bool | None
    gap: Gap | None = None


def export_run(
    run: Path, output: Path, merge: bool = False, replace: bool = False, gsds_m: Sequence[float] = ()
) -> Exported:
    """Write the newest checkpoint of a run as a model.

    Args:
        run: folder of the run.
        output: folder to write, whole or not at all.
        merge: fold adapters into the weights; without it the adapters alone are written, as peft does.
        replace: what ``output`` holds gives way once the new model is complete.
        gsds_m: of adapters that depend on the ground sampling distance: those at which they are baked into
            plain ones, or with ``merge`` the one at which they are folded in.

    Raises:
        UsageError: where there is no checkpoint, ``output`` is taken, or there is nothing to merge.
        ModelError: where the starting checkpoint cannot be loaded.
    """
    found = checkpoints(run)
    if not found:
        raise UsageError(f"{run} holds no checkpoint; give the folder of a training run")
    state = read_state(found[-1])
    if merge and not state.adapters:
        raise UsageError(f"{run} trained no adapters, so there is nothing to merge; leave --merge out")
    stated = TrainConfig.model_validate(state.config)
    if stated.adapted and stated.adapted.full and not merge:
        full = ", ".join(stated.adapted.full)
        raise UsageError(f"{run} trained {full} in full beside its adapters; export it with --merge")
    _check_scales(stated, merge, gsds_m)
    if not replace and output.exists() and any(output.iterdir()):
        raise UsageError(f"{output} is not empty; give a new folder")
    config = _for_export(stated)
    base = open_base(config, run)
    learner, adapters = _trained(found[-1], state.zero_stage, config, base)
    partial = output.with_name(f".partial-{output.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shown_m = gsds_m[0] if gsds_m else None
    before = None if adapters is None else _said(learner.model, base, shown_m)
    if gsds_m and not merge:
        gap = _bake(learner.model, base, cast("ScaledLora", adapters), partial, gsds_m)
        write_heads(partial, learner.heads)
        commit_folder(partial, output)
        return Exported(output, state.step, None, gap)
    if adapters is not None and not merge:
        adapters.save(partial)
    else:
        model = learner.model
        if isinstance(adapters, ScaledLora):
            model = adapters.merge_at(gsds_m[0])
        elif adapters is not None:
            model = adapters.merge()
        move(model, torch.bfloat16 if stated.precision == "bf16" else torch.float32)
        model.save_pretrained(partial)
        write_sidecars(partial, base)
    write_heads(partial, learner.heads)
    if (run / INPUTS).is_file():
        write_inputs(partial, json.loads((run / INPUTS).read_text(encoding="utf-8")))
    checked = None
    if before is not None:
        checked = _said(_read_back(partial, config, base, merge), base, shown_m) == before
    commit_folder(partial, output)
    return Exported(output, state.step, checked)


def _check_scales(config: TrainConfig, merge: bool, gsds_m: Sequence[float]) -> None:
    """Make sure that scales are given where they mean something, and one where one has to be chosen.

    Raises:
        UsageError: with what would be right.
    """
    scaled = any(not ADAPTERS[name].mergeable for name in config.adapters.chosen)
    if gsds_m and not scaled:
        raise UsageError("--gsd is for adapters that depend on it (cs_hlora, bucketed_lora); leave it out")
    if scaled and merge and len(gsds_m) != 1:
        raise UsageError("--merge folds in what holds at one ground sampling distance; give it: --gsd 0.3")


def _bake(
    model: VisionLanguageModel, base: Base, adapter: ScaledLora, folder: Path, gsds_m: Sequence[float]
) -> Gap:
    """One plain adapter for each scale, and how far they are from the gates."""
    routes = bake(adapter, folder, gsds_m)
    questions = [Conversation().say("user", _picture(base), question) for question in QUESTIONS]
    return largest_gap(model, base, routes, questions)


def _read_back(folder: Path, config: TrainConfig, base: Base, merged: bool) -> VisionLanguageModel:
    """The model that an export has written, or the starting one with the adapters that it has written."""
    if merged:
        return read_weights(folder, torch.float32)
    model, adapter = read_weights(base.folder, torch.float32), adapter_of(config)
    adapter.apply(model, adapted_layers(model, config))
    adapter.load(folder)
    return model


def export_apart(run: Path, output: Path, merge: bool = False, replace: bool = False) -> Exported:
    """``export_run`` in a process of its own, which knows nothing of the processes that trained together.

    Raises:
        UsageError, ModelError: as ``export_run``; where the process was killed, with what may have caused it.
    """
    with _environment_of_one(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(export_run, run, output, merge, replace).result()
        except BrokenProcessPool:
            raise UsageError(
                f"the process that exports {run} was killed, as the system does when memory runs out; the "
                f"last checkpoint is whole: `rscovlm export {run} --output FOLDER` may have more memory"
            ) from None


@contextmanager
def _environment_of_one() -> Iterator[None]:
    """The environment without what launchers say about other processes, for a child to start in."""
    before = dict(os.environ)
    for name in before:
        if name in _LAUNCHED or name.startswith(_LAUNCHERS):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _for_export(config: TrainConfig) -> TrainConfig:
    """The same model on one process in float32."""
    return config.model_copy(update={"strategy": "single", "deepspeed": None, "precision": "fp32"})


def _trained(
    checkpoint: Path, stage: int | None, config: TrainConfig, base: Base
) -> tuple[Learner, Adapter | None]:
    """The model and its heads with the weights of a checkpoint, float32 on the CPU, no tower in 4 bits."""
    model = read_weights(base.folder, torch.float32)
    learner = Learner(model, heads_of(model, config), next_token)
    adapters = choose_trainable(
        learner, config.model_copy(update={"checkpointing": _no_checkpointing(config)})
    )
    if stage is None:
        restore_weights(checkpoint, learner)
    else:
        _restore_zero(checkpoint, learner)
    return learner.eval(), adapters


def _no_checkpointing(config: TrainConfig) -> Checkpointing:
    return config.checkpointing.model_copy(update={"vision": False, "language": False})


def _restore_zero(checkpoint: Path, learner: Learner) -> None:
    """Put the float32 master weights that DeepSpeed's shards hold into a learner.

    Raises:
        UsageError: where they are not those that this learner trains.
    """
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    weights: Mapping[str, torch.Tensor] = get_fp32_state_dict_from_zero_checkpoint(
        str(checkpoint), tag=ZERO, exclude_frozen_parameters=True
    )
    own = {name: parameter for name, parameter in learner.named_parameters() if parameter.requires_grad}
    missing = sorted(own.keys() - weights.keys())
    if missing:
        raise UsageError(f"{checkpoint / ZERO} lacks weights that this run trains, such as {missing[0]}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])


def _said(model: VisionLanguageModel, base: Base, gsd_m: float | None = None, tokens: int = 24) -> list[str]:
    """Greedy answers of a model about a drawn picture of a scale."""
    if torch.cuda.is_available():
        move(model, torch.device("cuda"))
    questions = [Conversation().say("user", _picture(base, gsd_m), question) for question in QUESTIONS]
    model.eval()
    replies = live_engine(model, base).chat(questions, Generation(max_new_tokens=tokens))
    move(model, torch.device("cpu"))
    return [reply.text for reply in replies]


def _picture(base: Base, gsd_m: float | None = None) -> ImagePart:
    side = 4 * base.patches.factor
    rows, columns = np.mgrid[0:side, 0:side]
    slopes = [(1, 0), (0, 1), (1, 1)] * base.patches.channels
    bands = [(a * rows + b * columns) % 256 for a, b in slopes[: base.patches.channels]]
    return ImagePart(np.stack(bands, axis=2).astype(np.uint8), gsd_m=gsd_m)


def write_sidecars(folder: Path, base: Base) -> None:
    """The files beside the weights that say how the model is spoken to."""
    for name in _TOKENIZER_FILES:
        # Copied rather than saved anew, which would rewrite them for one version of transformers alone.
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, folder / name)
    bounds = base.family.resolution
    settings = json.loads((base.folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    for old in ("min_pixels", "max_pixels"):
        settings.pop(old, None)
    settings["size"] = {"shortest_edge": bounds.min_pixels, "longest_edge": bounds.max_pixels}
    write_json(folder / "preprocessor_config.json", settings, indent=2)
    spoken = {
        "family": base.family.name,
        "detection": base.family.detection,
        # Stated here, they count even where they exceed what a family allows by default.
        "min_pixels": bounds.min_pixels,
        "max_pixels": bounds.max_pixels,
    }
    write_json(folder / OWN, spoken_facts(base.folder) | spoken, indent=2)
