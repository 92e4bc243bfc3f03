"""Numbers about each place of a scene, with their uncertainty: single patches, and maps of any size.

A patch of the size that the model learnt stands at the middle of each cell of the map. Cells are as large as
the stride. Work goes block by block: the pixels of a block's patches are read at once, the patches with
enough valid pixels are one batch, and the values are on the disk before the journal says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rscovlm.tasks.regress_layout import Layout, Patch
from rscovlm.tasks.regress_regions import OneRegion, RegionLookup, tally_key
from tiling.maps import BlockStore, MapBand
from tiling.stack import Stack
from zoom_chain.chat import Generation

if TYPE_CHECKING:
    from torch import nn

    from rscovlm.journal import Journal
    from rscovlm.models.heads.distribution import Distribution
    from rscovlm.models.inputs import PatchInput
    from zoom_chain.chat import Conversation, Reply

Words = TypeVar("Words", bound="str | tuple[str | None, ...] | None")

APART = 2
"""Strides in patches from which on patches are read one by one rather than with all that lies between."""

LEAST_VALID = 0.5
"""Share of a patch that has to be valid, besides its middle, for an estimate."""

MOST_SAID = 32
"""Tokens of what is said before a number."""

Values = NDArray[np.float32]


class Talker(Protocol):
    """An engine that answers in words."""

    def chat(self, conversations: list[Conversation], options: Generation) -> list[Reply]:
        """A reply to each conversation."""
        ...


class Estimator(Talker, Protocol):
    """An engine with number heads; its words are asked for where something is asked before the number.

    Attributes:
        heads: by name, an ``nn.ModuleDict``.
    """

    heads: Any

    def estimate(
        self,
        conversations: list[Conversation],
        targets: Sequence[str],
        numbers: Sequence[Mapping[str, float]] | None = None,
    ) -> list[Any]:
        """A ``rscovlm.models.heads.distribution.Distribution`` of all conversations for each target.

        ``numbers`` are known of each, such as the statistics of its region.
        """
        ...

    def estimate_maps(
        self,
        conversations: list[Conversation],
        targets: Sequence[str],
        numbers: Sequence[Mapping[str, float]] | None = None,
    ) -> list[Any]:
        """A ``rscovlm.models.heads.dense.head.Field`` of all conversations for each target."""
        ...


def map_bands(target: str, unit: str, long_name: str, interval: float) -> tuple[MapBand, ...]:
    """The bands of a target."""
    share = f"{100 * interval:g} %"
    return (
        MapBand(target, unit, long_name),
        MapBand(f"{target}_lower", unit, f"lower end of the {share} interval of {long_name}"),
        MapBand(f"{target}_upper", unit, f"upper end of the {share} interval of {long_name}"),
        MapBand(f"{target}_standard_deviation", unit, f"standard deviation of {long_name}"),
    )


COVERAGE = MapBand("coverage", "1", "valid share of the patch that the estimate is from")
"""The last band of a map, after those of its targets."""


@dataclass(frozen=True, eq=False)
class Run:
    """What a map is made from.

    Attributes:
        stack: of scenes.
        inputs: how patches are shown.
        engine: with a head for the target.
        targets: of heads.
        interval: share of the distribution between lower and upper end.
        layout: of patches and cells.
        batch: patches of one forward pass.
        regions: in which patches lie, for models whose targets are standardised by region.
    """

    stack: Stack
    inputs: PatchInput
    engine: Estimator
    targets: tuple[str, ...]
    interval: float
    layout: Layout
    batch: int = 64
    regions: RegionLookup = field(default_factory=OneRegion)

    @property
    def bands(self) -> tuple[str, ...]:
        """Of the pixels of its patches."""
        return self.inputs.bands

    @property
    def heads(self) -> nn.ModuleDict:
        """By name; those of its targets are among them."""
        found: nn.ModuleDict = self.engine.heads
        return found

    @property
    def shown(self) -> tuple[PatchInput, ...]:
        """How patches are shown to each model."""
        return (self.inputs,)

    @property
    def knowledge(self) -> str | None:
        """What is asked before the number; None for nothing."""
        return self.inputs.knowledge

    @property
    def by_region(self) -> bool:
        """Whether a model restores units by region."""
        return any(each.regions is not None for each in self.shown)

    def read(self, index: int) -> list[Patch]:
        """The patches of a block, and the regions of their middles."""
        patches = self.read_pixels(index)
        return self.placed(patches, self.layout.middles(index, patches))

    def placed(self, patches: list[Patch], middles: NDArray[np.float64]) -> list[Patch]:
        """Patches with the regions of their middles, (N, 2) scene pixels."""
        if not self.by_region:
            return patches
        names = self.regions.names_at(self.stack.scene, middles)
        return [patch._replace(region=name) for patch, name in zip(patches, names, strict=True)]

    def read_pixels(self, index: int) -> list[Patch]:
        """The patches of a block, from one view of all of it unless they lie far apart."""
        layout, bands = self.layout, self.bands
        cells = list(layout.patches(index))
        if layout.stride >= APART * layout.patch:
            return [Patch(row, column, self.stack.read(view, bands)) for row, column, view in cells]
        pixels = self.stack.read(layout.view(index), bands)
        side, step = layout.patch, layout.stride
        return [
            Patch(row, column, pixels[row * step : row * step + side, column * step : column * step + side])
            for row, column, _ in cells
        ]

    def values(self, index: int, patches: list[Patch]) -> Values:
        """(bands, rows, columns) of a block: mean, lower, upper and deviation of each target, then coverage.

        NaN where there is no estimate.
        """
        rows, columns = self.layout.grid.cells(index)
        bands = self.layout.grid.bands
        found = np.full((bands, rows.stop - rows.start, columns.stop - columns.start), np.nan, np.float32)
        for patch in patches:
            found[-1, patch.row, patch.column] = known_of(patch).mean()
        for part, said in self.estimates([patch for patch in patches if self.is_shown(patch)]):
            numbers = np.concatenate([summary(each, self.interval) for each in said])
            for patch, each in zip(part, numbers.T, strict=True):
                found[:-1, patch.row, patch.column] = each
        return found

    def is_shown(self, patch: Patch) -> bool:
        """Whether enough of a patch is valid for an estimate."""
        known = known_of(patch)
        middle = self.layout.patch // 2
        return bool(known.mean() >= LEAST_VALID and known[middle, middle])

    def estimates(self, patches: list[Patch]) -> Iterator[tuple[list[Patch], list[Distribution]]]:
        """Some of the patches and a distribution of them for each target, batch by batch."""
        for part, asked in self.prompts(patches):
            known = self.inputs.numbers(each.region for each in part)
            yield part, self.engine.estimate(asked, self.targets, known)

    def prompts(self, patches: list[Patch]) -> Iterator[tuple[list[Patch], list[Conversation]]]:
        """Prompts about patches, batch by batch, in each those of one length together.

        Knowledge is asked for first (two-pass).
        """
        inputs = self.inputs
        for batch in self.batches(patches):
            for said, part in by_words(batch, self.words(batch)):
                yield part, [inputs.conversation(each.pixels, inputs.bands, said) for each in part]

    def batches(self, patches: list[Patch]) -> Iterator[list[Patch]]:
        """As many patches at a time as the model sees at once."""
        for start in range(0, len(patches), self.batch):
            yield patches[start : start + self.batch]

    def words(self, patches: list[Patch]) -> list[str | None]:
        """What is said about each patch before its number; None where nothing is asked."""
        return [None] * len(patches) if self.knowledge is None else [*self.known(patches)]

    def known(self, patches: list[Patch]) -> list[str]:
        """The model's own words about each patch before its number, where ``knowledge`` asks for some."""
        asked = [self.inputs.question_first(each.pixels, self.inputs.bands) for each in patches]
        return [reply.text.strip() for reply in replies_first(self.engine, asked)]

    def fill(
        self, store: BlockStore, journal: Journal, progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Work through all blocks that are not done; the number of those found done.

        The next block is read while the model looks at one.

        Raises:
            SceneError, OSError: where pixels cannot be read or values cannot be written.
        """
        total = len(self.layout.grid)
        whole = {
            index
            for index in range(total)
            if str(index) in journal.done and store.holds(index, int(journal.done[str(index)]))
        }
        left = [index for index in range(total) if index not in whole]
        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead: Future[list[Patch]] | None = reader.submit(self.read, left[0]) if left else None
            for place, index in enumerate(left):
                assert ahead is not None
                patches = ahead.result()
                ahead = reader.submit(self.read, left[place + 1]) if place + 1 < len(left) else None
                checksum = store.write(index, self.values(index, patches))
                journal.append(self.tallied(index, patches) | {str(index): checksum})
                if progress:
                    progress(len(whole) + place + 1, total)
        return len(whole)

    def tallied(self, index: int, patches: list[Patch]) -> dict[str, Any]:
        """How many of the shown patches of a block lie in each region, as a journal keeps it.

        Nothing where regions play no part.
        """
        own = [each.region for each in patches if self.layout.owns(index, each) and self.is_shown(each)]
        return {tally_key(index): dict(Counter(own))} if self.by_region else {}


def known_of(patch: Patch) -> NDArray[np.bool_]:
    """(patch, patch) where all bands are valid."""
    return np.asarray(np.isfinite(patch.pixels).all(axis=-1))


def by_words(patches: list[Patch], said: Iterable[Words]) -> list[tuple[Words, list[Patch]]]:
    """Patches about which the same was said before the number, with what that was."""
    groups: dict[Words, list[Patch]] = {}
    for patch, words in zip(patches, said, strict=True):
        groups.setdefault(words, []).append(patch)
    return list(groups.items())


def replies_first(engine: Talker, questions: Sequence[Conversation]) -> list[Reply]:
    """The first pass of two: replies to what is asked before a number, in few words."""
    return engine.chat(list(questions), Generation(max_new_tokens=MOST_SAID))


def summary(distribution: Any, interval: float) -> Values:
    """(4, S) mean, lower and upper end of the interval, standard deviation of S distributions.

    Of S maps (``Field``) they are (4, S, R, C).
    """
    tail = (1 - interval) / 2
    parts = (
        distribution.mean,
        distribution.quantile(tail),
        distribution.quantile(1 - tail),
        distribution.variance.clamp(min=0).sqrt(),
    )
    return np.stack([part.detach().float().cpu().numpy() for part in parts])
