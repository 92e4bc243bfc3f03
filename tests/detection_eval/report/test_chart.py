"""Charts: where their axes end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_eval.report import chart
from detection_eval.report.chart import round_axis


@pytest.mark.parametrize(
    ("most", "axis"),
    [
        (24, (25, 5)),
        (240, (250, 5)),
        (1, (1, 5)),
        (5.74, (6, 3)),
        (0.3, (0.3, 3)),
        (1000, (1000, 5)),
        (0, (1, 5)),
    ],
)
def test_an_axis_ends_at_a_round_number(most, axis):
    assert round_axis(most) == pytest.approx(axis)


@given(st.floats(1e-6, 1e9))
def test_an_axis_holds_its_values_and_wastes_less_than_a_step(most):
    end, parts = round_axis(most)
    assert end >= most * (1 - 1e-6)
    assert end - end / parts < most
    assert 2 <= parts <= 5


def test_numbers_have_three_digits_and_no_exponents():
    values = {1090: "1,090", 1234567.8: "1,234,568", 12.34: "12.3", 0.1234: "0.123", -250: "-250"}
    assert {value: chart.number(value) for value in values} == values
    assert ">1,090<" in chart.bars([("background", [1090.0])], ["#000"])
