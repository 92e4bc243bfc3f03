"""The score card: what is counted, and how it is written."""

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.quads import box_quads
from detection_eval.text.writing import render_response
from rscovlm.nano.object_lessons import grounded_view
from rscovlm.nano.scorecard import (
    BOXES,
    CLASSES,
    CLOSE_UP,
    EVIDENCE,
    HELD_OUT_SEED,
    OBJECTS,
    PHRASES,
    SCENES,
    ZOOMS,
    ScoreCard,
    evaluate_detections,
    evaluate_phrases,
    evaluate_questions,
    report,
)
from rscovlm.synth.catalogue import CLASS_NAMES
from rscovlm.synth.dataset import write_scene
from rscovlm.synth.questions import SITE_TOPICS, all_questions
from rscovlm.synth.world import plan_world
from rscovlm.tasks.questions import OpenQuestion
from rscovlm.tasks.task import hit
from tests.rscovlm.scripted import ScriptedEngine
from tiling.scene import Scene


def found(*labels):
    corners = np.array([[100.0 * i, 0, 100 * i + 50, 50] for i in range(len(labels))]).reshape(-1, 4)
    numbers = np.array([CLASS_NAMES.index(label) for label in labels], dtype=np.int64)
    return Detections(box_quads(corners), numbers, CLASS_NAMES)


def test_detections_are_counted_by_class():
    card = ScoreCard()
    evaluate_detections(card, found("plane", "ship"), found("plane", "plane", "bridge"))
    metrics = card.tally.metrics()
    assert metrics[f"{OBJECTS}/plane/recall@0.5"] == 0.5
    assert metrics[f"{OBJECTS}/ship/precision@0.5"] == 0.0
    assert metrics[f"{OBJECTS}/bridge/recall@0.5"] == 0.0


def test_every_question_is_asked_with_zoom_off_and_on_and_the_evidence_is_looked_for(tmp_path):
    world = plan_world(200, 2048, 2048)
    write_scene(world, tmp_path / "scene.tif")
    questions = all_questions(world)
    assert questions
    truth = {question.text: question.answer for question in questions}

    def answer(conversation):
        text = conversation.messages[-1].text
        return next(right for asked, right in truth.items() if asked in text)

    card = ScoreCard()
    with Scene(tmp_path / "scene.tif") as scene:
        evaluate_questions(card, ScriptedEngine(answer), scene, world)
    for topic in {question.topic for question in questions}:
        assert card.tally.metrics()[f"{topic}/off/accuracy"] == 1
        assert card.tally.metrics()[f"{topic}/chain/accuracy"] == 1
    about_places = [question for question in questions if question.topic in SITE_TOPICS]
    assert 0 < len(about_places) < len(questions)
    assert card.zooms == [0] * len(about_places)
    assert card.tally.counts(ZOOMS)["zoom_hit/of"] == len(about_places)
    assert sum(map(len, card.truths.values())) == len(questions)


def test_the_card_states_shares_with_their_counts():
    card = ScoreCard()
    for right in (True, True, False):
        card.tally.add("colour/off", OpenQuestion(), hit("accuracy", right))
        card.tally.add("colour/chain", OpenQuestion(), hit("accuracy", True))
    card.truths["colour"] += ["red", "red", "blue"]
    card.tally.add(ZOOMS, EVIDENCE, hit("zoom_hit", True))
    card.tally.add(SCENES, CLASSES, hit("accuracy", False))
    card.zooms += [1, 2]
    evaluate_detections(card, found("plane", "ship"), found("plane"))
    written = report(card, scenes=3, size=512)
    assert "`python -m rscovlm.nano.scorecard --scenes 3 --size 512`" in written
    assert "| colour | 66.7% | 66.7% (2/3; 21-94) | 100.0% (3/3; 44-100) |" in written
    assert "| kind | 0.0% | none asked | none asked |" in written
    assert "| **all** | | **66.7% (2/3; 21-94)** | **100.0% (3/3; 44-100)** |" in written
    assert "the evidence): 100.0% (1/1; 21-100)" in written
    assert "- Zooms a question: 1.50" in written
    assert "- Scene class: 0.0% (0/1; 0-79)" in written
    assert "| plane | 100.0% | 100.0% | 100.0% | 1 |" in written
    # Of two boxes one is right: 2 * 1 / (2 + 1).
    assert "| **all** | 50.0% | 100.0% | 66.7% | 1 |" in written
    assert BOXES.classes == CLASS_NAMES


def test_phrases_are_asked_in_one_view_and_close_up_in_a_file_with_what_is_around_it(tmp_path):
    photo, _, polygon = grounded_view(np.random.default_rng([HELD_OUT_SEED, 0]))
    views = []

    def answer(conversation):
        pixels = conversation.images[0].pixels
        views.append(pixels)
        if len(views) == 3:
            return "There are none."
        box = Detections(polygon[None], np.zeros(1, dtype=np.int64), ("ship",))
        return render_response(box, BOXES.contract, photo.size.width, photo.size.height)

    card = ScoreCard()
    evaluate_phrases(card, ScriptedEngine(answer), 1, tmp_path)
    for group in (PHRASES, CLOSE_UP):
        assert card.tally.metrics()[f"{group}/acc@0.5"] == 1, "what no closer look shows stays"
    assert len(views) == 3
    assert "--size 512 --phrases 1`" in report(card, scenes=0, size=512)
    difference = views[0].astype(float) - photo.read()
    assert abs(difference).mean() < 12, "the file shows what the photo shows"
    assert not list(tmp_path.iterdir())
