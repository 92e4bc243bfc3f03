"""Routes: every image has one adapter, the nearest on the scale of logarithms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.errors import ModelError
from rscovlm.models.scale.routes import Routes

THREE = Routes.of([10.0, 0.1, 1.0], neutral_m=2.0)


def test_an_adapter_takes_over_half_way_on_the_scale_of_logarithms():
    # sqrt(0.1 * 1) = 0.316 and sqrt(1 * 10) = 3.16.
    found = [THREE.route(metres).name for metres in (0.01, 0.31, 0.32, 3.1, 3.2, 500.0)]
    assert found == ["gsd-0.1", "gsd-0.1", "gsd-1", "gsd-1", "gsd-10", "gsd-10"]


@given(st.lists(st.floats(0.02, 90), min_size=1, max_size=6, unique=True), st.floats(0.01, 100))
def test_no_adapter_is_nearer_than_the_one_that_answers(gsds_m, metres):
    from math import log

    chosen = Routes.of(gsds_m, 1.0).route(metres).gsd_m
    assert abs(log(chosen / metres)) <= min(abs(log(each / metres)) for each in gsds_m) + 1e-9


def test_an_image_of_unknown_scale_is_taken_for_the_neutral_one():
    assert THREE.route(None) == THREE.route(2.0)


def test_what_is_written_is_read_again(tmp_path):
    THREE.write(tmp_path)
    assert Routes.read(tmp_path / "routes.json") == THREE


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "rscovlm.scale-routes/1", "adapters": [{}]}'])
def test_another_file_is_one_line(tmp_path, text):
    (tmp_path / "routes.json").write_text(text)
    with pytest.raises(ModelError, match="routes"):
        Routes.read(tmp_path / "routes.json")


@pytest.mark.parametrize("wrong", [[], [0.0], [-1.0, 1.0]])
def test_scales_have_to_be_lengths(wrong):
    with pytest.raises(ModelError, match="give metres per pixel above 0"):
        Routes.of(wrong, 1.0)
