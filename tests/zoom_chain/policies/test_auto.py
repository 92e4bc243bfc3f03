"""Auto: which policy answers which question, and why."""

from dataclasses import replace

import pytest

from rscovlm.tasks.ask import ask
from tests.rscovlm.painted import PLACES, find_squares, paint
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from tests.zoom_chain.scored import PlaceModel
from tiling.scene import Scene
from zoom_chain.budget import Budget
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO, QWEN3_VL
from zoom_chain.policies import AUTO
from zoom_chain.settings import ZoomSettings


def chosen(scene, question, script=lambda conversation: "5", **budget):
    settings = replace(ZoomSettings(AUTO), budget=Budget(**budget))
    (answer,) = ask(scene, [question], ScriptedEngine(script), settings=settings)
    return answer.trace.settings["chosen"], answer.trace.settings["why"], answer


@pytest.fixture
def squares(tmp_path):
    with Scene(paint(tmp_path / "squares.tif")) as scene:
        yield scene


def test_counting_in_the_whole_scene_is_swept(squares):
    policy, why, answer = chosen(squares, "How many ships are there?", find_squares)
    assert (policy, answer.text) == ("sweep", str(len(PLACES)))
    assert why == "it asks about all ships in the scene, which 25 tiles show"


@pytest.mark.parametrize(
    ("question", "budget", "policy", "why"),
    [
        ("What colour is the roof?", {}, "chain", "does not ask, in English, how many"),
        ("How many ships are at the quay?", {}, "chain", "some of the ships alone"),
        ("How many ships are there?", {"max_tiles": 1}, "chain", "too coarse"),
        ("Is the lake north of the town?", {}, "focus", "'north'"),
        ("Is the lake north of the town?", {"max_zooms": 0}, "off", "no zoom"),
    ],
)
def test_other_questions(squares, question, budget, policy, why):
    found, reason, answer = chosen(squares, question, **budget)
    assert found == policy
    assert why in reason
    assert answer.text == "5"


@pytest.mark.parametrize(
    ("dialect", "scores", "policy"),
    [(QWEN3_VL, "exact", "retrieve"), (QWEN3_VL, "none", "chain"), (NANO, "exact", "chain")],
)
def test_where_the_overview_shows_nothing_to_point_at_all_parts_are_ranked(
    small, scene, dialect, scores, policy
):
    """Not for a model that states no probabilities, nor for one that was taught where to zoom."""
    model = PlaceModel((1500.0, 300.0))
    model.scores = scores
    answer = ZoomChain(model, dialect, small, policy=AUTO).ask(scene, "What colour is the roof?")
    settings = answer.trace.settings
    assert settings["chosen"] == policy
    assert ("8 times coarser" in settings["why"]) == (policy == "retrieve")
    assert answer.text


def test_a_scene_that_the_overview_shows_wholly_needs_no_closer_look(tmp_path):
    with Scene(write_raster(tmp_path / "small.tif", 100, 100)) as scene:
        policy, why, answer = chosen(scene, "How many ships are there?")
    assert (policy, answer.text) == ("off", "5")
    assert "all the detail" in why
