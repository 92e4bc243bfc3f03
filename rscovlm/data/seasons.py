"""Seasons: what a date is called at a place, as hints of questions and the words of maps have it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from rscovlm.data.agbd import GEDI_BEGAN

SEASONS = ("winter", "spring", "summer", "autumn")
"""Meteorological seasons, of three whole months each; in the north winter begins in December."""


def season_of(taken: date, lat: float) -> str:
    """The season of a date.

    Args:
        taken: the date.
        lat: degrees; from the equator northwards seasons are those of the north.
    """
    quarter = taken.month % 12 // 3
    return SEASONS[quarter if lat >= 0 else (quarter + 2) % 4]


def seasons_of(taken: Sequence[date | None], lat: float) -> str:
    """The seasons of images of one place, such as ``summer`` or ``spring, then summer``; empty where unknown.

    Args:
        taken: when each was taken, in order; None where that is not known.
        lat: degrees; NaN where the place is not known.
    """
    known = [each for each in taken if each is not None]
    if len(known) != len(taken) or not known or not np.isfinite(lat):
        return ""
    return ", then ".join(dict.fromkeys(season_of(each, lat) for each in known))


def day_of(days: float | None) -> date | None:
    """The date of a number of days since the start of GEDI's mission, as AGBD counts them; None for unknown.

    AGBD's Sentinel-2 dates may lie before it, and are negative then.
    """
    if days is None or not np.isfinite(days):
        return None
    began: date = GEDI_BEGAN.astype(object)
    return began + timedelta(days=round(days))
