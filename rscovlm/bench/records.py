"""Items and rows as JSON, both ways: a line of a run's log holds everything that a protocol may ask for."""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from configs.checking import problems, told
from rscovlm.bench.item import Item
from rscovlm.bench.row import Row
from rscovlm.errors import DataError


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made when it is first used: building one takes longer than reading a row."""
    return TypeAdapter(kind)


def item_to_json(item: Item) -> dict[str, Any]:
    """An item of values that JSON can hold; what is empty is left out."""
    return _without_gaps(_adapter(Item).dump_python(item, mode="json"))


def item_from_json(record: Any, place: str = "") -> Item:
    """The item that ``item_to_json`` gave.

    Args:
        record: as JSON gives it.
        place: file and line, for the error.

    Raises:
        DataError: naming the fields that are wrong.
    """
    found: Item = _read(Item, record, place)
    return found


def row_to_json(row: Row) -> dict[str, Any]:
    """A row of values that JSON can hold; what is empty is left out."""
    record: dict[str, Any] = _adapter(Row).dump_python(row, mode="json")
    return {name: value for name, value in record.items() if not (name in _OF_ROW and _empty(value))} | {
        "item": _without_gaps(record["item"])
    }


def _optional(kind: Any) -> frozenset[str]:
    return frozenset(
        field.name
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    )


_OF_ROW, _OF_ITEM = _optional(Row), _optional(Item)


def _without_gaps(item: dict[str, Any]) -> dict[str, Any]:
    """The record of an item without the fields that hold nothing; an empty list of boxes is something."""
    truth = item["truth"]
    kept = {name: value for name, value in item.items() if not (name in _OF_ITEM and _empty(value))}
    boxes = {} if truth["polygons"] is None else {"polygons": truth["polygons"]}
    return kept | {"truth": {name: value for name, value in truth.items() if not _empty(value)} | boxes}


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def row_from_json(record: Any, place: str = "") -> Row:
    """The row that ``row_to_json`` gave.

    Raises:
        DataError: naming the fields that are wrong.
    """
    found: Row = _read(Row, record, place)
    return found


def _read(kind: Any, record: Any, place: str) -> Any:
    try:
        return _adapter(kind).validate_python(record)
    except ValidationError as error:
        raise DataError(told(problems(error, kind), place)) from None
