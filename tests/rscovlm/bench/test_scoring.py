"""What counts as a right answer during training."""

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_box, render_response
from rscovlm.bench.scoring import metrics, score_reply
from tiling.view import Size
from zoom_chain.dialect import DIALECTS, RSCOVLM

SIZE = Size(200, 400)
QUAD = CONTRACTS["rscovlm-quad"]


def score(reply, expected, task, contract=QUAD, dialect=RSCOVLM):
    return score_reply(reply, expected, task, SIZE, contract, dialect)


@pytest.mark.parametrize(
    ("reply", "expected", "right"),
    [
        ("Red.", "red", 1),
        ("The harbour", "harbour", 1),
        ("3.5 m", "3.5 m", 1),
        ("35 m", "3.5 m", 0),
        ("yes", "no", 0),
        ("", "no", 0),
    ],
)
def test_short_answers_are_compared_without_case_articles_and_punctuation(reply, expected, right):
    assert score(reply, expected, "vqa") == {"accuracy/hits": right, "accuracy/of": 1}


def boxes(*corners):
    return box_quads(np.array(corners, dtype=float).reshape(-1, 4))


@pytest.mark.parametrize("name", ["rscovlm-quad", "rscovlm-obb", "rscovlm-hbb", "rscovlm-json-hbb"])
def test_a_grounded_box_is_right_from_half_overlap_in_every_format(name):
    contract = CONTRACTS[name]

    def written(x):
        return render_box(boxes((x, 20, x + 60, 80))[0], contract, SIZE.width, SIZE.height)

    # 60 px wide, moved by 20: 40 / 80 is just half; by 30: 30 / 90 is a third.
    assert score(written(100), written(100), "grounding", contract)["acc@0.5/hits"] == 1
    assert score(written(115), written(100), "grounding", contract)["acc@0.5/hits"] == 1
    assert score(written(130), written(100), "grounding", contract)["acc@0.5/hits"] == 0
    assert score("I see none.", written(100), "grounding", contract)["acc@0.5/hits"] == 0


def listed(*items):
    polygons = boxes(*(corners for corners, _ in items))
    labels = np.array([("plane", "ship").index(name) for _, name in items], dtype=np.int64)
    return render_response(Detections(polygons, labels, ("plane", "ship")), QUAD, SIZE.width, SIZE.height)


def test_detections_pair_one_to_one_and_only_with_their_class():
    truth = listed(((10, 10, 50, 50), "plane"), ((100, 10, 140, 50), "ship"))
    reply = listed(((10, 10, 50, 50), "plane"), ((12, 10, 52, 50), "plane"), ((100, 10, 140, 50), "plane"))
    assert score(reply, truth, "detection") == {"found": 3, "true": 2, "matched": 1}
    counts = {f"dota/{name}": value for name, value in score(reply, truth, "detection").items()}
    assert metrics(counts) == {"dota/f1@0.5": pytest.approx(2 * 1 / (3 + 2))}


def test_nothing_found_where_nothing_is_is_perfect():
    assert metrics(score("There are none.", "There are none.", "detection")) == {"f1@0.5": 1.0}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_a_zoom_hits_where_it_shows_the_evidence_and_not_everything(dialect):
    def call(*box):
        return dialect.render_call(box, SIZE.width, SIZE.height, "ship")

    expected = call(100, 50, 140, 90)

    def hits(reply):
        return score(reply, expected, "zoom", dialect=dialect)["zoom_hit/hits"]

    assert hits(call(95, 45, 145, 95)) == 1
    assert hits(call(120, 50, 160, 90)) == 0, "half of it is out of sight"
    assert hits(call(0, 0, 400, 200)) == 0, "fifty times as large is no closer look"
    assert hits("There are two ships.") == 0


def test_free_text_has_no_metric():
    assert score("a long caption", "another caption", "caption") == {}
