"""Settings checked against a model: all problems in one message, each with its file and key."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import reprlib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from configs import ConfigError

Settings = TypeVar("Settings")
Problem = tuple[str, str]
"""The key of a wrong setting (``batch.packs``; empty for the whole) and what is wrong with it."""

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused, values never change once read."""

    formerly: ClassVar[Mapping[str, str]] = {}
    """Keys of earlier versions, and what to write now."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )


def given(table: Section) -> dict[str, Any]:
    """The entries of a table of optional sections that a configuration states, in the order of the table."""
    found = {name: getattr(table, name) for name in type(table).model_fields}
    return {name: entry for name, entry in found.items() if entry is not None}


def checked(kind: type[Settings], data: Mapping[str, Any], source: str) -> Settings:
    """Settings of a kind from the mapping in a YAML file; nothing is converted, so that "3" is not a number.

    Args:
        kind: a pydantic model or a dataclass.
        data: from the file.
        source: name of the file in error messages.

    Raises:
        ConfigError: naming every unknown key and wrong value.
    """
    text = json.dumps(data, default=str)
    try:
        return cast(Settings, _adapter(cast(Any, kind)).validate_json(text, strict=True))
    except ValidationError as error:
        raise ConfigError(told(problems(error, kind), source)) from None


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def told(found: Sequence[Problem], source: str) -> str:
    """Problems as one line: ``FILE: KEY: MESSAGE; FILE: KEY: MESSAGE``."""
    return "; ".join(": ".join(filter(None, (source, key, message))) for key, message in found)


def problems(error: ValidationError, kind: Any) -> list[Problem]:
    """Pydantic's findings about settings of a kind, in the order of the fields."""
    return [_problem(dict(entry), kind) for entry in error.errors()]


def _problem(entry: Mapping[str, Any], kind: Any) -> Problem:
    path = [str(part) for part in entry["loc"]]
    key = ".".join(path)
    if entry["type"] in _UNKNOWN:
        place = _kind_at(kind, path[:-1])
        if path[-1] in (former := getattr(place, "formerly", {})):
            return key, former[path[-1]]
        return key, f"unknown setting; {_hint(path[-1], list(_fields(place)), list(_paths(kind)))}"
    if entry["type"] in _MISSING:
        return key, "is missing"
    if entry["type"] == "value_error":
        return key, entry["msg"].removeprefix("Value error, ")
    return key, f"{entry['msg'][:1].lower()}{entry['msg'][1:]}, not {reprlib.repr(entry['input'])}"


def _hint(name: str, here: Sequence[str], everywhere: Sequence[str]) -> str:
    """Advice for an unknown name: one much like it, the same in another section; else the likest, or all."""
    same = [path for path in everywhere if path.rpartition(".")[2] == name]
    near = difflib.get_close_matches(name, here, n=1, cutoff=0.8 if same else 0.5) + same
    if near:
        return f"did you mean {' or '.join(near[:3])}?"
    return f"known here are {', '.join(here)}"


def _paths(kind: Any, before: str = "", inside: tuple[Any, ...] = ()) -> Iterator[str]:
    """Keys of all settings of a kind that can be written without a place in a list or a name of one's own."""
    for name, stated in _fields(kind).items():
        yield f"{before}{name}"
        for part in _alternatives(stated):
            if _fields(part) and part not in inside:
                yield from _paths(part, f"{before}{name}.", (*inside, part))


def _kind_at(kind: Any, path: Sequence[str]) -> Any:
    """The model or dataclass at the end of a path of keys; None where there is none."""
    for part in path:
        if get_origin(kind) is dict:  # by names of the user's own
            kind = get_args(kind)[1]
        elif not part.isdigit():
            kind = _fields(kind).get(part)
        kind = next((inner for inner in _within(kind) if _fields(inner) or get_origin(inner) is dict), None)
    return kind


def _fields(kind: Any) -> dict[str, Any]:
    """Names of the settings of a model or dataclass, as a file spells them, and their types."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    if dataclasses.is_dataclass(kind):
        return get_type_hints(kind)
    return {}


def _alternatives(kind: Any) -> Iterator[Any]:
    """A type, or those of a union; of an annotation, what it is about."""
    if get_origin(kind) is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif get_origin(kind) in (Union, types.UnionType):
        for inner in get_args(kind):
            yield from _alternatives(inner)
    else:
        yield kind


def _within(kind: Any) -> Iterator[Any]:
    """A type and those inside it: of a union, a list, an annotation."""
    yield kind
    if get_origin(kind) in (Annotated, Union, types.UnionType, list, tuple):
        for inner in get_args(kind):
            yield from _within(inner)
