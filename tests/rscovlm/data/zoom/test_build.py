"""From annotated images to zoom samples."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rscovlm.data.zoom.build import ZoomPlan, build, item_of, split_of, spread
from rscovlm.data.zoom.rules import EvidenceRules
from rscovlm.data.zoom.templates import Draft
from rscovlm.errors import UsageError
from tests.rscovlm.data.zoom.hand_made import SMALL, harbour, image, item, thing


def test_building_is_a_function_of_the_seed_and_each_image_is_on_one_side():
    scenes = [replace(harbour(), id=f"s{n}") for n in range(12)]
    plan = ZoomPlan(held_out=0.3, seed=5)
    first, again = build(scenes, SMALL, plan), build(scenes, SMALL, plan)
    assert first == again
    assert build(scenes, SMALL, replace(plan, seed=6)).items != first.items
    assert set(first.splits.values()) == {"train", "held_out"}
    split = {name: [s.images for s in first.samples(scenes, Path(), name)] for name in ("train", "held_out")}
    assert sum(map(len, split.values())) == len(first.items)
    assert first.splits == {scene.id: split_of(scene.id, plan) for scene in scenes}


def test_no_more_than_per_image_and_every_category_gets_its_turn():
    many = [item(str(n), category="count") for n in range(9)] + [item(), item("b", category="object shape")]
    few = spread(many, 5, np.random.default_rng(0))
    assert Counter(entry.category for entry in few) == {"count": 3, "object color": 1, "object shape": 1}
    assert len(build([harbour()], SMALL, ZoomPlan(ways=("templates",), per_image=5)).items) <= 5


def test_the_ways_are_checked():
    with pytest.raises(UsageError, match="ways magic are unknown; choose from templates, teacher, choice"):
        ZoomPlan(ways=("magic",))
    with pytest.raises(ValueError, match="needs a teacher"):
        build([harbour()], SMALL, ZoomPlan(ways=("teacher",)))


def test_a_question_that_needs_no_zoom_is_counted_by_its_reason():
    unneeded = Counter()
    large = image(thing("ship", 640, 640, 600, 300, color="red"))
    draft = Draft("What color is the ship?", "red", "object color", (0,), about="ship")
    assert item_of(draft, large, SMALL, EvidenceRules(), unneeded) is None
    assert sum(unneeded.values()) == 1
    small = item_of(
        draft, image(thing("ship", 640, 640, 40, 20, color="red")), SMALL, EvidenceRules(), unneeded
    )
    assert small.evidence.bounds == (620, 630, 660, 650)
    assert small.box.contains(small.evidence)
    assert sum(unneeded.values()) == 1


def test_a_part_of_the_images_is_held_out_by_name_and_seed_alone():
    plan = ZoomPlan(held_out=0.25, seed=3)
    splits = Counter(split_of(f"image {number}", plan) for number in range(2000))
    # 500 expected, with a standard deviation of 19.
    assert abs(splits["held_out"] - 500) < 80
    assert {split_of(f"image {number}", ZoomPlan()) for number in range(50)} == {"train"}
    with pytest.raises(UsageError, match=r"held_out 1\.0 is not at least 0 and below 1"):
        ZoomPlan(held_out=1.0)


def test_choices_alone_are_made_from_templates_that_are_left_out_themselves():
    made = build([harbour()], SMALL, ZoomPlan(ways=("choice",)))
    assert {entry.way for entry in made.items} == {"choice"}
    assert made.report["samples"] == len(made.items) > 0
    assert made.report["teacher"] == {"requests": 0, "failed": 0}
