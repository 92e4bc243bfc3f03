"""Pixels held against what a sensor says of them."""

import numpy as np
import pytest

from tiling.errors import BandError
from tiling.plausible import check_plausible, sample, swapped_colours
from tiling.scene import Scene
from tiling.sensors import Encoding, Expected, Sensor, SensorBand, contract_of

OPTICAL = Sensor(
    "two bands",
    "reflectance",
    (SensorBand("B03", 560), SensorBand("B04", 665)),
    {"10000": Encoding(scale=0.0001), "reflectance": Encoding()},
    Expected((-0.1, 1.5), (0.01, 0.9)),
    nodata=0,
)
RADAR = Sensor(
    "polarisations",
    "gamma0 dB",
    (SensorBand("HH"), SensorBand("HV")),
    {"dn": Encoding("amplitude", offset=-83.0), "db": Encoding()},
    Expected((-45.0, 10.0), (-35.0, -2.0)),
    nodata=0,
)
RNG = np.random.default_rng(0)
REFLECTANCE = RNG.uniform(0.02, 0.4, (2, 90, 70)).astype(np.float32)
DECIBELS = np.stack([RNG.normal(-8, 2, (80, 80)), RNG.normal(-14, 2, (80, 80))]).astype(np.float32)


def check(path, sensor, version):
    with Scene(path) as scene:
        check_plausible(scene, contract_of(scene, sensor, version))


def test_values_as_the_version_says_are_taken(make_raster):
    check(make_raster((REFLECTANCE * 10_000).astype(np.uint16)), OPTICAL, "10000")
    check(make_raster(REFLECTANCE, "r.tif"), OPTICAL, "reflectance")
    check(make_raster((10 ** ((DECIBELS + 83) / 20)).astype(np.uint16), "a.tif"), RADAR, "dn")
    check(make_raster(DECIBELS, "d.tif"), RADAR, "db")


@pytest.mark.parametrize(
    ("pixels", "sensor", "version", "right"),
    [
        (REFLECTANCE, OPTICAL, "10000", "version @reflectance would fit"),
        ((REFLECTANCE * 10_000).astype(np.uint16), OPTICAL, "reflectance", "version @10000 would fit"),
        (DECIBELS, RADAR, "dn", "version @db would fit"),
        ((10 ** ((DECIBELS + 83) / 20)).astype(np.uint16), RADAR, "db", "version @dn would fit"),
        (10 ** (DECIBELS / 10), RADAR, "db", "no version fits"),  # power
        ((REFLECTANCE * 255).astype(np.uint8), OPTICAL, "reflectance", "no version fits"),
    ],
    ids=["0-1 as DN", "DN as 0-1", "dB as DN", "DN as dB", "power as dB", "8 bits as 0-1"],
)
def test_another_scale_is_refused_with_the_version_that_fits(make_raster, pixels, sensor, version, right):
    with pytest.raises(BandError) as found:
        check(make_raster(pixels), sensor, version)
    assert right in str(found.value)
    assert "\n" not in str(found.value)


def test_what_is_nodata_is_not_looked_at(make_raster):
    pixels = (REFLECTANCE * 10_000).astype(np.uint16)
    pixels[:, :60] = 0
    path = make_raster(pixels)
    with Scene(path) as scene:
        stored = sample(scene, contract_of(scene, OPTICAL, "10000"))
    assert all(values.min() > 0 for values in stored.values())
    check(path, OPTICAL, "10000")
    check(make_raster(np.zeros_like(pixels), "empty.tif"), OPTICAL, "10000")


BANDS = (SensorBand("B01", 443), SensorBand("B02", 492), SensorBand("B04", 665), SensorBand("B05", 704))


def spectra(*names: str) -> dict[str, np.ndarray]:
    """Two independent fields: one that B01 and blue show, one that red and B05 show."""
    short, long = np.random.default_rng(3).normal(size=(2, 2000))
    noise = np.random.default_rng(4).normal(0, 0.2, (4, 2000))
    fields = {"B01": short, "B02": short, "B04": long, "B05": long}
    return {name: fields[name] + noise[place] for place, name in enumerate(fields) if name in names}


def test_red_and_blue_are_told_apart_by_their_neighbours():
    right = spectra("B01", "B02", "B04", "B05")
    assert swapped_colours(right, BANDS) is None
    assert swapped_colours(right | {"B02": right["B04"], "B04": right["B02"]}, BANDS) == ("B04", "B02")


def test_without_neighbours_or_pixels_nothing_is_said_of_order():
    both = spectra("B02", "B04")
    assert swapped_colours({"B02": both["B04"], "B04": both["B02"]}, BANDS) is None
    few = {name: values[:100] for name, values in spectra("B01", "B02", "B04").items()}
    assert swapped_colours(few | {"B02": few["B04"], "B04": few["B02"]}, BANDS) is None


def test_a_file_with_red_and_blue_swapped_is_refused(make_raster):
    sensor = Sensor("four", "reflectance", BANDS, {"1": Encoding()}, Expected((-9, 9), (-9, 9)))
    values = spectra("B01", "B02", "B04", "B05")
    cube = np.stack([values[name].reshape(40, 50) for name in ("B01", "B04", "B02", "B05")]).astype(
        np.float32
    )
    with pytest.raises(BandError, match=r"bands 3 \(B04\) and 2 \(B02\) look swapped"):
        check(make_raster(cube), sensor, "1")
    check(make_raster(cube[[0, 2, 1, 3]], "right.tif"), sensor, "1")
