"""Lessons: pure functions of (seed, index), of every kind."""

import numpy as np

from rscovlm.nano.lessons import make_lesson


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
        chains = [s for i in range(60) if (s := make_lesson(8, i, ease)).task == "chain"]
        return max(photo.world.width for s in chains for photo in s.conversation.images)

    assert largest(0.0) > 8000, "8192 px or more"
    assert largest(1.0) <= 8000, "4096 px, or the 8000 px about a place that stands alone"
