"""Scene classes under the protocols of VHM's and GeoChat's sets."""

import pytest

from rscovlm.bench.protocols.catalogue import PROTOCOLS
from tests.rscovlm.bench.rows import row, summed

CLASSES = ("airport", "beach", "forest", "port", "dense residential")


def scene(reply, gold):
    return row(reply, gold, "classify", options=CLASSES)


@pytest.mark.parametrize(
    ("gold", "reply", "rsek", "vhm", "strict"),
    [
        ("airport", "", 1, 1, 0),
        ("beach", "airport,beach,forest", 0, 1, 0),
        ("beach", "Beach.", 0, 1, 1),
        ("airport", "port", 1, 1, 0),
        ("airport", "a", 1, 1, 0),
        ("dense residential", "denseresidential", 1, 0, 1),
        ("dense residential", "A dense-residential area", 0, 0, 1),
        ("forest", "The image shows a forest.", 0, 1, 1),
    ],
)
@pytest.mark.parametrize("benchmark", ["aid", "meter-ml", "nwpu-resisc45", "whu-rs19"])
def test_sets_of_vhm(benchmark, gold, reply, rsek, vhm, strict):
    found = [protocol.judge(scene(reply, gold)).score for protocol in PROTOCOLS[benchmark].values()]
    assert found == [rsek, vhm, strict]


@pytest.mark.parametrize(
    ("reply", "teochat", "contained", "strict"),
    [("Beach.", 1, 1, 1), ("a beach", 0, 1, 1), ("", 0, 0, 0), ("beach, port", 0, 1, 0)],
)
def test_sets_of_geochat(reply, teochat, contained, strict):
    found = [protocol.judge(scene(reply, "beach")).score for protocol in PROTOCOLS["ucmerced"].values()]
    assert found == [teochat, contained, strict]


def test_folders_have_a_protocol_too():
    found = [protocol.judge(scene("Beach.", "beach")).score for protocol in PROTOCOLS["folders"].values()]
    assert found == [1, 1, 1]


def test_ambiguity_and_silence_are_told_apart_and_macro_is_over_classes():
    rows = [
        scene("beach", "beach"),
        scene("beach", "beach"),
        scene("beach or forest", "beach"),
        scene("a lake", "forest"),
    ]
    metrics = summed(PROTOCOLS["aid"]["strict"], rows).metrics
    assert metrics["ambiguous"] == 1 / 4
    assert metrics["parse_fail"] == 2 / 4
    assert metrics["micro"] == 2 / 4
    assert metrics["macro"] == pytest.approx((2 / 3 + 0) / 2)
