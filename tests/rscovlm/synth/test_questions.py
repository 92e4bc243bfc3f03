"""Questions about synthetic scenes follow from their plans."""

import numpy as np
import pytest

from rscovlm.synth.questions import TOPICS, all_questions, ask_about, draw_question
from rscovlm.synth.world import plan_world


def test_answers_follow_from_the_plan(worlds):
    for world in worlds:
        sites = {site.kind.name: site for site in world.sites}
        for question in all_questions(world):
            site = next(s for name, s in sites.items() if question.text.endswith(f"the {name}?"))
            assert question.evidence == site.window
            if question.topic == "count":
                assert question.answer == str(len(site.objects))
            elif question.topic == "colour":
                assert question.answer == site.objects[0].colour
            elif question.topic == "kind":
                assert question.answer == site.objects[0].kind
            elif site.kind.objects.name in question.text or site.kind.objects.plural in question.text:
                assert question.answer == ("yes" if site.objects else "no")
            else:
                assert question.answer == "no"


def test_an_empty_site_has_no_answer_about_colour(worlds):
    empty = next(site for world in worlds for site in world.sites if not site.objects)
    with pytest.raises(ValueError, match="is empty, so a question about colour has no answer"):
        ask_about(np.random.default_rng(0), empty, "colour")


def test_a_scene_too_small_for_any_site_says_so():
    with pytest.raises(ValueError, match="plan a larger scene"):
        draw_question(np.random.default_rng(0), plan_world(0, 128, 128))


def test_topics_are_drawn_about_equally(worlds):
    rng = np.random.default_rng(0)
    drawn = [draw_question(rng, worlds[i % len(worlds)]).topic for i in range(400)]
    assert all(drawn.count(topic) > 50 for topic in TOPICS)
