"""Options of models and scenes: what each becomes, and what is told of those that contradict each other."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer

from rscovlm.cli.option_groups import ModelOptions, SceneOptions, ZoomingOptions, with_options
from rscovlm.errors import UsageError
from rscovlm.models.checkpoints import NANO_FOLDER
from tiling.overrides import AS_STORED, Overrides

ON_SERVER = "http://127.0.0.1:9/v1#model"


@dataclass(frozen=True)
class Ends:
    low: Annotated[int, typer.Option(help="Least.")] = 0
    high: Annotated[int, typer.Option(help="Most.")] = 9


def test_a_command_gets_its_own_options_and_each_group_as_one_value():
    seen = []

    @with_options(ends=Ends)
    def command(name: str, *, ends: Ends) -> None:
        seen.append((name, ends))

    assert list(inspect.signature(command).parameters) == ["name", "low", "high"]
    command(name="a", low=3, high=9)
    assert seen == [("a", Ends(3, 9))]


def test_limits_of_requests_reach_a_server_and_are_refused_without_one():
    given = ModelOptions(ON_SERVER, family="qwen3-vl", timeout=3.0, attempts=2)
    serving = given.checkpoint(given.recipe()).serving
    assert serving is not None
    assert (serving.timeout_s, serving.attempts) == (3.0, 2)
    in_process = ModelOptions("nano", attempts=2)
    with pytest.raises(UsageError, match="are for models on a server"):
        in_process.checkpoint(in_process.recipe())
    typed = ModelOptions(ON_SERVER, family="qwen3-vl", dtype="float16")
    with pytest.raises(UsageError, match="--dtype float16 is for models in process"):
        typed.checkpoint(typed.recipe())


def test_arguments_of_vllm_reach_it_and_are_refused_elsewhere():
    given = ModelOptions(f"vllm:{NANO_FOLDER}", vllm=["tensor-parallel-size=2"])
    assert given.checkpoint(given.recipe()).settings == {"tensor_parallel_size": 2}
    in_process = ModelOptions("nano", vllm=["enforce_eager=true"])
    with pytest.raises(UsageError, match="--vllm 'enforce_eager=true' is for vLLM in process"):
        in_process.checkpoint(in_process.recipe())


def test_options_go_before_the_recipe():
    recipe = ModelOptions("nano", max_pixels=4096, max_tokens=7).recipe()
    assert (recipe.max_pixels, ModelOptions("nano", seed=5).generation(recipe, 99).max_new_tokens) == (
        4096,
        7,
    )


def test_several_runs_that_draw_nothing_are_refused():
    greedy = ZoomingOptions("nano", n=3, sampling="greedy")
    with pytest.raises(UsageError, match="would draw the same reply 3 times"):
        greedy.generation(greedy.recipe(), 9)
    drawn = ZoomingOptions("nano", n=3, sampling="temperature=0.7")
    assert drawn.generation(drawn.recipe(), 9).sampling.temperature == 0.7


def test_what_is_stated_of_a_scene_goes_before_its_file():
    assert SceneOptions().overrides() == AS_STORED
    stated = SceneOptions(alpha="4", nodata="-1", mask="m.tif", assume_crs="EPSG:32631", assume_gsd=0.5)
    assert stated.overrides() == Overrides(4, -1.0, Path("m.tif"), "EPSG:32631", 0.5)
    assert SceneOptions(alpha="none", nodata="none", mask="none").overrides().nodata == "none"


@pytest.mark.parametrize(
    ("given", "says"),
    [({"alpha": "red"}, "--alpha 'red' is no band"), ({"nodata": "black"}, "--nodata 'black' is no number")],
)
def test_words_where_numbers_belong_are_refused(given, says):
    with pytest.raises(UsageError, match=says):
        SceneOptions(**given).overrides()
