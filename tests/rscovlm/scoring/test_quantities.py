"""Numbers with units in replies, as models write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.scoring.quantities import Quantity, quantity_in, written_in


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("120", 120),
        ("120.", 120),
        ("About 120.5 Mg/ha.", 120.5),
        ("120 t/ha", 120),
        ("120 tonnes per hectare", 120),
        ("120 Mg ha-1", 120),
        ("120 Mg ha⁻¹", 120),
        ("12 kg/m2", 120),
        ("12 kg m⁻²", 120),
        ("12 kg/m²", 120),
        ("120000 kg/ha", 120),
        ("1,200 Mg/ha", 1200),
        ("1.2e2 Mg/ha", 120),
        ("1.2 x 10^2 Mg/ha", 120),
        ("one hundred and twenty", 120),
        ("The above-ground biomass is 87 Mg/ha.", 87),
        ("In this 25 m footprint the biomass is 87 Mg/ha.", 87),
        ("There are 3 patches; biomass: 87", 87),
        ("The 2 forests hold 87 Mg/ha, which is 8.7 kg/m2.", 87),
        ("-5", -5),
        ("0", 0),
    ],
)
def test_a_number_is_read_in_the_unit_that_was_asked_for(text, value):
    found = quantity_in(text, "Mg/ha")
    assert found.outcome == "stated"
    assert found.value == pytest.approx(value)
    assert found.low is None


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("100-150 Mg/ha", 100, 150),
        ("between 100 and 150 Mg/ha", 100, 150),
        ("from 100 to 150", 100, 150),
        ("10\u201315 kg/m2", 100, 150),
        ("120 ± 15 Mg/ha", 105, 135),
        ("120 +/- 15", 105, 135),
    ],
)
def test_a_range_is_its_middle_and_its_bounds(text, low, high):
    found = quantity_in(text, "Mg/ha")
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.value == pytest.approx((low + high) / 2)


@pytest.mark.parametrize(
    "text",
    [
        "I cannot determine it from this image.",
        "Unable to estimate.",
        "There is insufficient information.",
        "It's impossible to tell.",
    ],
)
def test_a_model_that_cannot_tell_has_declined(text):
    assert quantity_in(text, "Mg/ha") == Quantity("declined")


@pytest.mark.parametrize("text", ["", "dense forest", "87 or 120 Mg/ha", "about 30 m", "version 1.2.3"])
def test_what_states_no_one_number_is_unread(text):
    assert quantity_in(text, "Mg/ha") == Quantity("unread")


def test_numbers_that_stand_twice_are_one():
    assert quantity_in("87 Mg/ha (87 t/ha)", "Mg/ha").value == 87


def test_and_joins_two_numbers_only_after_between():
    assert quantity_in("3 and 4") == Quantity("unread")
    assert quantity_in("between 3 and 4").value == 3.5


def test_numbers_too_large_to_hold_are_unread():
    assert quantity_in("9" * 400, "Mg/ha") == Quantity("unread")


def test_an_unknown_unit_is_a_fault_of_the_caller():
    with pytest.raises(KeyError):
        quantity_in("3", "furlong")


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text):
    found = quantity_in(text, "Mg/ha")
    assert (found.value is None) == (found.outcome != "stated")


@given(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)))
def test_what_is_written_is_read_back(value):
    assert quantity_in(f"It is {value} Mg/ha", "Mg/ha").value == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit", "values"),
    [
        ("about 120 Mg ha-1 in 2020", "Mg/ha", [120, 2020]),
        ("12 kg/m2", "Mg/ha", [120]),
        ("trees of 20 m, 50 t/ha", "Mg/ha", [50]),
        ("trees of 20 m, 50 t/ha", "", [20, 50]),
        ("100-150 Mg/ha", "Mg/ha", [100, 150]),
        ("1,050.5", "Mg/ha", [1050.5]),
        ("none", "Mg/ha", []),
    ],
)
def test_numbers_of_a_text_stand_where_they_are_written(text, unit, values):
    found = written_in(text, unit)
    assert [each.value for each in found] == values
    assert all(text[each.start :].startswith(each.digits) for each in found)
