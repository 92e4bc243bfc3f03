"""Settings of heads that give a number with its uncertainty: trunk, output, readout, loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from configs.checking import Section, given


class Embed(Section):
    """Visual tokens by the readout as they are, and a linear output: the cheapest head."""


class Parallel(Section):
    """Visual tokens by the readout, through layers of their own."""

    depth: int = Field(1, ge=0)
    """Hidden layers."""


class Attention(Section):
    """A learned query that attends to words, visual tokens or both."""

    heads: int = Field(4, gt=0)
    """Heads of the attention; they divide the model's width."""
    reads: Literal["words", "visual", "both"] = "both"
    """States that it attends to."""


class Gated(Section):
    """Visual tokens and words, mixed by a gate for each channel."""

    depth: int = Field(1, ge=0)
    """Hidden layers after the gate."""


class Experts(Section):
    """A mixture of experts, half of which read visual tokens and half words."""

    experts: int = Field(4, ge=2)
    """How many there are."""
    top_k: int = Field(2, ge=1)
    """Experts of one sample."""
    balance: float = Field(0.01, ge=0)
    """Weight of the loss that has all experts used alike."""


class Mixer(Section):
    """REO-VLM's: states at the vision tower's width, mixed with the tower's features; needs ``taps``."""

    layers: int = Field(4, gt=0)
    """Layers of the mixer."""


class Point(Section):
    """A number alone."""


class Gaussian(Section):
    """A mean and a deviation."""

    least_deviation: float = Field(0.02, gt=0)
    """In units of ``deviation``."""


class Mixture(Gaussian):
    """A mixture of Gaussians."""

    components: int = Field(4, ge=1)
    """How many there are."""


class Quantiles(Section):
    """Quantiles that never cross."""

    levels: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
    """Ascending, between 0 and 1."""


class Intervals(Section):
    """Discrete intervals with a residual in each."""

    edges: tuple[float, ...]
    """Ascending, in units of ``deviation`` about ``mean``."""
    fuse: Literal["soft", "hard"] = "soft"
    """soft sums over intervals, hard takes the likeliest."""


class Count(Section):
    """A negative binomial count; ``mean`` and ``deviation`` play no part."""

    dispersed: bool = True
    """Whether the variance may exceed the mean; without it, Poisson."""


def named(value: Any) -> Any:
    """A name alone stands for the kind with its default settings."""
    return {value: {}} if isinstance(value, str) else value


class Choice(Section):
    """A table of kinds, of which a configuration states one."""

    @property
    def chosen(self) -> dict[str, Any]:
        """Its name and settings, as heads take them."""
        ((name, own),) = given(self).items()
        return {"name": name, **own.model_dump()}

    @model_validator(mode="after")
    def _one(self) -> Self:
        stated = given(self)
        if len(stated) != 1:
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"give exactly one of {names}, not {' and '.join(stated) or 'none'}")
        return self


class Trunk(Choice):
    """How hidden states become one feature a sample; see ``rscovlm.models.heads.numbers.trunks``."""

    embed: Embed | None = None
    parallel: Parallel | None = None
    attention: Attention | None = None
    gated: Gated | None = None
    experts: Experts | None = None
    mixer: Mixer | None = None


class Output(Choice):
    """How a feature becomes a distribution; see ``rscovlm.models.heads.numbers.outputs``."""

    point: Point | None = None
    gaussian: Gaussian | None = None
    mixture: Mixture | None = None
    quantiles: Quantiles | None = None
    intervals: Intervals | None = None
    count: Count | None = None


class Ensemble(Section):
    """One number of several heads, kept for inference; each head learns as it does alone."""

    members: tuple[str, ...] = Field(min_length=2)
    """Names of heads that give the same number, or parts of one."""
    fuse: Literal["mean", "inverse_variance", "sum"] = "mean"
    """A mixture of the distributions, their product as Gaussians, or the sum of parts. Weights fitted on
    validation plots come after training, by ``rscovlm reo stack``."""
    target: str | None = None
    """Of sum: name of the whole among the samples' numbers."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.fuse == "sum") != (self.target is not None):
            raise ValueError("target names the whole of fuse sum, which needs it; leave it out of others")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``EnsembleHead``."""
        return self.model_dump()


class Constraint(Section):
    """A penalty in training for numbers of heads that contradict each other: a sum, or an order."""

    whole: str | None = None
    """Head whose number is the sum of those of parts."""
    parts: tuple[str, ...] = ()
    """Two or more heads."""
    number: str | None = None
    """Head whose number does not fall from one sample of a pack to another where that of along rises."""
    along: str | None = None
    """Another head, or a name among the samples' numbers."""
    falls: bool = False
    """Whether number does not rise instead."""
    weight: float = Field(0.1, gt=0)
    """Weight beside the cross-entropy of answers; the penalty counts deviations of the first head."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        sums, order = (self.whole, *self.parts), (self.number, self.along)
        if not any(order) and None not in sums and len(set(sums)) == len(sums) >= 3 and not self.falls:
            return self
        if not any(sums) and None not in order and len(set(order)) == 2:
            return self
        raise ValueError("give either whole and two parts or more, all different, or number and along")

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``ConstraintHead``."""
        return self.model_dump()


class Monotone(Section):
    """A number that does not fall where another rises, at fixed hidden states, by construction."""

    along: str
    """Head of heads.numbers whose mean is the other number, in training and at inference alike."""
    falls: bool = False
    """Whether the number does not rise instead."""
    knots: int = Field(9, ge=2)
    """Of the piecewise linear function of the other number by which the distribution is moved."""
    over: tuple[float, float] | None = None
    """Least and largest knot in the unit of the other number, beyond which the function is level; 2.5
    deviations to either side of that head's mean by default."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.over is not None and not self.over[0] < self.over[1]:
            raise ValueError(f"over {list(self.over)} has to be a lower and a higher number")
        return self


class Number(Section):
    """A number about each sample with its uncertainty, kept for inference."""

    target: str
    """Name among the samples' numbers, such as agb_mg_per_ha; samples without it do not count."""
    trunk: Annotated[Trunk, BeforeValidator(named)] = Trunk(parallel=Parallel())
    """The features that are read: a name, or a name with its settings."""
    output: Annotated[Output, BeforeValidator(named)] = Output(point=Point())
    """The distribution: a name, or a name with its settings."""
    mean: float = 0.0
    """Value of the target that stands for 0 inside the head."""
    deviation: float = Field(1.0, gt=0)
    """Change of the target that stands for 1 inside the head."""
    readout: Literal["mean", "gaussian", "center"] = "mean"
    """Visual tokens that count: all alike, by distance from the middle of their image, the innermost."""
    spread: float = Field(0.1, gt=0)
    """Standard deviation of the readout gaussian as a share of the image's side."""
    images: int = Field(1, ge=1)
    """Images of each sample whose visual tokens are joined in their places; 1 takes all images alike."""
    loss: Literal["nll", "mse", "mae", "huber", "logcosh", "ccc"] = "nll"
    """nll is of the distribution, all others of its mean."""
    regions_count: Literal["deviations", "units"] = "deviations"
    """Of targets standardised by region: the loss counts deviations of each region or units of the target."""
    noise: str | None = None
    """Name among the samples' numbers of the target's own standard deviation, such as agbd_se."""
    low: float | None = None
    """Least value that can be."""
    high: float | None = None
    """Largest value that can be."""
    hard: bool = False
    """Whether predictions are held within low and high."""
    penalty: float = Field(0.0, ge=0)
    """Weight in the loss of means outside of low and high."""
    teacher: str | None = None
    """Name among the samples' numbers of what another model says of the target (distillation)."""
    teacher_share: float = Field(0.5, gt=0, le=1)
    """Part of the loss that is the squared distance of the mean from the teacher's number."""
    weight: float = Field(1.0, gt=0)
    """Weight of the head's loss beside the cross-entropy of answers."""
    taps: Literal["last", "half", "half_deep", "all"] | tuple[int, ...] = ()
    """Layers of the vision tower that the trunk reads: by REO-VLM's names, or by index from 0."""
    monotone: Monotone | None = None
    """Another head along whose number this one does not fall."""

    formerly: ClassVar[Mapping[str, str]] = {
        "head": "is trunk: write trunk: gated",
        "dropout": "is left out: dropout changes the variance between training and inference",
    }

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        reads = self.trunk.chosen["name"] == "mixer"
        if reads != (self.taps != ()):
            told = "needs taps: write taps: half" if reads else "does not read taps; leave them out"
            raise ValueError(f"trunk {self.trunk.chosen['name']} {told}")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        bounded = self.low is not None or self.high is not None
        if (self.hard or self.penalty) and not bounded:
            raise ValueError("hard and penalty are about low and high, and neither is given")
        if self.noise is not None and self.loss != "nll":
            raise ValueError(f"noise is part of loss nll alone, not of {self.loss}")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``NumberHead``."""
        return self.model_dump() | {"trunk": self.trunk.chosen, "output": self.output.chosen}
