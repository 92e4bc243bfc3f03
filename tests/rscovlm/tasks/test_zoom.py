"""Requests for a closer look: what is asked, and when a look shows the evidence."""

import pytest

from rscovlm.tasks.zoom import ZoomRequest
from tests.rscovlm.tasks.replies import SIZE, right
from tiling.view import Window
from zoom_chain.dialect import DIALECTS, RSCOVLM


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_a_zoom_hits_where_it_shows_the_evidence_and_not_everything(dialect):
    task = ZoomRequest(dialect)

    def call(*box):
        return dialect.render_call(box, SIZE.width, SIZE.height, "ship")

    def hits(reply):
        return right(task, reply, call(100, 50, 140, 90))

    assert hits(call(95, 45, 145, 95))
    assert not hits(call(120, 50, 160, 90)), "half of it is out of sight"
    assert not hits(call(0, 0, 400, 200)), "fifty times as large is no closer look"
    assert not hits("There are two ships.")
    assert task.parse(call(140, 50, 100, 90), SIZE) == task.parse(call(100, 50, 140, 90), SIZE)
    assert task.parse(call(100, 50, 100, 50), SIZE) is None, "no area"


def test_a_zoom_is_asked_for_with_the_tool_on_offer():
    system, user = ZoomRequest(RSCOVLM).prompt("How many ships?")
    assert "image_zoom_in" in system
    assert user.startswith("How many ships?")


def test_evidence_in_scene_pixels_is_scored_as_the_box_of_a_call_is():
    task, evidence = ZoomRequest(RSCOVLM), Window(1000, 1000, 100, 100)
    assert task.score(Window(950, 950, 200, 200), evidence)["zoom_hit/hits"] == 1
    assert task.score(None, evidence)["zoom_hit/hits"] == 0
