"""Settings that contradict each other are refused, each pair with a line that says which."""

import re

import pytest

from configs import ConfigError
from rscovlm.training.config import load_train_config
from rscovlm.training.conflicts import warmup_problem


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("freeze=[vision,merger,language]", "nothing is left to train"),
        ("adapters={lora: {}, dora: {}}", "adapters.lora: lora and dora are both given; a run has one kind"),
        ("adapters={lora: {towers: []}}", "adapters.lora.towers: adapters need at least one tower"),
        ("resolution={min_pixels: 9, max_pixels: 8}", "min_pixels 9 is above max_pixels 8"),
        (
            "adapters={dora: {towers: [vision], full: [vision]}}",
            "adapters.dora.towers: vision is given adapters",
        ),
        (
            "adapters={lora: {towers: [vision], full: [merger]}} freeze=[merger]",
            "merger is both frozen and tuned",
        ),
        ("stem={bands: [B02]} model=nano fresh=null freeze=[vision]", "never sees its bands"),
        ("checkpoints={minutes: null}", "could not be resumed"),
        ("attention=flash_attention_2", "does not compute in fp32"),
        ("batch={packs: 2, packing: false}", "batch.packing: a number of packs needs packing"),
        ("schedule.warmup_steps=601", "601 steps of warm-up are more than the run's"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(override, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_train_config("synth", re.split(r" (?=\w+=)", override))


def test_a_warm_up_may_take_all_steps_of_a_run():
    assert load_train_config("synth", ["steps=9", "schedule.warmup_steps=9"]).schedule.warmup_steps == 9


def test_a_warm_up_that_outlasts_the_run_is_told_with_both_numbers():
    assert warmup_problem(10, 10) is None
    assert "11 steps of warm-up are more than the run's 10" in (warmup_problem(11, 10) or "")


def test_nothing_is_said_of_what_is_in_a_section_that_is_missing(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("{model: nano, mix: synth, steps: 3, optimizer: {lr: 1.0e-4}}")
    with pytest.raises(ConfigError) as error:
        load_train_config(str(file))
    assert str(error.value) == f"{file}: batch: is missing"
