"""Settings of the modules that learn beside the model; numbers and maps have modules of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from configs.checking import Section
from rscovlm.training.dense_settings import Dense
from rscovlm.training.number_settings import Constraint, Ensemble, Number


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
    constraints: dict[str, Constraint] = Field(default={})
    """What has to hold between their numbers, by names of your own; see ``Constraint``."""

    @field_validator("numbers", "dense", "ensembles", "constraints")
    @classmethod
    def _names(cls, heads: dict[str, Any]) -> dict[str, Any]:
        wrong = [name for name in heads if not name.isidentifier() or name in cls.model_fields]
        if wrong:
            raise ValueError(
                f"a head needs a name of letters, digits and _ that no kind of head has, not {wrong[0]!r}"
            )
        return heads

    @property
    def wanted(self) -> dict[str, str]:
        """Numbers of samples without which a head learns nothing, each with the setting that names it."""
        found = {}
        for name, head in self.numbers.items():
            found[head.target] = f"heads.numbers.{name}.target"
            if head.teacher is not None:
                found[head.teacher] = f"heads.numbers.{name}.teacher"
        for name, constraint in self.constraints.items():
            if constraint.along is not None and constraint.along not in self.numbers:
                found[constraint.along] = f"heads.constraints.{name}.along"
        return found

    @property
    def chosen(self) -> dict[str, dict[str, Any]]:
        """The settings of the heads that are asked for, as ``make_heads`` takes them."""
        several: dict[str, Mapping[str, Number | Dense | Ensemble | Constraint]] = {
            "numbers": self.numbers,
            "dense": self.dense,
            "ensembles": self.ensembles,
            "constraints": self.constraints,
        }
        named = {kind: {name: own.settings for name, own in heads.items()} for kind, heads in several.items()}
        single = {"cells": self.cells, "gsd": self.gsd}
        alone = {kind: own.model_dump() for kind, own in single.items() if own is not None}
        return alone | {kind: heads for kind, heads in named.items() if heads}
