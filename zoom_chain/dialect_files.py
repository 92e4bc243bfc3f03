"""Dialects as data: YAML that ships in ``configs/dialects``, or any file of the same form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import Field, create_model

from configs import ConfigError, available, load_config
from configs.checking import Section, checked
from detection_eval.text.coordinates import SPACES
from zoom_chain.dialect import DIALECTS, ZoomDialect

FOLDER = "dialects"


def dialect_names() -> tuple[str, ...]:
    """Names of all dialects that ship."""
    return (*DIALECTS, *(name.removeprefix(f"{FOLDER}/") for name in available(f"{FOLDER}/")))


def load_dialect(name_or_path: str) -> ZoomDialect:
    """A dialect by name, or from a YAML file.

    A file holds the fields of ``ZoomDialect``, ``space`` by its name (``pixels``, ``0-1000``, ``0-100``,
    ``0-1``); with ``base``, the name of another dialect, only what differs from it. The file's name is the
    dialect's.

    Raises:
        ConfigError: for an unknown name, or naming all unknown keys and wrong values of a file.
    """
    if name_or_path in DIALECTS:
        return DIALECTS[name_or_path]
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return _dialect(load_config(path), path.stem, str(path))
    if name_or_path not in dialect_names():
        raise ConfigError(
            f"dialect {name_or_path!r} is unknown; choose from {', '.join(dialect_names())}, "
            "or give a YAML file"
        )
    return _dialect(load_config(f"{FOLDER}/{name_or_path}"), name_or_path, f"{FOLDER}/{name_or_path}")


def _dialect(data: Mapping[str, Any], name: str, source: str) -> ZoomDialect:
    given = {key: value for key, value in data.items() if key != "base"}
    if "base" in data:
        base = load_dialect(str(data["base"]))
        whole = {key: getattr(base, key) for key in ("tool_name", "box_key", "frame", "system_prompt")}
        given = whole | {"space": base.space.name} | given
    settings = checked(_FILE, given, source)
    values = {key: getattr(settings, key) for key in settings.model_fields_set}
    values["space"] = _space(values["space"], source)
    for key in ("stop", "image_names"):
        if values.get(key) is not None:
            values[key] = tuple(values[key])
    if "base" in data:
        return replace(base, name=name, **values)
    return ZoomDialect(name=name, **values)


def _space(name: str, source: str) -> Any:
    if name not in SPACES:
        raise ConfigError(f"{source}: space: {name!r} is unknown; choose from {', '.join(SPACES)}")
    return SPACES[name]


_TYPES: dict[str, Any] = {
    "space": (str, ...),
    "frame": (str, Field(..., pattern="^(latest|original)$")),
    "stop": (list[str], Field([], max_length=4)),
    "image_names": (list[str] | None, Field(None, min_length=2, max_length=2)),
    "image_base": (int, Field(0, ge=0, le=1)),
}
_REQUIRED = ("tool_name", "box_key", "system_prompt")
_FLAGS = ("multiline_call", "takes_label", "takes_image_index", "writes_image_index", "calls_until_seen")
_FILE: Any = create_model(
    "DialectFile",
    __base__=Section,
    **{
        field.name: _TYPES.get(
            field.name,
            (bool, False) if field.name in _FLAGS else (str, ... if field.name in _REQUIRED else ""),
        )
        for field in fields(ZoomDialect)
        if field.name != "name"
    },
)
