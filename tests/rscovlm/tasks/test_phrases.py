"""Phrases in a scene: the first look, closer looks, and what is said where there is no box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.quads import bounds, box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from rscovlm.journal import Journal
from rscovlm.tasks.phrases import as_detections, ground_phrases, plan_grounding
from tests.rscovlm.scripted import ONE_SCALE, ScriptedEngine, write_raster
from tiling.errors import OutsideScene
from tiling.scene import Scene
from tiling.view import Window
from zoom_chain.chat import Reply

COARSE = replace(ONE_SCALE, closer_looks=1)
"""Sees the scene of 448 px in 128 px."""
SIDE = 448
SQUARE = np.array([100, 141, 120, 161], dtype=float)
"""Bounds of the one object of the scene, in its pixels."""


@pytest.fixture
def scene(tmp_path):
    pixels = np.zeros((3, SIDE, SIDE), dtype=np.uint8)
    pixels[:, 141:161, 100:120] = 200
    with Scene(write_raster(tmp_path / "square.tif", pixels=pixels)) as opened:
        yield opened


def line(label, box, side=128) -> str:
    found = Detections(box_quads(np.array([box], dtype=float)), np.zeros(1, dtype=np.int64), (label,))
    return render_response(found, CONTRACTS[COARSE.detection], side, side)


class Finder:
    """Outlines what is bright in the image that it is shown, in the first look two pixels too far right."""

    def __init__(self, label="ship") -> None:
        self.label, self.asked = label, []

    def __call__(self, conversation):
        grey = conversation.messages[-1].images[0].pixels[..., 0]
        shift = 0 if self.asked else 2
        self.asked.append(conversation.messages[-1].text)
        y, x = np.nonzero(grey > 100)
        return line(self.label, [x.min() + shift, y.min(), x.max() + 1 + shift, y.max() + 1], len(grey))


def run(scene, engine, *phrases, **settings):
    return ground_phrases(scene, engine, plan_grounding(scene, engine.family, phrases, **settings))


def iou(found):
    return pair_iou(found.polygon[None], box_quads(SQUARE[None]))[0]


def test_a_window_is_seen_pixel_for_pixel_and_its_box_lies_in_the_scene(scene):
    finder = Finder()
    finder.asked.append("so that it draws exactly")
    window = Window(50.0, 60.0, 128, 128)
    [found] = run(scene, ScriptedEngine(finder, COARSE), "the ship", window=window, closer_looks=0)
    assert iou(found) > 0.95
    assert (found.label, found.error, found.closer) == ("ship", None, 0)


def test_a_closer_look_makes_the_box_exact_and_asks_for_the_class_that_the_model_knows(scene):
    [coarse] = run(scene, ScriptedEngine(Finder(), COARSE), "the white thing", closer_looks=0)
    finder = Finder()
    [found] = run(scene, ScriptedEngine(finder, COARSE), "the white thing")
    assert iou(coarse) < 0.6 < 0.9 < iou(found)
    assert (coarse.closer, found.closer) == (0, 1)
    assert ["white thing" in words for words in finder.asked] == [True, False]
    assert "ship" in finder.asked[1]


@pytest.mark.parametrize("label", ["the white thing", "boat"])
def test_a_model_that_names_no_class_that_it_knows_is_asked_for_the_phrase_again(scene, label):
    finder = Finder(label)
    [found] = run(scene, ScriptedEngine(finder, replace(COARSE, classes=None)), "the white thing")
    assert ["white thing" in words for words in finder.asked] == [True, True]
    assert iou(found) > 0.9
    assert found.label == (None if label == "the white thing" else "boat"), "the phrase is no name"


def test_two_phrases_may_name_one_object(scene):
    engine = ScriptedEngine(lambda conversation: line("ship", [20, 20, 40, 40]), COARSE)
    found = run(scene, engine, "the ship", "the leftmost ship", closer_looks=0)
    assert [each.phrase for each in found] == ["the ship", "the leftmost ship"]
    np.testing.assert_allclose(found[0].polygon, found[1].polygon)
    boxes = as_detections(found)
    assert [*boxes.names] == ["the ship", "the leftmost ship"]


def test_what_a_closer_look_does_not_show_stays_as_it_was_and_is_told(scene):
    replies = iter([line("ship", [20, 20, 40, 40]), "There are none."])
    [found] = run(scene, ScriptedEngine(lambda _: next(replies), COARSE), "the ship")
    np.testing.assert_allclose(
        bounds(found.polygon[None])[0], np.array([20, 20, 40, 40]) * SIDE / 128, atol=0.5
    )
    assert (found.closer, found.note) == (0, "a closer look does not show it there")
    replies = iter([line("ship", [20, 20, 40, 40]), Reply("", "error", error="out of memory")])
    [found] = run(scene, ScriptedEngine(lambda _: next(replies), COARSE), "the ship")
    assert (found.note, found.failure) == (None, "closer look at 116, 116: out of memory")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("There are none.", "the model sees none: 'There are none.'"),
        ("I cannot help with that request.", "the model declined: 'I cannot help with that request.'"),
        ("A red ship\nnear the pier.", "the reply states no box: 'A red ship near the pier.'"),
        (Reply("ship 1,2,", "length"), "the reply was cut off at its token limit: 'ship 1,2,'"),
        (Reply("", "error", error="no answer in 600 s"), "no answer in 600 s"),
        ("", "the model replied nothing"),
    ],
)
def test_why_there_is_no_box_is_one_line(scene, reply, message):
    [found] = run(scene, ScriptedEngine(lambda _: reply, COARSE), "the ship")
    assert (found.polygon, found.error) == (None, message)
    assert len(as_detections([found])) == 0


def test_of_several_boxes_the_first_is_taken_and_their_number_told(scene):
    text = "\n".join(line("ship", [x, 20, x + 20, 40]) for x in (60, 10))
    [found] = run(scene, ScriptedEngine(lambda _: text, COARSE), "the ship", closer_looks=0)
    assert found.polygon[:, 0].min() == pytest.approx(60 * SIDE / 128, abs=0.5)
    assert found.note == "the model gives 2 boxes; this is the first"


def test_a_window_outside_the_scene_is_refused(scene):
    with pytest.raises(OutsideScene, match="lies outside the scene"):
        plan_grounding(scene, COARSE, ["the ship"], window=Window(SIDE + 1, 0, 10, 10))


def test_what_a_journal_holds_is_not_asked_again(scene, tmp_path):
    engine = ScriptedEngine(Finder(), COARSE)
    plan = plan_grounding(scene, COARSE, ["the ship", "the white thing"])
    facts = plan.facts(scene, "model")
    with Journal(tmp_path / "journal.jsonl", facts) as journal:
        first = ground_phrases(scene, engine, plan, journal=journal)
    asked = sum(map(len, engine.batches))
    with Journal(tmp_path / "journal.jsonl", facts, resume=True) as journal:
        again = ground_phrases(scene, engine, plan, journal=journal)
    assert sum(map(len, engine.batches)) == asked
    assert asked == 4
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.polygon, other.polygon)
        assert replace(one, polygon=None) == replace(other, polygon=None)
