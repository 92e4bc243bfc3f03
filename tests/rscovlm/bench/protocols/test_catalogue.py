"""The protocols of every benchmark."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_eval.geometry.quads import box_quads
from rscovlm.bench.protocols.catalogue import NAMES, PROTOCOLS
from tests.rscovlm.bench.rows import row, summed

ALL = [protocol for each in PROTOCOLS.values() for protocol in each.values()]
KINDS = {
    "choice": {"options": ("red", "green"), "answers": ("A",)},
    "classify": {"options": ("beach", "port"), "answers": ("port",)},
    "open": {"answers": ("red",)},
    "count": {"answers": ("3",)},
    "number": {"answers": ("120.5",)},
    "caption": {"answers": ("a port",)},
    "ground": {"polygons": box_quads([(0, 0, 9, 9)]), "contract": "qwen2.5-vl"},
    "detect": {
        **{"polygons": box_quads([(0, 0, 9, 9)]), "labels": ("ship",), "options": ("ship",)},
        "contract": "rscovlm-quad",
    },
}


def test_each_benchmark_has_three_protocols_with_identifiers_of_their_own():
    for benchmark, protocols in PROTOCOLS.items():
        assert tuple(protocols) == NAMES
        for name, protocol in protocols.items():
            assert re.fullmatch(rf"{re.escape(benchmark)}/{name}/[0-9]+", protocol.id)
    assert len({protocol.id for protocol in ALL}) == len(ALL)


BY_NAME = {
    **{
        "agbd": "number",
        "reo": "number",
        "caption": "caption",
        "vqa": "open",
        "-vg": "ground",
        "rsvg": "ground",
        "avvg": "ground",
    },
    **{"xlrs": "choice", "mme": "choice", "omniearth": "choice"},
    **{"dota": "detect", "dior-r": "detect", "fair1m": "detect"},
}
"""Kind of the items of a benchmark whose name holds a word, in this order; else scenes."""


@given(st.text(max_size=40), st.sampled_from(ALL))
def test_no_reply_breaks_a_protocol(text, protocol):
    kind = _kind_of(protocol.id.partition("/")[0])
    said = protocol.judge(row(text, kind=kind, **KINDS[kind]))
    assert said.score is None or 0 <= said.score <= 1


@pytest.mark.parametrize("protocol", ALL, ids=lambda protocol: protocol.id)
def test_every_summary_has_its_headline_both_averages_and_all_rates(protocol):
    kind = _kind_of(protocol.id.partition("/")[0])
    rows = [
        row("port", kind=kind, key="1", **KINDS[kind]),
        row("", kind=kind, key="2", error="x", **KINDS[kind]),
    ]
    for found in (summed(protocol, rows), summed(protocol, [])):
        assert {"micro", "macro", "n", "scored"} <= found.metrics.keys()
        assert {"parse_fail", "refusal", "failed", "abstain", "multi_letter"} <= found.metrics.keys()
    metrics = summed(protocol, rows)
    assert metrics.headline in metrics.metrics
    assert all({"n", "micro"} <= group.keys() for group in metrics.groups.values())


def _kind_of(benchmark):
    for part, kind in BY_NAME.items():
        if part in benchmark:
            return kind
    return "classify"
