"""Zoom settings from YAML: ``zoom/default`` and its like, checked with all problems in one message."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from configs import ConfigError, available, load_config
from zoom_chain.budget import Budget
from zoom_chain.looks import CropRule
from zoom_chain.policies import CHAIN, POLICIES, ZoomPolicy

Section = TypeVar("Section")


@dataclass(frozen=True)
class ZoomSettings:
    """What a configuration of the Zoom-in Chain holds.

    Attributes:
        policy: ``off``, ``single`` or ``chain``.
        budget: what one question may cost.
        crops: how a requested box becomes the window that is read.
    """

    policy: ZoomPolicy = CHAIN
    budget: Budget = field(default_factory=Budget)
    crops: CropRule = field(default_factory=CropRule)


def load_zoom_settings(name_or_path: str | Path = "zoom/default") -> ZoomSettings:
    """The settings in a shipped configuration or a YAML file; what it leaves out keeps its default.

    Raises:
        ConfigError: naming all unknown keys and wrong values at once.
    """
    return zoom_settings(load_config(name_or_path), str(name_or_path))


def default_zoom_settings(dialect: str) -> ZoomSettings:
    """The settings that ship for a dialect (``zoom/nano``), or ``zoom/default`` where none do."""
    name = f"zoom/{dialect}"
    return load_zoom_settings(name if name in available() else "zoom/default")


def zoom_settings(data: Mapping[str, Any], source: str = "zoom settings") -> ZoomSettings:
    """The settings in a mapping; ``source`` is what an error message calls it.

    Raises:
        ConfigError: naming all unknown keys and wrong values at once.
    """
    problems = _unknown(data, [f.name for f in fields(ZoomSettings)], "")
    name = data.get("policy", CHAIN.name)
    name = "off" if name is False else name  # YAML 1.1 reads a bare off as false
    if not isinstance(name, str) or name not in POLICIES:
        problems.append(f"policy {name!r} is unknown; choose from {', '.join(POLICIES)}")
    budget = _section(Budget, data.get("budget"), "budget", problems)
    crops = _section(CropRule, data.get("crops"), "crops", problems)
    if problems or budget is None or crops is None:
        raise ConfigError(f"{source}: " + "; ".join(problems))
    return ZoomSettings(POLICIES[name], budget, crops)


def _section(kind: type[Section], data: Any, name: str, problems: list[str]) -> Section | None:
    """A dataclass of numbers from its mapping; None where that failed, with the reasons added to problems."""
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        problems.append(f"{name} holds a {type(data).__name__}; a mapping is needed")
        return None
    hints = get_type_hints(kind)
    found = _unknown(data, list(hints), f"{name}.")
    for key in hints.keys() & data.keys():
        if not _fits(data[key], hints[key]):
            found.append(f"{name}.{key} is {data[key]!r}; {_describe(hints[key])} is needed")
    problems += sorted(found)
    if found:
        return None
    try:
        return kind(**data)
    except ValueError as error:
        problems.append(f"{name}: {error}")
        return None


def _unknown(data: Mapping[str, Any], known: list[str], prefix: str) -> list[str]:
    return [
        f"{prefix}{key} is unknown; known are {', '.join(prefix + k for k in known)}"
        for key in data
        if key not in known
    ]


def _fits(value: Any, hint: Any) -> bool:
    """Whether a YAML value is a number of the annotated kind; a whole number serves as a float too."""
    if get_origin(hint) is types.UnionType:
        return any(_fits(value, option) for option in get_args(hint))
    if hint is types.NoneType:
        return value is None
    return isinstance(value, (int, float) if hint is float else hint) and not isinstance(value, bool)


def _describe(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", types.NoneType: "null"}
    return " or ".join(names[option] for option in get_args(hint) or (hint,))
