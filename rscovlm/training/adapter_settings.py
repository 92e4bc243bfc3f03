"""Settings of adapters: where they stand, and each kind's own."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from configs.checking import Section, given
from rscovlm.models.scale.defaults import NEUTRAL_M, SHARPNESS, TIERS_M

Tower = Literal["vision", "merger", "language"]


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
