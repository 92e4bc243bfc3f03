"""A mix from files: sample files opened, rules made, everything that is missing said at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from configs import ConfigError
from rscovlm.data.encoding import Encoder
from rscovlm.data.example import BROKEN, Encoded, Key, Source
from rscovlm.data.holdout import Split, hold_out
from rscovlm.data.mix import ENDLESS, Mix, MixSettings, SourceSettings, draws_per_epoch, examine_mix
from rscovlm.data.rendering import Rules, render_example
from rscovlm.data.store import SampleFile
from rscovlm.data.templates import load_templates
from rscovlm.errors import DataError
from rscovlm.models.families import ModelFamily
from rscovlm.models.inputs import inputs_of
from tiling.resolution import Resolution

if TYPE_CHECKING:
    from rscovlm.data.sample import Sample

Made = TypeVar("Made")

Generator = Callable[..., Source]
"""Makes a source from its name in the mix, the encoder, the seed, its length and its options; where it takes
a ``root``, from the folder of the mix's files, too."""

_SUFFIXES = (".jsonl", ".parquet")


@dataclass
class FileSource:
    """Encoded samples of a file.

    Attributes:
        name: in the mix.
        file: the samples.
        rules: how they are rendered.
        encoder: how they are tokenised.
        seed: of the run.
        max_tokens: length that an example may have. Longer lists of boxes lose their last boxes. What cannot
            be shortened so stays too long, since images and sentences are never cut; packs leave it out.
    """

    name: str
    file: SampleFile
    rules: Rules
    encoder: Encoder
    seed: int
    max_tokens: int | None = None

    @property
    def in_order(self) -> bool:
        """Samples of a file are shuffled."""
        return False

    def __len__(self) -> int:
        return len(self.file)

    def sample(self, index: int) -> Sample:
        """The canonical sample.

        Raises:
            DataError: naming the file and line.
        """
        return self.file[index]

    def values(self, name: str) -> NDArray[np.float64]:
        """(n,) a number of each sample; NaN where it has none of that name, or is broken."""

        def value(index: int) -> float:
            try:
                return self.file[index].targets.get(name, np.nan)
            except BROKEN:
                return np.nan

        return np.array([value(index) for index in range(len(self))], dtype=np.float64)

    def links(self, group: str | None = None) -> Iterator[tuple[str, ...]]:
        """Links between samples; see ``SampleFile.links``."""
        return self.file.links(group)

    def encode(self, index: int, visit: int) -> Encoded:
        """The example of a visit; see ``Source``.

        Raises:
            DataError: naming the file and line, or row, the id, and what is wrong.
        """
        sample = self.file[index]
        try:
            return self._encode(sample, Key(self.name, index, visit))
        except BROKEN as error:
            reason = str(error).removeprefix(f"sample {sample.id!r}: ")
            raise DataError(f"{self.file.place(index)}: sample {sample.id!r}: {reason}") from error

    def place(self, index: int) -> str:
        """The file and line, or row, of a sample."""
        return self.file.place(index)

    def _encode(self, sample: Sample, key: Key) -> Encoded:
        coded = self._coded(sample, key, None)
        if self._fits(coded):
            return coded
        # The most boxes lie between a number that fits (0: none known yet) and one that does not.
        fitting, fits, too_many = None, 0, len(sample.boxes)
        while _lists_boxes(sample) and too_many - fits > 1:
            middle = (fits + too_many) // 2
            shorter = self._coded(sample, key, middle)
            if self._fits(shorter):
                fitting, fits = shorter, middle
            else:
                too_many = middle
        return fitting or coded

    def _fits(self, coded: Encoded) -> bool:
        return self.max_tokens is None or len(coded.ids) <= self.max_tokens

    def _coded(self, sample: Sample, key: Key, most_boxes: int | None) -> Encoded:
        example = render_example(sample, self.rules, key, self.seed, self.file.resolve, most_boxes)
        return self.encoder.encode(example)


def _lists_boxes(sample: Sample) -> bool:
    return sample.task == "detection" or any("<boxes>" in turn.text for turn in sample.turns)


def load_mix(
    name_or_path: str | Path,
    family: ModelFamily,
    encoder: Encoder,
    seed: int,
    *,
    resolution: Resolution | None = None,
    max_tokens: int | None = None,
    root: str | None = None,
    generators: Mapping[str, Generator] | None = None,
) -> Mix:
    """Open a mix for a model.

    Args:
        name_or_path: of the mix (``mix/synth``, or a YAML or JSON file).
        family: of the model.
        encoder: of the checkpoint.
        seed: of the run.
        resolution: bounds on image sizes; None takes the family's.
        max_tokens: length that an example may have.
        root: folder of the sources' files, in place of the one that the mix states.
        generators: what makes samples, by the names that a mix uses.

    Raises:
        ConfigError: naming all unknown settings and missing files at once.
    """
    settings, problems = examine_mix(name_or_path, root)
    if settings is None:
        raise ConfigError("; ".join(problems))
    sources: dict[str, Source] = {}
    for stated in settings.sources:
        if stated.generator is not None:
            make = partial(_generated, stated, settings, encoder, seed, generators or {})
            made = _or_problem(make, stated, problems)
            if made is not None:
                sources[stated.name] = made
            continue
        rules = _or_problem(partial(_rules, stated, settings, family, resolution), stated, problems)
        file = _or_problem(partial(_open, stated, settings), stated, problems)
        if rules and file is not None:
            sources[stated.name] = FileSource(stated.name, file, rules, encoder, seed, max_tokens)
            if not len(file):
                problems.append(
                    f"source {stated.name}: {file.path} holds no samples; leave it out of the mix"
                )
    if problems:
        lines = [problem.removeprefix(f"mix {name_or_path}: ") for problem in problems]
        raise ConfigError(f"mix {name_or_path}: " + "; ".join(lines))
    splits = hold_out(sources, settings.holdout, seed, settings.holdout_by) if settings.holdout else None
    _settle(sources, splits or {}, f"mix {name_or_path}")
    facts = json.dumps(
        [
            settings.model_dump(mode="json", exclude={"root"}),  # data that has moved is the same data
            [family.name, str(resolution), max_tokens],
            {
                name: [source.file.digest, repr(source.rules.templates)]
                for name, source in sources.items()
                if isinstance(source, FileSource)
            },
            {name: source.digest for name, source in sources.items() if hasattr(source, "digest")},
        ]
    )
    draws = draws_per_epoch(settings, sources, splits)
    return Mix(sources, draws, seed, splits, facts, settings.curriculum)


def _settle(sources: Mapping[str, Source], splits: Mapping[str, Split], place: str) -> None:
    """Have sources that measure their samples do so on what training may draw, and show them alike.

    Raises:
        ConfigError: a source cannot measure them, or two show them otherwise.
    """
    for name, source in sources.items():
        if name in splits and hasattr(source, "measure"):
            try:
                source.measure(splits[name].trained)
            except DataError as error:
                raise ConfigError(f"{place}: source {name}, without what is held out: {error}") from None
    stated = {name: source.inputs for name, source in sources.items() if hasattr(source, "inputs")}
    if stated:
        inputs_of(stated, place)


def _generated(
    stated: SourceSettings,
    settings: MixSettings,
    encoder: Encoder,
    seed: int,
    generators: Mapping[str, Generator],
) -> Source:
    name = str(stated.generator)
    if name not in generators:
        raise ConfigError(f"generator {name!r} is unknown; choose from {', '.join(generators) or 'none'}")
    takes = list(signature(generators[name]).parameters.values())[4:]
    known = {each.name: each for each in takes if each.name != "root" and each.name[0] != "_"}
    unknown = [key for key in stated.options if key not in known]
    if unknown:
        raise ConfigError(
            f"generator {name} does not take the options {', '.join(unknown)}; "
            f"it has {', '.join(known) or 'none'}"
        )
    missing = [key for key, each in known.items() if each.default is each.empty and key not in stated.options]
    if missing:
        raise ConfigError(f"generator {name} needs the options {', '.join(missing)}")
    place = {"root": Path(settings.root or ".")} if any(each.name == "root" for each in takes) else {}
    length = stated.samples or ENDLESS
    try:
        return generators[name](stated.name, encoder, seed, length, **place, **stated.options)
    except TypeError as error:
        raise ConfigError(f"generator {name}: {error}") from error


def _open(stated: SourceSettings, settings: MixSettings) -> SampleFile:
    return SampleFile(sample_path(stated, settings))


def _or_problem(make: Callable[[], Made], stated: SourceSettings, problems: list[str]) -> Made | None:
    try:
        return make()
    except (ConfigError, DataError, OSError) as error:
        problems.append(f"source {stated.name}: {error}")
        return None


def sample_path(stated: SourceSettings, settings: MixSettings) -> Path:
    """The sample file of a source.

    Raises:
        ConfigError: it does not exist; says where it was looked for.
    """
    root = Path(settings.root or ".")
    if stated.path:
        candidates = [root / stated.path]
    else:
        candidates = [root / f"{stated.name}{suffix}" for suffix in _SUFFIXES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigError(f"no {' or '.join(map(str, candidates))}; make it with `rscovlm data convert`")


def _rules(
    stated: SourceSettings, settings: MixSettings, family: ModelFamily, resolution: Resolution | None
) -> Rules:
    defaults = settings.defaults
    rules = Rules(
        family,
        resolution or family.resolution,
        load_templates(stated.templates or defaults.templates),
        sizing=stated.resolution or defaults.resolution,
    )
    forms = stated.formats or defaults.formats
    return replace(rules, forms=forms) if forms else rules
