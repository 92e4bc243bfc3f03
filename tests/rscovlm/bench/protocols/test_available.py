"""Protocols by name: those of the benchmark first, strict and answered for any."""

import pytest

from rscovlm.bench.protocols.available import protocol_of, protocols_of
from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.errors import UsageError


def test_a_benchmark_has_its_own_protocols_first_and_answered_too():
    assert list(protocols_of("lrs-vqa")) == [*PROTOCOLS["lrs-vqa"], "answered"]
    assert protocol_of("lrs-vqa") is PROTOCOLS["lrs-vqa"]["official"]


def test_a_benchmark_of_a_users_own_has_ours():
    assert [each.id for each in protocols_of("ponds").values()] == ["ponds/strict/1", "ponds/answered/1"]


def test_a_protocol_is_found_by_its_identifier():
    assert protocol_of("ponds", "ponds/answered/1") == protocol_of("ponds", "answered")


def test_an_unknown_one_is_answered_with_those_there_are():
    with pytest.raises(UsageError, match=r"strict \(ponds/strict/1\), answered"):
        protocol_of("ponds", "official")
