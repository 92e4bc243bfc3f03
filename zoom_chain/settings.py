"""Zoom settings from YAML: ``zoom/default`` and its like, checked with all problems in one message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, with_config

from configs import available, load_config
from configs.checking import checked
from zoom_chain.budget import Budget
from zoom_chain.looks import CropRule
from zoom_chain.policies import CHAIN, POLICIES, ZoomPolicy


def policy_named(name: Any) -> ZoomPolicy | None:
    """A policy by its name; None stays None.

    Raises:
        ValueError: unknown name.
    """
    if name is None:
        return None
    name = "off" if name is False else name  # YAML 1.1 reads a bare off as false
    if not isinstance(name, str) or name not in POLICIES:
        raise ValueError(f"{name!r} is unknown; choose from {', '.join(POLICIES)}")
    return POLICIES[name]


def _section(value: Any) -> Any:
    """A key without a value, as YAML allows it, has only defaults."""
    return {} if value is None else value


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class ZoomSettings:
    """A configuration of the Zoom-in Chain.

    Attributes:
        policy: one of ``zoom_chain.policies.POLICIES``, such as ``chain``.
        budget: bounds on the cost of one question.
        crops: how a requested box becomes the window that is read.
    """

    policy: Annotated[ZoomPolicy, BeforeValidator(policy_named)] = CHAIN
    budget: Annotated[Budget, BeforeValidator(_section)] = field(default_factory=Budget)
    crops: Annotated[CropRule, BeforeValidator(_section)] = field(default_factory=CropRule)


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
    return checked(ZoomSettings, data, source)
