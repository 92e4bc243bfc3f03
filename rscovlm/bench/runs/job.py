"""A job: the items of a benchmark, how they are asked, and whom; carried out into a run folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item
from rscovlm.bench.prompts import Profile
from rscovlm.bench.protocols.available import protocols_of
from rscovlm.bench.records import item_to_json
from rscovlm.bench.row import Row
from rscovlm.bench.runs.answering import ask_items
from rscovlm.bench.runs.asking import Asking
from rscovlm.bench.runs.detecting import TILES, forget
from rscovlm.bench.runs.folder import library_versions, open_log, record, write_manifest
from rscovlm.bench.runs.looking import CLOSER, Blind, Mode, direct_resolution, shuffled_images
from rscovlm.bench.runs.numbers import is_chained, plots_seen
from rscovlm.bench.suites.drawing import draw
from rscovlm.bench.suites.hashes import file_hashes
from rscovlm.bench.suites.reading import Drawn, Reader, Reading
from rscovlm.data.plot_prompts import file_of, inputs_for, is_plot
from rscovlm.data.readers.common import Account
from rscovlm.errors import DataError, UsageError
from rscovlm.journal import parameters_hash
from rscovlm.models.inputs import PatchInput, number_heads, tiles_used
from rscovlm.tasks.detection_run import wanted_classes
from rscovlm.tasks.provenance import version
from rscovlm.tasks.recipe import Recipe
from zoom_chain.policies import POLICIES

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.models.checkpoints import Checkpoint
    from zoom_chain.settings import ZoomSettings

_EXAMPLES = 3
"""Places that are named of each reason for which records were left out."""


@dataclass(frozen=True)
class Questions:
    """The items of a benchmark that a run is about.

    Attributes:
        benchmark: that they are of.
        split: that they are of.
        root: folder of the files.
        items: in file order.
        of: items in the files, of which ``items`` may be a draw.
        notes: what was left out or mended while reading, one line each.
    """

    benchmark: Benchmark
    split: str
    root: Path
    items: tuple[Item, ...]
    of: int
    notes: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """SHA-256 of the items, with the places of images relative to the root and their sizes in bytes."""
        digest = hashlib.sha256()
        for item in self.items:
            images = [_image_facts(source, self.root) for source in item.images]
            digest.update(parameters_hash(item_to_json(item) | {"images": images}).encode())
        return digest.hexdigest()

    def facts(self) -> dict[str, Any]:
        """For the manifest: what was read, beside what its authors published."""
        return {
            "name": self.benchmark.name,
            "title": self.benchmark.title,
            "split": self.split,
            "items": len(self.items),
            "items_in_files": self.of,
            "items_published": self.benchmark.counts.get(self.split),
            "files": file_hashes(self.benchmark, self.root, self.split),
            "hashes_published": dict(self.benchmark.hashes),
            "notes": list(self.notes),
            "protocols": {name: each.id for name, each in protocols_of(self.benchmark.name).items()},
        }


def _image_facts(source: str, root: Path) -> list[Any]:
    path = Path(source)
    place = path.relative_to(root).as_posix() if path.is_relative_to(root) else source
    return [place, path.stat().st_size if path.is_file() else None]


def read_questions(
    benchmark: Benchmark, root: Path, split: str | None = None, limit: int | None = None, seed: int = 0
) -> Questions:
    """The items of a split, or a draw of them.

    Args:
        benchmark: to read.
        root: folder of its files.
        split: None takes the benchmark's first.
        limit: number of items, drawn evenly with the seed, in file order; None takes all.
        seed: of the draw.

    Raises:
        UsageError: for a split that the benchmark does not have.
        DataError: where the files hold no items, or two of the same key.
    """
    chosen = benchmark.splits[0] if split is None else split
    if chosen not in benchmark.splits:
        raise UsageError(
            f"{benchmark.name} has no split {chosen!r}; choose from {', '.join(benchmark.splits)}"
        )
    if not root.is_dir():
        layout = "; ".join(line.strip() for line in benchmark.layout.splitlines())
        raise UsageError(f"{root} is no folder; give the one that holds {benchmark.title}: {layout}")
    items, of, account = _read(benchmark, root, chosen, limit, seed)
    if not items:
        raise DataError(
            f"{root}: nothing in it makes an item of {benchmark.name}, split {chosen}: {account.reasons()}"
        )
    return Questions(benchmark, chosen, root, tuple(items), of, tuple(account.lines(_EXAMPLES)))


def _read(benchmark: Benchmark, root: Path, split: str, limit: int | None, seed: int) -> Drawn:
    """All items, or a draw.

    Raises:
        DataError: two have the same key.
    """
    if limit is not None and isinstance(benchmark.read, Reader):
        drawn = benchmark.read.draw(root, split, limit, seed)
        if any(map(is_chained, drawn.items)):
            return _whole_chains(benchmark.read(root, split), limit, seed)
        return drawn
    reading = benchmark.read(root, split)
    items = _unique(reading, f"{benchmark.name} {split}")
    found, of = (list(items), 0) if limit is None else draw(items, limit, seed)
    account = reading.account if isinstance(reading, Reading) else Account()
    return Drawn(found, of or len(found), account)


def _unique(items: Iterator[Item], place: str) -> Iterator[Item]:
    seen: set[str] = set()
    for item in items:
        if item.key in seen:
            raise DataError(f"{place} has two items {item.key!r}; keys have to be unique")
        seen.add(item.key)
        yield item


def _whole_chains(reading: Reading, limit: int, seed: int) -> Drawn:
    """All questions about so many images, evenly drawn, that they are about as many as asked for."""
    items = list(reading)
    images = list(dict.fromkeys(item.images for item in items))
    count = min(len(images), max(1, round(limit * len(images) / len(items))))
    drawn, _ = draw(images, count, seed)
    kept = set(drawn)
    return Drawn([item for item in items if item.images in kept], len(items), reading.account)


@dataclass(frozen=True)
class Job:
    """A run that is to be made.

    Attributes:
        questions: to ask.
        asking: how they are asked.
        checkpoint: of the model.
        label: what tables call the run.
        notes: what a reader of its scores has to know, one line each.
    """

    questions: Questions
    asking: Asking
    checkpoint: Checkpoint
    label: str
    notes: tuple[str, ...] = ()

    def facts(self, engine: Engine) -> dict[str, Any]:
        """All that a reply depends on."""
        device, dtype = (getattr(engine, name, None) for name in ("device", "dtype"))
        return {
            "benchmark": self.questions.benchmark.name,
            "split": self.questions.split,
            "items": self.questions.hash,
            "number of items": len(self.questions.items),
            "model": self.checkpoint.identity,
            "engine": type(engine).__name__,
            "device": None if device is None else str(device),
            "dtype": None if dtype is None else str(dtype).removeprefix("torch."),
            **self.asking.facts(),
            "version": version(),
            "libraries": library_versions(),
        }


def plan_job(
    questions: Questions,
    checkpoint: Checkpoint,
    recipe: Recipe,
    profile: Profile,
    *,
    mode: Mode | None = None,
    blind: Blind = "none",
    seed: int = 0,
    batch_size: int = 16,
    settings: ZoomSettings | None = None,
    seen_tiles: bool = False,
) -> Job:
    """The run of some questions by a model.

    Args:
        questions: to ask.
        checkpoint: of the model, as the recipe wants it run.
        recipe: how the model is run.
        profile: words of the requests.
        mode: what is shown; None as the recipe's or the family's zoom settings say.
        blind: what is shown in its place.
        seed: of sampling and of shuffled images.
        batch_size: items that are asked together.
        settings: of the zoom chain, in place of the recipe's.
        seen_tiles: ask about plots on tiles that the model was fitted on, too, which is then noted.

    Raises:
        UsageError: for a blind run that is to look closer, shuffled images of which there is only one, or
            classes to detect that the model does not know.
        DataError: for plots on tiles that the model was fitted on, unless they are its own splits.
    """
    family = checkpoint.family
    settings = settings or recipe.zoom(family)
    sought = {item.options for item in questions.items if item.kind == "detect"}
    tiled = bool(sought) and blind in ("none", "shuffle") and (mode is None or mode in CLOSER)
    for classes in sought if tiled else ():
        wanted_classes(family, classes or None)
    if mode is None:
        mode = "off" if blind in ("text", "gray") else settings.policy.name
    if blind in ("text", "gray") and mode in CLOSER:
        raise UsageError(f"--blind {blind} leaves nothing to look at closer; leave out --zoom {mode}")
    if mode in POLICIES:
        settings = replace(settings, policy=POLICIES[mode])
    images = shuffled_images(questions.items, seed) if blind == "shuffle" else {}
    if blind == "shuffle" and all(images[item.key] == item.images for item in questions.items):
        raise UsageError("--blind shuffle: all items are about one image, so there is no other to show")
    asking = Asking(
        family,
        profile.filled_for(family, recipe),
        recipe,
        mode,
        settings,
        direct_resolution(checkpoint) if mode == "direct" else family.resolution,
        blind,
        recipe.sampling_rules,
        seed,
        recipe.max_tokens,
        batch_size,
        images,
        tiled,
        _inputs(questions.items, checkpoint),
        _heads(checkpoint),
    )
    tiles_alone = tiled and all(item.kind == "detect" for item in questions.items)
    shown = _shown("tiles" if tiles_alone else mode, blind)
    notes = _seen(questions, checkpoint, seen_tiles)
    return Job(questions, asking, checkpoint, f"{checkpoint.spec}, {shown}", notes)


_FITTED_SPLITS = ("train", "val")


def _seen(questions: Questions, checkpoint: Checkpoint, allowed: bool) -> tuple[str, ...]:
    """Notes on plots whose tiles the model was fitted on.

    Raises:
        DataError: there are some in a split that is held out, and that is not allowed.
    """
    if checkpoint.folder is None or not any(item.extra.get("tile") for item in questions.items):
        return ()
    notes = plots_seen(questions.items, tiles_used(checkpoint.folder))
    if notes and not allowed and questions.split not in _FITTED_SPLITS:
        raise DataError(
            f"{questions.benchmark.name} {questions.split}: of {checkpoint.spec} {notes[0]}; plots of one "
            "tile are alike, so leave those tiles out, or score them all the same with bench run --seen-tiles"
        )
    return notes


def _inputs(items: Sequence[Item], checkpoint: Checkpoint) -> PatchInput | None:
    """How the checkpoint is shown plots; None where no item is about one."""
    plots = (image for item in items for image in item.images if is_plot(image))
    first = next(plots, None)
    return None if first is None else inputs_for(checkpoint, file_of(first))


def _heads(checkpoint: Checkpoint) -> dict[str, str]:
    """The head of a checkpoint in this process by the number that it gives."""
    if checkpoint.runner != "transformers" or checkpoint.folder is None:
        return {}
    return {target: name for name, target in number_heads(checkpoint.folder).items()}


def _shown(mode: str, blind: Blind) -> str:
    """What is shown, for people: ``overview``, ``tiles``, ``blind (text)``, ``chain, blind (shuffle)``."""
    looked = "" if mode == "off" and blind != "none" else {"off": "overview"}.get(mode, mode)
    return ", ".join(filter(None, (looked, "" if blind == "none" else f"blind ({blind})")))


def carry_out(
    job: Job,
    engine: Engine,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    more: Mapping[str, Any] | None = None,
) -> tuple[Row, ...]:
    """Ask what is not yet answered, batch by batch, each on the disk before the next.

    Args:
        job: to do.
        engine: that runs its model.
        folder: of the run.
        resume: go on with a run that is there; items that failed are asked again.
        overwrite: start anew where there is one.
        progress: called with (items done, items in all).
        more: of the manifest.

    Returns:
        The row of each item, in order.

    Raises:
        JournalError: for a run of another job.
        ModelError: what concerns every request.
        OSError: where the folder cannot be written.
    """
    items, facts = job.questions.items, job.facts(engine)
    with open_log(folder, facts, resume=resume, overwrite=overwrite) as (journal, rows):
        if not resume:
            shutil.rmtree(folder / TILES, ignore_errors=True)
        about = {"prompts_hash": job.asking.profile.hash, "notes": list(job.notes), **(more or {})}
        write_manifest(folder, job.label, facts, job.questions.facts(), **about)
        rows = {key: row for key, row in rows.items() if row.error is None}
        if progress:
            progress(len(rows), len(items))
        left = _left(items, rows, job.asking.batch_size)
        for answered in ask_items(engine, job.asking, left, folder / TILES, rows):
            record(journal, answered)
            forget(folder / TILES, answered)
            rows |= {row.item.key: row for row in answered}
            if progress:
                progress(len(rows), len(items))
    return tuple(rows[item.key] for item in items)


def _left(items: Sequence[Item], known: Mapping[str, Row], size: int) -> list[list[Item]]:
    """What is to be asked, in the batches of an uninterrupted run as far as they are not known."""
    batches = (items[start : start + size] for start in range(0, len(items), size))
    left = ([item for item in batch if item.key not in known] for batch in batches)
    return [batch for batch in left if batch]
