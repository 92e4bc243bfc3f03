"""Detection by the presets of ``detection_eval``, from the replies of a log."""

import numpy as np
import pytest

from detection_eval.geometry.quads import box_quads
from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.bench.protocols.strict import generic
from tests.rscovlm.bench.rows import VIEW, row, summed

CLASSES = ("plane", "ship")


def reply(*boxes):
    return "[" + ", ".join(f'{{"bbox_2d": {list(box)}, "label": "{label}"}}' for label, box in boxes) + "]"


def image(text, objects, key="1", **fields):
    polygons = box_quads([box for _, box in objects]).reshape(-1, 4, 2)
    labels = tuple(label for label, _ in objects)
    return row(
        text,
        (),
        "detect",
        key=key,
        polygons=polygons,
        labels=labels,
        options=CLASSES,
        contract="qwen2.5-vl",
        **fields,
    )


TWO = [("plane", (20, 20, 40, 40)), ("ship", (100, 20, 140, 40))]
"""In pixels as stored; what is shown is half the size."""


def test_boxes_are_scored_in_pixels_of_the_image_as_stored():
    perfect = image(reply(("plane", (10, 10, 20, 20)), ("ship", (50, 10, 70, 20))), TWO)
    for protocol in PROTOCOLS["dota-v1.0"].values():
        found = summed(protocol, [perfect])
        assert found.headline == "apnc@0.5"
        assert found.metrics["apnc@0.5"] == found.metrics["micro"] == found.metrics["f1@0.5"] == 1
        assert found.groups["class", "ship"]["n"] == 1


def test_counts_add_up_over_images():
    rows = [
        image(reply(("plane", (10, 10, 20, 20))), TWO, "1"),  # 1 right, 1 missed
        image(reply(("plane", (10, 10, 20, 20)), ("ship", (0, 0, 5, 5))), TWO[:1], "2"),  # 1 right, 1 wrong
    ]
    metrics = summed(PROTOCOLS["dota-v1.0"]["strict"], rows).metrics
    assert metrics["precision@0.5"] == pytest.approx(2 / 3)
    assert metrics["recall@0.5"] == pytest.approx(2 / 3)
    assert metrics["micro"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert metrics["macro"] == pytest.approx((1 + 0) / 2)  # F1 of planes 1, of ships 0


def test_nothing_declared_where_nothing_is_is_perfect():
    strict = PROTOCOLS["dota-v1.0"]["strict"]
    assert strict.judge(image("There are none.", [])).score == 1
    assert strict.judge(image("There are none.", [])).status == "read"
    assert strict.judge(image("There are none.", TWO)).score == 0
    assert strict.judge(image("I'm sorry, I cannot view images.", TWO)).status == "refused"
    assert strict.judge(image("hello", TWO)).status == "unread"


def test_ignored_objects_are_neither_right_nor_wrong():
    text = reply(("plane", (10, 10, 20, 20)), ("ship", (50, 10, 70, 20)))
    found = PROTOCOLS["dota-v1.0"]["strict"].judge(image(text, TWO, ignored=np.array([False, True])))
    assert found.score == 1
    assert found.counts["recall@0.5/of"] == 1


def test_failed_images_cost_recall_under_strict_and_are_left_out_elsewhere():
    rows = [
        image(reply(("plane", (10, 10, 20, 20)), ("ship", (50, 10, 70, 20))), TWO, "1"),
        image("", TWO, "2", error="timed out"),
    ]
    assert summed(PROTOCOLS["dior-r"]["strict"], rows).metrics["recall@0.5"] == 0.5
    official = summed(PROTOCOLS["dior-r"]["official"], rows).metrics
    assert (official["recall@0.5"], official["failed"]) == (1, 0.5)


def test_an_empty_run_has_a_summary():
    assert summed(PROTOCOLS["fair1m"]["official"], []).metrics["n"] == 0


def test_the_view_of_the_fixture_is_half_size():
    assert VIEW.scale == (2, 2)


def test_objects_among_other_items_have_the_same_metrics():
    text = reply(("plane", (10, 10, 20, 20)), ("ship", (0, 0, 5, 5)))
    images = [image(text, TWO, "1"), image(text, TWO[:1], "2")]
    questions = [row("yes", "yes", key="q")]
    mixed = summed(generic("set")["strict"], [*questions, *images]).metrics
    alone = summed(PROTOCOLS["dota-v1.0"]["strict"], images).metrics
    for name in ("apnc@0.5", "apnc@0.5:0.95", "ap@0.5", "f1@0.5", "precision@0.5"):
        assert mixed[name] == pytest.approx(alone[name])
    assert "apnc@0.5" not in summed(generic("set")["strict"], questions).metrics
