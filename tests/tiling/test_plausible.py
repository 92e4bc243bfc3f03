"""Pixels held against what a sensor says of them."""

import numpy as np
import pytest

from tiling.errors import BandError
from tiling.plausible import check_plausible, roughness_if_swapped, sample, swapped_colours
from tiling.scene import Scene
from tiling.sensors import Encoding, Expected, Sensor, SensorBand, contract_of

OPTICAL = Sensor(
    "two bands",
    "reflectance",
    (SensorBand("B03", 560), SensorBand("B04", 665)),
    {"10000": Encoding(scale=0.0001), "reflectance": Encoding()},
    Expected((-0.05, 1.5), (0.01, 0.9)),
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


SPECTRA = {  # reflectance at 443, 492, 560, 665 and 704 nm
    "soil": (0.10, 0.11, 0.14, 0.18, 0.20),
    "grass": (0.04, 0.05, 0.09, 0.07, 0.13),
    "water": (0.05, 0.05, 0.04, 0.03, 0.025),
    "closed forest": (0.02, 0.025, 0.055, 0.03, 0.085),
}
VISIBLE = (*BANDS[:2], SensorBand("B03", 560), *BANDS[2:])


def lit(cover: str) -> dict[str, np.ndarray]:
    """One cover in any light, which makes all bands go together."""
    light = np.random.default_rng(5).uniform(0.6, 1.3, 1600)
    return {band.name: light * value for band, value in zip(VISIBLE, SPECTRA[cover], strict=True)}


@pytest.mark.parametrize("cover", SPECTRA)
def test_smooth_spectra_tell_red_and_blue_apart_where_bands_go_together(cover):
    """Water as read 0 + 1 + 1 + 0.5, swapped 2 + 1 + 1 + 2.5: 2.6 times as rough."""
    right = lit(cover)
    wrong = right | {"B02": right["B04"], "B04": right["B02"]}
    pair = ("B04", "B02")
    assert swapped_colours(right, VISIBLE) is None
    rough = roughness_if_swapped(wrong, VISIBLE, pair)
    assert rough == pytest.approx(1 / roughness_if_swapped(right, VISIBLE, pair))
    assert swapped_colours(wrong, VISIBLE) == (None if cover == "closed forest" else pair)
    assert 0.88 < rough < 0.97 if cover == "closed forest" else rough < 0.88


def test_red_and_blue_that_may_be_swapped_are_told_of(make_raster):
    sensor = Sensor("five", "reflectance", VISIBLE, {"1": Encoding()}, Expected((-9, 9), (-9, 9)))
    values = lit("closed forest")
    cube = np.stack([values[band.name].reshape(40, 40) for band in VISIBLE]).astype(np.float32)
    for order, told in (
        ((0, 1, 2, 3, 4), []),
        ((0, 3, 2, 1, 4), ["bands 4 (B04) and 2 (B02) may be swapped"]),
    ):
        with Scene(make_raster(cube[list(order)], f"{order[1]}.tif")) as scene:
            check_plausible(scene, contract_of(scene, sensor, "1"))
            assert [warning.partition(":")[0] for warning in scene.warnings if "swapped" in warning] == told


def test_polarisations_in_the_wrong_order_are_refused(make_raster):
    with pytest.raises(BandError, match=r"bands 1 \(HH\) and 2 \(HV\) look swapped: HH is darker than HV"):
        check(make_raster(DECIBELS[::-1]), RADAR, "db")


BASELINES = Sensor(
    OPTICAL.description,
    OPTICAL.unit,
    OPTICAL.bands,
    {"00.00": Encoding(scale=0.0001), "04.00": Encoding(scale=0.0001, offset=-0.1)},
    OPTICAL.expected,
)


def test_an_offset_that_was_taken_off_already_is_refused(make_raster):
    with pytest.raises(BandError, match=r"B03 is -0.07.*version @00\.00 would fit"):
        check(make_raster((REFLECTANCE * 10_000).astype(np.uint16)), BASELINES, "04.00")


def test_an_offset_that_may_be_left_in_is_told_of(make_raster):
    """Nothing in the scene is darker than 0.1, as in a desert, or in any scene with the offset."""
    with Scene(make_raster((REFLECTANCE * 10_000 + 1000).astype(np.uint16))) as scene:
        check_plausible(scene, contract_of(scene, BASELINES, "04.00"))
        assert not any("offset" in warning for warning in scene.warnings)
        check_plausible(scene, contract_of(scene, BASELINES, "00.00"))
        assert "as if an offset were left in; @04.00" in scene.warnings[-1]


def test_one_value_in_all_bands_is_named_as_what_may_be_no_data(make_raster):
    pixels = REFLECTANCE.copy()
    pixels[:, :10] = -9999
    with pytest.raises(BandError, match=r"without -9999, in \d+% of pixels, it would fit: declare"):
        check(make_raster(pixels), OPTICAL, "reflectance")
