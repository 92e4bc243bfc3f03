"""The box of a phrase: what is asked, and from which overlap a box is right."""

import numpy as np
import pytest

from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_box
from rscovlm.tasks.ground import Grounding
from tests.rscovlm.tasks.replies import QUAD, SIZE, right


@pytest.mark.parametrize("name", ["rscovlm-quad", "rscovlm-obb", "rscovlm-hbb", "rscovlm-json-hbb"])
def test_a_grounded_box_is_right_from_half_overlap_in_every_format(name):
    task = Grounding(CONTRACTS[name])

    def written(x):
        return render_box(
            box_quads(np.array([[x, 20.0, x + 60, 80]]))[0], task.contract, SIZE.width, SIZE.height
        )

    # 60 px wide, moved by 20: 40 / 80 is just half; by 30: 30 / 90 is a third.
    assert right(task, written(100), written(100))
    assert right(task, written(115), written(100))
    assert not right(task, written(130), written(100))
    assert not right(task, "I see none.", written(100))
    assert not right(task, "9" * 400, written(100))


def test_a_phrase_is_asked_for_in_the_words_of_the_box_format():
    assert Grounding(QUAD).prompt("red ship").user == "find the red ship"
    assert "Locate the red ship" in Grounding(CONTRACTS["rscovlm-json-hbb"]).prompt("red ship").user
