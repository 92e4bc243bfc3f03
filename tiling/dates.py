"""Names of what was seen at several dates of one place: ``B04`` at the first, ``B04@2`` at the second.

And when a file says that it was taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date as Date

MARK = "@"

UNDATED = frozenset({"HH", "HV"})
"""Bands of radar, which is a mosaic of a year and the same at all dates of a place."""


def dated(name: str, date: int) -> str:
    """The name of a band or a view at a date, counted from 1."""
    return name if date == 1 else f"{name}{MARK}{date}"


def parted(name: str) -> tuple[str, int]:
    """The name at the first date, and the date; a name that is not written like this is of the first.

    ``B04@1`` is not: one thing has one name.
    """
    base, mark, date = name.rpartition(MARK)
    if mark and base and date.isdecimal() and date == str(int(date)) and int(date) > 1:
        return base, int(date)
    return name, 1


def bands_at(bands: Iterable[str], date: int) -> tuple[str, ...]:
    """Names of bands at a date; those of ``UNDATED`` stay as they are."""
    return tuple(band if band in UNDATED else dated(band, date) for band in bands)


_ACQUIRED = (
    *("ACQUISITION_DATE", "DATE_ACQUIRED", "ACQUISITIONDATETIME", "ACQUISITION_DATETIME"),
    *("SENSING_TIME", "PRODUCT_START_TIME", "DATATAKE_1_DATATAKE_SENSING_START", "DATETIME", "ACQUIRED"),
)
_DAY = re.compile(r"\s*(\d{4})[-:/]?(\d\d)[-:/]?(\d\d)(?!\d)")


def acquired(tags: Mapping[str, str]) -> Date | None:
    """When a file says that it was taken; None where it does not.

    ``TIFFTAG_DATETIME`` does not count: it is when a file was written.

    Args:
        tags: of the file, those of other domains as ``DOMAIN:NAME``.
    """
    known = {name.rpartition(":")[2].upper(): value for name, value in tags.items()}
    for name in _ACQUIRED:
        found = _DAY.match(known.get(name, ""))
        if found is not None:
            try:
                return Date(*map(int, found.groups()))
            except ValueError:
                continue
    return None
