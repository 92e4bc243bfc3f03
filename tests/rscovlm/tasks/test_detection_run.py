"""What is asked of a model about a scene, and the facts that its replies depend on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rscovlm.errors import UsageError
from rscovlm.models.families import FAMILIES
from rscovlm.tasks.detection_run import plan_detection, wanted_classes
from rscovlm.tasks.tiles import plan_tiles
from tests.rscovlm.painted import FAMILY, SQUARE, paint
from tiling.scene import Scene
from tiling.view import Window
from zoom_chain.chat import Generation


@pytest.fixture
def scene(tmp_path):
    with Scene(paint(tmp_path / "squares.tif")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"classes": ["ship"]}, "classes"),
        ({"options": Generation(max_new_tokens=5)}, "generation"),
        ({"batch_size": 2}, "batch size"),
    ],
)
def test_the_facts_of_a_run_name_what_its_replies_depend_on(scene, change, name):
    usual = plan_detection(scene, FAMILY).facts(scene, "model")
    other = plan_detection(scene, FAMILY, **change).facts(scene, "model")
    assert name in {key for key in usual if usual[key] != other[key]}
    assert plan_detection(scene, FAMILY).facts(scene, "other")["model"] != usual["model"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"overlap": SQUARE}, {"overlap"}),
        ({"tile": 256}, {"tile", "overlap"}),
        ({"region": Window(0, 0, 200, 200)}, {"window"}),
    ],
)
def test_the_facts_of_a_run_tell_grids_apart(scene, change, names):
    usual = plan_detection(scene, FAMILY).facts(scene, "model")
    plan = plan_tiles(scene, FAMILY, **{"tile": 128, **change})
    other = plan_detection(scene, FAMILY, plans=[plan]).facts(scene, "model")
    assert {key for key in usual if usual[key] != other.get(key)} == names


def test_the_facts_of_a_run_name_the_sizes_that_tiles_are_shown_at(scene):
    larger = replace(FAMILY, resolution=replace(FAMILY.resolution, min_pixels=FAMILY.resolution.max_pixels))
    usual, other = (
        plan_detection(scene, family, plans=[plan_tiles(scene, family, tile=128)]).facts(scene, "model")
        for family in (FAMILY, larger)
    )
    assert {key for key in usual if usual[key] != other[key]} == {"resolution"}


def test_classes_are_those_given_or_the_familys_own_or_those_of_dota():
    assert wanted_classes(FAMILY, None) == FAMILY.classes
    assert len(wanted_classes(FAMILIES["qwen3-vl"], None)) == 15
    assert wanted_classes(FAMILIES["qwen3-vl"], ["unicorn"]) == ("unicorn",)
    assert wanted_classes(FAMILY, ["plane", "ship"]) == ("plane", "ship")
    with pytest.raises(UsageError, match=r"unicorn.*choose from bridge"):
        wanted_classes(FAMILY, ["ship", "unicorn"])
