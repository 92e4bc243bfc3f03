"""Lessons: pure functions of (seed, index), of every kind."""

import numpy as np

from detection_eval.detections import Detections
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from rscovlm.nano.lessons import make_lesson
from rscovlm.nano.model import VIEW_SIDE
from rscovlm.nano.object_lessons import CLASS_GSD_M, grounded_view
from rscovlm.synth.catalogue import CLASS_NAMES
from rscovlm.tasks.ground import Grounding


def test_a_sample_depends_on_seed_and_index_alone():
    first, again = make_lesson(7, 12), make_lesson(7, 12)
    assert first.conversation == again.conversation
    photos = [
        [part.read() for m in s.conversation.messages for part in m.content if not isinstance(part, str)]
        for s in (first, again)
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*photos, strict=True))
    assert make_lesson(7, 13).conversation != first.conversation


def test_a_chain_ends_with_the_answer_in_sight():
    chains = [s for i in range(120) if (s := make_lesson(6, i)).task == "chain"]
    assert len(chains) > 10
    for sample in chains:
        last = sample.conversation.messages[-1]
        assert last.role == "assistant"
        assert "tool_call" not in last.text
    assert max(len(s.conversation.messages) for s in chains) >= 7, "some scenes need two zooms"


def test_every_image_of_a_lesson_has_its_cells():
    drawn = [make_lesson(6, index) for index in range(40)]
    assert {lesson.task for lesson in drawn} >= {"chain", "detect"}
    for lesson in drawn:
        assert len(lesson.cells) == len(lesson.conversation.images) > 0


def test_ease_makes_scenes_smaller():
    def largest(ease):
        chains = [s for i in range(120) if (s := make_lesson(8, i, ease)).task == "chain"]
        return max(photo.world.width for s in chains for photo in s.conversation.images)

    assert largest(0.0) > 4096
    assert largest(1.0) == 4096


def test_each_class_is_listed_at_its_own_scale():
    asked = {}
    for index in range(200):
        lesson = make_lesson(9, index)
        if lesson.task == "detect":
            gsd_m = lesson.conversation.images[0].gsd_m
            words = lesson.conversation.messages[0].text
            for name in CLASS_NAMES:
                if name in words:
                    asked.setdefault(name, []).append(gsd_m)
    assert asked.keys() == set(CLASS_NAMES)
    for name, scales in asked.items():
        wanted = CLASS_GSD_M[name]
        assert wanted / 1.26 < min(scales) <= max(scales) < wanted * 1.26


def test_one_view_is_asked_about_several_times():
    turns = [
        sum(message.role == "user" for message in lesson.conversation.messages)
        for index in range(60)
        if (lesson := make_lesson(10, index)).task in ("close", "survey")
    ]
    assert np.mean(turns) > 1.8


def test_a_grounded_object_is_the_one_box_of_its_answer():
    task = Grounding(CONTRACTS["nano"])
    for index in range(12):
        photo, phrase, polygon = grounded_view(np.random.default_rng([1, index]))
        assert phrase
        assert photo.size == (VIEW_SIDE, VIEW_SIDE)
        box = Detections(polygon[None], np.zeros(1, dtype=np.int64), ("x",))
        written = render_response(box, CONTRACTS["nano"], VIEW_SIDE, VIEW_SIDE)
        assert task.score(task.parse(written, photo.size), polygon[None])["acc@0.5/hits"] == 1


def test_a_first_look_is_a_chain_up_to_its_first_request():
    looks = [s for i in range(260) if (s := make_lesson(10, i)).task == "first look"]
    assert len(looks) > 10
    asked = 0
    for lesson in looks:
        assert [m.role for m in lesson.conversation.messages] == ["system", "user", "assistant"]
        assert len(lesson.conversation.images) == 1
        asked += "tool_call" in lesson.conversation.messages[-1].text
    assert asked > len(looks) / 2, "most overviews do not show the answer"


def test_places_are_listed_with_the_outlines_that_the_plan_has():
    listed = 0
    for index in range(420):
        lesson = make_lesson(11, index)
        if lesson.task != "places":
            continue
        [photo] = lesson.conversation.images
        scale = 1000 / photo.world.width
        lines = lesson.conversation.messages[-1].text.splitlines()
        for line in lines:
            if line == "There are none.":
                continue
            name, corners = line.rsplit(" ", 1)
            written = np.array(corners.split(","), dtype=float).reshape(4, 2)
            sites = [site.corners * scale for site in photo.world.sites if site.kind.name == name]
            # The order of corners is the dialect's; the middle is the same in any.
            assert min(np.abs(site.mean(0) - written.mean(0)).max() for site in sites) < 1.5
            listed += 1
    assert listed > 30


def test_a_closer_look_is_at_one_object_that_is_large_in_view_or_at_none():
    empty, filled = 0, []
    for index in range(250):
        lesson = make_lesson(12, index)
        if lesson.task != "refine":
            continue
        asked, answer = (message.text for message in lesson.conversation.messages)
        assert sum(name in asked for name in CLASS_NAMES) == 1
        lines = [line.rpartition(" ")[2].split(",") for line in answer.splitlines()]
        boxes = np.array([line for line in lines if len(line) == 8], dtype=float).reshape(-1, 4, 2)
        empty += not len(boxes)
        if len(boxes):
            middle = np.abs(boxes.mean(axis=1) - 500).max(axis=1).argmin()
            filled.append(np.ptp(boxes[middle], axis=0).max() / 1000)
    assert 0 < empty < len(filled)
    assert np.quantile(filled, 0.1) > 0.15
    assert np.median(filled) > 0.25
