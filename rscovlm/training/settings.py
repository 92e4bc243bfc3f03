"""Every setting of a training run, each with its line: the sections of its YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, get_args

from pydantic import Field, model_validator

from configs.checking import Section
from rscovlm.training.adapter_settings import Adapted, Adapters, Tower
from rscovlm.training.head_settings import Heads

Group = Literal["vision", "merger", "language", "heads"]
GROUPS: tuple[Group, ...] = get_args(Group)
TOWERS: tuple[Tower, ...] = get_args(Tower)


class Batch(Section):
    """The batch of one optimizer step, over all ranks together."""

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
    """The modules that turn patches into visual tokens, DeepStack mergers included."""
    language: Rates = Rates()
    """The language model with its embeddings and output layer."""
    heads: Rates = Rates()
    """Modules beside the model that an objective trains."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of the two running means."""
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


class SoftNumbers(Section):
    """Coordinates for which a near miss is nearly right: targets are Gaussians around the true number."""

    first: float = Field(30.0, gt=0)
    """Standard deviation at the start of the run, in units of the numbers as they are written."""
    last: float = Field(16.0, gt=0)
    """Standard deviation at the end."""
    until: float = Field(0.75, gt=0, le=1)
    """Share of the run over which it falls, geometrically."""


class NumberLossSettings(Section):
    """Number-token loss: wrong numbers cost more the farther off they are, beside the cross-entropy."""

    kind: Literal["wasserstein", "squared"] = "wasserstein"
    """Expected distance of the number, or squared distance of the expected number."""
    unit: float = Field(1.0, gt=0)
    """Difference of numbers, as they are written, that costs 1."""
    weight: float = Field(0.3, gt=0)
    """Beside the cross-entropy."""


class Teacher(Section):
    """Another model whose probabilities are learnt beside the right words (distillation)."""

    model: str
    """Checkpoint with the same tokenizer and image sizes: nano, a folder or a hub id."""
    share: float = Field(0.5, gt=0, le=1)
    """Part of each target that is the teacher's."""


class ObjectiveSettings(Section):
    """The cross-entropy of the next token, minimised beside what heads ask for, and changes of it."""

    soft_numbers: SoftNumbers | None = None
    """Near misses of coordinates are nearly right; works by number or by digit, as the tokenizer writes."""
    number_loss: NumberLossSettings | None = None
    """A loss of the distance of numbers beside the cross-entropy; goes with soft_numbers as well."""
    teacher: Teacher | None = None
    """Targets are partly another model's probabilities."""

    @model_validator(mode="before")
    @classmethod
    def _without_name(cls, data: object) -> object:
        """Files of before name the one objective that there is."""
        if isinstance(data, dict) and data.get("name") == "next_token":
            return {key: value for key, value in data.items() if key != "name"}
        return data


class Stem(Section):
    """A patch embedding for more bands than red, green and blue; see ``rscovlm.models.stem``."""

    bands: tuple[str, ...] = Field(min_length=1)
    """Names of the bands of an image, in order."""
    start: Literal["mean", "rgb"] = "mean"
    """New kernels are the mean of the RGB kernels, or 0 beside those of B04, B03 and B02."""


class Evaluation(Section):
    """Measuring on slices of the mix that are never trained on."""

    every: int | None = Field(None, gt=0)
    """Steps between evaluations, the last step included; None never evaluates."""
    samples: int = Field(32, gt=0)
    """Samples of each source, of those that the mix holds out."""
    generate: bool = True
    """Whether the model also answers, for task metrics, beside the loss."""
    max_new_tokens: int = Field(256, gt=0)
    """Longest answer."""


class Checkpoints(Section):
    """Checkpoints, from which a run can go on."""

    minutes: float | None = Field(30.0, gt=0)
    """Minutes between checkpoints; None saves by steps alone."""
    steps: int | None = Field(None, gt=0)
    """Steps between checkpoints; None saves by time alone. The last step is always saved."""
    keep: int = Field(2, gt=0)
    """Newest checkpoints that are kept."""


class Logging(Section):
    """The log of a run."""

    every: int = Field(1, gt=0)
    """Steps between lines of ``log.jsonl``."""
    tensorboard: bool = True
    """Whether the same goes to TensorBoard."""


class TrainConfig(Section):
    """A training run."""

    formerly: ClassVar[Mapping[str, str]] = {
        "tuning": "is adapters now: write adapters: {lora: {rank: 16, towers: [language], full: [merger]}} "
        "(lora, dora or qlora; full was also), and nothing for full tuning"
    }

    model: str | None = None
    """Checkpoint to start from: nano, a folder or a hub id; give this or ``fresh``."""
    fresh: Literal["nano"] | None = None
    """Start from nothing: a tokenizer and random weights in nano's shape, written to ``base/`` of the run."""
    stem: Stem | None = None
    """Widen the patch embedding of ``model`` to more bands; the run starts from ``base/`` in its folder."""
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
    """The batch of one step."""
    resolution: ResolutionBounds = ResolutionBounds()
    """Bounds on image areas."""
    optimizer: Optimizer
    """AdamW and its rates."""
    schedule: Schedule = Schedule()
    """How the rates change."""
    objective: ObjectiveSettings = ObjectiveSettings()
    """The quantity that is minimised."""
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
    adapters: Adapters = Adapters()
    """Adapters, which learn in place of the weights; without them all weights learn."""
    freeze: tuple[Tower, ...] = ()
    """Towers that do not learn, where there are no adapters."""
    reduction: Literal["token", "sample", "sqrt", "source"] = "sample"
    """The unit that counts alike in the loss: tokens, samples, something between, or sources."""
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
    """Seed of everything that is drawn at random."""
    workers: int = Field(4, ge=0)
    """Processes that read data, per rank; 0 reads in the training process."""
    broken_limit: int = Field(100, ge=0)
    """Broken samples that are counted, listed and skipped before the run stops."""

    @property
    def adapted(self) -> Adapted | None:
        """Where adapters stand; None under full tuning."""
        return next(iter(self.adapters.chosen.values()), None)

    @property
    def learning(self) -> frozenset[Tower]:
        """Towers that are meant to learn, in full or by adapters."""
        if self.adapted is None:
            return frozenset(TOWERS) - frozenset(self.freeze)
        return frozenset((*self.adapted.towers, *self.adapted.full))

    @property
    def own_rates(self) -> list[Group]:
        """Groups with a learning rate or decay of their own."""
        return [group for group in GROUPS if getattr(self.optimizer, group) != Rates()]


FREE_KEYS = frozenset(
    {
        "output",
        "mix_root",
        "checkpoints",
        "logging",
        "workers",
        "evaluation",
        "broken_limit",
        "objective.name",
    }
)
"""Settings that may differ between a run and its resume without changing what is learnt; the name of the
objective stands in runs of before, when there was one to choose from."""
