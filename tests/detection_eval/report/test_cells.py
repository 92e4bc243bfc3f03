"""How numbers stand in the tables of the page."""

import pytest

from detection_eval.report.cells import interval, number_or_dash, percent


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "12.35"), (1, "100.00"), (0.0, "0.00"), (None, "-"), (float("nan"), "-")]
)
def test_shares_are_percent_and_what_is_unknown_is_a_dash(value, text):
    assert percent(value) == text


def test_an_interval_is_shown_where_both_ends_are_known():
    assert interval((0.1, 0.256)) == "[10.0, 25.6]"
    assert interval((None, 0.2)) == interval(None) == interval(()) == ""


def test_a_number_that_is_unknown_is_a_dash():
    assert number_or_dash(None) == "-"
    assert number_or_dash(2.5) == "2.5"
