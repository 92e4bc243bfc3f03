"""Sweeps: each object once, and an answer that says what stands behind it."""

import re
from dataclasses import replace

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.patterns import reply_pattern
from detection_eval.text.writing import render_response
from rscovlm.tasks.ask import ask, listing_of
from tests.rscovlm.painted import FAMILY, PLACES, SQUARE, find_squares, paint
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from tiling.scene import Scene
from zoom_chain.budget import Budget
from zoom_chain.chat import Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.policies import SWEEP
from zoom_chain.report import render_report
from zoom_chain.settings import ZoomSettings
from zoom_chain.trace import Trace

SETTINGS = ZoomSettings(SWEEP)
NOTHING = (Detections.empty(("ship",)), CONTRACTS[FAMILY.detection], 128, 128)


@pytest.fixture
def squares(tmp_path):
    with Scene(paint(tmp_path / "squares.tif")) as scene:
        yield scene


def sweep(scene, question, script=find_squares, budget=None):
    engine = ScriptedEngine(script)
    (answer,) = ask(scene, [question], engine, settings=replace(SETTINGS, budget=budget or Budget()))
    return answer, engine


def test_each_object_is_counted_once_though_tiles_overlap(squares):
    answer, _ = sweep(squares, "How many ships are there?")
    assert (answer.text, answer.stop_reason) == (str(len(PLACES)), "answered")
    trace = answer.trace
    centres = np.array([np.mean(found.polygon, axis=0) for found in trace.evidence])
    distances = np.linalg.norm(centres[:, None] - (PLACES + SQUARE / 2)[None], axis=-1)
    # One record for each square, within a pixel of its centre.
    assert sorted(distances.argmin(axis=1)) == list(range(len(PLACES)))
    assert distances.min(axis=1).max() < 1
    # Each lies in the view of the one tile that owns it.
    for found, (x, y) in zip(trace.evidence, centres):
        x0, y0, x1, y1 = trace.views[found.view].view.window.bounds
        assert x0 <= x <= x1
        assert y0 <= y <= y1


def test_whether_there_are_any_is_known_with_the_first(squares):
    answer, engine = sweep(squares, "Are there any ships?")
    assert (answer.text, answer.stop_reason) == ("yes", "answered")
    assert [len(batch) for batch in engine.batches] == [8]
    answer, engine = sweep(squares, "Are there any ships?", lambda conversation: "")
    assert (answer.text, answer.stop_reason) == ("", "error")


def test_where_nothing_is_found_there_is_none(tmp_path):
    pixels = np.full((3, 448, 448), 90, np.uint8)
    with Scene(write_raster(tmp_path / "empty.tif", pixels=pixels, gsd_m=None)) as scene:
        for question, none in (("Are there any ships?", "no"), ("How many ships are there?", "0")):
            answer, engine = sweep(scene, question, lambda conversation: render_response(*NOTHING))
            assert (answer.text, answer.stop_reason) == (none, "answered")
            assert sum(map(len, engine.batches)) == 25
            assert answer.trace.evidence == ()


def test_which_objects_there_are_is_told_with_their_places(squares):
    answer, _ = sweep(squares, "Where are the ships?")
    assert answer.text.startswith(f"{len(PLACES)} ship at (")
    assert answer.text.endswith(f" and {len(PLACES) - 20} others px")


def test_a_tile_that_fails_leaves_a_partial_count(squares):
    calls = []

    def failing(conversation):
        calls.append(1)
        return Reply("", "error", error="busy") if len(calls) == 1 else find_squares(conversation)

    answer, _ = sweep(squares, "How many ships are there?", failing)
    assert answer.stop_reason == "partial"
    assert 0 < int(answer.text) <= len(PLACES)
    assert answer.trace.notes == ("1 tile was not examined: busy",)
    assert answer.failure == "1 tile was not examined: busy"
    calls.clear()
    answer, _ = sweep(squares, "Are there any ships?", failing)  # one that is found is there all the same
    assert (answer.text, answer.stop_reason, answer.failure) == ("yes", "answered", None)


def test_a_reply_that_cannot_be_read_is_partial_too_but_no_failure(squares):
    calls = []

    def mumbling(conversation):
        calls.append(1)
        return "hm" if len(calls) == 1 else find_squares(conversation)

    answer, _ = sweep(squares, "How many ships are there?", mumbling)
    assert (answer.stop_reason, answer.failure) == ("partial", None)


def test_a_bound_on_tiles_is_kept_at_a_coarser_scale_and_said(squares):
    answer, engine = sweep(squares, "How many ships are there?", budget=Budget(max_tiles=4))
    assert sum(map(len, engine.batches)) <= 4
    (note,) = answer.trace.notes
    assert "times coarser than objects want to be seen" in note


def test_a_bound_on_visual_tokens_is_kept(squares):
    answer, _ = sweep(squares, "How many ships are there?", budget=Budget(max_visual_tokens=400))
    assert 0 < answer.trace.visual_tokens <= 400
    # The overview is there for the reader, and was not shown to the model.
    assert answer.trace.views[0].visual_tokens == 0


def test_when_the_time_is_up_the_rest_is_not_looked_at(squares):
    engine = ScriptedEngine(find_squares)
    ticks = iter(range(10_000))
    chain = ZoomChain(
        engine,
        FAMILY.dialect,
        FAMILY.resolution,
        Budget(max_seconds=3),
        policy=SWEEP,
        listing=listing_of(FAMILY),
        clock=lambda: float(next(ticks)),
    )
    answer = chain.ask(squares, "How many ships are there?")
    assert answer.stop_reason == "partial"
    assert "tiles were not looked at: the time was used up" in answer.trace.notes[-1]
    assert 0 < sum(map(len, engine.batches)) < 25


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("What colour is it?", "does not ask, in English, how many"),
        ("How many ships are at the quay?", "about some of the ships alone"),
        ("How many giraffes are there?", "does not know 'giraffes'"),
    ],
)
def test_another_question_is_answered_by_the_chain_and_it_is_said_why(squares, question, why):
    answer, _ = sweep(squares, question, lambda conversation: "7")
    assert answer.text == "7"
    assert answer.trace.settings["chosen"] == "chain"
    assert why in answer.trace.settings["why"]


def test_a_trace_and_its_page_hold_the_ledger(squares):
    trace = sweep(squares, "How many ships are there?")[0].trace
    assert Trace.from_json(trace.to_json()) == trace
    page = render_report([trace])
    overview = page.split("<svg")[1].split("</svg>")[0]
    assert overview.count("<polygon") == len(PLACES)
    # Each object is drawn in the tile that owns it too, and no tile is shown twice.
    assert page.count("<polygon") == 2 * len(PLACES)
    # A tile's number on the overview is that beside its reply.
    for record in trace.evidence:
        assert re.search(rf'<span class="badge" style="[^"]*">{record.view}</span>', page)
    assert "Outlined: objects that the answer counts." in page
    assert "25</dd>" in page


def test_a_structured_sweep_holds_lists_to_the_format_and_the_kind(squares):
    engine = ScriptedEngine(find_squares)
    ask(squares, ["How many ships are there?"], engine, settings=SETTINGS, structured=True)
    held = reply_pattern(CONTRACTS[engine.family.detection], ["ship"])
    assert {options.pattern for options in engine.options} == {held}
