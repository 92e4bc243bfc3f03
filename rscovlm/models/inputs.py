"""What a checkpoint with number heads is shown: its entry ``inputs`` of ``rscovlm.json``.

Training writes it and inference reads it, so that a patch looks the same in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from configs import ConfigError
from configs.checking import Section, checked
from detection_eval.files import write_json
from rscovlm.errors import ModelError
from rscovlm.models.regions import Regions
from rscovlm.models.sidecars import OWN, RECALIBRATION, read_sidecar
from tiling.composites import Composite, Fit, Limits, bands_needed, composites_named, fitted, to_shares
from tiling.dates import bands_at, parted
from tiling.errors import BandError
from zoom_chain.chat import Conversation, ImagePart

ENTRY, HEADS = "inputs", "heads"
NUMBERED = ("numbers", "dense", "ensembles")
"""Kinds of heads that give a number at the middle of a patch."""


class Target(Section):
    """What a head estimates."""

    unit: str
    """Of its values, as UDUNITS spells it: ``Mg ha-1``."""
    long_name: str
    """In words, as CF names variables: ``above-ground biomass density``."""


class Scaling(Section):
    """Physical values that become 0 and 255, by the name of a channel."""

    low: Mapping[str, float]
    """Become 0."""
    high: Mapping[str, float]
    """Become 255."""

    @classmethod
    def of(cls, limits: Limits) -> Scaling:
        """The scaling of some limits."""
        return cls(
            low={name: low for name, (low, _) in limits.items()},
            high={name: high for name, (_, high) in limits.items()},
        )

    @property
    def limits(self) -> Limits:
        """By the name of a channel."""
        return {name: (self.low[name], self.high[name]) for name in self.low if name in self.high}


class PatchInput(Section):
    """How a patch of a scene is shown to a model that gives a number about its middle."""

    views: tuple[str, ...]
    """Names in ``tiling.composites.COMPOSITES``, one image each, in this order; or none, with ``native``."""
    native: tuple[str, ...] = ()
    """Bands of one image of float32 from 0 to 1, for a checkpoint with a stem for them."""
    native_dates: int = Field(default=1, ge=1)
    """Images of these bands, of which each is of one date of a place, the earliest first."""
    scaling: Scaling
    """Of all channels."""
    patch_px: int
    """Side of a patch in pixels of ``gsd_m``."""
    gsd_m: float | None = None
    """Metres per pixel of patches; None where the data has no scale."""
    side: int
    """Of the images in pixels."""
    fit: Fit = "upsample"
    """How a patch becomes as large."""
    prompt: str
    """Words after the images."""
    seasonal: str | None = None
    """The words where the season is known, in place of ``{season}``; None where the model learnt none."""
    hints: tuple[str, ...] = ()
    """Facts that the words began with in training, by their names in ``rscovlm.data.plot_questions``."""
    knowledge: str | None = None
    """Question that is asked, and answered in words, before the number is; None for none."""
    targets: Mapping[str, Target]
    """Of numbers that heads learnt, by name."""
    regions: Regions | None = None
    """By whose means and deviations heads restore units; None where targets are not standardised so."""
    sensors: tuple[str, ...] = ()
    """That the bands were taken by, in the names of ``configs/sensors``."""
    tiles: tuple[str, ...] = ()
    """That training has seen."""
    weights: str = ""
    """Fingerprint of the weights that the heads were trained beside; empty where it is not stated."""

    @property
    def chosen(self) -> tuple[Composite, ...]:
        """The composites.

        Raises:
            BandError: for an unknown name.
        """
        return composites_named(self.views)

    @property
    def limits(self) -> Limits:
        """By the name of a channel."""
        return self.scaling.limits

    @property
    def dates(self) -> int:
        """Of a place, that it needs images of."""
        return max([self.native_dates, *(parted(view)[1] for view in self.views)])

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that it needs."""
        return tuple(dict.fromkeys(chain(*self._native_bands))) or bands_needed(self.chosen)

    @property
    def _native_bands(self) -> list[tuple[str, ...]]:
        """Of each image for a stem of its own."""
        return [bands_at(self.native, 1 + date) for date in range(self.native_dates)]

    def in_season(self, season: str) -> PatchInput:
        """The same for images of a season, which the words say where the model has learnt to be told it.

        Args:
            season: such as ``summer``; empty where it is not known.
        """
        if not season or self.seasonal is None:
            return self
        return self.model_copy(update={"prompt": self.seasonal.format(season=season)})

    def numbers(self, regions: Iterable[str | None]) -> list[Mapping[str, float]] | None:
        """What samples of some regions bring for heads, of each; None where regions play no part."""
        return None if self.regions is None else [self.regions.numbers(each) for each in regions]

    def images(self, pixels: NDArray[Any], names: Sequence[str]) -> list[ImagePart]:
        """One image for each composite, or one of all bands for each date.

        Args:
            pixels: (patch_px, patch_px, bands) physical values, NaN where there is no data.
            names: of the bands.

        Raises:
            BandError: for a band that is not there.
        """
        if self.native:
            return [self._native_image(pixels, names, bands) for bands in self._native_bands]
        shown = (composite.render(pixels, names, self.limits) for composite in self.chosen)
        scale = 1.0 if self.fit == "pad" else self.patch_px / self.side
        gsd_m = None if self.gsd_m is None else self.gsd_m * scale
        images = (fitted(np.ascontiguousarray(each), self.side, self.fit) for each in shown)
        return [ImagePart(image, gsd_m=gsd_m) for image in images]

    def _native_image(self, pixels: NDArray[Any], names: Sequence[str], bands: tuple[str, ...]) -> ImagePart:
        missing = [name for name in bands if name not in names]
        if missing:
            raise BandError(f"no band {missing[0]}; there are {', '.join(names)}")
        chosen = pixels[..., [list(names).index(name) for name in bands]]
        shares = to_shares(chosen, self.native, self.limits)
        return ImagePart(fitted(shares, self.side, self.fit), self.native)

    def conversation(
        self, pixels: NDArray[Any], names: Sequence[str], known: str | None = None
    ) -> Conversation:
        """The prompt about a patch.

        Args:
            pixels, names: as of ``images``.
            known: what the model has said about ``knowledge``; None for nothing.
        """
        if known is None or self.knowledge is None:
            return Conversation().say("user", *self.images(pixels, names), self.prompt)
        return self.after_knowledge(self.question_first(pixels, names), known)

    def after_knowledge(self, first: Conversation, known: str) -> Conversation:
        """The prompt after the question of ``knowledge`` and what the model has said about it."""
        return first.say("assistant", known).say("user", self.prompt)

    def question_first(self, pixels: NDArray[Any], names: Sequence[str]) -> Conversation:
        """The question of ``knowledge`` about a patch; arguments as of ``images``."""
        assert self.knowledge is not None, "nothing is asked before the number"
        return Conversation().say("user", *self.images(pixels, names), self.knowledge)


def read_inputs(folder: Path) -> PatchInput | None:
    """How the checkpoint in a folder is shown patches; None where it does not say so.

    Raises:
        ModelError: where the entry cannot be understood.
    """
    entry = (read_sidecar(folder, OWN) or {}).get(ENTRY)
    if entry is None:
        return None
    try:
        found = inputs_of(entry, f"{folder / OWN}: {ENTRY}")
        missing = [
            channel.name
            for each in found.chosen
            for channel in each.channels
            if channel.name not in found.limits
        ]
        missing += [name for name in found.native if name not in found.limits]
        if not found.views and not found.native:
            raise ConfigError(f"{folder / OWN}: {ENTRY}: neither views nor native says what is shown")
    except (ConfigError, BandError) as error:
        raise ModelError(str(error)) from None
    if missing:
        raise ModelError(f"{folder / OWN}: {ENTRY}.scaling: channel {missing[0]} is missing")
    if found.weights and found.weights != weights_hash(folder):
        raise ModelError(
            f"the number heads beside {folder} were trained beside other weights than those that are there; "
            "train them again (of nano: make regress-head)"
        )
    return found


def weights_hash(folder: Path) -> str:
    """SHA-256 of the weights of a checkpoint, without those of its heads; of no file where there is none."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
    return digest.hexdigest()


def inputs_of(entry: Any, place: str) -> PatchInput:
    """An entry, or those of the sources of a training run by name, which have to show plots alike.

    Args:
        entry: as JSON has it.
        place: of the entry, for errors.

    Raises:
        ConfigError: where it cannot be understood, or sources differ.
    """
    if not isinstance(entry, Mapping) or "views" in entry or not entry:
        return checked(PatchInput, entry, place)
    found = {name: checked(PatchInput, own, f"{place}.{name}") for name, own in entry.items()}
    first = next(iter(found))
    tiles = sorted({tile for own in found.values() for tile in own.tiles})
    alike = [own.model_copy(update={"tiles": ()}) for own in found.values()]
    for name, own in zip(found, alike, strict=True):
        if own != alike[0]:
            differs = next(
                each for each in PatchInput.model_fields if getattr(own, each) != getattr(alike[0], each)
            )
            raise ConfigError(
                f"{place}: {name} shows plots otherwise than {first}: {differs} differs; list their files "
                "in one source, or give both the same options"
            )
    return alike[0].model_copy(update={"tiles": tuple(tiles)})


def tiles_used(folder: Path) -> dict[str, frozenset[str]]:
    """Tiles that a checkpoint in a folder was fitted on, by what was fitted; no weights are read.

    Returns:
        tiles by ``training``, ``the recalibration of agb`` (``rscovlm reo calibrate``) and
        ``the weights of both`` (``rscovlm reo stack``).

    Raises:
        ModelError: where the entries cannot be understood.
    """
    known = read_sidecar(folder, OWN) or {}
    try:
        entry = known.get(ENTRY)
        found = {} if entry is None else {"training": inputs_of(entry, f"{folder / OWN}: {ENTRY}").tiles}
        fitted = {f"the recalibration of {name}": own for name, own in known.get(RECALIBRATION, {}).items()}
        ensembles = known.get(HEADS, {}).get("ensembles", {})
        fitted |= {f"the weights of {name}": own for name, own in ensembles.items()}
        found |= {what: tuple(own.get("tiles", ())) for what, own in fitted.items()}
    except (ConfigError, AttributeError, TypeError) as error:
        raise ModelError(f"{folder / OWN}: {error}") from None
    return {what: frozenset(tiles) for what, tiles in found.items() if tiles}


def write_inputs(folder: Path, inputs: PatchInput | Mapping[str, Any]) -> None:
    """Put the entry beside a checkpoint's weights, other entries as they are.

    Args:
        folder: of the checkpoint.
        inputs: one, or what the sources of a training run say, by their names.
    """
    known = read_sidecar(folder, OWN) or {}
    stated = inputs.model_dump(mode="json") if isinstance(inputs, PatchInput) else dict(inputs)
    write_json(folder / OWN, known | {ENTRY: stated}, indent=2)


def number_heads(folder: Path) -> dict[str, str]:
    """What each number head beside a checkpoint gives, by the head's name; no weights are read."""
    heads = (read_sidecar(folder, OWN) or {}).get(HEADS)
    kinds = [heads.get(kind) for kind in NUMBERED] if isinstance(heads, dict) else []
    named = [item for kind in kinds if isinstance(kind, dict) for item in kind.items()]
    return {name: str(own.get("target")) for name, own in named if isinstance(own, dict)}
