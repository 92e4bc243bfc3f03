"""From an order of keys to the packs that a rank computes, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Literal

import numpy as np

from detection_eval.words import counted
from rscovlm.data.example import BROKEN, Encoded, Key, Source
from rscovlm.data.lengths import measure_all, reason_of
from rscovlm.data.packing import Pack, collate, empty_pack, read_patches
from rscovlm.data.planning import Batching, FlopsOf, deal, steps_of_windows
from rscovlm.data.workers import made_ahead
from rscovlm.errors import DataError
from rscovlm.models.patches import PatchSpec


@dataclass(frozen=True)
class Form:
    """Form of the packs: the model they are made for.

    Attributes:
        spec: how the checkpoint wants its images.
        image_token_id: of the placeholder that stands for a visual token.
        cost: FLOPs of an example; by them packs are dealt to ranks.
    """

    spec: PatchSpec
    image_token_id: int
    cost: FlopsOf


@dataclass(frozen=True)
class Skipped:
    """A sample that is left out.

    Attributes:
        key: which visit.
        why: ``broken``, or ``too long`` for a pack.
        reason: in words.
    """

    key: Key
    why: Literal["broken", "too long"]
    reason: str


def read_skipped(listing: Path) -> list[Skipped]:
    """The different samples that the ranks of a run have listed as left out; none where there is no list."""
    if not listing.is_file():
        return []
    found: dict[tuple[str, int], Skipped] = {}
    for text in listing.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # of a run that was killed while it wrote
            continue
        key = Key(line["source"], line["index"], line["visit"])
        found[key.source, key.index] = Skipped(key, line["why"], line["reason"])
    return list(found.values())


class Loader:
    """This rank's packs of each optimizer step, from a cursor on.

    Iteration yields a list of packs for each step, as many on every rank; what a rank lacks are packs of the
    dummy image alone. The samples of a step depend on the order, the batching and the seed alone. A new
    iteration begins at the cursor.

    Steps of ``batching.samples`` are planned one by one where they are made, so a source may be an endless
    generator; each rank then encodes all samples of its steps, but reads the pixels of its own alone. For
    steps of ``batching.packs`` the whole epoch is measured before its first step. The last step of an epoch
    may hold less.

    Args:
        sources: by name.
        order: the keys of an epoch; a pure function.
        batching: what a step holds.
        form: what packs are made for.
        seed: of the run.
        rank, world: of this process.
        cursor: optimizer steps done.
        steps: of the whole run; None never ends.
        workers: processes that encode and read; 0 does it in this one.
        prefetch: steps that each worker prepares ahead.
        pinned: whether packs lie in page-locked memory, for copies to an accelerator.
        folder: where measured lengths are kept; None keeps nothing.
        fingerprint: changes with the order, with what samples encode to and with the model's shape.
        listing: JSONL file that the samples which this rank left out are added to.
        most_broken: broken samples of this rank, each counted once, above which the run stops.

    Attributes:
        cursor: steps yielded, those before this run included.
        skipped: samples left out so far: {(source, index): Skipped}.

    Raises:
        DataError: on iteration, where more samples are broken than allowed, or an epoch is empty.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        order: Callable[[int], Sequence[Key]],
        batching: Batching,
        form: Form,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        cursor: int = 0,
        steps: int | None = None,
        workers: int = 0,
        prefetch: int = 2,
        pinned: bool = False,
        folder: Path | None = None,
        fingerprint: str = "",
        listing: Path | None = None,
        most_broken: int = 100,
    ) -> None:
        self.sources, self.batching, self.form, self.seed = sources, batching, form, seed
        self.rank, self.world, self.cursor, self.steps = rank, world, cursor, steps
        self.workers, self.prefetch, self.pinned = workers, prefetch, pinned
        self.folder, self.fingerprint = folder, fingerprint
        self.listing, self.most_broken = listing, most_broken
        self.skipped: dict[tuple[str, int], Skipped] = {}
        # The last one suffices while iterating; a second one while counting steps ahead.
        self._order = lru_cache(maxsize=2)(order)
        self._plan = lru_cache(maxsize=2)(self._planned)

    def steps_in(self, epoch: int) -> int:
        """Optimizer steps of an epoch; measures it first where steps are counted in packs."""
        if self.batching.samples is not None:
            return ceil(len(self._order(epoch)) / self.batching.samples)
        return len(self._plan(epoch))

    def steps_of(self, epochs: float) -> int:
        """Optimizer steps of so many epochs, at least one; of a part of an epoch, that part of its steps."""
        whole = int(epochs)
        steps = sum(self.steps_in(epoch) for epoch in range(whole))
        if epochs > whole:
            steps += round((epochs - whole) * self.steps_in(whole))
        return max(1, steps)

    def __iter__(self) -> Iterator[list[Pack]]:
        made = made_ahead(
            _Maker(self.sources, self.batching, self.form, self.rank, self.world),
            _Tasks(self),
            self.workers,
            self.prefetch,
            self.pinned,
        )
        for step in made:
            self.cursor += 1
            self._note(step.skipped)
            yield step.packs

    def tasks(self) -> Iterator[_Task]:
        """Keys that workers are to make, from the cursor on."""
        epoch, before, cursor = 0, 0, self.cursor
        while self.steps is None or cursor < self.steps:
            steps = self.steps_in(epoch)
            if steps == 0:
                raise DataError(f"epoch {epoch} has no sample that could be trained on")
            while cursor - before < steps and (self.steps is None or cursor < self.steps):
                yield self._task(epoch, cursor - before)
                cursor += 1
            epoch, before = epoch + 1, before + steps

    def _task(self, epoch: int, step: int) -> _Task:
        order = self._order(epoch)
        if self.batching.samples is not None:
            start = step * self.batching.samples
            return _Task(tuple(order[start : start + self.batching.samples]), None, 0)
        packs, flops = self._plan(epoch)[step]
        mine = deal(flops, self.world)[self.rank]
        keys = tuple(tuple(order[place] for place in packs[pack]) for pack in mine)
        return _Task((), keys, ceil(len(packs) / self.world))

    def _planned(self, epoch: int) -> list[tuple[list[list[int]], list[float]]]:
        """The packs of each step of an epoch, as places in its order, and their costs."""
        order = self._order(epoch)
        lengths = measure_all(
            self.sources,
            order,
            self.form.cost,
            workers=self.workers,
            folder=self.folder,
            name=f"{self.fingerprint}-{epoch}",
            rank=self.rank,
            world=self.world,
        )
        skipped = [
            Skipped(order[int(place)], "broken", reason)
            for place, reason in zip(lengths.broken, lengths.reasons, strict=True)
        ]
        too_long = np.flatnonzero(lengths.tokens > self.batching.max_tokens)
        skipped += [
            _too_long(order[int(place)], int(lengths.tokens[place]), self.batching) for place in too_long
        ]
        self._note(skipped)
        tokens = lengths.tokens.copy()
        tokens[too_long] = 0
        steps = steps_of_windows(tokens, self.batching, self.seed, epoch)
        return [(packs, [float(lengths.flops[pack].sum()) for pack in packs]) for packs in steps]

    def _note(self, skipped: Sequence[Skipped]) -> None:
        """Count and list what is left out.

        Raises:
            DataError: too much of it is broken.
        """
        new = {(each.key.source, each.key.index): each for each in skipped}
        new = {place: each for place, each in new.items() if place not in self.skipped}
        self.skipped |= new
        if self.listing is not None and new:
            self.listing.parent.mkdir(parents=True, exist_ok=True)
            with self.listing.open("a", encoding="utf-8") as file:
                for each in new.values():
                    place = getattr(self.sources[each.key.source], "place", None)
                    found_in = {"place": place(each.key.index)} if place else {}
                    line = {
                        **each.key._asdict(),
                        **found_in,
                        "why": each.why,
                        "reason": each.reason,
                        "rank": self.rank,
                    }
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
        broken = [each for each in self.skipped.values() if each.why == "broken"]
        if len(broken) > self.most_broken:
            last = broken[-1]
            where = f"; all are listed in {self.listing}" if self.listing else ""
            raise DataError(
                f"{counted(len(broken), 'sample is', 'samples are')} broken, {self.most_broken} are allowed; "
                f"the last is {last.key.source} {last.key.index}: {last.reason}{where}"
            )


@dataclass(frozen=True)
class _Task:
    """A step to make.

    Attributes:
        keys: all samples of the step, where the worker plans it.
        packs: this rank's, where it is planned already.
        count: packs that each rank has then.
    """

    keys: tuple[Key, ...]
    packs: tuple[tuple[Key, ...], ...] | None
    count: int


@dataclass(frozen=True)
class _Made:
    """A step as it comes out of a worker."""

    packs: list[Pack]
    skipped: list[Skipped]

    def pin_memory(self) -> _Made:
        return _Made([pack.pin_memory() for pack in self.packs], self.skipped)


@dataclass(frozen=True)
class _Tasks:
    loader: Loader

    def __iter__(self) -> Iterator[_Task]:
        return self.loader.tasks()


@dataclass(frozen=True)
class _Maker:
    """Makes steps; a copy lives in each worker."""

    sources: Mapping[str, Source]
    batching: Batching
    form: Form
    rank: int
    world: int

    def __getitem__(self, task: _Task) -> _Made:
        skipped: list[Skipped] = []
        if task.packs is None:
            mine, count = self._plan(task.keys, skipped)
        else:
            mine, count = [self._encoded(keys, skipped) for keys in task.packs], task.count
        packs = [self._pack(examples, skipped) for examples in mine]
        # A step all of whose samples are broken is still a step, or ranks and cursors would disagree.
        missing = max(1, count) - len(packs)
        return _Made(packs + [empty_pack(self.form.spec, self.form.image_token_id)] * missing, skipped)

    def _plan(self, keys: Sequence[Key], skipped: list[Skipped]) -> tuple[list[list[Encoded]], int]:
        """This rank's packs of a step, and how many each rank has."""
        examples = []
        for example in self._encoded(keys, skipped):
            if len(example.ids) > self.batching.max_tokens:
                skipped.append(_too_long(example.key, len(example.ids), self.batching))
            else:
                examples.append(example)
        packs = self.batching.packs_of([len(example.ids) for example in examples])
        flops = [sum(self.form.cost(examples[index]) for index in pack) for pack in packs]
        mine = deal(flops, self.world)[self.rank]
        return [[examples[index] for index in packs[pack]] for pack in mine], ceil(len(packs) / self.world)

    def _encoded(self, keys: Sequence[Key], skipped: list[Skipped]) -> list[Encoded]:
        examples = []
        for key in keys:
            try:
                examples.append(self.sources[key.source].encode(key.index, key.visit))
            except BROKEN as error:
                skipped.append(Skipped(key, "broken", reason_of(error)))
        return examples

    def _pack(self, examples: Sequence[Encoded], skipped: list[Skipped]) -> Pack:
        """A pack of those examples whose pictures can be read."""
        readable, patches = [], []
        for example in examples:
            try:
                patches.append(read_patches(example, self.form.spec))
            except BROKEN as error:
                skipped.append(Skipped(example.key, "broken", reason_of(error)))
            else:
                readable.append(example)
        return collate(readable, self.form.spec, self.form.image_token_id, patches)


def _too_long(key: Key, length: int, batching: Batching) -> Skipped:
    return Skipped(key, "too long", f"{counted(length, 'token')}; a pack holds {batching.max_tokens}")
