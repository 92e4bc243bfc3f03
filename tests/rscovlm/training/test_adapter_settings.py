"""Adapters that a configuration asks for, and which of their settings are those of the kind."""

from rscovlm.training.adapter_settings import Adapters, CsHlora


def test_a_kind_that_is_not_asked_for_is_not_there():
    assert Adapters().chosen == {}
    assert list(Adapters.model_validate({"dora": {"rank": 8}}).chosen) == ["dora"]


def test_a_kinds_own_settings_leave_out_where_it_stands():
    own = CsHlora(rank=8, towers=("vision",)).own
    assert own["rank"] == 8
    assert own.keys() & {"towers", "full"} == set()
