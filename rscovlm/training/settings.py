"""Every setting of a training run, each with its line: the sections of its YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field, field_validator

from configs.checking import Section
from rscovlm.models.scale.defaults import NEUTRAL_M, SHARPNESS, TIERS_M
from rscovlm.training.dense_settings import Dense
from rscovlm.training.number_settings import Ensemble, Number

Group = Literal["vision", "merger", "language", "heads"]
Tower = Literal["vision", "merger", "language"]
GROUPS: tuple[Group, ...] = get_args(Group)
TOWERS: tuple[Tower, ...] = get_args(Tower)


def given(table: Section) -> dict[str, Any]:
    """The entries of a table of names that a configuration states, in the order of the table."""
    found = {name: getattr(table, name) for name in type(table).model_fields}
    return {name: entry for name, entry in found.items() if entry is not None}


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


class Adapted(Section):
    """Where adapters of any kind stand, and what learns in full beside them; all else stays as it is."""

    towers: tuple[Tower, ...] = ("language",)
    """Towers whose linear layers get adapters."""
    full: tuple[Tower, ...] = ()
    """Towers that learn in full beside the adapters of others, such as the merger."""

    @property
    def own(self) -> dict[str, Any]:
        """The settings of the kind itself."""
        return self.model_dump(exclude=set(Adapted.model_fields))


class LowRank(Adapted):
    """Adapters of low rank."""

    rank: int = Field(64, gt=0)
    """Inner dimension of the adapters."""
    alpha: float = Field(128, gt=0)
    """Adapters are scaled by ``alpha / rank``."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout on the input of an adapter."""


class Scaled(LowRank):
    """Adapters of low rank whose dimensions are weighted by the ground sampling distance of each token."""

    alpha: float = Field(32, gt=0)
    """Adapters are scaled by ``alpha / rank``."""
    projections: tuple[str, ...] = ()
    """Layers by the last part of their name, such as q_proj; empty for all of the towers."""
    shared: bool = False
    """Whether all layers have one gate; else each its own."""
    withheld: float = Field(0.0, ge=0, le=1)
    """Part of the samples whose distance is withheld in training, which are read at the neutral one."""
    neutral_m: float = Field(NEUTRAL_M, gt=0)
    """Metres per pixel that stand in for an unknown distance."""


class CsHlora(Scaled):
    """Sigmoid gates with thresholds that learn (ScaleEarth)."""

    tiers_m: tuple[float, ...] = TIERS_M
    """Metres per pixel at which the dimensions of each tier are half open at the start."""
    sharpness: float = Field(SHARPNESS, gt=0)
    """Slope of the gates per decade of distance."""
    learns_sharpness: bool = True
    """Whether the slope learns."""
    normalised: bool = False
    """Whether weights are scaled to the same sum at every distance."""


class BucketedLora(Scaled):
    """A mixture of LoRA of which the distance chooses one."""

    edges_m: tuple[float, ...] = (1.0, 5.0)
    """Metres per pixel between neighbouring buckets."""
    normalised: bool = True
    """Whether the chosen part counts as much as the whole rank would."""


class Adapters(Section):
    """Weights that learn in place of the model's own, by name, one kind at most; see
    ``rscovlm.models.adapters``."""

    lora: LowRank | None = None
    """Low-rank adapters of linear layers."""
    dora: LowRank | None = None
    """The same, with the lengths of a layer's rows learnt apart from their directions."""
    qlora: LowRank | None = None
    """The same as lora, with the towers that are adapted held in 4 bits (CUDA only)."""
    cs_hlora: CsHlora | None = None
    """Low-rank adapters whose dimensions open and close with the ground sampling distance."""
    cs_hqlora: CsHlora | None = None
    """The same as cs_hlora, with the towers that are adapted held in 4 bits (CUDA only)."""
    bucketed_lora: BucketedLora | None = None
    """Low-rank adapters of which each range of distances has its own."""

    @property
    def chosen(self) -> dict[str, Adapted]:
        """The sections of the kinds that are asked for, by name; one at most in a configuration that is
        whole."""
        return given(self)


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
    """The quantity that a step minimises, beside what heads ask for."""

    name: Literal["next_token"] = "next_token"
    """next_token: cross-entropy of the next token where it is learnt."""
    soft_numbers: SoftNumbers | None = None
    """Near misses of coordinates are nearly right; works by number or by digit, as the tokenizer writes."""
    number_loss: NumberLossSettings | None = None
    """A loss of the distance of numbers beside the cross-entropy; goes with soft_numbers as well."""
    teacher: Teacher | None = None
    """Targets are partly another model's probabilities."""


class Cells(Section):
    """Names and outlines of what each visual token shows, read off half-way up; for training alone."""

    names: float = Field(0.5, ge=0)
    """Weight of the names' cross-entropy beside that of answers."""
    outlines: float = Field(6.0, ge=0)
    """Weight of the outlines' error, in parts of the image's side, by the square root of the extent."""
    masks: float = Field(2.0, ge=0)
    """Weight of the cross-entropy of which parts of a visual token show an object."""
    lookups: float = Field(0.5, ge=0)
    """Weight of the attention that names in a text are to pay to the visual tokens that show them."""
    aims: float = Field(0.5, ge=0)
    """Weight of the attention that boxes to come pay to the visual token at their centre, in nats."""
    traits: float = Field(0.3, ge=0)
    """Weight of the cross-entropy of sub-types and colours that visual tokens of objects tell."""


class GsdSettings(Section):
    """Ground sampling distance of each image with its uncertainty, for scenes that do not state it."""

    taps: Literal["last", "half", "half_deep", "all"] | tuple[int, ...] = "last"
    """Layers of the vision tower that it reads: by REO-VLM's names, or by index from 0."""
    hidden: int = Field(64, gt=0)
    """Width of its hidden layer."""
    weight: float = Field(0.1, gt=0)
    """Weight of its likelihood beside the cross-entropy of answers."""
    ramp: float = Field(0.2, ge=0, le=1)
    """Share of the run over which the weight rises from 0."""
    least_deviation: float = Field(0.02, gt=0)
    """Floor of the deviation, in decades."""
    detached: bool = True
    """Whether the vision tower does not learn from it."""


class Heads(Section):
    """Modules that learn beside the model, by name; see ``rscovlm.models.heads``."""

    formerly: ClassVar[Mapping[str, str]] = {
        "regression": "is numbers now: write heads: {numbers: {agb: {target: agb_mg_per_ha, loss: huber}}}, "
        "any number of them by names of your own"
    }

    cells: Cells | None = None
    """Names and outlines of visual tokens; needs samples that bring them, such as nano's lessons."""
    gsd: GsdSettings | None = None
    """Ground sampling distance of each image; needs samples that state it."""
    numbers: dict[str, Number] = Field(default={})
    """Numbers of each sample with their uncertainty, by names of your own; see ``Number``."""
    dense: dict[str, Dense] = Field(default={})
    """Maps of each sample with their uncertainty, by names of your own; see ``Dense``."""
    ensembles: dict[str, Ensemble] = Field(default={})
    """Numbers of several of these heads together, by names of your own; see ``Ensemble``."""

    @field_validator("numbers", "dense", "ensembles")
    @classmethod
    def _names(cls, heads: dict[str, Any]) -> dict[str, Any]:
        wrong = [name for name in heads if not name.isidentifier() or name in cls.model_fields]
        if wrong:
            raise ValueError(
                f"a head needs a name of letters, digits and _ that no kind of head has, not {wrong[0]!r}"
            )
        return heads

    @property
    def chosen(self) -> dict[str, dict[str, Any]]:
        """The settings of the heads that are asked for, as ``make_heads`` takes them."""
        several: dict[str, Mapping[str, Number | Dense | Ensemble]] = {
            "numbers": self.numbers,
            "dense": self.dense,
            "ensembles": self.ensembles,
        }
        named = {kind: {name: own.settings for name, own in heads.items()} for kind, heads in several.items()}
        single = {"cells": self.cells, "gsd": self.gsd}
        alone = {kind: own.model_dump() for kind, own in single.items() if own is not None}
        return alone | {kind: heads for kind, heads in named.items() if heads}


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
    {"output", "mix_root", "checkpoints", "logging", "workers", "evaluation", "broken_limit"}
)
"""Settings that may differ between a run and its resume without changing what is learnt."""
