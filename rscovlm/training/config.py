"""Every number of a training run, in one YAML file: checked as a whole before anything is loaded.

A configuration is read by name (``train/rscovlm-7b``) or path, then ``key=value`` from the command line is
laid over it (``optimizer.lr=1e-5``). All problems are told together, each with its file and key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from configs import ConfigError, available, load_config
from configs.checking import Problem, Section, problems, told

Group = Literal["vision", "merger", "language", "heads"]
Tower = Literal["vision", "merger", "language"]
GROUPS: tuple[Group, ...] = get_args(Group)
TOWERS: tuple[Tower, ...] = get_args(Tower)
FOLDER = "train"
COMMAND_LINE = "the command line"


class Batch(Section):
    """What one optimizer step sees, over all ranks together."""

    samples: int | None = Field(None, gt=0)
    """Samples of a step, however many packs they fill; give this or ``packs``."""
    packs: int | None = Field(None, gt=0)
    """Packs of a step, however many samples they hold; a multiple of the number of processes is best."""
    max_tokens: int = Field(6144, gt=0)
    """Longest sequence, text and visual tokens together; longer samples are excluded and counted."""
    packing: bool = True
    """Whether several samples share a sequence; without it each has its own, as in the paper's runs."""


class ResolutionBounds(Section):
    """The area of an image as the model sees it, in pixels."""

    min_pixels: int | None = Field(None, gt=0)
    """Smallest area; None keeps the checkpoint's."""
    max_pixels: int | None = Field(None, gt=0)
    """Largest area; None keeps the family's."""


class Rates(Section):
    """Learning rate and decay of one group of modules; None takes the optimizer's."""

    lr: float | None = Field(None, gt=0)
    """Peak learning rate."""
    weight_decay: float | None = Field(None, ge=0)
    """Decay of matrices; norms and biases never decay."""


class Optimizer(Section):
    """AdamW."""

    lr: float = Field(gt=0)
    """Peak learning rate of every group that has none of its own."""
    weight_decay: float = Field(0.1, ge=0)
    """Decay of matrices of every group that has none of its own."""
    vision: Rates = Rates()
    """The vision tower without its mergers."""
    merger: Rates = Rates()
    """What turns patches into visual tokens, DeepStack mergers included."""
    language: Rates = Rates()
    """The language model with its embeddings and output layer."""
    heads: Rates = Rates()
    """Modules beside the model that an objective trains."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of the two running means."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the root of the second moment."""
    clip: float | None = Field(1.0, gt=0)
    """Largest norm of the gradient over all parameters; None does not clip."""

    def rates(self, group: Group) -> tuple[float, float]:
        """Peak learning rate and weight decay of a group."""
        own: Rates = getattr(self, group)
        lr = self.lr if own.lr is None else own.lr
        return lr, self.weight_decay if own.weight_decay is None else own.weight_decay


class Schedule(Section):
    """How the learning rate changes over the run."""

    shape: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    """After warm-up: half a cosine, a straight fall, none, or none until the last ``decay`` (wsd)."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of all steps over which the rate rises from 0."""
    warmup_steps: int | None = Field(None, ge=0)
    """The same in steps, instead of the share."""
    decay: float = Field(0.2, gt=0, le=1)
    """wsd: share of all steps over which the rate falls at the end."""
    floor: float = Field(0.0, ge=0, le=1)
    """Share of the peak that is left at the end."""


class Checkpointing(Section):
    """Gradient checkpointing: activations are computed again in the backward pass instead of kept."""

    vision: bool = False
    """In the vision tower."""
    language: bool = False
    """In the language model."""


class Tuning(Section):
    """Which weights learn."""

    method: Literal["full", "lora", "dora", "qlora"] = "full"
    """All weights, or low-rank adapters of linear layers; qlora holds the rest in 4 bits (CUDA only)."""
    rank: int = Field(64, gt=0)
    """Of the adapters."""
    alpha: float = Field(128, gt=0)
    """Adapters are scaled by ``alpha / rank``."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Of what enters an adapter."""
    towers: tuple[Tower, ...] = ("language",)
    """Towers whose linear layers get adapters."""
    also: tuple[Tower, ...] = ()
    """Towers that learn in full beside the adapters of others, such as the merger."""


class SoftNumbers(Section):
    """Coordinates for which a near miss is nearly right: targets are Gaussians around the true number."""

    first: float = Field(30.0, gt=0)
    """Standard deviation at the start of the run, in units of the numbers as they are written."""
    last: float = Field(16.0, gt=0)
    """Standard deviation at the end."""
    until: float = Field(0.75, gt=0, le=1)
    """Share of the run over which it falls, geometrically."""


class Teacher(Section):
    """Another model whose probabilities are learnt beside the right words (distillation)."""

    model: str
    """Checkpoint with the same tokenizer and image sizes: nano, a folder or a hub id."""
    share: float = Field(0.5, gt=0, le=1)
    """Part of each target that is the teacher's."""


class ObjectiveSettings(Section):
    """What a step minimises, beside what heads ask for."""

    name: Literal["next_token"] = "next_token"
    """next_token: cross-entropy of the next token where it is learnt."""
    soft_numbers: SoftNumbers | None = None
    """Near misses of coordinates are nearly right; works by number or by digit, as the tokenizer writes."""
    teacher: Teacher | None = None
    """Targets are partly another model's probabilities."""


class Cells(Section):
    """Names and outlines of what each visual token shows, read off half-way up; for training alone."""

    names: float = Field(0.5, ge=0)
    """Weight of the names' cross-entropy beside that of answers."""
    outlines: float = Field(4.0, ge=0)
    """Weight of the outlines' error, in parts of the image's side."""


class Regression(Section):
    """A number about each sample, read off its visual tokens; kept for inference."""

    target: str
    """Name among the samples' targets, such as agb_mg_ha."""
    mean: float = 0.0
    """Value that stands for 0 inside the head."""
    deviation: float = Field(1.0, gt=0)
    """Change of the value that stands for 1 inside the head."""
    weight: float = Field(1.0, gt=0)
    """Weight of its error beside the cross-entropy of answers."""


class Heads(Section):
    """Modules that learn beside the model, by name; see ``rscovlm.models.heads``."""

    cells: Cells | None = None
    """Names and outlines of visual tokens; needs samples that bring them, such as nano's lessons."""
    regression: Regression | None = None
    """A number for each sample; samples without it do not count."""

    @property
    def chosen(self) -> dict[str, Section]:
        """The sections of the heads that are asked for, by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: section for name, section in found.items() if section is not None}


class Evaluation(Section):
    """Measuring on slices of the mix that are never trained on."""

    every: int | None = Field(None, gt=0)
    """Steps between evaluations, the last step included; None never evaluates."""
    samples: int = Field(32, gt=0)
    """Of each source, of those that the mix holds out."""
    generate: bool = True
    """Whether the model also answers, for task metrics, beside the loss."""
    max_new_tokens: int = Field(256, gt=0)
    """Longest answer."""


class Checkpoints(Section):
    """What a run can go on from."""

    minutes: float | None = Field(30.0, gt=0)
    """Minutes between checkpoints; None saves by steps alone."""
    steps: int | None = Field(None, gt=0)
    """Steps between checkpoints; None saves by time alone. The last step is always saved."""
    keep: int = Field(2, gt=0)
    """Newest checkpoints that are kept."""


class Logging(Section):
    """What is written down."""

    every: int = Field(1, gt=0)
    """Steps between lines of ``log.jsonl``."""
    tensorboard: bool = True
    """Whether the same goes to TensorBoard."""


class TrainConfig(Section):
    """A training run."""

    model: str | None = None
    """Checkpoint to start from: nano, a folder or a hub id; give this or ``fresh``."""
    fresh: Literal["nano"] | None = None
    """Start from nothing: a tokenizer and random weights in nano's shape, written to ``base/`` of the run."""
    family: str | None = None
    """How the trained model sees and writes, where the checkpoint does not tell: rscovlm, ..."""
    detection: str | None = None
    """Box format in which it will list objects (quad, json-obb, ...); None keeps the family's."""
    mix: str
    """Mix of training data: a name in configs/mix or a file."""
    mix_root: str | None = None
    """Folder of the mix's sample files, in place of the one that the mix states."""
    output: Path | None = None
    """Folder of the run; runs/NAME by default."""
    epochs: float | None = Field(None, gt=0)
    """How often the mix is seen; give this or ``steps``."""
    steps: int | None = Field(None, gt=0)
    """Optimizer steps of the run."""
    batch: Batch
    """What one step sees."""
    resolution: ResolutionBounds = ResolutionBounds()
    """Bounds on image areas."""
    optimizer: Optimizer
    """AdamW and its rates."""
    schedule: Schedule = Schedule()
    """How the rates change."""
    objective: ObjectiveSettings = ObjectiveSettings()
    """What is minimised."""
    heads: Heads = Heads()
    """Modules that learn beside the model."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """bf16 computes in bfloat16 and keeps master weights in float32."""
    checkpointing: Checkpointing = Checkpointing()
    """Less memory for more time."""
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = "auto"
    """auto takes FlashAttention 2 where it can run, else sdpa."""
    liger: Literal["auto", "on", "off"] = "auto"
    """Fused kernels of liger-kernel; auto uses them on CUDA where they are installed and take effect."""
    tuning: Tuning = Tuning()
    """Full fine-tuning or adapters."""
    freeze: tuple[Tower, ...] = ()
    """Towers that do not learn."""
    reduction: Literal["token", "sample", "sqrt", "source"] = "sample"
    """What counts alike in the loss: tokens, samples, something between, or sources."""
    strategy: Literal["auto", "single", "ddp", "deepspeed"] = "auto"
    """How processes share the work; auto is single for one and ddp for several."""
    deepspeed: str | None = None
    """deepspeed: a name in configs/deepspeed (zero1) or a JSON file, without an optimizer block."""
    evaluation: Evaluation = Evaluation()
    """During training."""
    checkpoints: Checkpoints = Checkpoints()
    """To go on from."""
    logging: Logging = Logging()
    """To look at."""
    seed: int = 0
    """Of everything that is drawn at random."""
    workers: int = Field(4, ge=0)
    """Processes that read data, per rank; 0 reads in the training process."""
    broken_limit: int = Field(100, ge=0)
    """Broken samples that are counted, listed and skipped before the run stops."""

    @property
    def own_rates(self) -> list[Group]:
        """Groups with a learning rate or decay of their own."""
        return [group for group in GROUPS if getattr(self.optimizer, group) != Rates()]


FREE_KEYS = frozenset(
    {"output", "mix_root", "checkpoints", "logging", "workers", "evaluation", "broken_limit"}
)
"""What may differ between a run and its resume without changing what is learnt."""

_EITHER = {
    "model": "fresh",
    "fresh": "model",
    "steps": "epochs",
    "epochs": "steps",
    "batch.samples": "batch.packs",
    "batch.packs": "batch.samples",
}


def load_train_config(name_or_path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """The configuration of a run, with overrides of the form ``key=value`` laid over it.

    Names may leave out their folder: ``rscovlm-7b`` is ``train/rscovlm-7b``.

    Raises:
        ConfigError: with all problems, each with file and key.
    """
    name, data = _read(name_or_path)
    if STAGES in data:
        raise ConfigError(f"{name}: {STAGES}: a run of several stages is not one configuration")
    config, wrong = _checked(data, overrides, name)
    if config is None:
        raise ConfigError("; ".join(message for _, message in wrong))
    return config


def _read(name_or_path: str | Path) -> tuple[str, dict[str, Any]]:
    """The full name of a configuration, and what it states."""
    name = str(name_or_path)
    if not Path(name).is_file() and f"{FOLDER}/{name.removesuffix('.yaml')}" in available(FOLDER):
        name = f"{FOLDER}/{name}"
    return name, dict(load_config(name))


def _checked(
    data: dict[str, Any], overrides: Sequence[str], name: str, fixed: bool = False
) -> tuple[TrainConfig | None, list[Problem]]:
    """The configuration with overrides laid over it; or None, and all problems, each a whole message.

    Args:
        data: as stated.
        overrides: of the form ``key=value``.
        name: what messages call the file.
        fixed: whether overrides of ``model`` and ``fresh`` are left out.
    """
    wrong: list[str] = []
    overridden: set[str] = set()
    data = deepcopy(data)
    for text in overrides:
        key = text.partition("=")[0].strip()
        if fixed and key in ("model", "fresh"):
            continue
        problem = _override(data, text)
        if problem:
            wrong.append(f"{COMMAND_LINE}: {problem}")
        else:
            overridden.add(key)

    for key in overridden & _EITHER.keys():
        if _EITHER[key] not in overridden:
            data = _without(data, {_EITHER[key]})

    def origin(key: str) -> str:
        given = any(key == known or key.startswith(f"{known}.") for known in overridden)
        return COMMAND_LINE if given else name

    config, found = _validate(data)
    wrong += [told([(key, message)], origin(key)) for key, message in found]
    if wrong:
        return None, [("", message) for message in wrong]
    return config, []


@dataclass(frozen=True)
class Stage:
    """One of the runs that a configuration strings together.

    Attributes:
        name: unique among them; empty where the configuration has no stages.
        config: of the run; the model of a later stage stands in for what the stage before makes.
    """

    name: str
    config: TrainConfig


STAGES = "stages"
BEFORE = "the stage before"
"""The model of a later stage until the one before has made it."""

_ALIKE = ("strategy", "deepspeed", "precision")
_ONE_RUN = ("output",)


def load_stages(name_or_path: str | Path, overrides: Sequence[str] = ()) -> list[Stage]:
    """The runs of a configuration: one for each entry of its ``stages``, or the one that it is itself.

    A stage has a ``name`` and settings that are laid over those of the file; what the command line says
    comes last and holds in all of them. The first starts from the file's model, each other one from what the
    one before has made.

    Raises:
        ConfigError: with all problems, each with file and key.
    """
    name, data = _read(name_or_path)
    stated = data.pop(STAGES, None)
    if stated is None:
        return [Stage("", load_train_config(name_or_path, overrides))]
    wrong = _stage_problems(stated)
    if wrong:
        raise ConfigError(told(wrong, name))
    stages: list[Stage] = []
    for place, entry in enumerate(stated):
        own = {key: value for key, value in entry.items() if key != "name"}
        merged = _laid_over(data, own)
        if place:
            merged = {**_without(merged, {"fresh"}), "model": BEFORE}
        config, found = _checked(merged, overrides, f"{name}: {STAGES}.{place}", fixed=place > 0)
        if config is None:
            wrong += found
            continue
        stages.append(Stage(str(entry["name"]), config))
    if wrong:
        raise ConfigError("; ".join(dict.fromkeys(message for _, message in wrong)))
    for key in _ALIKE:
        if len({getattr(stage.config, key) for stage in stages}) > 1:
            raise ConfigError(f"{name}: {STAGES}: {key} has to be the same in all stages of a run")
    return stages


def _stage_problems(stated: Any) -> list[Problem]:
    if not isinstance(stated, list) or not stated or not all(isinstance(entry, Mapping) for entry in stated):
        return [(STAGES, "expected a list of stages, each a mapping of a name and settings")]
    names = [str(entry.get("name", "")) for entry in stated]
    found = []
    for place, (name, entry) in enumerate(zip(names, stated, strict=True)):
        if not re.fullmatch(r"[\w-]+", name):
            problem = f"a stage needs a name of letters, digits, - and _, not {name!r}"
            found.append((f"{STAGES}.{place}.name", problem))
        found += [
            (f"{STAGES}.{place}.{key}", "is that of the whole run; state it beside the stages")
            for key in _ONE_RUN
            if key in entry
        ]
        if place and {"model", "fresh"} & entry.keys():
            found.append((f"{STAGES}.{place}", "starts from what the stage before makes; leave model out"))
    if len(set(names)) < len(names):
        found.append((STAGES, "two stages have the same name"))
    return found


def _laid_over(data: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those of a stage in their place; of two that exclude each other the stage's stays."""
    given = {key for key, _ in _leaves(own)}
    dropped = {_EITHER[key] for key in given & _EITHER.keys() if _EITHER[key] not in given}
    merged = _without(data, dropped)
    for key, value in own.items():
        inner = merged.get(key)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            merged[key] = _laid_over(inner, value)
        else:
            merged[key] = value
    return merged


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Differences between two configurations (as JSON) that change what is learnt: ``key was a, now b``."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [
        f"{key} was {json.dumps(old.get(key))}, now {json.dumps(new.get(key))}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and not _free(key)
    ]


def _free(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in FREE_KEYS)


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _override(data: dict[str, Any], text: str) -> str | None:
    """Lay one ``key=value`` over the data; what is wrong with it, or None."""
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        return f"{text!r} is no override; write key=value, such as optimizer.lr=1e-5"
    *path, last = key.strip().split(".")
    for part in path:
        inner = data.get(part)
        if inner is not None and not isinstance(inner, Mapping):
            return f"{text!r}: {part} is {inner!r}, which has no keys"
        data[part] = dict(inner or {})
        data = data[part]
    try:
        data[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        return f"{text!r}: the value is not valid YAML"
    return None


def _validate(data: dict[str, Any]) -> tuple[TrainConfig | None, list[Problem]]:
    """The configuration, or None, and all problems as (key, message)."""
    try:
        config = TrainConfig.model_validate(data)
    except ValidationError as error:
        found = problems(error, TrainConfig)
    else:
        return config, _conflicts(config, set())
    wrong = {key for key, _ in found}
    rest = {"mix": "", **_without(data, wrong)}
    if not {"model", "fresh"} & rest.keys():
        rest["model"] = ""
    rest["optimizer"] = {"lr": 1.0, **rest.get("optimizer", {})}
    rest.setdefault("batch", {})
    try:
        checked = TrainConfig.model_validate(rest)
    except (ValidationError, TypeError):
        return None, found
    return None, found + _conflicts(checked, wrong)


def warmup_problem(warmup: int, steps: int) -> str | None:
    """What is wrong with a warm-up of so many steps in a run of so many, or None."""
    if warmup <= steps:
        return None
    return f"{warmup} steps of warm-up are more than the run's {steps}, so the peak would never be reached"


def _without(data: Mapping[str, Any], keys: set[str], prefix: str = "") -> dict[str, Any]:
    """The data without the values at some keys, so that the rest can be checked as well."""
    return {
        key: _without(value, keys, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in data.items()
        if f"{prefix}{key}" not in keys
    }


def _conflicts(config: TrainConfig, ignored: set[str]) -> list[Problem]:
    """Settings that contradict each other, unless one of them is wrong by itself."""
    found: list[tuple[tuple[str, ...], str]] = []
    batch, tuning, strategy = config.batch, config.tuning, config.strategy
    if (batch.samples is None) == (batch.packs is None):
        found.append((("batch.samples", "batch.packs"), "give exactly one of batch.samples and batch.packs"))
    if batch.packs is not None and not batch.packing:
        message = "a number of packs needs packing; without it, give batch.samples"
        found.append((("batch.packing", "batch.packs"), message))
    if (config.model is None) == (config.fresh is None):
        found.append((("model", "fresh"), "give exactly one of model and fresh"))
    if config.objective.soft_numbers and config.objective.teacher:
        keys = ("objective.soft_numbers", "objective.teacher")
        found.append((keys, "a target is either soft by itself or a teacher's; give one of both"))
    if (config.epochs is None) == (config.steps is None):
        found.append((("steps", "epochs"), "give exactly one of steps and epochs"))
    if config.steps is not None and config.schedule.warmup_steps is not None:
        problem = warmup_problem(config.schedule.warmup_steps, config.steps)
        found += [(("schedule.warmup_steps", "steps"), problem)] if problem else []
    if (strategy == "deepspeed") != (config.deepspeed is not None):
        found.append(
            (("deepspeed", "strategy"), "strategy deepspeed and a deepspeed configuration need each other")
        )
    bounds = config.resolution
    if bounds.min_pixels and bounds.max_pixels and bounds.min_pixels > bounds.max_pixels:
        least, most = bounds.min_pixels, bounds.max_pixels
        message = f"min_pixels {least} is above max_pixels {most}"
        found.append((("resolution.min_pixels", "resolution.max_pixels"), message))
    if tuning.method == "full" and (tuning.also or "towers" in tuning.model_fields_set):
        message = "tuning.towers and tuning.also are for adapters; use freeze with full tuning"
        found.append((("tuning.towers", "tuning.also", "tuning.method"), message))
    if tuning.method != "full" and not tuning.towers:
        found.append((("tuning.towers",), "adapters need at least one tower"))
    learning = set(TOWERS if tuning.method == "full" else (*tuning.towers, *tuning.also))
    for tower in sorted(learning & set(config.freeze)) if tuning.method != "full" else ():
        found.append((("freeze", "tuning.towers", "tuning.also"), f"{tower} is both frozen and tuned"))
    for tower in sorted(set(tuning.towers) & set(tuning.also)) if tuning.method != "full" else ():
        found.append((("tuning.towers", "tuning.also"), f"{tower} is given adapters and trained in full"))
    if set(config.freeze) == set(TOWERS):
        found.append((("freeze",), "nothing is left to train"))
    if config.checkpoints.minutes is None and config.checkpoints.steps is None:
        keys = ("checkpoints.minutes", "checkpoints.steps")
        found.append((keys, "give minutes or steps, or the run could not be resumed"))
    if config.attention == "flash_attention_2" and config.precision == "fp32":
        found.append((("attention", "precision"), "flash_attention_2 does not compute in fp32"))
    return [(keys[0], message) for keys, message in found if not ignored & set(keys)]
