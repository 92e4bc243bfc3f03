"""A training configuration from its YAML file, checked as a whole before anything is loaded.

A configuration is read by name (``train/rscovlm-7b``) or path, then ``key=value`` from the command line is
laid over it (``optimizer.lr=1e-5``). All problems are told together, each with its file and key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs import ConfigError, load_config, located
from configs.checking import Problem, problems, told
from rscovlm.journal import differences
from rscovlm.training.adapter_settings import Adapters
from rscovlm.training.conflicts import conflicts
from rscovlm.training.settings import FREE_KEYS, TrainConfig

FOLDER = "train"
COMMAND_LINE = "the command line"

RIVALS = (
    frozenset({"model", "fresh"}),
    frozenset({"steps", "epochs"}),
    frozenset({"batch.samples", "batch.packs"}),
    frozenset({"objective.soft_numbers", "objective.teacher"}),
    frozenset(f"adapters.{name}" for name in Adapters.model_fields),
)
"""Settings of which a run states one; what is laid over a file takes the place of its rivals."""


def load_train_config(name_or_path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """The configuration of a run, with overrides of the form ``key=value`` laid over it.

    Names may leave out their folder: ``rscovlm-7b`` is ``train/rscovlm-7b``.

    Raises:
        ConfigError: with all problems, each with file and key.
    """
    name, data = _read(name_or_path)
    if STAGES in data:
        raise ConfigError(f"{name}: {STAGES}: a run of several stages is not one configuration")
    config, wrong = _checked(data, overrides, name)
    if config is None:
        raise ConfigError("; ".join(message for _, message in wrong))
    return config


def _read(name_or_path: str | Path) -> tuple[str, dict[str, Any]]:
    """The full name of a configuration, and what it states."""
    name = located(name_or_path, FOLDER)
    return name, dict(load_config(name))


def _checked(
    data: dict[str, Any], overrides: Sequence[str], name: str, fixed: bool = False
) -> tuple[TrainConfig | None, list[Problem]]:
    """The configuration with overrides laid over it; or None, and all problems, each a whole message.

    Args:
        data: as stated.
        overrides: of the form ``key=value``.
        name: what messages call the file.
        fixed: whether overrides of ``model`` and ``fresh`` are left out.
    """
    wrong: list[str] = []
    overridden: set[str] = set()
    data = deepcopy(data)
    in_file = {place for leaf, _ in _leaves(data) for place in _places(leaf)}
    for text in overrides:
        key = text.partition("=")[0].strip()
        if fixed and key in ("model", "fresh"):
            continue
        problem = _override(data, text)
        if problem:
            wrong.append(f"{COMMAND_LINE}: {problem}")
        else:
            overridden.add(key)

    data = _without(data, _outdone(overridden))

    def origin(key: str) -> str:
        given = any(_at_or_below(key, known) for known in overridden)
        # A section of the command line alone: what is wrong with it as a whole is not the file's doing.
        alone = key not in in_file and any(_at_or_below(known, key) for known in overridden)
        return COMMAND_LINE if given or alone else name

    config, found = _validate(data)
    wrong += [told([(key, message)], origin(key)) for key, message in found]
    if wrong:
        return None, [("", message) for message in wrong]
    return config, []


@dataclass(frozen=True)
class Stage:
    """One of the runs that a configuration strings together.

    Attributes:
        name: unique among them; empty where the configuration has no stages.
        config: of the run; the model of a later stage stands in for what the stage before makes.
    """

    name: str
    config: TrainConfig


STAGES = "stages"
BEFORE = "the stage before"
"""The model of a later stage until the one before has made it."""

_ALIKE = ("strategy", "deepspeed", "precision")
_ONE_RUN = ("output",)


def load_stages(name_or_path: str | Path, overrides: Sequence[str] = ()) -> list[Stage]:
    """The runs of a configuration: one for each entry of its ``stages``, or the one that it is itself.

    A stage has a ``name`` and settings that are laid over those of the file; what the command line says
    comes last and holds in all of them. The first starts from the file's model, each other one from what the
    one before has made.

    Raises:
        ConfigError: with all problems, each with file and key.
    """
    name, data = _read(name_or_path)
    stated = data.pop(STAGES, None)
    if stated is None:
        return [Stage("", load_train_config(name_or_path, overrides))]
    wrong = _stage_problems(stated)
    if wrong:
        raise ConfigError(told(wrong, name))
    stages: list[Stage] = []
    for place, entry in enumerate(stated):
        own = {key: value for key, value in entry.items() if key != "name"}
        merged = _laid_over(data, own)
        if place:
            merged = {**_without(merged, {"fresh"}), "model": BEFORE}
        config, found = _checked(merged, overrides, f"{name}: {STAGES}.{place}", fixed=place > 0)
        if config is None:
            wrong += found
            continue
        stages.append(Stage(str(entry["name"]), config))
    if wrong:
        raise ConfigError("; ".join(dict.fromkeys(message for _, message in wrong)))
    for key in _ALIKE:
        if len({getattr(stage.config, key) for stage in stages}) > 1:
            raise ConfigError(f"{name}: {STAGES}: {key} has to be the same in all stages of a run")
    return stages


def _stage_problems(stated: Any) -> list[Problem]:
    if not isinstance(stated, list) or not stated or not all(isinstance(entry, Mapping) for entry in stated):
        return [(STAGES, "expected a list of stages, each a mapping of a name and settings")]
    names = [str(entry.get("name", "")) for entry in stated]
    found = []
    for place, (name, entry) in enumerate(zip(names, stated, strict=True)):
        if not re.fullmatch(r"[\w-]+", name):
            problem = f"a stage needs a name of letters, digits, - and _, not {name!r}"
            found.append((f"{STAGES}.{place}.name", problem))
        found += [
            (f"{STAGES}.{place}.{key}", "is that of the whole run; state it beside the stages")
            for key in _ONE_RUN
            if key in entry
        ]
        if place and {"model", "fresh"} & entry.keys():
            found.append((f"{STAGES}.{place}", "starts from what the stage before makes; leave model out"))
    if len(set(names)) < len(names):
        found.append((STAGES, "two stages have the same name"))
    return found


def _laid_over(data: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those of a stage in their place; of two that exclude each other the stage's stays."""
    merged = _without(data, _outdone(key for key, _ in _leaves(own)))
    return _merged(merged, own)


def _merged(data: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(data)
    for key, value in own.items():
        inner = merged.get(key)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            merged[key] = _merged(inner, value)
        else:
            merged[key] = value
    return merged


def _outdone(given: Iterable[str]) -> set[str]:
    """The rivals of settings that are given, but for those that are given themselves."""
    keys = list(given)
    outdone: set[str] = set()
    for rivals in RIVALS:
        stated = {rival for rival in rivals if any(_at_or_below(key, rival) for key in keys)}
        if stated:
            outdone |= rivals - stated
    return outdone


def _at_or_below(key: str, place: str) -> bool:
    return key == place or key.startswith(f"{place}.")


def _places(key: str) -> list[str]:
    """``a.b.c``: ``a``, ``a.b``, ``a.b.c``."""
    parts = key.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Differences between two configurations (as JSON) that change what is learnt: ``key was a, now b``."""
    return [words for key, words in differences(before, now).items() if not _free(key)]


def _free(key: str) -> bool:
    return any(_at_or_below(key, free) for free in FREE_KEYS)


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _override(data: dict[str, Any], text: str) -> str | None:
    """Lay one ``key=value`` over the data; what is wrong with it, or None."""
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        return f"{text!r} is no override; write key=value, such as optimizer.lr=1e-5"
    *path, last = key.strip().split(".")
    for part in path:
        inner = data.get(part)
        if inner is not None and not isinstance(inner, Mapping):
            return f"{text!r}: {part} is {inner!r}, which has no keys"
        data[part] = dict(inner or {})
        data = data[part]
    try:
        data[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        return f"{text!r}: the value is not valid YAML"
    return None


def _validate(data: dict[str, Any]) -> tuple[TrainConfig | None, list[Problem]]:
    """The configuration, or None, and all problems as (key, message)."""
    try:
        config = TrainConfig.model_validate(data)
    except ValidationError as error:
        found = problems(error, TrainConfig)
    else:
        return config, conflicts(config, set())
    wrong = {key for key, _ in found}
    rest = {"mix": "", **_without(data, wrong)}
    if not {"model", "fresh"} & rest.keys():
        rest["model"] = ""
    rest["optimizer"] = {"lr": 1.0, **rest.get("optimizer", {})}
    rest.setdefault("batch", {})
    try:
        checked = TrainConfig.model_validate(rest)
    except (ValidationError, TypeError):
        return None, found
    return None, found + conflicts(checked, wrong)


def _without(data: Mapping[str, Any], keys: set[str], prefix: str = "") -> dict[str, Any]:
    """The data without the values at some keys, so that the rest can be checked as well."""
    return {
        key: _without(value, keys, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in data.items()
        if f"{prefix}{key}" not in keys
    }
