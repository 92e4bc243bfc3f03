"""Settings of heads that give a map: decoder, grid, units."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from configs.checking import Section
from rscovlm.training.number_settings import Choice, named


class Diffusion(Section):
    """A mean, and residuals that are denoised from noise."""

    steps: int = Field(8, ge=1)
    """Steps of sampling."""
    draws: int = Field(16, ge=1)
    """Maps that are drawn at inference; their spread is the uncertainty."""
    temperature: float = Field(1.0, ge=0)
    """Factor on the noise; 0 gives the mean alone."""


class Codebook(Section):
    """Patches as codes, said row by row."""

    codes: int = Field(64, ge=2)
    """How many there are."""
    draws: int = Field(4, ge=1)
    """Sequences of codes at inference; 1 says the likeliest."""


class Masked(Section):
    """Patches filled in over some rounds, each from those that are there."""

    rounds: int = Field(4, ge=1)
    """Rounds of filling; 1 fills all at once."""
    draws: int = Field(4, ge=1)
    """Maps that are filled at inference; 1 fills by means."""
    layers: int = Field(2, ge=1)
    """Layers of its transformer."""


class Decoder(Choice):
    """How features of places become a map; see ``rscovlm.models.heads.dense``."""

    diffusion: Diffusion | None = None
    codebook: Codebook | None = None
    masked: Masked | None = None


class Dense(Section):
    """A map of numbers about each sample with their uncertainty, kept for inference."""

    target: str
    """Name of the samples' map, such as canopy_height_m; samples without it do not count."""
    decoder: Annotated[Decoder, BeforeValidator(named)] = Decoder(diffusion=Diffusion())
    """A name, or a name with its settings."""
    images: int = Field(1, ge=1)
    """Images of each sample, all of one size and one place."""
    detail: int = Field(1, ge=1)
    """Cells of the map along the side of a visual token."""
    inner: int = Field(64, ge=4, multiple_of=4)
    """Width of the decoder."""
    mean: float = 0.0
    """Value of the target that stands for 0 inside the head."""
    deviation: float = Field(1.0, gt=0)
    """Change of the target that stands for 1 inside the head."""
    low: float | None = None
    """Least value that can be; maps are held above it."""
    high: float | None = None
    """Largest value that can be; maps are held below it."""
    weight: float = Field(1.0, gt=0)
    """Weight of the head's loss beside the cross-entropy of answers."""
    taps: Literal["last", "half", "half_deep", "all"] | tuple[int, ...] = ()
    """Layers of the vision tower that are read besides: by REO-VLM's names, or by index from 0."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``DenseHead``."""
        return self.model_dump() | {"decoder": self.decoder.chosen}
