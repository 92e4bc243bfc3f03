"""Which band of a sensor a description means."""

import pytest

from configs import load_config
from tiling.band_names import are_ordinals, band_meant, found_by_name, found_by_wavelength

SENTINEL, LANDSAT = (
    {band["name"]: band.get("aliases", []) for band in load_config(f"sensors/{name}")["bands"]}
    for name in ("sentinel2-l2a", "landsat8")
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("B04", "B04"),
        ("b4", "B04"),
        ("Band 4", "B04"),
        ("band_08A", "B8A"),
        ("B8A", "B8A"),
        ("B04_20m", "B04"),
        ("T30UWB_20210501T112111_B04_10m", "B04"),
        ("B4, central wavelength 665 nm", "B04"),
        ("B04 - 665 nm", "B04"),
        ("B4 (Red)", "B04"),
        ("Red (665 nm)", "B04"),
        ("Red edge 1 (704 nm)", "B05"),
        ("Vegetation Red Edge 2", "B06"),
        ("rededge3", "B07"),
        ("NIR (833 nm)", "B08"),
        ("Near Infrared", "B08"),
        ("Narrow NIR", "B8A"),
        ("nir08", "B8A"),
        ("Coastal aerosol", "B01"),
        ("SWIR 1", "B11"),
        ("swir22", "B12"),
        ("Red edge", None),  # which of three?
        ("NIR 2", None),
        ("Far red", None),
        ("SR_B5", None),  # Landsat's infrared
        ("B8/B4 ratio", None),
        ("B10", None),
        ("4", None),
        ("", None),
    ],
)
def test_a_description_means_a_band_however_it_is_written(text, name):
    assert band_meant(text, SENTINEL) == name


def test_the_longest_name_counts():
    assert band_meant("SR_B5", LANDSAT) == "B5"
    assert band_meant("Near Infrared (865 nm)", LANDSAT) == "B5"


def test_two_bands_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"bands 1 \(B4\) and 3 \(Red\) both say B04"):
        found_by_name(["B4", "B3", "Red"], SENTINEL)
    assert found_by_name(["Red", "", "B3"], SENTINEL) == {"B03": 3, "B04": 1}


def test_the_nearest_wavelength_within_one_percent_or_10_nm_is_the_band():
    centres = {"B04": 665.0, "B08": 833.0, "B12": 2202.0, "HH": None}
    assert found_by_wavelength([655, 664, 865, 2186, None], centres) == {"B04": 2, "B12": 4}


@pytest.mark.parametrize(
    ("names", "ordinals"),
    [
        (["Band 1", "Band 2"], True),
        (["1", "2"], True),
        (["Band 2", "Band 1"], False),
        (["B1", "B2"], False),
        (["Band 1", "Band 8A"], False),
    ],
)
def test_names_that_only_count_say_nothing(names, ordinals):
    assert are_ordinals(names) is ordinals
