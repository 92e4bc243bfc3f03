"""Focus: which cells are named, and what is then shown."""

import numpy as np
import pytest
from PIL import Image

from tiling.resolution import Resolution
from tiling.view import Size, View, Window
from zoom_chain.budget import Budget
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO
from zoom_chain.policies import FOCUS
from zoom_chain.policies.focus import cells_in, indexed, region_of
from zoom_chain.report import render_report
from zoom_chain.trace import Trace


@pytest.mark.parametrize(
    ("reply", "cells"),
    [
        ("6", (6,)),
        ("Cells 6 and 7.", (6, 7)),
        ("3, 3, 99, 0, 16, 1", (3, 16)),
        ("<think>1 or 2?</think> 5", (5,)),
        ("The top left", ()),
        ("9" * 5000, ()),
    ],
)
def test_cells_are_read_from_a_reply(reply, cells):
    assert cells_in(reply) == cells


def test_cells_are_numbered_row_by_row():
    overview = View(Window(0, 0, 2048, 1024), Size(128, 256))
    assert region_of(overview, (1,)) == Window(0, 0, 512, 256)
    assert region_of(overview, (7,)) == Window(1024, 256, 512, 256)
    # The smallest part that holds both.
    assert region_of(overview, (6, 12)) == Window(512, 256, 1536, 512)


def test_the_index_leaves_the_picture_its_size_and_most_of_its_pixels():
    plain = np.full((256, 512, 3), 90, np.uint8)
    drawn = indexed(plain)
    assert drawn.shape == plain.shape
    assert 0.01 < (drawn != plain).any(axis=-1).mean() < 0.2
    assert (drawn[:, 128] == 255).any()
    assert Image.fromarray(drawn).getpixel((64, 32)) is not None


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
