from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiling.errors import ResolutionError
from tiling.resolution import SIZE_POLICIES, Resolution, fit_size, random_size, resolution_policy
from tiling.view import Size

QWEN25 = Resolution(28, 4 * 28**2, 16384 * 28**2)
QWEN3 = Resolution(32, 4 * 32**2, 16384 * 32**2)
RSCOVLM = Resolution(28, 64 * 28**2, 1296 * 28**2)  # 224 x 224 to 1008 x 1008 px

sides = st.integers(1, 40_000)
factors = st.sampled_from([28, 32])


@st.composite
def images(draw: st.DrawFn, longest: int = 40_000, aspect: int = 200) -> tuple[int, int]:
    """Height and width of an image that smart_resize accepts."""
    long = draw(st.integers(1, longest))
    short = draw(st.integers(-(-long // aspect), long))
    return (long, short) if draw(st.booleans()) else (short, long)


@pytest.fixture(scope="module")
def smart_resize():
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    return module.smart_resize


@settings(max_examples=400)
@given(image=images(), factor=factors, tokens=st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)))
def test_fit_size_equals_smart_resize_of_transformers(smart_resize, image, factor, tokens):
    low, high = (count * factor**2 for count in sorted(tokens))
    expected = smart_resize(*image, factor=factor, min_pixels=low, max_pixels=high)
    assert fit_size(*image, factor, low, high) == expected


@given(
    image=images(), factor=st.integers(1, 64), bounds=st.tuples(st.integers(1, 10**8), st.integers(1, 10**8))
)
def test_fit_size_equals_smart_resize_for_any_factor_and_bounds(smart_resize, image, factor, bounds):
    low, high = sorted(bounds)
    expected = smart_resize(*image, factor=factor, min_pixels=low, max_pixels=high)
    assert fit_size(*image, factor, low, high) == expected


@pytest.mark.parametrize(
    ("side", "factor", "tokens", "fitted"),
    [
        (10_000, 28, 16384, 3556),  # sqrt(16384) * 28 = 3584 is reached only by multiples of it: 127 * 28
        (10_000, 32, 16384, 4096),
        (27_328, 28, 16384, 3584),
        (27_328, 32, 16384, 4096),
        (10_000, 28, 1280, 980),
        (10_000, 32, 1280, 1120),
        (512, 28, 16384, 504),  # 512 / 28 = 18.29 -> 18
        (512, 32, 16384, 512),
    ],
)
def test_known_sizes_of_square_images(side, factor, tokens, fitted):
    assert fit_size(side, side, factor, 4 * factor**2, tokens * factor**2) == (fitted, fitted)


def test_half_factors_round_to_even_as_in_python():
    assert fit_size(42, 70, 28, 1, 10**6) == (56, 56)  # 42 / 28 = 1.5 -> 2 and 70 / 28 = 2.5 -> 2
    assert fit_size(70, 42, 28, 1, 10**6) == (56, 56)


def test_an_image_thinner_than_half_a_factor_never_loses_a_side(smart_resize):
    assert smart_resize(10, 1000, factor=28, min_pixels=0, max_pixels=10**6)[0] == 0
    assert fit_size(10, 1000, 28, 0, 10**6) == (28, 1008)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 10, 28, 1, 10**6), "10 x 0 px is empty"),
        ((10, 10, 0, 1, 10**6), "factor 0"),
        ((10, 10, 28, 100, 99), "min_pixels 100 is above max_pixels 99"),
        ((10, 2001, 28, 1, 10**6), "2001 x 10 px is more than 200 times"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_the_reason(arguments, message):
    with pytest.raises(ResolutionError, match=message):
        fit_size(*arguments)


@given(
    image=images(aspect=100),
    resolution=st.sampled_from([QWEN25, QWEN3, RSCOVLM]),
    name=st.sampled_from(SIZE_POLICIES),
)
def test_a_fitted_image_passes_smart_resize_unchanged_under_each_policy(image, resolution, name):
    size = resolution_policy(name, resolution).fit(*image)
    server = (resolution.factor, resolution.min_pixels, resolution.max_pixels)
    assert fit_size(*size, *server) == size


@given(
    image=images(aspect=100),
    resolution=st.sampled_from([QWEN25, QWEN3, RSCOVLM]),
    name=st.sampled_from(SIZE_POLICIES),
)
def test_no_policy_exceeds_the_token_budget(image, resolution, name):
    size = resolution_policy(name, resolution).fit(*image)
    assert size.height % resolution.factor == size.width % resolution.factor == 0
    assert resolution.tokens(size) == size.height * size.width / resolution.factor**2
    assert resolution.min_pixels <= size.height * size.width <= resolution.max_pixels


@pytest.mark.parametrize(
    ("name", "fitted"),
    [("native", 504), ("max", 1008), ("min", 224), ("small", 336)],
)
def test_policies_bring_a_tile_of_512_px_to_the_sizes_of_the_reference_evaluation(name, fitted):
    assert resolution_policy(name, RSCOVLM).fit(512, 512) == (fitted, fitted)


@pytest.mark.parametrize(("tokens", "target"), [((4, 1280), 144), ((200, 400), 200), ((4, 100), 100)])
def test_the_small_policy_keeps_within_what_the_model_accepts(tokens, target):
    least, most = tokens
    resolution = Resolution(28, least * 28**2, most * 28**2)
    assert resolution_policy("small", resolution).target_pixels == target * 28**2


def test_an_unknown_policy_is_refused_with_the_known_ones():
    with pytest.raises(ResolutionError, match=r"'huge' is unknown; choose from native, max, min, small"):
        resolution_policy("huge", RSCOVLM)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 2), "factor 0"),
        ((28, 10_000, 5000), "do not make a range"),
        ((28, 0, 783), r"less than one visual token; give at least 784 \(28 x 28 px\)"),
        ((28, 784, 7840, 7841), "target_pixels 7841 lies outside 784 to 7840"),
    ],
)
def test_contradictory_resolutions_are_refused(arguments, message):
    with pytest.raises(ResolutionError, match=message):
        Resolution(*arguments)


def test_a_lower_maximum_takes_minimum_and_target_with_it():
    lowered = resolution_policy("max", RSCOVLM).with_max_pixels(40_000)
    assert lowered == Resolution(28, 40_000, 40_000, 40_000)


def areas(side: int, draw: str, count: int = 2000) -> np.ndarray:
    rng = np.random.default_rng(0)
    sizes = [random_size(side, side, RSCOVLM, rng, draw) for _ in range(count)]  # type: ignore[arg-type]
    return np.array([size.height * size.width for size in sizes])


@pytest.mark.parametrize("side", [256, 512, 4000])
def test_the_area_draw_is_uniform_whatever_the_size_of_the_image(side):
    # Half of the areas between 224^2 and 1008^2 lie below 730^2.
    assert np.sqrt(np.median(areas(side, "area"))) == pytest.approx(730, abs=28)
    share_at_most = (areas(side, "area") <= 504**2).mean()
    assert share_at_most == pytest.approx((504**2 - 224**2) / (1008**2 - 224**2), abs=0.05)


def test_the_linear_draw_piles_up_at_the_bounds_as_the_reference_does():
    # Shares measured on the reference implementation. smart_resize divides a side by itself, so that
    # rounding in the last place brings some images to 35 cells (980 px) instead of 36 (1008 px).
    assert (areas(512, "linear") >= 980**2).mean() == pytest.approx(0.53, abs=0.03)
    assert (areas(256, "linear") >= 980**2).mean() == pytest.approx(0.80, abs=0.03)
    assert (areas(4000, "linear") == 224**2).mean() == pytest.approx(0.86, abs=0.03)


@given(
    image=images(longest=5000, aspect=50),
    seed=st.integers(0, 2**32),
    draw=st.sampled_from(["area", "linear"]),
)
def test_random_sizes_are_accepted_sizes_and_follow_the_seed(image, seed, draw):
    size = random_size(*image, RSCOVLM, np.random.default_rng(seed), draw)
    assert size == random_size(*image, RSCOVLM, np.random.default_rng(seed), draw)
    assert size == Size(*RSCOVLM.fit(*size))


def test_an_unknown_draw_is_refused():
    with pytest.raises(ResolutionError, match="'log' is unknown"):
        random_size(10, 10, RSCOVLM, np.random.default_rng(0), "log")  # type: ignore[arg-type]
