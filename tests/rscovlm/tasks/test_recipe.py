"""Recipes: what the published models get when they are run by name, and what options change."""

import re
from dataclasses import replace

import pytest

from configs import ConfigError, available
from detection_eval.formats.class_lists import DOTA_V1_0
from detection_eval.text.contracts import CONTRACTS
from rscovlm.errors import UsageError
from rscovlm.models.families import FAMILIES
from rscovlm.tasks.classify import Classification
from rscovlm.tasks.detection import Detection
from rscovlm.tasks.questions import OpenQuestion
from rscovlm.tasks.recipe import SHORT, Recipe, load_recipe, read_sampling
from tiling.errors import ResolutionError
from tiling.resolution import resolution_policy
from zoom_chain.chat import GREEDY, Sampling
from zoom_chain.dialect import QWEN3_VL
from zoom_chain.looks import CropRule
from zoom_chain.policies import CHAIN, OFF, POLICIES, SINGLE
from zoom_chain.settings import default_zoom_settings

RSCOVLM, QWEN3, QWEN25 = FAMILIES["rscovlm"], FAMILIES["qwen3-vl"], FAMILIES["qwen2.5-vl"]
EXACT = CropRule(margin=0, min_side_px=1, max_aspect=200, min_gain=0)
SHIPPED = [name for name in available() if re.match(r"(detect|zoom|rscovlm|qwen)", name)]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_recipe_can_be_read(name):
    recipe = load_recipe(name)
    assert recipe.family(RSCOVLM).name == "rscovlm"
    assert recipe.zoom(RSCOVLM).policy in POLICIES.values()


def test_an_empty_recipe_changes_nothing():
    assert load_recipe(None).family(RSCOVLM) == RSCOVLM
    assert load_recipe(None).zoom(RSCOVLM) == default_zoom_settings("rscovlm")
    assert load_recipe(None).sampling_rules == GREEDY


# --- byte for byte: VisionXLab/RSCoVLM@c507282 ------------------------------------------------------


def test_rscovlm_detects_on_dota_as_it_was_evaluated():
    recipe = load_recipe("rscovlm/dota")
    prompt = Detection(recipe.detection_contract(recipe.family(RSCOVLM)), recipe.classes).prompt()
    assert prompt.system == (
        "As an AI assistant, you specialize in accurate oriented object detection, delivering coordinates of "
        "the polygon vertices in plain text format 'x1,y1,x2,y2,x3,y3,x4,y4 object'."
    )
    assert prompt.user == (
        "find the baseball diamond, basketball court, bridge, ground track field, harbor, helicopter, "
        "large vehicle, plane, roundabout, ship, small vehicle, soccer ball field, storage tank, "
        "swimming pool, tennis court."
    )
    assert set(recipe.classes) == set(DOTA_V1_0)
    assert (recipe.tile, recipe.max_tokens, recipe.sampling_rules) == ("512", 16_384, GREEDY)
    assert recipe.family(RSCOVLM).resolution == RSCOVLM.resolution


def test_max_mode_brings_each_tile_to_the_largest_area():
    recipe = load_recipe("rscovlm/dota-max")
    shown = recipe.family(RSCOVLM).resolution
    assert shown == resolution_policy("max", RSCOVLM.resolution)
    assert shown.fit(512, 512) == (1008, 1008)  # 1296 visual tokens


def test_rscovlm_zooms_once_and_exactly_on_lrs_vqa_but_not_to_count():
    recipe = load_recipe("rscovlm/lrs-vqa")
    assert OpenQuestion(recipe.question_suffix).prompt("Which?").user == (
        "Which?\nAnswer the question using a single word or phrase."
    )
    assert (recipe.zoom(RSCOVLM).policy, recipe.zoom(RSCOVLM).crops) == (SINGLE, EXACT)
    assert not recipe.zooms("Is it?", "count")
    assert recipe.zooms("Is it?", "object color")
    assert not recipe.zooms("How many planes are there?", None)
    assert recipe.zooms("What colour is the plane?", None)


def test_mme_is_asked_without_zoom_for_counts_and_positions():
    recipe = load_recipe("rscovlm/mme-realworld-rs")
    assert [recipe.zooms("?", category) for category in ("count", "position", "color")] == [
        *(False, False, True)
    ]


@pytest.mark.parametrize("name", ["rscovlm/lrs-vqa", "rscovlm/mme-realworld-rs"])
def test_questions_with_options_are_put_as_rscovlm_learnt_them(name):
    recipe = load_recipe(name)
    assert recipe.question("Which?", ("(A) 1", "(B) 2"), short=True) == (
        "Which? The choices are listed below: \n(A) 1\n(B) 2\nSelect the best answer to the above "
        "multiple-choice question based on the image. Respond with only the letter (A, B, C, D, or E) of the "
        "correct option.\nThe best answer is:"
    )
    assert recipe.question("Which?") == "Which?" + recipe.question_suffix
    assert recipe.question("Which?", short=True) == f"Which?{SHORT}"


def test_rscovlm_classifies_in_its_own_words_by_family_and_by_recipe():
    expected = "Classify the image within one of the given classes:airport,bridge."
    for family in (RSCOVLM, load_recipe("rscovlm/scenes").family(QWEN3)):
        task = Classification(("airport", "bridge"), family.classification_prompt, family.class_joiner)
        assert task.prompt() == (None, expected)


def test_rscovlm_answers_benchmark_questions_in_short():
    recipe = load_recipe("rscovlm/vqa")
    assert recipe.question_suffix == " Answer the question using a single word or a short phrase."
    assert recipe.zoom(RSCOVLM).policy == OFF


# --- byte for byte: QwenLM -------------------------------------------------------------------------


def test_qwen3_zooms_as_qwen_agent_does_with_the_cookbooks_sampling():
    recipe = load_recipe("qwen3-vl/zoom")
    family = recipe.family(replace(QWEN3, dialect=RSCOVLM.dialect))
    assert family.dialect == QWEN3_VL
    assert recipe.zoom(family).policy == CHAIN
    assert recipe.zoom(family).crops == replace(EXACT, min_side_px=32, min_visual_tokens=256)
    assert recipe.sampling_rules == Sampling(0.7, 0.8, 20, 1.5)
    assert load_recipe("qwen3-vl/zoom-thinking").sampling_rules == Sampling(0.6, 0.95, 20)


def test_each_qwen_detects_in_its_own_words():
    asked = {
        family.name: Detection(CONTRACTS[family.detection], ("ship", "plane")).prompt()
        for family in (QWEN3, QWEN25)
    }
    assert asked["qwen3-vl"].user == (
        "Locate every instance that belongs to the following categories: 'plane, ship'. "
        "Report bbox coordinates in JSON format."
    )
    assert asked["qwen2.5-vl"].user == (
        "Locate every item from the category list in the image and output the coordinates in JSON format. "
        "The category set includes plane, ship."
    )
    assert {prompt.system for prompt in asked.values()} == {None}


# --- files and options -----------------------------------------------------------------------------


def test_wrong_settings_are_all_named(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("classes: ship\ntiles: 3\ntile: true\npolicy: sideways\ncontract: mine\n")
    with pytest.raises(ConfigError) as error:
        load_recipe(str(file))
    for part in (
        "wrong.yaml: classes: no class list 'ship'; choose dota-v1.0",
        "wrong.yaml: tiles: unknown setting; did you mean tile?",
        "wrong.yaml: tile: True is no length such as 512 (pixels) or 500m",
        "wrong.yaml: policy: 'sideways' is unknown; choose from off, single, chain",
        "wrong.yaml: contract: 'mine' is unknown; choose from rscovlm-quad",
    ):
        assert part in str(error.value)


def test_bounds_on_the_area_are_laid_over_the_familys():
    least, most = 100 * 28**2, 2000 * 28**2
    shown = Recipe(min_pixels=least, max_pixels=most).family(RSCOVLM).resolution
    assert (shown.min_pixels, shown.max_pixels) == (least, most)
    with pytest.raises(ResolutionError, match="do not make a range"):
        Recipe(min_pixels=most, max_pixels=least).family(RSCOVLM)


def test_sampling_is_read_from_an_option():
    assert read_sampling("greedy") == "greedy"
    assert read_sampling("temperature=0.7, top_k=20") == Sampling(temperature=0.7, top_k=20)


@pytest.mark.parametrize("text", ["hot", "temperature", "temperature=x", "temp=1", "top_k=1.5", "top_p=0"])
def test_rules_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match="--sampling"):
        read_sampling(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [("1.2", (1.2,)), ("[0.4, 1]", (0.4, 1.0)), ("0.4,1.2", (0.4, 1.2)), ("null", None)],
)
def test_ground_sampling_distances_are_a_number_or_a_list(tmp_path, text, found):
    file = tmp_path / "mine.yaml"
    file.write_text(f"gsd: {text}\n")
    assert load_recipe(str(file)).gsd == found


@pytest.mark.parametrize("text", ["fine", "[]", "[0.4, true]", "0", "true", "{a: 1}"])
def test_what_is_no_ground_sampling_distance_is_told_by_its_key(tmp_path, text):
    file = tmp_path / "mine.yaml"
    file.write_text(f"gsd: {text}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: gsd"):
        load_recipe(str(file))
