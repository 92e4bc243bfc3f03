"""Three channels of many bands as one picture."""

import numpy as np
import pytest

from tiling.composites import (
    COMPOSITES,
    MULTISPECTRAL,
    Channel,
    bands_needed,
    composites_named,
    fitted,
    limits_of,
    to_shares,
)
from tiling.errors import BandError

S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")


def test_the_five_recombinations_are_those_of_reo_vlm_and_use_nine_bands():
    shown = {name: [c.name for c in COMPOSITES[name].channels] for name in MULTISPECTRAL}
    assert shown == {
        "red_edge": ["B05", "B06", "B07"],
        "geology": ["B12", "B11", "B02"],
        "natural": ["B04", "B03", "B02"],
        "infrared": ["B08", "B04", "B03"],
        "swir": ["B12", "B08", "B04"],
    }
    assert sorted(bands_needed(composites_named(MULTISPECTRAL))) == list(S2)


def test_each_band_of_a_composite_lands_in_its_own_channel():
    # Band i of the nine holds i / 10; limits of 0 to 1 make that 25.5 i.
    pixels = np.broadcast_to(np.arange(9) / 10, (2, 2, 9))
    picture = COMPOSITES["natural"].render(pixels, S2, dict.fromkeys(S2, (0.0, 1.0)))
    assert picture[0, 0].tolist() == [51, 26, 0]  # B04 at 0.2, B03 at 0.1, B02 at 0


def test_bands_are_found_by_name_in_any_order():
    pixels = np.random.default_rng(0).uniform(0, 1, (3, 4, 9))
    limits = dict.fromkeys(S2, (0.0, 1.0))
    turned = COMPOSITES["swir"].render(pixels[..., ::-1], S2[::-1], limits)
    assert (turned == COMPOSITES["swir"].render(pixels, S2, limits)).all()


def test_the_mean_of_both_polarisations_is_taken_in_decibels_or_in_power_as_stated():
    pixels = np.array([[[-10.0, -20.0]]])
    decibels, power = (COMPOSITES[name].channels[2].of(pixels, ("HH", "HV")) for name in ("sar", "sar_power"))
    assert decibels[0, 0] == pytest.approx(-15)
    assert power[0, 0] == pytest.approx((0.1 + 0.01) / 2)
    assert [c.name for c in COMPOSITES["sar_power"].channels] == [
        "HH power",
        "HV power",
        "mean power",
    ]


def test_no_data_in_any_band_of_a_channel_is_black_there_and_only_there():
    pixels = np.full((1, 2, 2), -10.0)
    pixels[0, 0, 1] = np.nan
    limits = {"HH": (-20.0, 0.0), "HV": (-20.0, 0.0), "mean": (-20.0, 0.0)}
    picture = COMPOSITES["sar"].render(pixels, ("HH", "HV"), limits)
    assert picture.tolist() == [[[128, 0, 0], [128, 128, 128]]]


SAR = COMPOSITES["sar"].channels


def test_limits_are_percentiles_of_what_is_known():
    values = np.arange(101.0)[:, None]
    with_gaps = np.concatenate([values, np.full((50, 1), np.nan)])
    composite = COMPOSITES["natural"]
    three = np.repeat(with_gaps, 3, axis=1)
    found = limits_of(three, ("B04", "B03", "B02"), composite.channels, (1, 99))
    assert found == dict.fromkeys(("B04", "B03", "B02"), (1.0, 99.0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: composites_named(["ndvi"]), "no composite 'ndvi'; choose from red_edge"),
        (lambda: Channel(("B99",)).of(np.zeros((1, 1)), ("B02",)), "no band B99; there are B02"),
        (
            lambda: COMPOSITES["sar"].render(np.zeros((1, 1, 2)), ("HH", "HV"), {}),
            "no limits for its channel HH",
        ),
        (lambda: limits_of(np.full((3, 2), np.nan), ("HH", "HV"), SAR), "HH has no value"),
        (lambda: limits_of(np.full((3, 2), -7.0), ("HH", "HV"), SAR), "HH is -7 nearly everywhere"),
        (lambda: fitted(np.zeros((33, 33, 3), np.uint8), 32, "pad"), "33 px does not fit into 32 px"),
    ],
)
def test_what_is_not_there_is_named(call, words):
    with pytest.raises(BandError, match=words.replace("(", r"\(")):
        call()


def test_padding_keeps_the_pixels_in_the_middle_and_mirrors_them():
    picture = np.random.default_rng(1).integers(1, 255, (25, 25, 3)).astype(np.uint8)
    square = fitted(picture, 32, "pad")
    assert (square[3:28, 3:28] == picture).all()
    assert (square[2, 3:28] == picture[0]).all()
    assert (square[28, 3:28] == picture[-1]).all()


def test_upsampling_keeps_a_flat_picture_flat_and_a_fitting_one_as_it_is():
    assert (fitted(np.full((25, 25, 3), 77, np.uint8), 64, "upsample") == 77).all()
    picture = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    assert (fitted(picture, 64, "upsample") == picture).all()


def test_shares_of_limits_are_what_a_native_stem_sees():
    pixels = np.array([[[0.0, 5.0], [0.5, np.nan], [2.0, 10.0]]])
    found = to_shares(pixels, ("B02", "HH"), {"B02": (0.0, 1.0), "HH": (0.0, 10.0)})
    assert found.dtype == np.float32
    assert found.tolist() == [[[0, 0.5], [0.5, 0], [1, 1]]]
    with pytest.raises(BandError, match="band HV has no limits"):
        to_shares(pixels, ("B02", "HV"), {"B02": (0.0, 1.0)})


def test_a_picture_of_floats_stays_one_of_floats():
    ramp = np.linspace(0, 1, 4, dtype=np.float32)[:, None, None].repeat(4, 1).repeat(5, 2)
    shown = fitted(ramp, 8, "upsample")
    assert (shown.dtype, shown.shape) == (np.float32, (8, 8, 5))
    assert 0 < shown[1, 0, 0] < 1 / 3
    np.testing.assert_array_equal(fitted(ramp, 6, "pad")[1:5, 1:5], ramp)


def test_a_composite_of_a_later_date_reads_its_bands_by_the_same_limits():
    (first, second) = composites_named(["natural", "natural@2"])
    assert second.name == "natural@2"
    assert bands_needed([first, second]) == ("B04", "B03", "B02", "B04@2", "B03@2", "B02@2")
    names = bands_needed([first, second])
    pixels = np.broadcast_to(np.array([0.2, 0.2, 0.2, 0.4, 0.6, 1.0]), (2, 2, 6))
    limits = dict.fromkeys(S2, (0.0, 1.0))
    assert first.render(pixels, names, limits)[0, 0].tolist() == [51, 51, 51]
    assert second.render(pixels, names, limits)[0, 0].tolist() == [102, 153, 255]
    with pytest.raises(BandError, match="no band B04@2; there are B04, B03, B02"):
        second.render(pixels[..., :3], names[:3], limits)
    with pytest.raises(BandError, match="no composite 'ndvi@2'"):
        composites_named(["ndvi@2"])
