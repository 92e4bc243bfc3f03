"""What the stored numbers of a file mean."""

import numpy as np
import pytest
from rasterio.enums import ColorInterp

from tests.places import unplaced
from tiling.errors import BandError
from tiling.scene import Scene
from tiling.sensors import Encoding, Expected, Sensor, SensorBand, contract_of
from tiling.view import Size, View

LINEAR = Encoding(scale=0.0001)
SHIFTED = Encoding(scale=0.0001, offset=-0.1)
OPTICAL = Sensor(
    "three bands",
    "reflectance",
    (SensorBand("B02", 492, ("B2", "blue")), SensorBand("B03", 560), SensorBand("B04", 665, ("B4", "red"))),
    {"00.00": LINEAR, "04.00": SHIFTED, "reflectance": Encoding()},
    Expected((-0.1, 1.5), (0.01, 0.9)),
    nodata=0,
    version_tag="PROCESSING_BASELINE",
)


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ("00.00", "00.00"),
        ("N0509", "04.00"),
        ("N0214", "00.00"),
        ("02.14", "00.00"),
        ("04.00", "04.00"),
        ("05.11", "04.00"),
        ("reflectance",) * 2,
    ],
)
def test_a_version_that_is_a_number_holds_from_there_on(asked, version):
    assert OPTICAL.version_named(asked) == version


def test_an_unknown_version_is_refused_with_those_that_are():
    with pytest.raises(BandError, match=r"no version 'late'; choose from 00\.00, 04\.00, reflectance"):
        OPTICAL.version_named("late")


@pytest.mark.parametrize(
    ("encoding", "stored", "physical"),
    [
        (LINEAR, 2500, 0.25),
        (SHIFTED, 2500, 0.15),
        (Encoding("amplitude", offset=-83), 10_000, -3.0),  # 20 * 4 - 83
        (Encoding("amplitude", offset=-83), 1, -83.0),
        (Encoding("power"), 0.1, -10.0),
    ],
)
def test_stored_values_become_physical(encoding, stored, physical):
    assert encoding.physical(np.array([stored]))[0] == pytest.approx(physical)


@pytest.mark.parametrize("kind", ["amplitude", "power"])
def test_decibels_of_0_are_no_number(kind):
    assert np.isnan(Encoding(kind).physical(np.array([0]))).all()


def test_bands_are_found_by_name_whatever_their_order_and_how_they_are_written(make_raster):
    pixels = np.stack([np.full((4, 4), value, np.uint16) for value in (4000, 3000, 2000)])
    path = make_raster(pixels)
    _describe(path, ["B4 (Red)", "b03", "Blue"])
    with Scene(path) as scene:
        contract = contract_of(scene, OPTICAL, "00.00")
        assert dict(contract.found) == {"B04": 1, "B03": 2, "B02": 3}
        raster = scene.read_bands(View(scene.window, Size(4, 4)), contract.indexes(["B02", "B04"]))
        np.testing.assert_allclose(contract.physical(raster)[0, 0], [0.2, 0.4], rtol=1e-6)


def test_bands_without_names_go_by_their_order_only_where_their_number_is_right(make_raster):
    with Scene(make_raster(np.ones((3, 4, 4), np.uint16))) as scene:
        contract = contract_of(scene, OPTICAL, "00.00")
        assert contract.found_by == "order"
        assert dict(contract.found) == {"B02": 1, "B03": 2, "B04": 3}
    with (
        Scene(make_raster(np.ones((4, 4, 4), np.uint16), "four.tif")) as scene,
        pytest.raises(BandError) as found,
    ):
        contract_of(scene, OPTICAL, "00.00")
    assert "has 4 bands" in str(found.value)


def test_names_that_are_none_of_the_sensors_are_not_passed_over_for_the_order(make_raster):
    path = make_raster(np.ones((3, 4, 4), np.uint16))
    _describe(path, ["SR_B2", "SR_B3", "SR_B4"])
    with Scene(path) as scene, pytest.raises(BandError, match=r"\(SR_B2, SR_B3, SR_B4\), none of them named"):
        contract_of(scene, OPTICAL, "00.00")


def test_bands_without_names_are_found_by_their_wavelengths(make_raster):
    path = make_raster(np.ones((4, 4, 4), np.uint16))
    _describe(path, ["", "", "", ""], wavelengths_um=["0.833", "0.664", "0.561", "0.490"])
    with Scene(path) as scene:
        contract = contract_of(scene, OPTICAL, "00.00")
    assert (dict(contract.found), contract.found_by) == ({"B02": 4, "B03": 3, "B04": 2}, "wavelength")


def test_a_missing_band_is_named_when_it_is_wanted(make_raster):
    path = make_raster(np.ones((2, 4, 4), np.uint16))
    _describe(path, ["B02", "B03"])
    with Scene(path) as scene, pytest.raises(BandError, match="no band B04; the file has B02, B03"):
        contract_of(scene, OPTICAL, "00.00").indexes(["B02", "B04"])


def test_bands_that_are_needed_are_missed_before_the_version_is_asked_for(make_raster):
    colours = make_raster(np.ones((2, 4, 4), np.uint8))
    _describe(colours, ["B02", "B03"])
    with Scene(colours) as scene, pytest.raises(BandError) as raised:
        contract_of(scene, OPTICAL, name="s2", needed=["B03", "B04"])
    assert str(raised.value).endswith(
        "has B02, B03 of sensor s2, but not B04; give a scene of s2 with B03, B04"
    )


def test_the_version_is_the_files_or_stated_or_refused(make_raster):
    plain = make_raster(np.ones((3, 4, 4), np.uint16))
    with Scene(plain) as scene, pytest.raises(BandError, match=r"s2@00.00 \(.*\) or s2@04.00"):
        contract_of(scene, OPTICAL, name="s2")
    tagged = make_raster(np.ones((3, 4, 4), np.uint16), "t.tif", tags={"PROCESSING_BASELINE": "05.09"})
    with Scene(tagged) as scene:
        found = contract_of(scene, OPTICAL)
        assert (found.version, found.settled_by) == ("04.00", "the file")
        assert contract_of(scene, OPTICAL, "05.11").version == "04.00"
        with pytest.raises(BandError, match=r"states PROCESSING_BASELINE 05.09, and version 02.00 was given"):
            contract_of(scene, OPTICAL, "02.00")


def test_the_tag_of_the_version_is_found_in_any_case_and_named_where_it_is_odd(make_raster):
    tagged = make_raster(np.ones((3, 4, 4), np.uint16), tags={"processing_baseline": "05.09"})
    with Scene(tagged) as scene:
        assert contract_of(scene, OPTICAL).version == "04.00"
    odd = make_raster(np.ones((3, 4, 4), np.uint16), "odd.tif", tags={"PROCESSING_BASELINE": "late"})
    with (
        Scene(odd) as scene,
        pytest.raises(BandError, match=r"odd.tif: tag PROCESSING_.* 'late'"),
    ):
        contract_of(scene, OPTICAL)


def test_a_scale_in_the_file_settles_the_version_or_contradicts_it(make_raster):
    path = make_raster(np.ones((3, 4, 4), np.uint16))
    _scale(path, 0.0001, -0.1)
    with Scene(path) as scene:
        assert contract_of(scene, OPTICAL).version == "04.00"
        with pytest.raises(BandError, match=r"states scale 0.0001 and offset -0.1"):
            contract_of(scene, OPTICAL, "00.00")


def test_colours_in_the_file_that_contradict_its_names_are_refused(make_raster):
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    path = make_raster(np.ones((3, 4, 4), np.uint8), colorinterp=colours, photometric="RGB")
    _describe(path, ["B02", "B03", "B04"])
    with (
        Scene(path) as scene,
        pytest.raises(BandError, match="band 1 is marked red and would be read as B02"),
    ):
        contract_of(scene, OPTICAL, "00.00")


def test_wavelengths_that_contradict_the_names_are_refused(make_raster):
    path = make_raster(np.ones((3, 4, 4), np.uint16))
    _describe(path, ["B02", "B03", "B04"], wavelengths_um=["0.665", "0.56", "0.492"])
    with (
        Scene(path) as scene,
        pytest.raises(BandError, match="band 1 is of 665 nm in the file, but B02 of 492"),
    ):
        contract_of(scene, OPTICAL, "00.00")


def test_nodata_of_the_sensor_is_no_value_in_the_band_that_has_it(make_raster):
    pixels = np.full((3, 2, 2), 5000, np.uint16)
    pixels[1, 0, 0] = 0
    with Scene(make_raster(pixels)) as scene:
        contract = contract_of(scene, OPTICAL, "00.00")
        raster = scene.read_bands(View(scene.window, Size(2, 2)), contract.indexes(["B02", "B03"]))
        physical = contract.physical(raster)
    assert np.isnan(physical[0, 0]).tolist() == [False, True]
    assert np.isfinite(physical).sum() == 7


def _describe(path, names, wavelengths_um=()):
    import rasterio

    with unplaced(), rasterio.open(path, "r+") as dataset:
        for band, name in enumerate(names, start=1):
            dataset.set_band_description(band, name)
        for band, wavelength in enumerate(wavelengths_um, start=1):
            dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=wavelength)


def _scale(path, scale, offset):
    import rasterio

    with unplaced(), rasterio.open(path, "r+") as dataset:
        dataset.scales = [scale] * dataset.count
        dataset.offsets = [offset] * dataset.count
