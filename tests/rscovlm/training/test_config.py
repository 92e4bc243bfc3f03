"""The configuration of a training run: every shipped one is whole, and mistakes are told together."""

import json
import re

import pytest

from configs import ConfigError, available
from rscovlm.data.mix import read_mix
from rscovlm.training.config import changes, load_stages, load_train_config
from rscovlm.training.settings import TrainConfig


@pytest.mark.parametrize("name", available("train"))
def test_every_shipped_configuration_is_whole(name):
    assert all(isinstance(stage.config, TrainConfig) for stage in load_stages(name))


def test_the_recipe_of_the_paper():
    config = load_train_config("rscovlm-7b")
    assert (config.optimizer.lr, config.optimizer.weight_decay) == (2e-6, 0.1)
    assert config.own_rates == []
    assert (config.batch.samples, config.batch.max_tokens, config.epochs) == (32, 6144, 1)
    assert (config.schedule.shape, config.schedule.warmup, config.precision) == ("cosine", 0.05, "bf16")
    assert (config.strategy, config.deepspeed, config.reduction) == ("deepspeed", "zero1", "sample")
    assert config.resolution.min_pixels == 64 * 28**2
    assert config.resolution.max_pixels == 1296 * 28**2


def test_all_mistakes_are_told_at_once_with_file_and_key(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "model: nano\nmix: synth\nsteps: 10\nbatch: {sampels: 4, packs: -1}\noptimizer: {lr: fast}\n"
        "worker: 2\nstrategy: deepspeed\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_train_config(file, ["adapters.lora.rank=0", "nonsense"])
    text = str(caught.value)
    for part in (
        f"{file}: batch.sampels: unknown setting; did you mean samples?",
        f"{file}: batch.packs: input should be greater than 0, not -1",
        f"{file}: optimizer.lr: input should be a valid number",
        f"{file}: worker: unknown setting; did you mean workers?",
        f"{file}: deepspeed: strategy deepspeed and a deepspeed configuration need each other",
        "the command line: adapters.lora.rank: input should be greater than 0, not 0",
        "the command line: 'nonsense' is no override",
    ):
        assert part in text


def test_an_override_wins_over_the_file_and_replaces_its_alternative():
    config = load_train_config("synth", ["optimizer.lr=1e-5", "epochs=2", "optimizer.vision.lr=1e-6"])
    assert (config.optimizer.lr, config.epochs, config.steps) == (1e-5, 2, None)
    assert config.optimizer.rates("vision") == (1e-6, config.optimizer.weight_decay)
    assert config.own_rates == ["vision"]


def test_the_name_of_an_earlier_version_is_answered_with_what_to_write_now():
    with pytest.raises(ConfigError) as caught:
        load_train_config("synth", ["tuning={method: lora, rank: 16, also: [merger]}"])
    assert str(caught.value) == (
        "the command line: tuning: is adapters now: write adapters: "
        "{lora: {rank: 16, towers: [language], full: [merger]}} (lora, dora or qlora; "
        "full was also), and nothing for full tuning"
    )
    written = str(caught.value).partition("write ")[2].partition(" (lora")[0]
    assert load_train_config("synth", [written.replace(": ", "=", 1)]).adapters.lora.full == ("merger",)


@pytest.mark.parametrize("override", ["tuning={rank: 16}", "tuning.rank=16", "worker.count=3"])
def test_a_section_of_the_command_line_alone_is_not_the_files_fault(override):
    with pytest.raises(ConfigError, match=r"^the command line: "):
        load_train_config("synth", [override])


def test_a_section_of_the_file_is_its_fault_whatever_the_command_line_adds(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "model: nano\nmix: synth\nsteps: 1\nbatch: {samples: 4}\noptimizer: {weight_decay: 0.1}\n"
    )
    with pytest.raises(ConfigError, match=re.escape(f"{file}: optimizer.lr: is missing")):
        load_train_config(file, ["batch.max_tokens=9"])


def test_without_adapters_everything_learns_but_what_is_frozen():
    assert load_train_config("synth").learning == {"vision", "merger", "language"}
    assert load_train_config("synth", ["freeze=[vision]"]).learning == {"merger", "language"}
    lora = load_train_config("synth", ["adapters={lora: {towers: [vision], full: [merger]}}"])
    assert lora.learning == {"vision", "merger"}


def test_one_kind_of_adapters_on_the_command_line_takes_the_place_of_another():
    config = load_train_config("one-gpu-lora", ["adapters.dora.rank=8"])
    assert [(name, kind.rank) for name, kind in config.adapters.chosen.items()] == [("dora", 8)]
    config = load_train_config("one-gpu-lora", ["adapters.lora.rank=8"])
    assert (config.adapters.lora.rank, config.adapters.lora.full) == (8, ("merger",))
    assert load_train_config("one-gpu-lora", ["adapters.lora=null"]).adapted is None


def test_a_teacher_on_the_command_line_takes_the_place_of_soft_numbers():
    objective = load_train_config("nano", ["objective.teacher={model: nano}"]).objective
    assert (objective.soft_numbers, objective.teacher.model) == (None, "nano")


def test_the_trial_tolerates_in_coordinates_what_the_course_of_its_model_ended_with():
    trial, course = (load_train_config(name).objective.soft_numbers for name in ("synth", "nano"))
    assert trial.first == trial.last == course.last


def test_the_trial_measures_its_start_and_its_end_on_enough_samples_to_tell_them_apart():
    config, mix = load_train_config("synth"), read_mix("mix/synth")
    assert config.steps % config.evaluation.every == 0
    assert config.evaluation.samples == mix.holdout >= 200


def test_only_what_changes_learning_counts_as_a_change():
    def data(*overrides):
        return json.loads(load_train_config("synth", overrides).model_dump_json())

    free = data("workers=7", "checkpoints.keep=9", "logging.every=3", "output=elsewhere")
    assert changes(data(), free) == []
    assert changes(data(), data("optimizer.lr=1e-5", "seed=3")) == [
        "optimizer.lr was 0.00015, now 1e-05",
        "seed was 0, now 3",
    ]


def test_a_key_below_a_value_is_no_override():
    with pytest.raises(ConfigError, match="model is 'nano', which has no keys"):
        load_train_config("synth", ["model.name=nano"])


@pytest.mark.parametrize("name", [name for name in available("train") if name != "train/nano"])
def test_every_shipped_configuration_names_a_mix_that_ships(name):
    """All but nano's, whose lessons are generated."""
    assert {f"mix/{stage.config.mix}" for stage in load_stages(name)} <= set(available("mix"))


def test_files_of_before_may_name_the_objective_and_their_runs_go_on():
    named = load_train_config("synth", ["objective.name=next_token"])
    assert named == load_train_config("synth")
    before = json.loads(named.model_dump_json())
    before["objective"]["name"] = "next_token"
    assert changes(before, json.loads(named.model_dump_json())) == []
