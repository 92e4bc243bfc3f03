"""Sensors by name, and scenes opened as theirs."""

import numpy as np
import pytest

from configs import ConfigError, available
from rscovlm.data.agbd import gamma0_db, reflectance
from rscovlm.models.sensors import FOLDER, open_as, read_sensor
from rscovlm.synth.forest import BANDS
from tests.rscovlm.scripted import write_raster
from tiling.errors import BandError
from tiling.overrides import AS_STORED


@pytest.mark.parametrize("name", available(FOLDER))
def test_every_sensor_that_ships_is_read(name):
    sensor = read_sensor(name.removeprefix(FOLDER)).sensor
    assert sensor.default is None or sensor.version_named(sensor.default)
    assert len({band.name for band in sensor.bands}) == len(sensor.bands)


def test_agbd_decodes_as_its_reader_does():
    stored = np.array([1.0, 800, 1500, 4000])
    sensor = read_sensor("agbd").sensor
    assert [band.name for band in sensor.bands] == list(BANDS)
    for offset in (0, 1):
        mine = sensor.versions[str(offset)].physical(stored)
        np.testing.assert_allclose(np.maximum(mine, 0), reflectance(stored, offset), atol=1e-12)
    radar = read_sensor("alos2-palsar2").sensor
    np.testing.assert_allclose(radar.versions["dn"].physical(stored), gamma0_db(stored))


def test_a_users_file_is_a_sensor_too(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "description: mine\nunit: DN\nversions: {raw: {scale: 2}}\n"
        "expected: {percentiles: [0, 10], median: [0, 10]}\nbands: [{name: PAN}]\n"
    )
    assert read_sensor(f"{file}@raw").version == "raw"
    file.write_text(file.read_text() + "wavelength: 3\n")
    with pytest.raises(ConfigError, match="wavelength: unknown setting"):
        read_sensor(str(file))


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("sentinel3", ConfigError, "no sensor 'sentinel3'; give a YAML file or one of agbd, alos2-palsar2"),
        ("sentinel2-l2a@late", BandError, "sensor sentinel2-l2a has no version 'late'"),
    ],
)
def test_what_does_not_exist_is_named(text, kind, words):
    with pytest.raises(kind, match=words):
        read_sensor(text)


def test_nodata_of_the_sensor_counts_where_the_file_declares_none(tmp_path):
    pixels = np.random.default_rng(0).integers(2000, 9000, (2, 64, 64)).astype(np.uint16)
    pixels[:, :, :20] = 0
    path = write_raster(tmp_path / "sar.tif", pixels=pixels)
    scene, contract = open_as(path, read_sensor("alos2-palsar2"), AS_STORED)
    with scene:
        assert scene.valid_fraction(scene.window) == pytest.approx(44 / 64, abs=0.01)
        assert dict(contract.found) == {"HH": 1, "HV": 2}
