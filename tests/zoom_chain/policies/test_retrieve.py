"""Retrieval: all parts are ranked cheaply, and the model goes on from the best."""

import pytest

from tests.zoom_chain.scored import PlaceModel
from tiling.view import Window
from zoom_chain.budget import Budget
from zoom_chain.chat import Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO, QWEN3_VL
from zoom_chain.policies import RETRIEVE
from zoom_chain.report import render_report
from zoom_chain.trace import Trace


def test_the_model_answers_from_the_best_part(small, scene):
    model = PlaceModel((1500.0, 300.0))
    answer = ZoomChain(model, QWEN3_VL, small, policy=RETRIEVE).ask(scene, "Which colour?")
    assert (answer.text, answer.stop_reason) == ("Blue.", "answered")
    best = answer.trace.views[answer.trace.turns[-1].about[-1]]
    assert best.score == max(view.score for view in answer.trace.views[1:]) > 0.8
    window = best.view.window
    assert window.x <= 1500 <= window.x + window.width
    assert window.y <= 300 <= window.y + window.height
    assert f"of {len(model.windows)} parts image" in answer.trace.notes[0]


@pytest.mark.parametrize(("most", "parts"), [(1, 1), (2, 2), (5, 2), (6, 6), (64, 6)])
def test_parts_are_few_enough_for_the_budget_and_seen_well_where_it_allows(small, scene, most, parts):
    """Of 2 x 1 parts a pixel is 5.6 of the scene, of 3 x 2 parts 3.2, which is fine enough."""
    model = PlaceModel((1500.0, 300.0))
    ZoomChain(model, QWEN3_VL, small, Budget(max_views=most), policy=RETRIEVE).ask(scene, "Which?")
    assert len(model.windows) == parts


def test_parts_cover_the_scene(small, scene):
    trace = ZoomChain(PlaceModel((9.0, 9.0)), NANO, small, policy=RETRIEVE).ask(scene, "Which?").trace
    windows = [view.view.window for view in trace.views[1:] if view.parent == 0]
    for x in range(0, 2048, 64):
        for y in range(0, 1024, 64):
            # A square of 64 px is whole in a part: parts reach that far into their neighbours.
            assert any(window.contains(Window(x, y, 64, 64)) for window in windows)


def test_from_the_best_part_the_model_may_go_on(small, scene):
    """A model that asks for the middle of the best part gets it, within its zooms."""

    class Zooming(PlaceModel):
        def _reply(self, conversation, options):
            reply = super()._reply(conversation, options)
            if options.choices or len(conversation.images) > 2:
                return reply
            return Reply(NANO.render_call((250, 250, 750, 750), 1000, 1000))

    chain = ZoomChain(Zooming((1500.0, 300.0)), NANO, small, Budget(max_zooms=1), policy=RETRIEVE)
    trace = chain.ask(scene, "Which?").trace
    best = trace.views[trace.turns[-2].about[-1]].view.window
    inner = trace.views[trace.turns[-1].about[-1]].view.window
    assert best.contains(inner)
    assert trace.stop_reason == "answered"


def test_a_trace_and_its_page_show_the_ranking(small, scene):
    trace = (
        ZoomChain(PlaceModel((1500.0, 300.0)), QWEN3_VL, small, policy=RETRIEVE).ask(scene, "Which?").trace
    )
    assert Trace.from_json(trace.to_json()) == trace
    page = render_report([trace])
    assert page.count('<rect class="ranked"') == sum(view.ranked for view in trace.views)
    assert '<blockquote class="final">Blue.' in page
