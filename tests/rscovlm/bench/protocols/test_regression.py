"""Numbers judged: from heads, from words, cut off, and where they are missing."""

import math

import pytest

from rscovlm.bench.item import Item, Truth
from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.bench.row import Row
from tiling.view import Size, View, Window

NOWHERE = View(Window(0, 0, 1, 1), Size(1, 1))


def row(right, text="", mean=None, kind="number", tile="t", **more):
    unit = "Mg/ha" if kind == "number" else ""
    item = Item(
        f"{right}/{text}/{mean}", ("p",), kind, "?", Truth((str(right),)), extra={"unit": unit, "tile": tile}
    )
    numbers = None if mean is None else {"target": "agb", "mean": mean}
    return Row(item, text, NOWHERE, "stop", numbers=numbers, **more)


def summary(rows, name="rscovlm", benchmark="agbd"):
    protocol = PROTOCOLS[benchmark][name]
    return protocol.summarise(rows, [protocol.judge(each) for each in rows])


def test_errors_are_in_the_unit_and_words_count_as_heads_do():
    found = summary([row(100, mean=110.0), row(200, "about 19 kg/m2", tile="u")])
    assert found.headline == "rmse"
    assert found.metrics["rmse"] == pytest.approx(10)
    assert found.metrics["bias"] == 0
    assert found.metrics["answered"] == 1


@pytest.mark.parametrize(
    ("right", "mean", "score"),
    [(100, 119, 1), (100, 121, 0), (10, 19.5, 1), (10, 21, 0), (49, 60, 0)],
)
def test_a_biomass_is_right_as_the_biomass_mission_asks(right, mean, score):
    assert PROTOCOLS["agbd"]["rscovlm"].judge(row(right, mean=float(mean))).score == score


def test_agbds_own_cuts_predictions_off():
    rows = [row(500, mean=700.0), row(0, mean=-20.0)]
    assert summary(rows, "official").metrics["rmse"] == 0
    assert summary(rows, "rscovlm").metrics["rmse"] == pytest.approx(math.sqrt((200**2 + 20**2) / 2))


def test_missing_numbers_are_left_out_or_stand_as_the_mean():
    rows = [row(100, mean=100.0), row(300, "It cannot be determined."), row(200, "", error="no reply")]
    left = summary(rows, "rscovlm").metrics
    assert (left["rmse"], left["answered"]) == (0, pytest.approx(1 / 3))
    assert left["rmse_adjusted"] == pytest.approx(math.sqrt(100**2 / 3))
    strict = PROTOCOLS["agbd"]["strict"]
    assert summary(rows, "strict").metrics["rmse"] == pytest.approx(left["rmse_adjusted"])
    assert [strict.judge(each).score for each in rows] == [1, 0, 0]
    assert [strict.judge(each).status for each in rows] == ["read", "refused", "failed"]


def test_spreads_of_heads_are_scored():
    quantiles = [100 + z for z in range(-60, 70, 10)]
    rows = [row(100, mean=100.0), row(105, mean=100.0, tile="u")]
    for each in rows:
        each.numbers.update(deviation=30.0, quantiles=quantiles)
    found = summary(rows).metrics
    assert found["coverage_90"] == 1
    assert found["crps"] > 0


def test_counts_are_right_where_they_round_to_it():
    protocol = PROTOCOLS["reo-chain"]["rscovlm"]
    assert protocol.judge(row(3, mean=3.4, kind="count")).score == 1
    assert protocol.judge(row(3, "three", kind="count")).score == 1
    assert protocol.judge(row(3, mean=3.6, kind="count")).score == 0
    found = protocol.summarise(
        both := [row(3, mean=4.0, kind="count"), row(5, mean=5.0)], [protocol.judge(r) for r in both]
    )
    assert found.metrics["rmse"] == 0  # biomass is the main kind
    assert found.metrics["count/rmse"] == 1
