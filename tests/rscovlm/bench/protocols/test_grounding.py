"""Boxes of phrases under the conventions of public scorers, in pixels of the image as stored."""

import numpy as np
import pytest

from detection_eval.geometry.quads import box_quads
from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.bench.protocols.grounding import first_box, image_size, rscovlm_box
from tests.rscovlm.bench.rows import VIEW, row, summed
from tiling.view import Size, View, Window

WHOLE = View(Window(0, 0, 100, 100), Size(100, 100))


def phrase(reply, right, *, view=WHOLE, contract="qwen2.5-vl", **fields):
    polygons = box_quads([right])
    return row(
        reply, (), "ground", view=view, polygons=polygons, labels=("ship",), contract=contract, **fields
    )


def box(*numbers):
    return f'```json\n[{{"bbox_2d": [{", ".join(map(str, numbers))}], "label": "ship"}}]\n```'


def scores(benchmark, reply, right, **fields):
    protocols = PROTOCOLS[benchmark].values()
    return tuple(protocol.judge(phrase(reply, right, **fields)).score for protocol in protocols)


def test_boxes_go_from_the_image_as_shown_to_the_image_as_stored():
    # shown at half the size
    assert scores("dior-rsvg", box(10, 10, 20, 20), (20, 20, 40, 40), view=VIEW) == (1, 1, 1)
    # a crop at its own size
    crop = View(Window(50, 40, 20, 20), Size(20, 20))
    assert scores("dior-rsvg", box(0, 0, 10, 10), (50, 40, 60, 50), view=crop) == (1, 1, 1)


@pytest.mark.parametrize(
    ("right", "found", "official", "rscovlm", "strict"),
    [
        ((10, 10, 20, 20), (10, 10, 20, 20), 1, 1, 1),
        ((10, 10, 20, 20), (10, 10, 20, 15), 1, 0, 1),  # IoU of 1/2 exactly: RSCoVLM wants more
        ((10, 10, 11, 20), (10, 10, 11, 20), 1, 0, 1),  # one pixel wide: never right to RSCoVLM
        ((10, 10, 20, 20), (10, 10, 20, 14), 0, 0, 0),
    ],
)
@pytest.mark.parametrize("benchmark", ["dior-rsvg", "rsvg", "avvg"])
def test_refgeo(benchmark, right, found, official, rscovlm, strict):
    assert scores(benchmark, box(*found), right) == (official, rscovlm, strict)


@pytest.mark.parametrize(
    ("reply", "rscovlm", "strict"),
    [
        ("[10, 10, 20, 20]", 1, 1),
        ("10, 10, 20, 20", 0, 1),  # no brackets
        ("It is at (10, 10, 20, 20).", 0, 1),
        ("[[10, 10], [20, 20]]", 0, 1),
        ("<think>[0, 0, 1, 1]</think>[10, 10, 20, 20]", 1, 1),
        ("no ship", 0, 0),
        ("", 0, 0),
    ],
)
def test_rscovlm_reads_brackets_alone(reply, rscovlm, strict):
    assert scores("rsvg", reply, (10, 10, 20, 20))[1:] == (rscovlm, strict)


@pytest.mark.parametrize(
    ("reply", "rscovlm"),
    [
        ("10,10,20,20 ship", 1),
        ("10,10,20,20", 0),  # no label
        ("Here:\n10,10,20,20 ship", 0),  # not the first line
    ],
)
def test_rscovlm_reads_plain_text_in_the_first_line_with_a_label(reply, rscovlm):
    found = phrase(reply, (10, 10, 20, 20), contract="rscovlm-hbb")
    assert PROTOCOLS["rsvg"]["rscovlm"].judge(found).score == rscovlm
    assert PROTOCOLS["rsvg"]["strict"].judge(found).score == 1


def test_a_box_of_numbers_up_to_one_aborts_rscovlm():
    tiny = phrase("[0.1, 0.1, 0.6, 0.6]", (0, 0, 50, 50))
    assert rscovlm_box(tiny) is None
    assert first_box(tiny) is not None


def test_vrsbench_counts_pixels_of_a_grid():
    # right 10..13 and found 11..14 in x: 12 of 20 pixels with the last ones included, 6 of 12 without
    reply, right = box(11, 10, 14, 13), (10, 10, 13, 13)
    assert scores("vrsbench-vg", reply, right) == (1, 0, 1)
    found = PROTOCOLS["vrsbench-vg"]["official"].judge(phrase(reply, right))
    assert (found.counts["acc@0.5/hits"], found.counts["acc@0.7/hits"]) == (1, 0)
    assert found.counts["mean_iou/hits"] == pytest.approx(12 / 20)


def test_the_grid_is_over_the_whole_image_after_a_zoom_too():
    crop = View(Window(100, 100, 100, 100), Size(100, 100))
    zoomed = phrase(
        box(0, 0, 50, 50),
        (100, 100, 150, 150),
        view=crop,
        views=(View(Window(0, 0, 512, 512), Size(64, 64)), crop),
    )
    assert image_size(zoomed) == (512, 512)
    assert image_size(phrase("", (0, 0, 1, 1), view=VIEW)) == (100, 200)
    assert PROTOCOLS["vrsbench-vg"]["official"].judge(zoomed).score == 1


def test_averages_of_vrsbench():
    rows = [
        phrase(box(0, 0, 10, 10), (0, 0, 10, 10), groups={"unique": "unique"}),
        phrase("none", (0, 0, 10, 10), groups={"unique": "non-unique"}),
    ]
    found = summed(PROTOCOLS["vrsbench-vg"]["official"], rows)
    assert found.headline == "acc@0.5"
    assert found.metrics["acc@0.5"] == found.metrics["micro"] == found.metrics["acc@0.7"] == 0.5
    assert found.metrics["mean_iou"] == 0.5
    assert found.metrics["cum_iou"] == pytest.approx(121 / (121 + 100))  # a miss adds the area of its truth
    assert found.metrics["parse_fail"] == 0.5
    assert found.groups["unique", "unique"]["acc@0.5"] == 1
    assert found.groups["unique", "non-unique"]["acc@0.5"] == 0


def test_geochat_wants_every_box_and_no_other():
    two = box_quads([(0, 0, 10, 10), (20, 0, 30, 10)])
    official = PROTOCOLS["geochat-vg"]["official"]

    def judged(*boxes):
        reply = "[" + ", ".join(f'{{"bbox_2d": {list(each)}, "label": "ship"}}' for each in boxes) + "]"
        return official.judge(row(reply, (), "ground", view=WHOLE, polygons=two, contract="qwen2.5-vl"))

    assert judged((20, 0, 30, 10), (0, 0, 10, 10)).score == 1
    assert judged((0, 0, 10, 10)).score == 0
    assert judged((0, 0, 10, 10)).counts["recall@giou0.5/hits"] == 1
    assert judged((0, 0, 10, 10), (20, 0, 30, 10), (50, 50, 60, 60)).score == 0


@pytest.mark.parametrize(
    "numbers", [(20, 40, 60, 80), (0.1, 0.4, 0.3, 0.8), (100, 400, 300, 800), (10, 40, 30, 80)]
)
def test_omniearth_takes_the_best_of_four_readings(numbers):
    # an image of 200 x 100 px: in pixels, in parts, of 1000 and of 100
    wide = View(Window(0, 0, 200, 100), Size(100, 200))
    reply = str(list(numbers))
    official = PROTOCOLS["omniearth-bench"]["official"]
    assert official.judge(phrase(reply, (20, 40, 60, 80), view=wide)).score == pytest.approx(1)


def test_the_score_of_omniearth_is_the_iou():
    official = PROTOCOLS["omniearth-bench"]["official"]
    half = official.judge(phrase("[0.25, 0.5, 0.75, 0.75]", (25, 50, 75, 100)))
    assert half.score == pytest.approx(0.5)
    assert half.counts["acc@0.5/hits"] == 1
    assert official.judge(phrase("no idea", (10, 40, 30, 80))).score == 0


def test_rotated_truth_is_compared_as_it_is():
    diamond = np.array([[[50, 30], [70, 50], [50, 70], [30, 50]]], dtype=float)
    reply = box(30, 30, 70, 70)
    found = row(reply, (), "ground", view=WHOLE, polygons=diamond, contract="qwen2.5-vl")
    assert PROTOCOLS["dior-rsvg"]["strict"].judge(found).counts["mean_iou/hits"] == pytest.approx(0.5)
    assert PROTOCOLS["dior-rsvg"]["official"].judge(found).counts["mean_iou/hits"] == pytest.approx(1)
