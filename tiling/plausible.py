"""Whether the pixels of a file can be what its sensor says: their scale, and the order of their bands.

A few windows all over the scene are read, whatever its size. Values outside of what the sensor expects mean
a wrong scale, unit or version; those versions that would fit are named. Red and blue are told apart by a
neighbour in wavelength that is no part of RGB (coastal blue, red edge): it goes with the nearer one, and is
about as bright, since spectra of land and water are smooth. Co-polarised radar is brighter than
cross-polarised. What speaks against a file without settling it is among the scene's warnings.
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
_SMOOTHER, _DOUBTFUL = 0.88, 0.97
"""Share of the differences between neighbours in wavelength that is left when red and blue change places.

Below the first they are swapped, below the second it may be so. Reflectances of ``rscovlm.synth.forest`` in
the right order give 1.04 or more, in the wrong one 0.46 to 0.96: under a closed canopy both are as dark.
"""
_DARK, _MOST_DARK = 0.09, 0.2  # reflectance of the darkest thing in a scene, where an offset was left in
_CROSSED = (("HH", "HV"), ("VV", "VH"))


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
    fitting = {
        version: encoding
        for version, encoding in contract.sensor.versions.items()
        if unusual(stored, encoding, contract.sensor.expected) is None
    }
    wrong = unusual(stored, contract.encoding, contract.sensor.expected)
    if wrong is not None:
        named = f"version {' or '.join(f'@{each}' for each in fitting)} would fit" if fitting else ""
        raise BandError(
            f"{scene.source}: {wrong} in {contract.sensor.unit} when read as {contract.encoding} "
            f"(version {contract.version}); {named or _no_data(stored, contract) or 'no version fits'}"
        )
    physical = {name: contract.encoding.physical(values) for name, values in stored.items()}
    _check_order(scene, contract, physical)
    if contract.sensor.unit == "reflectance":
        _warn_of_offset(scene, contract, physical, fitting)


def _warn_of_offset(
    scene: Scene,
    contract: Contract,
    physical: Mapping[str, NDArray[np.float64]],
    fitting: Mapping[str, Encoding],
) -> None:
    """Tell of a scene in which nothing is dark, where a version with a lower offset is plausible, too."""
    darkest = min(float(np.percentile(values, 1)) for values in physical.values())
    own = contract.encoding
    for version, other in fitting.items():
        if _DARK <= darkest <= _MOST_DARK and other.scale == own.scale and other.offset < own.offset:
            scene.warnings.append(
                f"all its bands are {darkest:.3g} or more in 99 % of pixels when read as {own} (version "
                f"{contract.version}), as if an offset were left in; @{version} ({other}) would fit, too"
            )


def _no_data(stored: Mapping[str, NDArray[np.float64]], contract: Contract) -> str | None:
    """A note on a value at one end of all bands without which they would be usual; None for none."""
    for end in (np.min, np.max):
        values = {float(end(each)) for each in stored.values()}
        value = values.pop()
        if values:
            continue
        rest = np.all([each != value for each in stored.values()], axis=0)
        others = {name: each[rest] for name, each in stored.items()}
        if unusual(others, contract.encoding, contract.sensor.expected) is None:
            return (
                f"without {value:g}, in {1 - rest.mean():.0%} of pixels, it would fit: declare that as nodata"
            )
    return None


def _check_order(scene: Scene, contract: Contract, physical: Mapping[str, NDArray[np.float64]]) -> None:
    """Refuse bands that look swapped, and warn of those that may be."""
    for co, cross in _CROSSED:
        if co in physical and cross in physical and np.median(physical[co]) < np.median(physical[cross]):
            raise BandError(
                f"{scene.source}: bands {contract.found[co]} ({co}) and {contract.found[cross]} ({cross}) "
                f"look swapped: {co} is darker than {cross}; mend the order of bands"
            )
    bands = contract.sensor.bands
    found = red_and_blue(physical, bands)
    if found is None:
        return
    red, blue = found
    both = f"bands {contract.found[red]} ({red}) and {contract.found[blue]} ({blue})"
    if swapped_colours(physical, bands) is not None:
        raise BandError(
            f"{scene.source}: {both} look swapped: their neighbours in wavelength go with the other one; "
            "mend the order of bands"
        )
    if roughness_if_swapped(physical, bands, found) < _DOUBTFUL:
        scene.warnings.append(f"{both} may be swapped: spectra are smoother the other way round")


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
    found = red_and_blue(values, bands)
    if found is None:
        return None
    clear = roughness_if_swapped(values, bands, found) < _SMOOTHER or go_with_the_other(values, bands, found)
    return found if clear else None


def red_and_blue(
    values: Mapping[str, NDArray[np.float64]], bands: Sequence[SensorBand]
) -> tuple[str, str] | None:
    """Names of the red and the blue band; None without both, or with too few values to say anything of them.

    Args:
        values, bands: as of ``swapped_colours``.
    """
    at = _wavelengths(values, bands)
    red, blue = _nearest(at, 660), _nearest(at, 485)
    if red is None or blue is None or red == blue or len(values[red]) < _LEAST:
        return None
    return red, blue


def _wavelengths(values: Mapping[str, NDArray[np.float64]], bands: Sequence[SensorBand]) -> dict[str, float]:
    return {b.name: b.wavelength_nm for b in bands if b.wavelength_nm is not None and b.name in values}


def roughness_if_swapped(
    values: Mapping[str, NDArray[np.float64]], bands: Sequence[SensorBand], pair: tuple[str, str]
) -> float:
    """The sum of differences between neighbours in wavelength once red and blue change places, as a share.

    1 where nobody can tell: without green, or without a neighbour of red or blue that is no part of RGB.

    Args:
        values, bands: as of ``swapped_colours``.
        pair: what that found.
    """
    at = _wavelengths(values, bands)
    red, blue = pair
    visible = sorted(
        (name for name in at if at[blue] - _NEAR_NM <= at[name] <= at[red] + _NEAR_NM),
        key=lambda name: at[name],
    )
    between = [name for name in visible if at[blue] < at[name] < at[red]]
    if not between or len(visible) == len(between) + 2:
        return 1.0
    order = {red: blue, blue: red}
    as_read = np.stack([values[name] for name in visible])
    swapped = np.stack([values[order.get(name, name)] for name in visible])
    total = float(np.abs(np.diff(as_read, axis=0)).sum())
    return float(np.abs(np.diff(swapped, axis=0)).sum()) / total if total > 0 else 1.0


def go_with_the_other(
    values: Mapping[str, NDArray[np.float64]], bands: Sequence[SensorBand], pair: tuple[str, str]
) -> bool:
    """Whether the neighbours of red and blue, each of them, correlate with the other one of both.

    Args:
        values, bands, pair: as of ``roughness_if_swapped``.
    """
    at = _wavelengths(values, bands)
    red, blue = pair
    evidence = []
    for name, wavelength in at.items():
        to_red, to_blue = abs(wavelength - at[red]), abs(wavelength - at[blue])
        if name in (red, blue) or min(to_red, to_blue) > _NEAR_NM or max(to_red, to_blue) < _FAR_NM:
            continue
        with_red, with_blue = (_correlation(values[name], values[other]) for other in (red, blue))
        evidence.append((with_red - with_blue) * (1 if to_red < to_blue else -1))
    return bool(evidence) and max(evidence) < -_CLEAR


def _nearest(at: Mapping[str, float], wavelength_nm: float) -> str | None:
    near = {
        name: abs(value - wavelength_nm) for name, value in at.items() if abs(value - wavelength_nm) <= 40
    }
    return min(near, key=lambda name: near[name], default=None)


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    if not (one.std() > 0 and other.std() > 0):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
