"""Which band of a sensor a description in a file means, however it is written.

``B04``, ``b4``, ``Band 4``, ``B04_20m``, ``T30UWB_B04_10m``, ``B4, central wavelength 665 nm`` and
``Red (665 nm)`` are one band. A description that may mean several bands, or a band of another product
(``SR_B5`` is Landsat's), means none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_MOST_JOINED = 4  # words of one name: "red edge 1", "vegetation red edge 1"
_OTHER_PRODUCTS = frozenset(("sr", "st", "toa", "qa"))  # of Landsat's bands, or of what is no reflectance
_QUALIFIERS = frozenset(("edge", "rededge", "near", "narrow", "infra", "infrared", "far", "deep", "thermal"))


def band_meant(text: str, bands: Mapping[str, Iterable[str]]) -> str | None:
    """The name of the band that a description means, None for no band or no single one.

    Args:
        text: the description.
        bands: further names of each band, by its name; neither case, leading zeros nor signs count.
    """
    known = {_plain(each): name for name, others in bands.items() for each in (name, *others)}
    words = re.findall(r"[a-z0-9]+", text.casefold())
    for length in range(min(_MOST_JOINED, len(words)), 0, -1):
        found = {
            known[joined]
            for start in range(len(words) - length + 1)
            if (joined := _plain("".join(words[start : start + length]))) in known
            and not _another(words, start, length)
        }
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _plain(name: str) -> str:
    """A name without case, signs and leading zeros; ``Band 4`` is ``b4``."""
    letters = re.sub(r"[^a-z0-9]", "", name.casefold())
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", re.sub(r"^band(?=[0-9])", "b", letters))


def _another(words: Sequence[str], start: int, length: int) -> bool:
    """Whether the words about a name make it another one: ``SR B5``, ``red edge``, ``NIR 2``."""
    name = "".join(words[start : start + length])
    if any(letter.isdigit() for letter in name):
        return start > 0 and words[start - 1] in _OTHER_PRODUCTS
    after = words[start + length] if start + length < len(words) else ""
    numbered = after.isdigit() and len(after) < 3
    return numbered or not _QUALIFIERS.isdisjoint([*words[:start], *words[start + length :]])


def found_by_name(names: Sequence[str], bands: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """1-based places of bands in a file, by the names of the sensor.

    Args:
        names: descriptions of the bands of the file, in its order; "" for none.
        bands: as of ``band_meant``.

    Raises:
        ValueError: two bands of the file are the same one.
    """
    found: dict[str, int] = {}
    for place, text in enumerate(names, start=1):
        name = band_meant(text, bands)
        if name is None:
            continue
        if name in found:
            raise ValueError(
                f"bands {found[name]} ({names[found[name] - 1]}) and {place} ({text}) both say {name}"
            )
        found[name] = place
    return {name: found[name] for name in bands if name in found}


def found_by_wavelength(
    stated_nm: Sequence[float | None], bands: Mapping[str, float | None]
) -> dict[str, int]:
    """1-based places of bands in a file that states wavelengths, by the names of the sensor.

    Args:
        stated_nm: centre of each band of the file, in nanometres.
        bands: centres of the sensor's bands. Instruments of one kind differ by less than 1 % or 10 nm.
    """
    found: dict[str, int] = {}
    for name, centre in bands.items():
        near = [
            (abs(stated - centre), place)
            for place, stated in enumerate(stated_nm, start=1)
            if centre is not None and stated is not None and abs(stated - centre) <= max(10.0, 0.01 * centre)
        ]
        if near:
            found[name] = min(near)[1]
    return found


def are_ordinals(names: Sequence[str]) -> bool:
    """Whether descriptions only count bands, as ``Band 1``, ``Band 2``, ... of a file of no names does."""
    return all(
        re.fullmatch(rf"(?i)(band|layer|channel|)\W*_?0*{place}", name.strip())
        for place, name in enumerate(names, start=1)
    )


def listed(names: Sequence[str]) -> str:
    """Names for a message: all of a few, else the first and the last ones."""
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])} ... {names[-1]}"
