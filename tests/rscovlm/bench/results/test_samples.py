"""Samples: disagreements first, each category in turn, and the boxes of replies in pixels of the image."""

import numpy as np
import pytest

from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_box
from rscovlm.bench.item import Truth
from rscovlm.bench.protocols.available import protocols_of
from rscovlm.bench.results.samples import boxes_in, pictures, samples_of
from tests.rscovlm.bench.made import STRICT, VIEW, item, picture, row


def samples(*runs, most=100, benchmark="set"):
    return {s.item.key: s for s in samples_of(runs, STRICT, protocols_of(benchmark), most)}


def test_a_sample_is_marked_by_what_the_runs_made_of_it():
    asked = [item(key) for key in "abcd"]
    one = [row(each, text) for each, text in zip(asked, ["yes", "no", "yes", ""])]
    other = [row(asked[0], "yes"), row(asked[1], "no"), row(asked[2], "no"), row(asked[3], "", error="lost")]
    found = samples(one, other)
    assert found["a"].marks == ("right",)
    assert found["b"].marks == ("wrong",)
    assert found["c"].marks == ("differ",)
    assert found["d"].marks == ("wrong", "unread", "failed")


def test_protocols_that_judge_otherwise_are_named():
    asked = item("a", "no", category="presence")
    found = samples([row(asked, "nobelium")], benchmark="lrs-vqa")
    assert "official" in found["a"].replies[0].others  # no is nobelium's symbol
    assert found["a"].protocols_differ


def test_disagreements_come_before_wrong_ones_and_these_before_right_ones():
    asked = [item(str(n), category="x") for n in range(9)]
    one = [row(each, "yes" if n < 6 else "no") for n, each in enumerate(asked)]
    other = [row(each, "yes" if n < 5 else "no") for n, each in enumerate(asked)]
    assert list(samples(one, other, most=1)) == ["5"]
    assert set(samples(one, other, most=4)) == {"5", "6", "7", "8"}


def test_every_category_has_its_turn():
    rows = [row(item(f"{c}{n}", category=c), "yes") for c in "xyz" for n in range(5)]
    assert sorted(samples(rows, most=3)) == ["x0", "y0", "z0"]


def test_boxes_of_a_reply_are_in_pixels_of_the_image():
    box = np.array([[(20, 20), (60, 20), (60, 40), (20, 40)]], dtype=float)
    text = "ship " + render_box(box[0] / 2, CONTRACTS["nano"], VIEW.size.width, VIEW.size.height)
    for kind in ("ground", "detect"):
        asked = item("a", kind=kind, options=("ship",), truth=Truth(polygons=box, labels=("ship",)))
        assert boxes_in(row(asked, text, contract="nano")) == pytest.approx(box, abs=0.2)
        assert len(boxes_in(row(asked, "nothing", contract="nano"))) == 0
    assert len(boxes_in(row(item("a"), text))) == 0


def test_pictures_that_are_gone_are_left_out(tmp_path):
    here = str(picture(tmp_path / "a.png", 1000))
    found = pictures([here, str(tmp_path / "gone.png"), here])
    assert list(found) == [here]
    assert found[here].view.size == (320, 320)
    assert found[here].url.startswith("data:image/jpeg;base64,")
