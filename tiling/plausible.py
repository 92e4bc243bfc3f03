"""Whether the pixels of a file can be what its sensor says: their scale, and the order of their bands.

A few windows all over the scene are read, whatever its size. Values outside of what the sensor expects mean
a wrong scale, unit or version; those versions that would fit are named. Red and blue are told apart by a
neighbour in wavelength that is no part of RGB (coastal blue, red edge): it goes with the nearer one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tiling.errors import BandError
from tiling.scene import Scene
from tiling.sensors import Contract, Encoding, Expected, SensorBand
from tiling.view import Size, View, Window

_WINDOWS, _SIDE = 5, 48
_LEAST = 500  # valid pixels from which on anything is said of order
_NEAR_NM, _FAR_NM = 65.0, 110.0
_CLEAR = 0.05  # difference of correlations that does not come about by chance


def sample(scene: Scene, contract: Contract) -> dict[str, NDArray[np.float64]]:
    """Stored values of all bands of a contract, by name, of windows in a regular pattern; valid pixels only.

    Raises:
        SceneError: where they cannot be read.
    """
    names = list(contract.found)
    bands = contract.indexes(names)
    parts = []
    side_x, side_y = min(_SIDE, scene.width), min(_SIDE, scene.height)
    for row in range(_WINDOWS):
        for column in range(_WINDOWS):
            x = (scene.width - side_x) * column // (_WINDOWS - 1)
            y = (scene.height - side_y) * row // (_WINDOWS - 1)
            raster = scene.read_bands(View(Window(x, y, side_x, side_y), Size(side_y, side_x)), bands)
            known = raster.mask
            if contract.sensor.nodata is not None:
                known = known & (raster.pixels != contract.sensor.nodata).all(axis=-1)
            parts.append(raster.pixels[known].astype(np.float64))
    values = np.concatenate(parts)
    return {name: values[:, place] for place, name in enumerate(names)}


def check_plausible(scene: Scene, contract: Contract) -> None:
    """Make sure that pixels can be what the contract says.

    Raises:
        BandError: with what is odd about them and what would be right.
        SceneError: where they cannot be read.
    """
    stored = sample(scene, contract)
    if not len(next(iter(stored.values()))):
        return  # nothing but nodata where it was looked: nothing can be said
    expected = contract.sensor.expected
    wrong = unusual(stored, contract.encoding, expected)
    if wrong is not None:
        fitting = [
            version
            for version, encoding in contract.sensor.versions.items()
            if version != contract.version and unusual(stored, encoding, expected) is None
        ]
        right = (
            f"version {' or '.join(f'@{each}' for each in fitting)} would fit"
            if fitting
            else "no version fits"
        )
        raise BandError(
            f"{scene.source}: {wrong} in {contract.sensor.unit} when read as {contract.encoding} "
            f"(version {contract.version}); {right}"
        )
    physical = {name: contract.encoding.physical(values) for name, values in stored.items()}
    swapped = swapped_colours(physical, contract.sensor.bands)
    if swapped is not None:
        red, blue = swapped
        raise BandError(
            f"{scene.source}: bands {contract.found[red]} ({red}) and {contract.found[blue]} ({blue}) look "
            "swapped: their neighbours in wavelength go with the other one; mend the order of bands"
        )


def unusual(stored: Mapping[str, NDArray[np.float64]], encoding: Encoding, expected: Expected) -> str | None:
    """A note on what is unusual about values under an encoding; None where nothing is."""
    low, high = expected.percentiles
    everything = []
    for name, values in stored.items():
        physical = encoding.physical(values)
        physical = physical[np.isfinite(physical)]
        if not len(physical):
            return f"{name} has no value"
        everything.append(physical)
        bottom, top = np.percentile(physical, (1, 99))
        if bottom < low or top > high:
            return f"{name} is {bottom:.4g} to {top:.4g}, not within {low:g} to {high:g},"
    median = float(np.median(np.concatenate(everything)))
    if not expected.median[0] <= median <= expected.median[1]:
        return f"the median is {median:.4g}, not within {expected.median[0]:g} to {expected.median[1]:g},"
    return None


def swapped_colours(
    values: Mapping[str, NDArray[np.float64]], bands: Sequence[SensorBand]
) -> tuple[str, str] | None:
    """Names of the red and the blue band where they look swapped; None where they do not, or nobody can tell.

    Args:
        values: (n,) of each band that the file has, by name.
        bands: of the sensor.
    """
    at = {b.name: b.wavelength_nm for b in bands if b.wavelength_nm is not None and b.name in values}
    red, blue = _nearest(at, 660), _nearest(at, 485)
    if red is None or blue is None or red == blue or len(values[red]) < _LEAST:
        return None
    evidence = []
    for name, wavelength in at.items():
        to_red, to_blue = abs(wavelength - at[red]), abs(wavelength - at[blue])
        if name in (red, blue) or min(to_red, to_blue) > _NEAR_NM or max(to_red, to_blue) < _FAR_NM:
            continue
        with_red, with_blue = (_correlation(values[name], values[other]) for other in (red, blue))
        evidence.append((with_red - with_blue) * (1 if to_red < to_blue else -1))
    return (red, blue) if evidence and max(evidence) < -_CLEAR else None


def _nearest(at: Mapping[str, float], wavelength_nm: float) -> str | None:
    near = {
        name: abs(value - wavelength_nm) for name, value in at.items() if abs(value - wavelength_nm) <= 40
    }
    return min(near, key=lambda name: near[name], default=None)


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    if not (one.std() > 0 and other.std() > 0):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
