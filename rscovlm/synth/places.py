"""Named places by the function that lays out their ground."""

from __future__ import annotations

from collections.abc import Callable

from rscovlm.synth.airport import airport
from rscovlm.synth.harbour import harbour
from rscovlm.synth.layout import Layout, Room
from rscovlm.synth.leisure import garden_quarter, sports_ground
from rscovlm.synth.yards import car_park, tank_farm, truck_yard

PLACES: dict[str, Callable[[Layout, Room], None]] = {
    "airport": airport,
    "harbour": harbour,
    "tank farm": tank_farm,
    "sports ground": sports_ground,
    "car park": car_park,
    "truck yard": truck_yard,
    "garden quarter": garden_quarter,
}
"""All kinds of place but the river crossing, which has no ground of its own."""


def lay_out(name: str, layout: Layout, room: Room) -> None:
    """Lay out the ground of a named place.

    Raises:
        KeyError: no such place has a ground of its own.
    """
    PLACES[name](layout, room)
