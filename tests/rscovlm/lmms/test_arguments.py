"""Settings of a run in lmms-eval: which of a user's, a recipe's and a task's count."""

from __future__ import annotations

import pytest

from rscovlm.errors import UsageError
from rscovlm.lmms.arguments import TOKENS, Arguments, TaskSettings
from rscovlm.models.checkpoints import resolve
from rscovlm.tasks.recipe import Recipe, load_recipe
from zoom_chain.chat import GREEDY, Sampling

SHORT = {"max_new_tokens": 16, "temperature": 0, "do_sample": False, "until": ["\n\n"]}
"""What a task of short answers states; the stop is the harness's own."""


class TestArguments:
    def test_they_mean_what_the_options_of_the_command_line_mean(self):
        given = Arguments(
            "nano", "rscovlm/lrs-vqa", zoom="chain", max_zooms=2, max_pixels=50176, max_tokens=64
        )
        recipe = given.options.recipe()
        checkpoint = given.options.checkpoint(recipe)
        settings = given.zoom_settings(recipe, checkpoint)
        assert (settings.policy.name, settings.budget.max_zooms) == ("chain", 2)  # the recipe says single, 1
        assert checkpoint.family.resolution.max_pixels == 50176
        assert recipe.max_tokens == 64
        assert recipe.never_zoom == ("count",)

    def test_the_zoom_is_the_models_own_where_nothing_is_said(self):
        recipe = Recipe()
        assert Arguments().zoom_settings(recipe, resolve("nano")).policy.name == "chain"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"zoom": "yes"}, "zoom='yes' is unknown; choose off, single, chain"),
            ({"zoom": True}, "zoom=True is unknown"),
            ({"resolution": "huge"}, "choose native, max, min, small"),
            ({"orientation": "up"}, "choose north, file"),
            ({"max_zooms": -1}, "max_zooms=-1 is no number; give 0 or more"),
            ({"max_tokens": 0}, "give 1 or more"),
            ({"max_pixels": 1.5}, "max_pixels=1.5 is no number"),
            ({"batch_size": "auto"}, "batch_size='auto' is no number; give 1 or more"),
            ({"image_root": "/no/such/folder"}, "image_root=/no/such/folder is no folder"),
            ({"image_root": "/"}, "image_root is for files that image_field names; give image_field too"),
        ],
    )
    def test_a_wrong_value_is_told_with_what_would_be_right(self, wrong, told):
        with pytest.raises(UsageError) as caught:
            Arguments(**wrong)
        assert told in str(caught.value)

    def test_false_is_how_lmms_eval_and_yaml_read_a_zoom_that_is_off(self):
        given = Arguments(zoom=False)
        assert given.zoom_settings(Recipe(), resolve("nano")).policy.name == "off"

    def test_the_size_of_a_batch_comes_as_text_from_the_command_line(self):
        assert Arguments(batch_size="8").together == 8


class TestTaskSettings:
    @pytest.mark.parametrize(
        ("given", "sampling"),
        [
            ({}, GREEDY),
            ({"do_sample": False}, GREEDY),
            ({"temperature": 0, "do_sample": True, "top_p": 0.9}, GREEDY),
            ({"do_sample": True}, Sampling(1.0)),
            ({"temperature": 0.7, "top_p": 0.8, "top_k": None}, Sampling(0.7, 0.8)),
            ({"temperature": 0.2, "top_k": 20, "repetition_penalty": 1.1, "do_sample": True},
             Sampling(0.2, top_k=20, repetition_penalty=1.1)),
        ],
    )  # fmt: skip
    def test_the_temperature_decides_how_tokens_are_chosen(self, given, sampling):
        assert TaskSettings.read(given).sampling == sampling

    @pytest.mark.parametrize(
        "given", [{"temperature": -1}, {"temperature": "hot"}, {"max_new_tokens": "many"}]
    )
    def test_a_value_out_of_range_is_told(self, given):
        with pytest.raises(UsageError, match="generation settings of the task: "):
            TaskSettings.read(given)

    def test_a_limit_of_the_task_holds_where_nothing_can_be_zoomed(self):
        task = TaskSettings.read(SHORT)
        assert task.generation(Recipe(), zooms=False, seed=3).max_new_tokens == 16
        assert task.generation(Recipe(), zooms=False, seed=3).seed == 3

    def test_a_reply_that_may_ask_for_a_closer_look_gets_room_for_it(self):
        task = TaskSettings.read(SHORT)
        assert task.generation(Recipe(), zooms=True, seed=0).max_new_tokens == TOKENS
        longer = TaskSettings.read({"max_new_tokens": 4096})
        assert longer.generation(Recipe(), zooms=True, seed=0).max_new_tokens == 4096

    def test_what_a_recipe_states_counts_before_the_task(self):
        recipe = load_recipe("qwen3-vl/zoom")
        options = TaskSettings.read(SHORT).generation(recipe, zooms=True, seed=0)
        assert options.max_new_tokens == 32768
        assert options.sampling == Sampling(0.7, 0.8, 20, 1.5)

    def test_what_a_recipe_leaves_open_is_the_tasks(self):
        recipe = load_recipe("rscovlm/lrs-vqa")
        options = TaskSettings.read({"temperature": 0.5}).generation(recipe, zooms=False, seed=0)
        assert options.sampling == Sampling(0.5)

    def test_greedy_stated_by_the_user_counts_before_a_task_that_samples(self):
        recipe = Arguments(sampling="greedy").options.recipe()
        assert (
            TaskSettings.read({"temperature": 0.5}).generation(recipe, zooms=False, seed=0).sampling == GREEDY
        )

    @pytest.mark.parametrize(
        ("until", "answer", "kept"),
        [
            (["\n\n"], "first\n\nsecond", "first\n\nsecond"),  # filled in by the harness, meant by nobody
            (["Q:", "\n\n"], "red Q: and", "red"),
            ("</s>", "blue</s>more", "blue"),
            (None, " two words ", "two words"),
        ],
    )
    def test_an_answer_ends_at_a_text_that_the_task_names(self, until, answer, kept):
        assert TaskSettings.read({"until": until}).cut(answer) == kept
