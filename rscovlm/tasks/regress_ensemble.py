"""Numbers of several models about the same patches, as one.

Each model is shown a patch in its own views and words, and where it learnt to, says something of its own
first. What they say is fused as the heads of one model are (``rscovlm.models.heads.ensemble``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rscovlm.errors import UsageError
from rscovlm.tasks.regress import Run, by_words
from rscovlm.tasks.regress_layout import Patch

if TYPE_CHECKING:
    from torch import nn

    from rscovlm.models.heads.distribution import Distribution
    from rscovlm.models.heads.ensemble import EnsembleHead, Fuse
    from rscovlm.models.inputs import PatchInput


@dataclass(frozen=True, eq=False)
class EnsembleRun(Run):
    """What a map of several models is made from.

    ``inputs``, ``engine`` and ``targets`` are those of the first model.

    Attributes:
        members: a run of each model, by its name; targets in the same order, their names may differ.
        fuse: how their numbers become one; ``mean`` or ``inverse_variance``.
    """

    members: Mapping[str, Run] = field(default_factory=dict)
    fuse: Fuse = "mean"

    @property
    def bands(self) -> tuple[str, ...]:
        """Of all models, each once."""
        return tuple(dict.fromkeys(band for each in self.members.values() for band in each.bands))

    @property
    def shown(self) -> tuple[PatchInput, ...]:
        """How patches are shown to each model."""
        return tuple(each.inputs for each in self.members.values())

    @property
    def knowledge(self) -> str | None:
        """What models are asked before the number; None where none is asked anything."""
        asked = [each.knowledge for each in self.members.values() if each.knowledge is not None]
        return " / ".join(dict.fromkeys(asked)) or None

    @cached_property
    def heads(self) -> nn.ModuleDict:
        """An ensemble for each target, under the name that it has in the first model.

        Raises:
            UsageError: for members that give different numbers, or no spread to weigh them by.
        """
        from torch import nn

        return nn.ModuleDict({name: self._head(place) for place, name in enumerate(self.targets)})

    def _head(self, place: int) -> EnsembleHead:
        from rscovlm.engines.numbers import head_of
        from rscovlm.models.heads.ensemble import EnsembleHead

        heads = {name: head_of(each.heads, each.targets[place]) for name, each in self.members.items()}
        pointed = [name for name, head in heads.items() if not head.has_spread]
        if self.fuse == "inverse_variance" and pointed:
            own = self.members[pointed[0]].targets[place]
            raise UsageError(f"--fuse inverse_variance: head {own} of {pointed[0]} has no spread; take mean")
        try:
            made = EnsembleHead(0, list(heads), self.fuse)
            made.bind(heads, apart=True)
        except TypeError as error:
            raise UsageError(f"these models cannot be asked together: {error}") from None
        return made

    def own(self, member: Run, patches: list[Patch]) -> list[Patch]:
        """Patches with the bands that a member sees, in its order."""
        order = [self.bands.index(band) for band in member.bands]
        return [each._replace(pixels=np.ascontiguousarray(each.pixels[..., order])) for each in patches]

    def known(self, patches: list[Patch]) -> list[str]:
        """What those models that are asked say about each patch before its number."""
        said = [
            each.known(self.own(each, patches))
            for each in self.members.values()
            if each.knowledge is not None
        ]
        return [" / ".join(each) for each in zip(*said, strict=True)]

    def estimates(self, patches: list[Patch]) -> Iterator[tuple[list[Patch], list[Distribution]]]:
        """What all models say of patches together, a distribution for each target, batch by batch."""
        from rscovlm.engines.numbers import head_of
        from rscovlm.models.heads.ensemble import fused

        for batch in self.batches(patches):
            words = [each.words(self.own(each, batch)) for each in self.members.values()]
            for said, part in by_words(batch, zip(*words, strict=True)):
                each = [
                    self._asked(member, part, words)
                    for member, words in zip(self.members.values(), said, strict=True)
                ]
                together = [fused(parts, self.fuse) for parts in zip(*each, strict=True)]
                heads = [head_of(self.heads, name) for name in self.targets]
                yield part, [head.moved(found) for head, found in zip(heads, together, strict=True)]

    def _asked(self, member: Run, patches: list[Patch], said: str | None) -> list[Distribution]:
        """What a model says of patches after its own words about them."""
        own = self.own(member, patches)
        asked = [member.inputs.conversation(each.pixels, member.bands, said) for each in own]
        known = member.inputs.numbers(each.region for each in own)
        return member.engine.estimate(asked, member.targets, known)
