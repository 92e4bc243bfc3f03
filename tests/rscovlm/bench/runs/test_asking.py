"""How items are put to a model: what may be looked at closer, and what a reply depends on."""

import json
from dataclasses import replace

import pytest

from rscovlm.tasks.recipe import Recipe
from tests.rscovlm.bench.runs.asked import job_about, one_of_each, write_files


@pytest.fixture
def items(tmp_path):
    write_files(tmp_path)
    return one_of_each(tmp_path)


def test_a_recipe_says_what_is_asked_without_the_tool(tmp_path, items):
    job = job_about(tmp_path, items, mode="chain", recipe=Recipe(never_zoom=("count",)))
    assert [item.key for item in items if job.asking.zooms(item)] == ["open", "number", "choice"]


def test_lists_of_boxes_have_the_room_that_the_family_needs_unless_a_user_says_otherwise(tmp_path, items):
    asking = job_about(tmp_path, items, mode="off").asking
    rooms = {kind: asking.generation(kind).max_new_tokens for kind in ("classify", "caption", "detect")}
    assert rooms == {"classify": 32, "caption": 1024, "detect": asking.family.detection_tokens}
    assert replace(asking, max_tokens=7).generation("detect").max_new_tokens == 7


def test_facts_are_json_and_tell_everything_that_changes_a_reply(tmp_path, items):
    asking = job_about(tmp_path, items, mode="off").asking
    facts = asking.facts()
    assert json.loads(json.dumps(facts)) == json.loads(json.dumps(asking.facts()))
    for changed in (replace(asking, seed=5), replace(asking, blind="gray"), replace(asking, max_tokens=9)):
        assert changed.facts() != facts
    assert "zoom settings" not in facts  # they count for nothing where nothing is looked at closer
    assert "zoom settings" in replace(asking, mode="chain").facts()
