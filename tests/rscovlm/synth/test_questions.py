"""Questions about synthetic scenes follow from their plans."""

from collections import Counter

import numpy as np
import pytest

from rscovlm.synth.questions import (
    MOST_COUNTED,
    PARTS,
    SCENE_TOPICS,
    SITE_TOPICS,
    TOPICS,
    all_questions,
    as_choice,
    ask_about,
    draw_question,
)
from rscovlm.synth.world import plan_world


@pytest.fixture(scope="module")
def asked(worlds):
    return [(world, question) for world in worlds for question in all_questions(world)]


def site_of(world, question):
    return next(site for site in world.sites if site.kind.name == question.site)


def test_answers_about_what_stands_at_a_place_follow_from_the_plan(asked):
    for world, question in asked:
        if question.topic not in SITE_TOPICS:
            continue
        site = site_of(world, question)
        assert question.evidence == site.focus
        own = [item for item in site.objects if item.kind_of is site.kind.objects]
        meant = {
            kind_of.name: [item for item in site.objects if item.kind_of is kind_of]
            for kind_of in (site.kind.objects, *site.kind.others)
            if kind_of.plural in question.text or f"any {kind_of.name} " in question.text
        }
        if question.topic == "count":
            (things,) = meant.values()
            assert question.answer == str(len(things))
            assert len(things) <= MOST_COUNTED
        elif question.topic == "colour":
            assert {item.colour for item in own} == {question.answer}
        elif question.topic == "kind":
            assert {item.kind for item in own} == {question.answer}
        elif question.topic == "presence":
            assert question.answer == ("yes" if any(meant.values()) else "no")
        else:
            kinds = (site.kind.objects, *site.kind.others)
            numbers = {k.plural: sum(o.kind_of is k for o in site.objects) for k in kinds}
            assert numbers[question.answer] == max(numbers.values()) > min(numbers.values())


def test_answers_about_where_places_are_follow_from_the_plan(asked):
    for world, question in asked:
        site = None if question.topic not in SCENE_TOPICS else site_of(world, question)
        if question.topic == "position":
            row = [question.answer in names for names in PARTS].index(True)
            column = PARTS[row].index(question.answer)
            assert row / 3 < site.y / world.height < (row + 1) / 3
            assert column / 3 < site.x / world.width < (column + 1) / 3
        elif question.topic == "relation":
            other = next(s for s in world.sites if s.kind.name == question.answer)
            shift = {
                "north": site.y - other.y,
                "south": other.y - site.y,
                "west": site.x - other.x,
                "east": other.x - site.x,
            }
            (direction,) = (word for word in shift if word in question.text)
            assert shift[direction] == max(shift.values())
        elif question.topic == "land cover":
            shares = world.cover_shares(question.evidence, 40)
            assert max(shares, key=shares.get) == question.answer
        elif question.topic == "rural or urban":
            shares = world.cover_shares(question.evidence, 40)
            built = (shares.get("urban", 0) + shares.get("industrial", 0)) / sum(shares.values())
            assert (built > 0.4) == (question.answer == "urban")


def test_every_topic_is_asked_and_answers_vary(asked):
    for topic in TOPICS:
        answers = Counter(question.answer for _, question in asked if question.topic == topic)
        assert len(answers) > 1, topic
        assert max(answers.values()) < 0.9 * sum(answers.values()), topic


def test_evidence_lies_in_the_scene(asked):
    for world, question in asked:
        assert world.whole.pad(60).contains(question.evidence)


def test_an_empty_site_has_no_answer_about_colour(worlds):
    world, empty = next((w, s) for w in worlds for s in w.sites if not s.objects)
    assert ask_about(np.random.default_rng(0), world, empty, "colour") is None


def test_a_scene_too_small_for_any_site_says_so():
    with pytest.raises(ValueError, match="plan a larger scene"):
        draw_question(np.random.default_rng(0), plan_world(0, 128, 128))


def test_topics_are_drawn_about_equally(worlds):
    rng = np.random.default_rng(0)
    drawn = [draw_question(rng, worlds[i % len(worlds)], SITE_TOPICS[:4]).topic for i in range(400)]
    assert all(drawn.count(topic) > 50 for topic in SITE_TOPICS[:4])


def test_a_choice_holds_the_answer_once_among_others_of_its_sort(asked):
    rng, places = np.random.default_rng(0), Counter()
    for _, question in asked:
        choice = as_choice(rng, question)
        assert choice.choices.count(choice.answer) == 1
        assert 2 <= len(choice.choices) == len(set(choice.choices)) <= 4
        places[choice.choices.index(choice.answer)] += 1
    assert len(places) == 4


def test_the_same_seed_asks_the_same(worlds):
    assert all_questions(worlds[0], 1) == all_questions(worlds[0], 1)
