"""Passes over a scene at one or several ground sampling distances."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rscovlm.errors import UsageError
from rscovlm.tasks.passes import plan_passes, read_gsd, scale_notes
from tests.rscovlm.scripted import ONE_SCALE, write_raster
from tiling.errors import GridError
from tiling.scene import Scene
from tiling.view import Size, Window

NANO = ONE_SCALE
CLASSES = ("plane", "ship", "small vehicle")
BY_CLASS = replace(NANO, class_gsd_m={"Small-Vehicle": 0.6, "plane": 2.4})
"""Looks for small vehicles at 0.6 m, for planes at 2.4 m, and for all else at nano's 1.2 m per pixel."""


@pytest.fixture
def scene(tmp_path):
    """1024 px of 0.3 m."""
    with Scene(write_raster(tmp_path / "scene.tif", 1024, 1024)) as opened:
        yield opened


def looked_at(plans):
    return [(plan.grid.tile, plan.classes) for plan in plans]


def test_there_is_one_pass_with_tiles_that_suit_the_model_unless_told_otherwise(scene):
    [plan] = plan_passes(scene, NANO, CLASSES)
    assert (plan.grid.tile, plan.scale, plan.classes) == (512, None, None)


def test_each_ground_sampling_distance_is_a_pass_the_finest_first(scene):
    plans = plan_passes(scene, NANO, CLASSES, gsd_m=(1.2, 0.6, 1.2))
    # 128 px of 0.6 m are 256 of 0.3 m; UTM's scale makes the scene's own 0.30012 m.
    assert looked_at(plans) == [(256, None), (512, None)]
    assert [plan.gsd_m(scene) for plan in plans] == [0.6, 1.2]
    assert [round(scene.gsd_of(plan.views[0]), 2) for plan in plans] == [0.6, 1.2]


def test_nothing_is_enlarged_and_passes_that_would_show_the_same_are_one(scene):
    [plan] = plan_passes(scene, NANO, CLASSES, gsd_m=(0.1, 0.2))
    assert (plan.grid.tile, plan.scale, plan.views[0].size) == (128, 1.0, Size(128, 128))
    # 100 px would be 50 and 25 px, below the least of 64 that the model sees.
    [plan] = plan_passes(scene, NANO, CLASSES, gsd_m=(0.6, 1.2), region=Window(0, 0, 100, 100))
    assert plan.views[0].size == Size(64, 64)


def test_a_tile_and_an_overlap_are_the_same_in_each_pass(scene):
    plans = plan_passes(scene, NANO, CLASSES, gsd_m=(0.6, 1.2), tile=256, overlap=40)
    assert [(plan.grid.tile, plan.grid.overlap) for plan in plans] == [(256, 40)] * 2
    assert [plan.views[0].size for plan in plans] == [Size(128, 128), Size(64, 64)]
    with pytest.raises(GridError, match=r"a tile of 512 px at 0\.6 m per pixel is a view of 256 x 256 px"):
        plan_passes(scene, NANO, CLASSES, gsd_m=(0.6, 1.2), tile=512)


def test_a_scene_of_unknown_scale_is_refused_where_one_is_asked_for(tmp_path):
    with (
        Scene(write_raster(tmp_path / "scene.tif", gsd_m=None)) as scene,
        pytest.raises(GridError, match=r"no known ground sampling distance.*--assume-gsd"),
    ):
        plan_passes(scene, NANO, CLASSES, gsd_m=(0.6,))


def test_a_family_may_look_for_each_class_at_a_scale_of_its_own(scene):
    plans = plan_passes(scene, BY_CLASS, CLASSES)
    assert looked_at(plans) == [(256, ("small vehicle",)), (512, ("ship",)), (1024, ("plane",))]
    # Classes that nobody asks for cost nothing.
    assert looked_at(plan_passes(scene, BY_CLASS, ("plane",))) == [(1024, None)]


def test_scales_that_are_given_count_before_those_of_the_family(scene):
    assert looked_at(plan_passes(scene, BY_CLASS, CLASSES, gsd_m=(0.6,))) == [(256, None)]
    assert looked_at(plan_passes(scene, BY_CLASS, CLASSES, tile=300)) == [(300, None)]


def test_classes_without_a_scale_of_any_kind_are_seen_pixel_for_pixel(scene):
    anything = replace(BY_CLASS, detect_gsd_m=None)
    assert looked_at(plan_passes(scene, anything, CLASSES))[0] == (128, ("ship",))


def test_where_the_scale_of_a_scene_is_unknown_all_classes_are_looked_for_in_one_pass(tmp_path):
    with Scene(write_raster(tmp_path / "scene.tif", gsd_m=None)) as scene:
        assert looked_at(plan_passes(scene, BY_CLASS, CLASSES)) == [(128, None)]
        [line] = scale_notes(scene, BY_CLASS, None)
        assert "--assume-gsd" in line
        assert scale_notes(scene, NANO, None) == []


def test_it_is_said_what_is_finer_than_the_scene(scene):
    assert scale_notes(scene, NANO, (0.1, 0.3, 1.2)) == [
        "0.1 m per pixel is finer than the scene's 0.3: seen pixel for pixel"
    ]


def test_progress_counts_on_over_the_passes(scene):
    seen = []
    plans = plan_passes(scene, NANO, CLASSES, gsd_m=(0.6, 1.2), progress=lambda *step: seen.append(step))
    fine, coarse = (len(plan.tiles) for plan in plans)
    assert seen == [(fine, fine), (fine + coarse, fine + coarse)]


@pytest.mark.parametrize(("text", "found"), [("1.2", (1.2,)), (" 0.4, 1.2", (0.4, 1.2)), ("1", (1.0,))])
def test_ground_sampling_distances_are_numbers_with_commas_between(text, found):
    assert read_gsd(text) == found


@pytest.mark.parametrize("text", ["", "0.4,", "0", "-1", "inf", "nan", "0.4m", "0.4;1.2"])
def test_what_is_no_ground_sampling_distance_is_refused(text):
    with pytest.raises(UsageError, match=r"--gsd.*give metres per pixel"):
        read_gsd(text)
