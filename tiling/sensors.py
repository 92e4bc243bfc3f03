"""Sensors: what the stored numbers of a file mean, band by band, declared once and held against each file.

A sensor lists its bands in the order of its products, with one or more *versions* of how values are stored
(a processing baseline, or values that somebody has made physical already). ``contract_of`` finds the bands
in a file, settles the version, and refuses what contradicts the file: its names, colours, wavelengths,
scales, and (``tiling.plausible``) the statistics of its pixels. Nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from detection_eval.words import counted
from tiling.band_names import are_ordinals, found_by_name, found_by_wavelength, listed
from tiling.bands import Band
from tiling.dates import dated
from tiling.errors import BandError
from tiling.raster import Raster
from tiling.scene import Scene

Unit = Literal["reflectance", "gamma0 dB", "DN"]

_FORBID: dict[str, Any] = {"extra": "forbid"}
_SAME_NM = 40.0  # wavelengths of one band in products of its kind differ by less


@dataclass(frozen=True)
class SensorBand:
    """A band of a sensor.

    Attributes:
        name: as composites name it.
        wavelength_nm: of its centre; None for radar.
        aliases: other names of it in files, as ``tiling.band_names`` compares them.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORBID

    name: str
    wavelength_nm: float | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Encoding:
    """How stored values become physical ones.

    Attributes:
        kind: ``linear`` is ``stored * scale + offset``; in dB, ``amplitude`` is ``20 log10(stored) + offset``
            and ``power`` is ``10 log10(stored) + offset``.
        scale, offset: see ``kind``.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORBID

    kind: Literal["linear", "amplitude", "power"] = "linear"
    scale: float = 1.0
    offset: float = 0.0

    def physical(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Physical values; NaN for an amplitude or power that is not above 0."""
        values = np.asarray(stored, dtype=np.float64)
        if self.kind == "linear":
            return values * self.scale + self.offset
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0, self._decibels * np.log10(values) + self.offset, np.nan)

    @property
    def _decibels(self) -> int:
        """In ten times the stored value."""
        return 20 if self.kind == "amplitude" else 10

    def __str__(self) -> str:
        if self.kind != "linear":
            return f"{self._decibels} log10(stored)" + (f" {self.offset:+g}" if self.offset else "")
        return f"stored * {self.scale:g}" + (f" {self.offset:+g}" if self.offset else "")


@dataclass(frozen=True)
class Expected:
    """Physical values that are usual, in which those of a file have to lie.

    Attributes:
        percentiles: range of the 1st and 99th percentile of each band.
        median: range of the median over all bands.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORBID

    percentiles: tuple[float, float]
    median: tuple[float, float]


@dataclass(frozen=True)
class Sensor:
    """A sensor's products.

    Attributes:
        description: in words.
        unit: of physical values.
        bands: in the order of files whose bands have no names.
        versions: encodings by name. Names that are numbers hold from that number on.
        expected: usual values.
        nodata: stored value without data, besides what a file declares.
        default: version where neither file nor user states one; None where that has to be stated.
        version_tag: tag of a file that states the version.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORBID

    description: str
    unit: Unit
    bands: tuple[SensorBand, ...]
    versions: Mapping[str, Encoding]
    expected: Expected
    nodata: float | None = None
    default: str | None = None
    version_tag: str | None = None

    def version_named(self, text: str) -> str:
        """The version that a name means: itself, or the latest number up to it.

        Raises:
            BandError: for none.
        """
        if text in self.versions:
            return text
        numbered = {version: number for version in self.versions if (number := _number(version)) is not None}
        asked = _number(text)
        reached = [version for version, number in numbered.items() if asked is not None and number <= asked]
        if not reached:
            raise BandError(f"no version {text!r}; choose from {', '.join(self.versions)}")
        return max(reached, key=lambda version: numbered[version])


def _number(text: str) -> float | None:
    """A version that is a number; a baseline as names of products have it, ``N0509``, is 5.09."""
    if re.fullmatch(r"N\d{4}", text):
        text = f"{text[1:3]}.{text[3:]}"
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Contract:
    """The meaning of the bands of one file.

    Attributes:
        sensor: that was declared.
        version: of how values are stored.
        found: 1-based number of each band of the sensor that the file has, by its name.
        settled_by: what said so: ``the file``, ``stated`` or ``default``.
        found_by: what told the bands apart: their ``name``, their ``wavelength`` or their ``order``.
    """

    sensor: Sensor
    version: str
    found: Mapping[str, int]
    settled_by: str
    found_by: str

    @property
    def encoding(self) -> Encoding:
        """How values are stored."""
        return self.sensor.versions[self.version]

    def at(self, date: int) -> Contract:
        """The same file as that of a later date of a place: its bands are named ``B04@2``."""
        return replace(self, found={dated(name, date): index for name, index in self.found.items()})

    def indexes(self, names: Iterable[str]) -> list[int | str]:
        """1-based numbers of bands.

        Raises:
            BandError: for a band that the file has not.
        """
        wanted = list(names)
        missing = [name for name in wanted if name not in self.found]
        if missing:
            raise BandError(f"no band {missing[0]}; the file has {', '.join(self.found) or 'none of them'}")
        return [self.found[name] for name in wanted]

    def physical(self, raster: Raster) -> NDArray[np.float32]:
        """(height, width, bands) physical values of a raster read by ``indexes``; NaN without data."""
        values = self.encoding.physical(raster.pixels)
        known = np.repeat(raster.mask[..., None], values.shape[2], axis=2)
        if self.sensor.nodata is not None:
            known &= raster.pixels != self.sensor.nodata
        return np.where(known, values, np.nan).astype(np.float32)


def contract_of(
    scene: Scene,
    sensor: Sensor,
    version: str | None = None,
    *,
    name: str = "NAME",
    needed: Sequence[str] = (),
) -> Contract:
    """The meaning of the bands of a scene, by its header alone.

    Args:
        scene: an open scene.
        sensor: that took it.
        version: of its products; None where the file, or the sensor's default, says it.
        name: of the sensor, for errors.
        needed: names of bands of the sensor that the scene has to have.

    Raises:
        BandError: where the file lacks a band, contradicts the sensor, or the version is not known.
    """
    found, found_by = _found(scene, sensor, name)
    missing = [each for each in needed if each not in found]
    if missing:
        raise BandError(
            f"{scene.source} has {listed(list(found))} of sensor {name}, but not {', '.join(missing)}; "
            f"give a scene of {name} with {', '.join(needed)}"
        )
    _check_colours(scene, sensor, found)
    _check_wavelengths(scene.all_bands, sensor, found)
    settled, by = _version(scene, sensor, version, name)
    _check_scales(scene, sensor, settled, found)
    return Contract(sensor, settled, found, by, found_by)


def _found(scene: Scene, sensor: Sensor, sensor_name: str) -> tuple[dict[str, int], str]:
    """The number of each band, and by what it was found: name, else wavelength, else order."""
    bands = scene.all_bands
    names = ["" if band.name == f"band {place}" else band.name for place, band in enumerate(bands, start=1)]
    unnamed = not any(names) or are_ordinals(names)
    try:
        found = {} if unnamed else found_by_name(names, {each.name: each.aliases for each in sensor.bands})
    except ValueError as error:
        raise BandError(f"{scene.source}: {error} of sensor {sensor_name}; mend their names") from None
    if found:
        return found, "name"
    found = found_by_wavelength(
        [band.wavelength_nm for band in bands], {each.name: each.wavelength_nm for each in sensor.bands}
    )
    if found:
        return found, "wavelength"
    if not unnamed or len(names) != len(sensor.bands):
        own, there = (listed([band.name for band in each]) for each in (sensor.bands, bands))
        raise BandError(
            f"{scene.source} has {counted(len(names), 'band')} ({there}), none of them named as one of the "
            f" {len(sensor.bands)} of sensor {sensor_name} ({own}); name the bands in the file"
        )
    return {band.name: place for place, band in enumerate(sensor.bands, start=1)}, "order"


_COLOURS_NM = {"red": (610, 700), "green": (510, 600), "blue": (440, 515)}


def _check_colours(scene: Scene, sensor: Sensor, found: Mapping[str, int]) -> None:
    """Refuse bands that the file marks as another colour than the sensor has there."""
    for band in sensor.bands:
        marked = scene.colours[found[band.name] - 1] if band.name in found else None
        if marked not in _COLOURS_NM or band.wavelength_nm is None:
            continue
        low, high = _COLOURS_NM[marked]
        if not low <= band.wavelength_nm <= high:
            raise BandError(
                f"{scene.source}: band {found[band.name]} is marked {marked} and would be read as "
                f"{band.name} ({band.wavelength_nm:g} nm); names and marks contradict, mend the wrong one"
            )


def _check_wavelengths(bands: Sequence[Band], sensor: Sensor, found: Mapping[str, int]) -> None:
    for band in sensor.bands:
        stated = bands[found[band.name] - 1].wavelength_nm if band.name in found else None
        if stated is None or band.wavelength_nm is None:
            continue
        if abs(stated - band.wavelength_nm) > max(_SAME_NM, 0.05 * band.wavelength_nm):
            raise BandError(
                f"band {found[band.name]} is of {stated:g} nm in the file, but {band.name} of "
                f"{band.wavelength_nm:g} nm; declare the sensor that took it, or mend the order of bands"
            )


def _version(scene: Scene, sensor: Sensor, stated: str | None, name: str) -> tuple[str, str]:
    """The version and what says so."""
    tag = None if sensor.version_tag is None else _tag(scene.tags, sensor.version_tag)
    try:
        own = None if tag is None else sensor.version_named(tag)
    except BandError as error:
        raise BandError(f"{scene.source}: tag {sensor.version_tag} of sensor {name}: {error}") from None
    if stated is not None:
        chosen = sensor.version_named(stated)
        if own is not None and sensor.versions[own] != sensor.versions[chosen]:
            raise BandError(
                f"{scene.source} states {sensor.version_tag} {tag}, and version {stated} was given; "
                "leave it to the file, or mend its tag"
            )
        return chosen, "stated"
    if own is not None:
        return own, "the file"
    if sensor.default is not None:
        return sensor.version_named(sensor.default), "default"
    by_scale = [version for version in sensor.versions if _agrees(scene, sensor.versions[version])]
    if len(by_scale) == 1 and _scaled(scene.all_bands):
        return by_scale[0], "the file"
    if len(sensor.versions) == 1:
        return next(iter(sensor.versions)), "default"
    raise BandError(
        f"{scene.source} does not say how values of sensor {name} are stored; declare it as "
        + " or ".join(f"{name}@{version} ({encoding})" for version, encoding in sensor.versions.items())
    )


def _tag(tags: Mapping[str, str], name: str) -> str | None:
    """The value of a tag in any case and of any domain."""
    ends = {key.casefold().rpartition(":")[2]: value for key, value in tags.items()}
    return tags.get(name, ends.get(name.casefold()))


def _scaled(bands: Sequence[Band]) -> bool:
    return any((band.scale, band.offset) != (1.0, 0.0) for band in bands)


def _agrees(scene: Scene, encoding: Encoding) -> bool:
    scales = {(band.scale, band.offset) for band in scene.all_bands}
    return encoding.kind == "linear" and all(
        np.allclose(pair, (encoding.scale, encoding.offset), rtol=1e-6) for pair in scales
    )


def _check_scales(scene: Scene, sensor: Sensor, version: str, found: Mapping[str, int]) -> None:
    """Refuse a scale that the file states and that is another than the version's."""
    encoding = sensor.versions[version]
    for name, place in found.items():
        band = scene.all_bands[place - 1]
        own = (band.scale, band.offset)
        if own == (1.0, 0.0):
            continue
        if encoding.kind != "linear" or not np.allclose(own, (encoding.scale, encoding.offset), rtol=1e-6):
            raise BandError(
                f"{scene.source}: band {place} states scale {band.scale:g} and offset {band.offset:g}, but "
                f"{name} of version {version} is {encoding}; state the version that fits, or mend the file"
            )
