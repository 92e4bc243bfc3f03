"""Configurations that ship inside the wheel, resolved by name (``zoom/default``) or path."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

SUFFIX = ".yaml"


class ConfigError(Exception):
    """A configuration is missing, is not YAML, or holds what it should not; all problems in one message."""


def available(folder: str = "") -> list[str]:
    """Names of the shipped configurations, or of those in one folder (``zoom``)."""
    return sorted(name for name in _names(resources.files(__name__)) if name.startswith(folder))


def located(name_or_path: str | Path, folder: str) -> str:
    """The configuration that a name within a folder means: ``nano`` in ``train`` is ``train/nano``.

    What exists as a path stays one.

    Raises:
        ConfigError: for any other name, with those in the folder.
    """
    text = str(name_or_path)
    if Path(text).is_file():
        return text
    names = [name.removeprefix(f"{folder}/") for name in available(f"{folder}/")]
    name = text.removesuffix(SUFFIX).removeprefix(f"{folder}/")
    if name not in names:
        raise ConfigError(f"no configuration {text}: {_no_such(text, names)}")
    return f"{folder}/{name}"


def load_config(name_or_path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file: one that ships here, by name without suffix, or any other by its path.

    What exists as a path is read as one; a name never reaches outside this package.

    Raises:
        ConfigError: no such configuration, not a YAML mapping, or a key given twice.
    """
    import yaml

    text = _read(name_or_path)
    try:
        repeated = _repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader))
        if repeated:
            raise ConfigError(f"configuration {name_or_path}: {'; '.join(repeated)}")
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"configuration {name_or_path} is not valid YAML: {' '.join(str(error).split())}"
        ) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"configuration {name_or_path} holds a {type(data).__name__}; a mapping of settings is needed"
        )
    return data


def _repeated_keys(node: Any, path: str = "") -> list[str]:
    """One line for each key that a mapping holds twice, of which YAML would keep the last in silence."""
    if not isinstance(getattr(node, "value", None), list):
        return []
    found: list[str] = []
    first: dict[str, int] = {}
    for place, entry in enumerate(node.value):
        if not isinstance(entry, tuple):  # of a list
            found += _repeated_keys(entry, f"{path}{place}.")
            continue
        key, value = entry
        name, line = str(key.value), key.start_mark.line + 1
        if name in first:
            found.append(
                f"line {line}: {path}{name} is set already on line {first[name]}; remove one of them"
            )
        first.setdefault(name, line)
        found += _repeated_keys(value, f"{path}{name}.")
    return found


def _read(name_or_path: str | Path) -> str:
    path = Path(name_or_path)
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"configuration {path} cannot be read: {error}") from None
    name = str(name_or_path).removesuffix(SUFFIX)
    if name not in available():
        raise ConfigError(f"no configuration {name_or_path}: {_no_such(name_or_path, available())}")
    return resources.files(__name__).joinpath(*f"{name}{SUFFIX}".split("/")).read_text(encoding="utf-8")


def _no_such(name_or_path: str | Path, names: list[str]) -> str:
    what = "a folder, and no file" if Path(name_or_path).is_dir() else "no such file"
    return f"{what}, and none ships by that name; shipped are {', '.join(names)}"


def _names(folder: Traversable, prefix: str = "") -> list[str]:
    """Names of all YAML files below a folder, relative to it and without suffix."""
    names = []
    for entry in folder.iterdir():
        if entry.is_dir():
            names += _names(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            names.append(prefix + entry.name.removesuffix(SUFFIX))
    return names
