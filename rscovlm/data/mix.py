"""Mixes: which sources are drawn from, how often, and how each is rendered.

A mix is YAML::

    root: data                     # where the sources' files are; default: the folder of this file
    unit: samples                  # what ratio and temperature count: samples or tokens
    defaults: {resolution: area, formats: {quad: 1.0}, templates: varied}
    sources:
      - vhm_dataset*8              # RSCoVLM's strings: eight times an epoch
      - llava_onevision_vl%10      # a tenth of it an epoch
      - {name: dota, path: dota.jsonl, repeat: 2.5, formats: {quad: 3, json-obb: 1}}
      - {name: lessons, generator: nano, samples: 100000}

How often a source is drawn in an epoch is said in one of three ways, the same for all sources: ``repeat``
(passes over it; 1 where nothing is said), ``ratio`` (its share of the epoch), or ``temperature`` of the whole
mix (a share that grows with size ** (1 / temperature)). An epoch with ratios or a temperature has
``epoch_samples`` samples, or as many as the sources have together. A source is walked through in a shuffled
order that goes on where the last epoch stopped, so that each of its samples is seen before any is seen again.

A source with a ``generator`` makes its samples, the i-th one from (seed, i), and is walked through in order.
Without ``samples`` it is endless: an epoch draws ``EPOCH_OF_ENDLESS`` of it, and the next one goes on.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from configs import ConfigError, load_config
from configs.checking import Problem, Section, problems, told
from rscovlm.data.curriculum import Curriculum, hardness
from rscovlm.data.example import BROKEN, Key, Source
from rscovlm.data.holdout import IMAGE, Split
from rscovlm.data.randomness import generator

_STRING = re.compile(r"(?P<name>[^*%\s]+)(?:\*(?P<repeat>\d+)|%(?P<percent>\d+(?:\.\d+)?))?")
EPOCH_OF_ENDLESS = 100_000
"""Samples that an epoch draws from an endless generator whose share nothing else says."""

ENDLESS = 1 << 40
"""Length of an endless generator: more than any run draws."""

_PROBE = 200  # samples that tell the mean length of a source


def _chances(value: Any) -> Any:
    """A single name stands for itself with certainty."""
    return {value: 1.0} if isinstance(value, str) else value


Chances = Annotated[dict[str, Annotated[float, Field(ge=0)]], BeforeValidator(_chances)]


class SourceSettings(Section):
    """One source of a mix.

    Attributes:
        name: unique in the mix; seeds its random choices.
        path: sample file (JSONL or Parquet); by default ``<name>.jsonl`` or ``<name>.parquet`` in the root.
        generator: name of what makes the samples, instead of a file.
        samples: samples of the generator; None where it is endless.
        options: of the generator, by name.
        repeat: passes an epoch.
        ratio: share of the epoch.
        formats: box formats and their weights.
        resolution: ways to choose image sizes and their weights.
        templates: wordings.
    """

    name: str
    path: str | None = None
    generator: str | None = None
    samples: int | None = Field(default=None, gt=0)
    options: dict[str, Any] = Field(default={})
    repeat: float | None = Field(default=None, gt=0)
    ratio: float | None = Field(default=None, gt=0)
    formats: Chances | None = None
    resolution: Chances | None = None
    templates: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = _STRING.fullmatch(value)
        if match is None:
            raise ValueError(f"{value!r} is no name, name*repeats or name%percent")
        fields = {"name": match["name"]}
        if match["repeat"]:
            fields["repeat"] = float(match["repeat"])
        if match["percent"]:
            if not 0 < float(match["percent"]) <= 100:
                raise ValueError(f"{value!r}: a percentage lies above 0 and up to 100")
            fields["repeat"] = float(match["percent"]) / 100
        return fields


class Defaults(Section):
    """Settings of sources that state none of their own; see SourceSettings."""

    formats: Chances = Field(default={})
    resolution: Chances = Field(default={"native": 1.0})
    templates: str = "varied"


class MixSettings(Section):
    """A mix as its YAML states it; see the module's text.

    Attributes:
        root: folder of the sources' files.
        unit: what ``ratio`` and ``temperature`` count.
        temperature: 1 draws in proportion to size, larger ones more evenly.
        epoch_samples: length of an epoch with ratios or a temperature.
        holdout: samples of each source that are kept out of training, for evaluation.
        holdout_by: what no sample kept out shares with training: ``image``, or also the value of a field or
            attribute of the samples (``scene``, ``tile``).
        curriculum: an order from easy to hard; None shuffles.
        defaults: for all sources.
        sources: at least one.
    """

    root: str | None = None
    unit: Literal["samples", "tokens"] = "samples"
    temperature: float | None = Field(default=None, gt=0)
    epoch_samples: int | None = Field(default=None, ge=1)
    holdout: int = Field(default=0, ge=0)
    holdout_by: str = IMAGE
    curriculum: Curriculum | None = None
    defaults: Defaults = Defaults()
    sources: list[SourceSettings] = Field(min_length=1)

    def contradictions(self) -> list[str]:
        """One line for each pair of settings that exclude each other."""
        found = []
        for source in self.sources:
            of_files = (source.path, source.formats, source.resolution, source.templates)
            if source.generator is None and (source.samples is not None or source.options):
                found.append(f"source {source.name}: samples and options are those of a generator")
            if source.generator is not None and any(each is not None for each in of_files):
                found.append(
                    f"source {source.name}: a generator takes no path, formats, resolution or templates"
                )
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            found.append(f"sources {', '.join(twice)} are listed twice; state one repeat for each")
        ratios = [source.ratio is not None for source in self.sources]
        if any(ratios) and not all(ratios):
            found.append("either all sources have a ratio or none has")
        repeats = any(source.repeat is not None for source in self.sources)
        if (any(ratios) + repeats + (self.temperature is not None)) > 1:
            found.append("repeat, ratio and temperature exclude each other")
        if self.epoch_samples is not None and not (any(ratios) or self.temperature):
            found.append("epoch_samples goes with ratios or a temperature; repeats state the length")
        return found


def read_mix(name_or_path: str | Path, root: str | None = None) -> MixSettings:
    """The settings of a mix: one that ships (``mix/synth``) or a YAML or JSON file.

    RSCoVLM's own files, a bare JSON list of strings, are read as well.

    Args:
        name_or_path: of the mix.
        root: takes precedence over the one in the file.

    Raises:
        ConfigError: naming all that is wrong with it.
    """
    settings, found = examine_mix(name_or_path, root)
    if settings is None or found:
        raise ConfigError("; ".join(found))
    return settings


def examine_mix(name_or_path: str | Path, root: str | None = None) -> tuple[MixSettings | None, list[str]]:
    """As much of a mix as is right, and one line for each thing that is wrong with it.

    Args:
        name_or_path, root: see ``read_mix``.

    Raises:
        ConfigError: there is no such mix, or it is no YAML or JSON.
    """
    path = Path(name_or_path)
    settings, found = _right_part(_stated(path))
    if settings is not None:
        found += [("", problem) for problem in settings.contradictions()]
        if root is None and path.is_file():
            root = str((path.parent / (settings.root or ".")).resolve())
        settings = settings if root is None else settings.model_copy(update={"root": root})
    return settings, [told([problem], f"mix {name_or_path}") for problem in found]


def _right_part(data: Mapping[str, Any]) -> tuple[MixSettings | None, list[Problem]]:
    """Settings without the keys and sources that are wrong; None where no source is left."""
    found: list[Problem] = []
    while True:
        try:
            return MixSettings.model_validate(data), found
        except ValidationError as error:
            found += problems(error, MixSettings)
            places = [entry["loc"] for entry in error.errors()]
        wrong = {place[1] for place in places if place[0] == "sources" and len(place) > 1}
        if not wrong and any(place[0] == "sources" for place in places):
            return None, found
        data = {
            name: value
            for name, value in data.items()
            if name not in {place[0] for place in places} - {"sources"}
        }
        data["sources"] = [source for place, source in enumerate(data["sources"]) if place not in wrong]
        if not data["sources"]:
            return None, found


def _stated(path: Path) -> dict[str, Any]:
    """What a file, or a mix that ships, holds; a bare list is one of sources."""
    if path.suffix != ".json" or not path.is_file():
        return load_config(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except ConfigError as error:
        raise ConfigError(f"mix {path}: {error}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"mix {path} is not valid JSON: {error}") from None
    return {"sources": data} if isinstance(data, list) else data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)} set twice; remove one of them")
    return dict(pairs)


class Order(Sequence[Key]):
    """The visits of an epoch, in order, as three arrays."""

    def __init__(self, names: Sequence[str], source: np.ndarray, index: np.ndarray, visit: np.ndarray):
        self.names, self._source, self._index, self._visit = names, source, index, visit

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, place: int) -> Key: ...
    @overload
    def __getitem__(self, place: slice) -> Order: ...
    def __getitem__(self, place: int | slice) -> Key | Order:
        if isinstance(place, slice):
            return Order(self.names, self._source[place], self._index[place], self._visit[place])
        return Key(self.names[self._source[place]], int(self._index[place]), int(self._visit[place]))


class Mix:
    """Sources and how often each is drawn.

    Args:
        sources: by name.
        draws: how many samples of each an epoch draws.
        seed: random seed of the run.
        splits: which samples of each source training may draw, and which are kept for evaluation
            (``rscovlm.data.holdout``); None draws all.
        facts: whatever else the content depends on, for the fingerprint.
        curriculum: an order from easy to hard; None shuffles.

    Attributes:
        held_out: the keys of each source that are kept for evaluation.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        draws: Mapping[str, int],
        seed: int,
        splits: Mapping[str, Split] | None = None,
        facts: str = "",
        curriculum: Curriculum | None = None,
    ) -> None:
        self.sources, self.draws, self.seed = dict(sources), dict(draws), seed
        self._curriculum = curriculum
        self._ranks = {} if curriculum is None else hardness(self.sources, curriculum)
        splits = splits or {}
        # Where all are trained on, their indices are not listed: a generator may be endless.
        self._trained = {name: s.trained for name, s in splits.items() if s.trained is not None}
        self.held_out = {
            name: [Key(name, int(index), 0) for index in (splits[name].held_out if name in splits else ())]
            for name in self.sources
        }
        self._facts = facts

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes the samples or their order."""
        parts = [f"{name} {len(source)} {self.draws[name]}" for name, source in self.sources.items()]
        held = [f"{name} {[key.index for key in keys]}" for name, keys in self.held_out.items()]
        text = "\n".join([str(self.seed), self._facts, *parts, *held])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def trained_on(self, name: str) -> int:
        """Samples of a source that training may draw."""
        return len(self._trained[name]) if name in self._trained else len(self.sources[name])

    def order(self, epoch: int) -> Order:
        """The visits of an epoch: a pure function of the seed and the epoch."""
        parts = [self._walk(name, epoch) for name in self.sources]
        source = np.repeat(np.arange(len(parts), dtype=np.int16), [len(index) for index, _ in parts])
        shuffle = generator(self.seed, "order", epoch).permutation(len(source))
        for place, name in enumerate(self.sources):
            if self.sources[name].in_order:
                # Its samples keep the places that were drawn for it, and their own order among these.
                own = source[shuffle] == place
                shuffle[own] = np.sort(shuffle[own])
        index, visit = (np.concatenate(column) for column in zip(*parts, strict=True))
        shuffle = shuffle[self._easy_first(source[shuffle], index[shuffle], epoch)]
        return Order(list(self.sources), source[shuffle], index[shuffle], visit[shuffle])

    def _easy_first(
        self, source: NDArray[np.int16], index: NDArray[np.int64], epoch: int
    ) -> NDArray[np.int64]:
        """(n,) order of visits under the curriculum; as they stand where it has faded or there is none."""
        strength = 0.0 if self._curriculum is None else self._curriculum.strength_in(epoch)
        if strength == 0:
            return np.arange(len(source))
        chance = generator(self.seed, "curriculum", epoch).random(len(source))
        rank = np.empty(len(source))
        for place, name in enumerate(self.sources):
            own = source == place
            rank[own] = self._ranks[name][index[own]]
        return np.argsort(strength * rank + (1 - strength) * chance, kind="stable")

    def _walk(self, name: str, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """(draws,) indices and visits of a source in an epoch, going on where the last one stopped."""
        size, draws = self.trained_on(name), self.draws[name]
        place = np.arange(epoch * draws, (epoch + 1) * draws, dtype=np.int64)
        visit, offset = np.divmod(place, size)
        index = offset
        for passed in () if self.sources[name].in_order else np.unique(visit):
            chosen = visit == passed
            walk = generator(self.seed, name, "walk", int(passed)).permutation(size)
            index[chosen] = walk[offset[chosen]]
        return self._trained[name][index] if name in self._trained else index, visit


def draws_per_epoch(
    settings: MixSettings, sources: Mapping[str, Source], splits: Mapping[str, Split] | None = None
) -> dict[str, int]:
    """How many samples of each source an epoch draws, of those that training may draw.

    Raises:
        ConfigError: a source is empty.
    """
    empty = [name for name, source in sources.items() if len(source) == 0]
    if empty:
        raise ConfigError(f"sources {', '.join(empty)} hold no samples; leave them out of the mix")
    left = {name: splits[name].trained if splits else None for name in sources}
    sizes = {
        name: len(source) if (own := left[name]) is None else len(own) for name, source in sources.items()
    }
    sizes |= {name: EPOCH_OF_ENDLESS for name, size in sizes.items() if size == ENDLESS}
    ratios = {source.name: source.ratio for source in settings.sources if source.ratio is not None}
    if not ratios and settings.temperature is None:
        repeats = {source.name: source.repeat or 1.0 for source in settings.sources}
        return {name: max(1, round(size * repeats[name])) for name, size in sizes.items()}
    per_sample = dict.fromkeys(sizes, 1.0)
    if settings.unit == "tokens":
        per_sample = {name: mean_length(source) for name, source in sources.items()}
    if not ratios:
        power = 1 / float(settings.temperature or 1)
        ratios = {name: (sizes[name] * per_sample[name]) ** power for name in sizes}
    # A share of tokens is a share of samples over the tokens that each brings.
    shares = {name: float(ratios[name] or 0) / per_sample[name] for name in sizes}
    total = settings.epoch_samples or sum(sizes.values())
    whole = sum(shares.values())
    return {name: max(1, round(total * share / whole)) for name, share in shares.items()}


def mean_length(source: Source) -> float:
    """Mean tokens of a source's samples, from evenly spaced ones; broken ones do not count."""
    lengths, most = [], min(len(source), EPOCH_OF_ENDLESS)
    for index in np.linspace(0, most - 1, min(_PROBE, most)).round().astype(int):
        try:
            lengths.append(len(source.encode(int(index), 0).ids))
        except BROKEN:
            continue
    if not lengths:
        raise ConfigError(f"source {source.name}: none of the samples tried can be used")
    return float(np.mean(lengths))
