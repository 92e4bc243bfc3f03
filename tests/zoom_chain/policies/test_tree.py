"""Tree search: it finds a place in few looks, keeps its budget, and says how it ended."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zoom_chain.scored import PlaceModel
from tiling.view import Window
from zoom_chain.budget import Budget
from zoom_chain.chat import Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO, QWEN3_VL
from zoom_chain.policies import TREE
from zoom_chain.policies.tree import parts_of
from zoom_chain.report import render_report
from zoom_chain.trace import Trace

SURE = np.log([0.99, 0.99])
SCENE = Window(0, 0, 2048, 1024)


@given(
    st.floats(0, 1500),
    st.floats(0, 800),
    st.floats(8, 500),
    st.floats(8, 200),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_every_place_of_a_window_is_in_a_part_of_it(x, y, width, height, u, v):
    window = Window(x, y, width, height)
    parts = parts_of(window, SCENE)
    assert len(parts) == 4
    px, py = x + u * width, y + v * height
    assert any(
        part.x - 1e-6 <= px <= part.x + part.width + 1e-6
        and part.y - 1e-6 <= py <= part.y + part.height + 1e-6
        for part in parts
    )
    assert all(SCENE.pad(1e-6).contains(part) for part in parts)


def test_long_windows_are_cut_along_their_length():
    assert [(round(p.x), round(p.y)) for p in parts_of(Window(0, 0, 400, 100), SCENE)] == [
        (0, 0),
        (94, 0),
        (194, 0),
        (294, 0),
    ]
    assert len({p.y for p in parts_of(Window(0, 0, 100, 400), SCENE)}) == 4


@pytest.mark.parametrize("dialect", [NANO, QWEN3_VL], ids=lambda each: each.name)
def test_the_likeliest_parts_lead_to_the_place(small, scene, dialect):
    model = PlaceModel((1500.0, 300.0))
    answer = ZoomChain(model, dialect, small, policy=TREE).ask(scene, "Which colour?")
    assert (answer.text, answer.stop_reason) == ("Blue.", "confident")
    # Four parts at each level, and a level for each halving: not all parts of all levels.
    assert len(model.windows) <= 24
    chosen = max(answer.trace.turns, key=lambda turn: answer.trace.merit(turn) or 0)
    window = answer.trace.views[chosen.about[-1]].view.window
    assert window.x <= 1500 <= window.x + window.width
    assert window.y <= 300 <= window.y + window.height
    assert "views were asked about; the answer is that about image" in answer.trace.notes[0]


def test_each_view_has_its_parent_and_its_score(small, scene):
    trace = ZoomChain(PlaceModel((1500.0, 300.0)), QWEN3_VL, small, policy=TREE).ask(scene, "Which?").trace
    assert Trace.from_json(trace.to_json()) == trace
    for view in trace.views[1:]:
        assert view.score == pytest.approx(0.9 if _holds(view.view.window, 1500, 300) else 0.1, abs=0.81)
        parent = trace.views[view.parent].view.window
        assert parent.pad(0.13 * max(parent.width, parent.height)).contains(view.view.window)


def _holds(window, x, y):
    return window.x <= x <= window.x + window.width and window.y <= y <= window.y + window.height


@pytest.mark.parametrize("most", [1, 4, 6, 9])
def test_no_more_views_are_judged_than_the_budget_allows(small, scene, most):
    class Unsure(PlaceModel):
        def _reply(self, conversation, options):
            reply = super()._reply(conversation, options)
            return reply if options.choices else Reply("Blue.", logprobs=np.log([0.2]))

    model = Unsure((1500.0, 300.0))
    chain = ZoomChain(model, QWEN3_VL, small, Budget(max_views=most), policy=TREE)
    answer = chain.ask(scene, "Which colour?")
    assert len(model.windows) == most
    assert (answer.text, answer.stop_reason) == ("Blue.", "view_budget")


def test_visual_tokens_bound_the_search(small, scene):
    model = PlaceModel((1500.0, 300.0))
    chain = ZoomChain(model, QWEN3_VL, small, Budget(max_visual_tokens=100), policy=TREE)
    answer = chain.ask(scene, "Which colour?")
    assert answer.trace.visual_tokens <= 100
    assert answer.text


def test_the_clock_bounds_the_search(small, scene):
    ticks = itertools.count()
    chain = ZoomChain(
        PlaceModel((1500.0, 300.0)),
        QWEN3_VL,
        small,
        Budget(max_seconds=12),
        policy=TREE,
        clock=lambda: float(next(ticks)),
    )
    assert chain.ask(scene, "Which colour?").stop_reason in ("time_budget", "confident")


def test_a_model_that_only_ever_asks_to_look_closer_is_asked_once_more(small, scene):
    class Asking(PlaceModel):
        def _reply(self, conversation, options):
            reply = super()._reply(conversation, options)
            if options.choices:
                return reply
            if conversation.messages[-1].text == QWEN3_VL.final_text:
                return Reply("Green.")
            return Reply(QWEN3_VL.render_call((0, 0, 500, 500), 1000, 1000))

    chain = ZoomChain(Asking((1500.0, 300.0)), QWEN3_VL, small, Budget(max_views=4), policy=TREE)
    answer = chain.ask(scene, "Which colour?")
    assert (answer.text, answer.stop_reason) == ("Green.", "view_budget")
    assert answer.trace.turns[-1].final
    assert answer.trace.turns[-2].request is not None


def test_a_model_that_says_no_of_everything_is_searched_to_the_end_and_the_reader_is_told(small, scene):
    class Denying(PlaceModel):
        def _reply(self, conversation, options):
            reply = super()._reply(conversation, options)
            if not options.choices:
                return reply
            yes = 0.2 if reply.choices[0] > np.log(0.5) else 0.01
            shares = [yes if each.lower() == "yes" else 1 - yes for each in options.choices]
            return Reply("no", choices=np.log(shares))

    chain = ZoomChain(Denying((1500.0, 300.0)), QWEN3_VL, small, Budget(max_views=24), policy=TREE)
    answer = chain.ask(scene, "Which colour?")
    # The order of what it denies still leads to the place, but no answer is trusted before the budget ends.
    assert (answer.text, answer.stop_reason) == ("Blue.", "view_budget")
    assert "of the likeliest one with probability 0.20" in answer.trace.notes[0]


@pytest.mark.parametrize("yes", [0.98, 0.03])
def test_a_model_that_says_the_same_of_all_views_is_found_out_and_several_answers_are_compared(
    small, scene, yes
):
    class Same(PlaceModel):
        def _reply(self, conversation, options):
            reply = super()._reply(conversation, options)
            shares = [yes if each.lower() == "yes" else 1 - yes for each in options.choices]
            return Reply("yes", choices=np.log(shares)) if options.choices else replace(reply, logprobs=SURE)

    answer = ZoomChain(Same((1500.0, 300.0)), QWEN3_VL, small, Budget(max_views=16), policy=TREE).ask(
        scene, "Which colour?"
    )
    asked = [turn for turn in answer.trace.turns if turn.confidence is not None]
    assert len(asked) >= 4
    assert answer.stop_reason == ("confident" if yes > 0.5 else "view_budget")
    assert (
        f"the model says about the same of all {len(answer.trace.views) - 1} views" in answer.trace.notes[0]
    )
    assert f"({'probabilities of ' + format(yes, '.2f')} to {yes:.2f})" in answer.trace.notes[0]


def test_a_budget_without_views_leaves_the_overview(scripted, small, scene):
    model = PlaceModel((1500.0, 300.0))
    answer = ZoomChain(model, NANO, small, Budget(max_views=0), policy=TREE).ask(scene, "question?")
    assert (len(answer.trace.views), answer.stop_reason) == (1, "answered")


def test_the_page_shows_the_ranking_and_marks_the_answer(small, scene):
    trace = ZoomChain(PlaceModel((1500.0, 300.0)), QWEN3_VL, small, policy=TREE).ask(scene, "Which?").trace
    page = render_report([trace])
    ranked = len(trace.views) - 1
    assert page.count('<rect class="ranked"') == ranked
    assert f"{ranked} of them ranked" in page
    assert page.count("parts that were ranked, the higher the stronger") == 1  # beside the overview
    assert page.count('<blockquote class="final">Blue.') == 1
    # A part that does not show the place is nearly clear.
    assert 'fill-opacity="0.05"' in page
    assert 'fill-opacity="0.45"' in page
