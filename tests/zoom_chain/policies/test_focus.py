"""Focus: which cells are named, and what is then shown."""

import numpy as np
import pytest

from tiling.resolution import Resolution
from tiling.view import Window
from zoom_chain.budget import Budget
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO
from zoom_chain.policies import FOCUS, OFF
from zoom_chain.report import render_report
from zoom_chain.trace import Trace


def test_the_answer_comes_from_one_view_of_the_whole_scene(scripted, small, scene):
    model = scripted(question=["Cell 6.", "Blue."])
    answer = ZoomChain(model, NANO, small, policy=FOCUS).ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("Blue.", "answered")
    first, second = (batch[0].messages for batch in model.batches)
    assert "numbered row by row from 1" in first[0].text
    assert "question?" in first[0].text
    # The second request holds the question and one picture, of the size of the first, and nothing else.
    assert [message.text for message in second] == ["question?"]
    assert second[0].images[0].size == first[0].images[0].size
    # Cell 6 is x 512-1024, y 256-512: in its middle the scene is seen 1.5 times finer than in the overview.
    view = answer.trace.views[1]
    assert view.closer == Window(512, 256, 512, 256)
    assert view.gain == pytest.approx(1.5, rel=0.05)
    assert view.frame.to_scene((0, 0)).tolist() == [0, 0]
    assert view.frame.to_scene((256, 128)).tolist() == [2048, 1024]
    # Red codes x, green y: the pixels are where the view says.
    pixels = second[0].images[0].pixels
    rows, columns = np.mgrid[:128, :256]
    places = view.frame.to_scene(np.stack([columns + 0.5, rows + 0.5], axis=-1))
    np.testing.assert_allclose(pixels[..., 0], places[..., 0] / 8, atol=2)
    np.testing.assert_allclose(pixels[..., 1], places[..., 1] / 4, atol=2)


def test_without_a_cell_the_overview_answers(scripted, small, scene):
    answer = ZoomChain(scripted(question=["None.", "Blue."]), NANO, small, policy=FOCUS).ask(
        scene, "question?"
    )
    assert (answer.text, len(answer.trace.views), len(answer.trace.turns)) == ("Blue.", 1, 2)
    assert "names no cell" in answer.trace.turns[0].refusal


@pytest.mark.parametrize(
    ("reply", "cells", "said"),
    [
        ('{"cells": ["B2", "C2"]}', "cells 6, 7", "named by letters"),
        ("row 2, column 2 and row 2, column 3", "cells 6, 7", "by row and column"),
        ("Cells 6, 99 and 7", "cells 6, 7", "there is no cell 99"),
        ("5-8", "cells 5, 6", "of 4 cells the first 2 count"),
    ],
)
def test_the_trace_says_how_cells_were_read(scripted, small, scene, reply, cells, said):
    answer = ZoomChain(scripted(question=[reply, "Blue."]), NANO, small, policy=FOCUS).ask(scene, "question?")
    request = answer.trace.turns[0].request
    assert (answer.text, request.label) == ("Blue.", cells)
    assert said in "; ".join(request.notes)
    assert said in render_report([answer.trace])


def test_a_cell_that_there_is_not_is_told_and_the_overview_answers(scripted, small, scene):
    answer = ZoomChain(scripted(question=["Cell 17", "Blue."]), NANO, small, policy=FOCUS).ask(
        scene, "question?"
    )
    assert (answer.text, answer.stop_reason) == ("Blue.", "answered")
    assert answer.trace.turns[0].refusal == (
        "the reply names no cell; there is no cell 17; the question is asked about the overview"
    )


@pytest.mark.parametrize("policy", [FOCUS, OFF], ids=lambda each: each.name)
def test_a_call_that_was_not_offered_is_no_answer(scripted, small, scene, policy):
    call = NANO.render_call((0, 0, 500, 500), 1000, 1000)
    model = scripted(question=[*(["6"] if policy is FOCUS else []), call])
    answer = ZoomChain(model, NANO, small, policy=policy).ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("", "no_answer")
    assert answer.trace.turns[-1].reply == call


def test_a_budget_without_zooms_is_kept(scripted, small, scene):
    chain = ZoomChain(scripted(question=["Blue."]), NANO, small, Budget(max_zooms=0), policy=FOCUS)
    assert len(chain.ask(scene, "question?").trace.turns) == 1


def test_both_views_share_the_pixels_of_the_budget(scripted, scene):
    bounds = Resolution(factor=32, min_pixels=4 * 1024, max_pixels=64 * 1024)
    chain = ZoomChain(
        scripted(question=["6", "Blue."]), NANO, bounds, Budget(max_visual_tokens=40), policy=FOCUS
    )
    assert chain.ask(scene, "question?").trace.visual_tokens <= 40


def test_a_trace_and_its_page_show_the_region(scripted, small, scene):
    trace = (
        ZoomChain(scripted(question=["6", "Blue."]), NANO, small, policy=FOCUS).ask(scene, "question?").trace
    )
    assert Trace.from_json(trace.to_json()) == trace
    page = render_report([trace])
    assert '<rect class="window" x="64.00" y="32.00" width="64.00" height="32.00"' in page
    assert "the whole scene" in page
