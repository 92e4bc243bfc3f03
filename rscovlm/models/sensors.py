"""Sensors by name: those of ``configs/sensors``, or a user's YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from configs import ConfigError, available, load_config
from configs.checking import checked
from tiling.band_names import listed
from tiling.errors import BandError
from tiling.overrides import Overrides
from tiling.plausible import check_plausible
from tiling.scene import Scene
from tiling.sensors import Contract, Sensor, contract_of

FOLDER = "sensors/"


class Declared(NamedTuple):
    """A sensor as a user declares it.

    Attributes:
        sensor: by name.
        version: of its products; None where the file is to say it.
        name: as it was declared.
        stated: whether for the file itself rather than for those that a model learnt from; bands of a file
            that names none of them are then in its order.
    """

    sensor: Sensor
    version: str | None
    name: str
    stated: bool = True


def read_sensor(text: str) -> Declared:
    """The sensor that ``NAME``, ``NAME@VERSION``, ``FILE.yaml`` or ``FILE.yaml@VERSION`` means.

    Raises:
        ConfigError: where there is none, or its file is wrong.
        BandError: for a version that it does not have.
    """
    name, _, version = text.partition("@")
    known = [each.removeprefix(FOLDER) for each in available(FOLDER)]
    if name not in known and not Path(name).is_file():
        raise ConfigError(f"no sensor {name!r}; give a YAML file or one of {', '.join(known)}")
    path = name if name not in known else FOLDER + name
    sensor = checked(Sensor, load_config(path), f"sensor {name}")
    if not sensor.bands or not sensor.versions:
        raise ConfigError(f"sensor {name}: bands and versions need one entry at least")
    if version:
        try:
            sensor.version_named(version)
        except BandError as error:
            raise BandError(f"sensor {name} has {error}") from None
    return Declared(sensor, version or None, name)


def open_as(
    source: str | Path, declared: Declared, overrides: Overrides, needed: Sequence[str] = ()
) -> tuple[Scene, Contract]:
    """A scene and what its bands mean, held against its pixels.

    The sensor's nodata counts where the file declares none, and a band marked alpha hides pixels unless
    it is one of the sensor's. Of bands that are ``needed``, the scene has to have those that the sensor has.

    Raises:
        SceneError: BandError and others, with one clear line.
    """
    scene = Scene(source, overrides=overrides)
    try:
        nodata = declared.sensor.nodata
        if nodata is not None and overrides.nodata == "file" and scene.validity.always:
            overrides = replace(overrides, nodata=nodata)
        own = [band.name for band in declared.sensor.bands if band.name in needed]
        contract = contract_of(scene, declared.sensor, declared.version, name=declared.name, needed=own)
        alpha = scene.colours.index("alpha") + 1 if "alpha" in scene.colours else None
        if alpha is not None and overrides.alpha == "file" and alpha not in contract.found.values():
            overrides = replace(overrides, alpha=alpha)
        if contract.found_by == "order" and not declared.stated:
            raise BandError(
                f"{source} does not name its {len(contract.found)} bands; name them, or declare the "
                f"sensor whose order they have ({declared.name}: {listed(list(contract.found))})"
            )
        if overrides != scene.overrides:
            scene.close()
            scene = Scene(source, overrides=overrides)
        check_plausible(scene, contract)
    except BaseException:
        scene.close()
        raise
    return scene, contract
