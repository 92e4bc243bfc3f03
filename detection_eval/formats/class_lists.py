"""The class lists of the field's data sets, in the order of MMRotate's data sets, by name.

A label in a file of results is an index, so the order is part of a list. Where repositories disagree the
variants have names of their own, such as ``srsdd`` and ``srsdd-mmrotate``.
"""

from __future__ import annotations

from pathlib import Path

from detection_eval.errors import FormatError, SettingError
from detection_eval.formats.lines import numbered_lines

DOTA_V1_0 = (
    "plane",
    "baseball-diamond",
    "bridge",
    "ground-track-field",
    "small-vehicle",
    "large-vehicle",
    "ship",
    "tennis-court",
    "basketball-court",
    "storage-tank",
    "soccer-ball-field",
    "roundabout",
    "harbor",
    "swimming-pool",
    "helicopter",
)
DOTA_V1_5 = (*DOTA_V1_0, "container-crane")
DOTA_V2_0 = (*DOTA_V1_5, "airport", "helipad")

DIOR_R = (
    "airplane",
    "airport",
    "baseballfield",
    "basketballcourt",
    "bridge",
    "chimney",
    "expressway-service-area",
    "expressway-toll-station",
    "dam",
    "golffield",
    "groundtrackfield",
    "harbor",
    "overpass",
    "ship",
    "stadium",
    "storagetank",
    "tenniscourt",
    "trainstation",
    "vehicle",
    "windmill",
)

FAIR1M = (
    "Boeing737",
    "Boeing747",
    "Boeing777",
    "Boeing787",
    "C919",
    "A220",
    "A321",
    "A330",
    "A350",
    "ARJ21",
    "Passenger Ship",
    "Motorboat",
    "Fishing Boat",
    "Tugboat",
    "Engineering Ship",
    "Liquid Cargo Ship",
    "Dry Cargo Ship",
    "Warship",
    "Small Car",
    "Bus",
    "Cargo Truck",
    "Dump Truck",
    "Van",
    "Trailer",
    "Tractor",
    "Excavator",
    "Truck Tractor",
    "Basketball Court",
    "Tennis Court",
    "Football Field",
    "Baseball Field",
    "Intersection",
    "Roundabout",
    "Bridge",
)
"""Without the three ``other-`` categories, which LMMRotate and RSCoVLM leave out."""

FAIR1M_37 = (*FAIR1M, "other-airplane", "other-ship", "other-vehicle")

HRSC2016 = ("ship",)

HRSC2016_CODES = {
    "01": "ship",
    "02": "aircraft carrier",
    "03": "warcraft",
    "04": "merchant ship",
    "05": "Nimitz",
    "06": "Enterprise",
    "07": "Arleigh Burke",
    "08": "WhidbeyIsland",
    "09": "Perry",
    "10": "Sanantonio",
    "11": "Ticonderoga",
    "12": "Kitty Hawk",
    "13": "Kuznetsov",
    "14": "Abukuma",
    "15": "Austen",
    "16": "Tarawa",
    "17": "Blue Ridge",
    "18": "Container",
    "19": "OXo|--)",
    "20": "Car carrier([]==[])",
    "22": "Hovercraft",
    "24": "yacht",
    "25": "CntShip(_|.--.--|_]=",
    "26": "Cruise",
    "27": "submarine",
    "28": "lute",
    "29": "Medical",
    "30": "Car carrier(======|",
    "31": "Ford-class",
    "32": "Midway-class",
    "33": "Invincible-class",
}
"""The last two digits of ``Class_ID``, with the names that MMRotate gives them."""

HRSC2016_31 = tuple(HRSC2016_CODES.values())

SRSDD = ("Cell-Container", "Container", "Dredger", "Fishing", "LawEnforce", "ore-oil")
SRSDD_MMROTATE = ("Container", "Dredger", "LawEnforce", "Cell-Container", "ore-oil", "Fishing")

RSAR = ("ship", "aircraft", "car", "tank", "bridge", "harbor")

CLASS_LISTS = {
    "dota-v1.0": DOTA_V1_0,
    "dota-v1.5": DOTA_V1_5,
    "dota-v2.0": DOTA_V2_0,
    "dior-r": DIOR_R,
    "fair1m": FAIR1M,
    "fair1m-37": FAIR1M_37,
    "hrsc2016": HRSC2016,
    "hrsc2016-31": HRSC2016_31,
    "srsdd": SRSDD,
    "srsdd-mmrotate": SRSDD_MMROTATE,
    "rsar": RSAR,
}


def classes(name: str | Path) -> tuple[str, ...]:
    """A class list by name, or from a file with one name a line (empty lines and ``#`` lines apart).

    Raises:
        SettingError: no list and no file of that name.
        FormatError: the file has no names, or one is listed twice.
        OSError: the file cannot be read.
    """
    if str(name) in CLASS_LISTS:
        return CLASS_LISTS[str(name)]
    path = Path(name)
    if not path.is_file():
        raise SettingError(f"no class list {str(name)!r}; choose {', '.join(CLASS_LISTS)} or a file of names")
    names = tuple(line for _, line in numbered_lines(path) if not line.startswith("#"))
    if not names:
        raise FormatError(f"{path}: no class names; write one a line")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise FormatError(f"{path}: class {twice!r} is listed twice")
    return names
