"""Questions about plots, and the facts that they may begin with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rscovlm.data.agbd import Footprint
from rscovlm.data.plot_views import RADAR
from rscovlm.data.seasons import day_of, seasons_of
from rscovlm.synth.forest import MOST_MG_HA, SIDE
from tiling.dates import parted

QUESTIONS = {
    "activity": "What do people do here?",
    "cover": "What is the land cover in the middle?",
    "count": "How many patches of forest are there?",
    "number": "What is the above-ground biomass in the middle, in Mg/ha?",
}
"""Words of questions, by the kind of answer. The number is the head's where ``number`` is not among them."""

HINTS = ("sensor", "range", "season", "place", "elevation")
"""Facts that a question about a number may begin with: what took the images, which values can be, in which
season, where and how high the plot lies."""
SAID_OF_ANY = ("sensor", "range")
"""Those that are the same for all plots; the others are left out at every other visit, so that a model does
without them, too."""
SAID_OF_SCENES = (*SAID_OF_ANY, "season")
"""Those that hold for a whole scene, so that a model is told them when it is asked, where they are known; the
others are left out then, of scenes and of plots alike."""
SEASON = "Seen in {season}."


def hint_of(hint: str, views: Sequence[str], plot: Footprint | None = None) -> str:
    """A sentence; empty for a season that is not known.

    Args:
        hint: a name of ``HINTS``.
        views: that are shown.
        plot: for those that are not ``SAID_OF_ANY``.
    """
    if hint == "sensor":
        radar = [view in RADAR for view in views]
        sensors = ["Sentinel-2"] * (not all(radar)) + ["PALSAR-2"] * any(radar)
        return f"Images of {' and '.join(sensors)}, 250 m across."
    if hint == "range":
        return f"Values lie between 0 and {MOST_MG_HA:.0f} Mg/ha."
    assert plot is not None, f"hint {hint} is about one plot"
    if hint == "season":
        season = season_at(plot, max(parted(view)[1] for view in views))
        return SEASON.format(season=season) if season else ""
    if hint == "elevation":
        height = np.nan if plot.elevation_m is None else plot.elevation_m[SIDE // 2, SIDE // 2]
        return f"Elevation {height:.0f} m." if np.isfinite(height) else "Elevation unknown."
    lat, lon = (plot.numbers.get(axis, np.nan) for axis in ("lat", "lon"))
    if not np.isfinite([lat, lon]).all():
        return "Place unknown."
    return f"Latitude {lat:.0f}, longitude {lon:.0f} degrees."


def season_at(plot: Footprint, dates: int) -> str:
    """The seasons in which a plot was seen, as ``rscovlm.data.seasons.seasons_of`` says; empty where unknown.

    Args:
        plot: as it is read.
        dates: of its images, the first ones, that are shown.
    """
    taken = [day_of(day) for day in plot.days[:dates]]
    return seasons_of(taken, plot.numbers.get("lat", np.nan)) if len(taken) == dates else ""
