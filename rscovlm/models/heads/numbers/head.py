"""NumberHead: a number about each sample with its uncertainty, in the unit of its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from rscovlm.models.heads.base import PredictiveHead, Term
from rscovlm.models.heads.distribution import Counts, Distribution, scaled
from rscovlm.models.heads.numbers.bounded import bounded
from rscovlm.models.heads.numbers.joining import JoinedImages
from rscovlm.models.heads.numbers.losses import Loss, loss_of, range_penalty
from rscovlm.models.heads.numbers.monotone import MonotoneShift, moved
from rscovlm.models.heads.numbers.outputs import OUTPUTS
from rscovlm.models.heads.numbers.states import Readout, States, states_of
from rscovlm.models.heads.numbers.trunks import TRUNKS, Feature, Trunk

if TYPE_CHECKING:
    from rscovlm.data.packing import Pack
    from rscovlm.models.qwen import VisionLanguageModel


class NumberHead(PredictiveHead):
    """A trunk that reads hidden states, and an output that makes a distribution of what it read.

    Args:
        width: of the hidden states.
        target: name among the samples' numbers; samples without it do not count.
        trunk: name in ``TRUNKS`` with its settings.
        output: name in ``OUTPUTS`` with its settings.
        mean, deviation: value and change of the target that are 0 and 1 inside the head; where a sample
            states those of its region (``rscovlm.models.regions``), they take their place. Of a count, which
            is not standardised, the mean of its region is a factor.
        readout: of visual tokens.
        spread: of the readout ``gaussian``, as a share of the image's side.
        images: of each sample, whose tokens are joined in their places; 1 takes tokens of all images alike.
        loss: kind of loss.
        regions_count: what the loss counts where samples state the mean and deviation of their region:
            ``deviations`` of each region, so that all regions weigh alike, or ``units``, so that all errors
            of the same size do.
        noise: name among the samples' numbers of the standard deviation of the target itself (``agbd_se``).
        low, high: least and largest value that can be; None for none.
        hard: whether predictions are held within them; else they are only pushed there in training.
        penalty: weight of values outside of them in the loss.
        teacher: name among the samples' numbers of what another model says of the target; None for none.
        teacher_share: part of the loss that is the squared distance of the mean from it.
        weight: of the head's loss beside the cross-entropy of answers.
        taps: layers of the vision tower that the trunk reads, by index from 0; empty for none. ``make_heads``
            takes REO-VLM's names as well (``rscovlm.models.taps``).
        vision_width: of the vision tower, for trunks that read it.
        monotone: settings of ``MonotoneShift``: the head along whose mean the number does not fall, at fixed
            hidden states; None for none.

    Raises:
        TypeError: for a trunk, an output or settings that do not exist.
    """

    def __init__(
        self,
        width: int,
        target: str,
        trunk: Mapping[str, Any] | None = None,
        output: Mapping[str, Any] | None = None,
        mean: float = 0.0,
        deviation: float = 1.0,
        readout: Readout = "mean",
        spread: float = 0.1,
        images: int = 1,
        loss: Loss = "nll",
        regions_count: Literal["deviations", "units"] = "deviations",
        noise: str | None = None,
        low: float | None = None,
        high: float | None = None,
        hard: bool = False,
        penalty: float = 0.0,
        teacher: str | None = None,
        teacher_share: float = 0.5,
        weight: float = 1.0,
        taps: Sequence[int] = (),
        vision_width: int | None = None,
        monotone: Mapping[str, Any] | None = None,
    ) -> None:
        settings = {
            name: value for name, value in locals().items() if name not in ("self", "width", "__class__")
        }
        super().__init__(width, **settings)
        trunk, output = dict(trunk or {"name": "parallel"}), dict(output or {"name": "point"})
        kind, shape = trunk.pop("name"), output.pop("name")
        if kind not in TRUNKS:
            raise TypeError(f"trunk {kind!r} is unknown; choose from {', '.join(TRUNKS)}")
        if shape not in OUTPUTS:
            raise TypeError(f"output {shape!r} is unknown; choose from {', '.join(OUTPUTS)}")
        own = {"vision_width": vision_width} if TRUNKS[kind].needs_taps else {}
        self.join = JoinedImages(width, images, own.get("vision_width"))
        self.trunk: Trunk = TRUNKS[kind](width, **own, **trunk)
        self.output = OUTPUTS[shape](width, **output)
        self.shift = None if monotone is None else MonotoneShift(**monotone)
        self._along: tuple[NumberHead, ...] = ()
        self.is_scaled: bool = getattr(OUTPUTS[shape], "scaled", True)

    def bind(self, heads: Mapping[str, Any]) -> None:
        """Take the head along which it is monotone.

        Raises:
            TypeError: for one that is not there, gives no number, is itself monotone along this one, or reads
                other layers.
        """
        if self.shift is None:
            return
        name = self.shift.along
        other = heads.get(name)
        if not isinstance(other, NumberHead):
            raise TypeError(
                f"monotone along {name!r} needs a head of heads.numbers of that name: numbers of the samples "
                "are not known where a model is asked; learn it by a head of its own"
            )
        if self in followed_by(other, heads):
            raise TypeError(f"monotone along {name!r}, which follows this one: a number cannot follow itself")
        if len({super().taps, tuple(other.settings["taps"])} - {()}) > 1:
            raise TypeError(f"it and {name!r} read different layers of the vision tower; give both the same")
        self._along = (other,)
        self.shift.place(*other.units)

    @property
    def taps(self) -> tuple[int, ...]:
        """Layers of the vision tower that it reads, or the head along which it is monotone does."""
        return max(super().taps, *(head.taps for head in self._along), (), key=len)

    @property
    def widest(self) -> float:
        """Of quantiles without a recalibration, what lies between the outermost."""
        levels = getattr(self.output, "levels", None)
        return super().widest if levels is None or self.steps else float(levels[-1] - levels[0])

    @property
    def has_spread(self) -> bool:
        """Of all outputs but ``point``."""
        return bool((self.settings["output"] or {"name": "point"})["name"] != "point")

    def forward(self, states: States) -> Distribution:
        """The distributions of S samples in the target's unit."""
        mean, deviation = self._units(states.about)
        _, found = self._read(states, states.about)
        found = scaled(found, mean, deviation)
        low, high = self.settings["low"], self.settings["high"]
        return bounded(found, low, high) if self.settings["hard"] and not self.training else found

    def _read(self, states: States, about: Tensor | None) -> tuple[Feature, Distribution]:
        """The feature of each sample, and its distribution in scaled units and float32.

        Args:
            states: of S samples.
            about: (S, 2) of their regions, as of ``standing``.
        """
        feature = self.trunk(self.join(states.read().to(next(self.parameters()).dtype)))
        found = self.output(feature.value)
        if about is not None and isinstance(found, Counts):
            found = Counts(found.mean * about[:, 0], found.dispersion)
        if self.shift is not None:
            if states.along is None:
                raise ValueError(
                    f"states bring no number of {self.shift.along!r}, along which it is monotone"
                )
            found = moved(found, self.shift(states.along))
        return feature, found

    def states(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[Tensor],
        pack: Pack,
        tapped: Tensor | None = None,
    ) -> States:
        """The states that it reads of a pack."""
        readout, spread = self.settings["readout"], self.settings["spread"]
        own = tapped if super().taps else None
        found = states_of(hidden[-1][0], pack, model.config.image_token_id, readout, spread, own)
        along = self._followed(model, hidden, pack, tapped)
        return replace(found, about=self.standing(pack.sample_extras), along=along)

    @torch.no_grad()
    def _followed(
        self, model: VisionLanguageModel, hidden: Sequence[Tensor], pack: Pack, tapped: Tensor | None
    ) -> Tensor | None:
        """(S,) means of the head along which it is monotone, which learns nothing from it; None for none."""
        for other in self._along:
            said: Distribution = other(other.states(model, hidden, pack, tapped if other.taps else None))
            return said.mean
        return None

    @property
    def units(self) -> tuple[float, float]:
        """Of a count as they are; of others value and change that are 0 and 1 inside the head."""
        return super().units if self.is_scaled else (1.0, 1.0)

    def _units(self, about: Tensor | None) -> tuple[float | Tensor, float | Tensor]:
        """Value and change of the target that are 0 and 1 inside the head: numbers, or (S,) of regions."""
        if not self.is_scaled:
            return 0.0, 1.0
        if about is None:
            return self.units
        return about[:, 0], about[:, 1]

    def terms(
        self,
        model: VisionLanguageModel,
        hidden: Sequence[Tensor],
        pack: Pack,
        tapped: Tensor | None = None,
    ) -> Mapping[str, Term]:
        """``<target>``: the loss over samples that have the target; ``<target>_extra``: the trunk's own."""
        return self.loss(self.states(model, hidden, pack, tapped), pack.sample_extras)

    def loss(self, states: States, numbers: Mapping[str, Tensor]) -> Mapping[str, Term]:
        """The parts of the loss, as ``terms`` has them.

        Args:
            states: of S samples.
            numbers: (S,) by name; NaN where a sample has none of that name.
        """
        target, weight = self.settings["target"], self.settings["weight"]
        truth, usable = self._numbers(target, numbers, states)
        weights = usable / usable.sum().clamp_min(1)
        about = self.standing(numbers)
        feature, found = self._read(states, about)
        mean, deviation = self._units(about)
        if self.settings["regions_count"] == "units" and isinstance(deviation, Tensor):
            found, deviation = scaled(found, 0.0, deviation / self.units[1]), self.units[1]
        noise = None
        if self.settings["noise"] is not None:
            stated, known = self._numbers(self.settings["noise"], numbers, states)
            noise = torch.where(known, stated, 0.0) / deviation
        loss = loss_of(self.settings["loss"], found, (truth - mean) / deviation, weights, noise)
        if self.settings["teacher"] is not None:
            stated, taught = self._numbers(self.settings["teacher"], numbers, states)
            share = self.settings["teacher_share"]
            each = taught / taught.sum().clamp_min(1)
            loss = (1 - share) * loss + share * loss_of("mse", found, (stated - mean) / deviation, each)
        outside = range_penalty(
            mean + deviation * found.mean, self.settings["low"], self.settings["high"], weights / deviation
        )
        loss = loss + self.settings["penalty"] * outside
        return {target: Term(loss, weight), f"{target}_extra": Term(feature.extra, weight)}

    def _numbers(self, name: str, numbers: Mapping[str, Tensor], states: States) -> tuple[Tensor, Tensor]:
        """(S,) values of a name, 0 where missing, and (S,) where they are usable."""
        stated = numbers.get(name)
        if stated is None:
            stated = torch.full((len(states.seen),), float("nan"), device=states.seen.device)
        usable = stated.isfinite() & states.seen
        return stated.nan_to_num(0.0), usable


def followed_by(head: NumberHead, heads: Mapping[str, Any]) -> list[NumberHead]:
    """A head, the one along which it is monotone, the one along which that is, and so on."""
    chain: list[NumberHead] = []
    following: Any = head
    while isinstance(following, NumberHead) and following not in chain:
        chain.append(following)
        following = None if following.shift is None else heads.get(following.shift.along)
    return chain
