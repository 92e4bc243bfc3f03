"""Protocols of a benchmark by name."""

import pytest

from rscovlm.bench.protocols.available import protocol_of, protocols_of
from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.errors import UsageError


def test_a_published_benchmark_has_four_the_official_first():
    assert list(protocols_of("lrs-vqa")) == ["official", "rscovlm", "strict", "answered"]
    assert protocol_of("lrs-vqa") is PROTOCOLS["lrs-vqa"]["official"]
    assert protocol_of("lrs-vqa", "strict") is PROTOCOLS["lrs-vqa"]["strict"]


def test_a_benchmark_of_ones_own_has_two():
    assert list(protocols_of("mine")) == ["strict", "answered"]
    assert protocol_of("mine").id == "mine/strict/1"


def test_protocols_are_found_by_identifier_and_unknown_ones_are_named():
    assert protocol_of("lrs-vqa", "lrs-vqa/strict/1") is protocol_of("lrs-vqa", "strict")
    with pytest.raises(UsageError, match=r"no protocol 'lrs-vqa/strict/9'; choose official \(lrs-vqa/off"):
        protocol_of("lrs-vqa", "lrs-vqa/strict/9")
