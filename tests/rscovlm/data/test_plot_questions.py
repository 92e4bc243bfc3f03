"""Sentences that a question may begin with."""

import numpy as np
import pytest

from rscovlm.data.agbd import Footprint
from rscovlm.data.plot_questions import HINTS, SAID_OF_ANY, SAID_OF_SCENES, hint_of


def plot(height=431.6, days=(), **numbers):
    elevation = None if height is None else np.full((25, 25), float(height))
    return Footprint("k", "t", np.zeros(1), np.zeros(1), None, elevation, None, numbers, days=days)


@pytest.mark.parametrize(
    ("hint", "views", "given", "sentence"),
    [
        ("sensor", ("natural", "sar"), None, "Images of Sentinel-2 and PALSAR-2, 250 m across."),
        ("sensor", ("swir",), None, "Images of Sentinel-2, 250 m across."),
        ("sensor", ("sar_power",), None, "Images of PALSAR-2, 250 m across."),
        ("sensor", ("sar",), None, "Images of PALSAR-2, 250 m across."),
        ("range", ("swir",), None, "Values lie between 0 and 500 Mg/ha."),
        ("elevation", ("swir",), plot(), "Elevation 432 m."),
        ("elevation", ("swir",), plot(None), "Elevation unknown."),
        ("elevation", ("swir",), plot(np.nan), "Elevation unknown."),
        ("place", ("swir",), plot(lat=-3.4, lon=120.6), "Latitude -3, longitude 121 degrees."),
        ("place", ("swir",), plot(), "Place unknown."),
        ("season", ("swir",), plot(days=(0.0, 90.0), lat=47.0), "Seen in spring."),
        (
            "season",
            ("swir", "sar", "swir@2"),
            plot(days=(0.0, 90.0), lat=47.0),
            "Seen in spring, then summer.",
        ),
        ("season", ("swir@2",), plot(days=(-90.0, 0.0), lat=-47.0), "Seen in summer, then autumn."),
        ("season", ("swir@2",), plot(days=(0.0,), lat=47.0), ""),
        ("season", ("swir",), plot(days=(np.nan,), lat=47.0), ""),
        ("season", ("swir",), plot(days=(0.0,)), ""),
    ],
)
def test_a_hint_is_a_sentence_about_the_images_or_the_plot(hint, views, given, sentence):
    assert hint_of(hint, views, given) == sentence


def test_hints_of_any_plot_are_hints():
    assert set(SAID_OF_ANY) < set(SAID_OF_SCENES) < set(HINTS)
