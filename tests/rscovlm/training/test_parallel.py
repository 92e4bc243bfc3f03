"""One process, DDP and DeepSpeed behind the same functions: settings, gradients and norms."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from configs import ConfigError
from rscovlm.errors import UsageError
from rscovlm.training.parallel import (
    apply,
    backward,
    deepspeed_settings,
    group_norms,
    plain,
    run_pack,
    start,
    zero_stage,
)
from tests.rscovlm.training.alone import Alone, config


def deepspeed(name, **more):
    return config(strategy="deepspeed", deepspeed=str(name), **more)


def file(folder, **settings):
    path = folder / "mine.json"
    path.write_text(json.dumps(settings))
    return path


def test_what_the_run_decides_is_filled_in(tmp_path):
    path = file(tmp_path, zero_optimization={"stage": 2}, gradient_clipping="auto")
    settings = deepspeed_settings(deepspeed(path, optimizer={"lr": 1e-3, "clip": 0.7}))
    assert settings["gradient_clipping"] == 0.7
    assert settings["train_micro_batch_size_per_gpu"] == settings["gradient_accumulation_steps"] == 1
    assert settings["bf16"] == {"enabled": True}
    assert settings["zero_optimization"] == {"stage": 2}
    assert settings["steps_per_print"] > 1e9, "nothing on stdout"
    assert deepspeed_settings(deepspeed(path, precision="fp32"))["bf16"] == {"enabled": False}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"optimizer": {}, "scheduler": {}}, "optimizer and scheduler cannot stand here"),
        ({"gradient_clipping": 3.0}, "gradient_clipping is 3.0, but this run needs 0.0; remove it"),
        ({"zero_optimization": {"stage": 0}}, "bf16 at stage 0 is not saved whole"),
        (
            {"zero_optimization": {"stage": 1}, "data_types": {"grad_accum_dtype": "fp32"}},
            "grad_accum_dtype fp32 at stage 1 makes checkpoints that cannot be exported",
        ),
    ],
)
def test_what_contradicts_the_run_or_cannot_be_saved_is_refused(tmp_path, settings, line):
    with pytest.raises(ConfigError) as caught:
        deepspeed_settings(deepspeed(file(tmp_path, **settings)))
    assert line in str(caught.value)


def test_a_configuration_that_is_not_there_or_is_no_object_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no deepspeed configuration zero9: .* shipped are zero0, zero1"):
        deepspeed_settings(deepspeed("zero9"))
    for text, line in (("[1]", "holds a list"), ("{", "is not valid JSON")):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(ConfigError, match=line):
            deepspeed_settings(deepspeed(tmp_path / "x.json"))


@pytest.mark.parametrize("name", ["zero1", "zero2", "zero3", "zero1-offload"])
def test_shipped_configurations_fit_a_run(name):
    stage = deepspeed_settings(deepspeed(name))["zero_optimization"]["stage"]
    assert stage == int(name[4])


def test_a_strategy_for_one_process_is_not_started_by_several(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="strategy single is for one process, but 2 were started"):
        start(config(strategy="single"))


def accelerator(stage=None, processes=1):
    made = Alone()
    made.num_processes = processes
    made.state = SimpleNamespace(
        deepspeed_plugin=None if stage is None else SimpleNamespace(zero_stage=stage)
    )
    return made


def test_a_share_of_the_loss_is_scaled_up_by_what_engines_average_over():
    weight = nn.Parameter(torch.tensor(3.0))
    backward(accelerator(processes=4), nn.Identity(), 2 * weight, last=False)
    assert weight.grad.item() == 8, "2 on each of 4 ranks, of which DDP takes the mean"
    told = []
    engine = SimpleNamespace(
        set_gradient_accumulation_boundary=lambda last: told.append(last),
        backward=lambda loss: told.append(loss.item()),
    )
    backward(accelerator(stage=2, processes=4), engine, 2 * weight, last=True)
    assert told == [True, 24.0]


def test_a_step_clips_to_the_norm_and_says_what_it_was():
    layer = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(layer.weight)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    assert apply(accelerator(), layer, optimizer, clip=1.0) == pytest.approx(5.0)
    assert layer.weight[0].tolist() == pytest.approx([-0.6, -0.8], abs=1e-5)
    assert layer.weight.grad is None
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    apply(accelerator(), layer, optimizer, clip=None)
    assert layer.weight[0].tolist() == pytest.approx([-3.6, -4.8], abs=1e-5)


def test_norms_by_group_are_of_all_parameters_of_a_group():
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(4)]
    for parameter, gradient in zip(parameters, (3.0, 4.0, 2.0)):
        parameter.grad = torch.tensor([gradient])
    grouped = list(zip(("vision", "vision", "merger", "language"), parameters))
    found = group_norms(accelerator(), nn.Identity(), grouped)
    assert found == {"vision": 5.0, "merger": 2.0}, "one without a gradient has no norm"
    assert group_norms(accelerator(stage=3), nn.Identity(), grouped) == {}


def test_shards_of_a_group_are_added_up_under_deepspeed():
    held = {
        0: [torch.tensor([3.0]), torch.tensor([4.0])],
        1: [torch.tensor([12.0])],
        2: [torch.tensor([1.0])],
    }
    groups = [{"group": "vision"}, {"group": "vision"}, {"group": "merger"}]
    engine = SimpleNamespace(optimizer=SimpleNamespace(averaged_gradients=held, param_groups=groups))
    assert group_norms(accelerator(stage=2), engine, []) == {"vision": 13.0, "merger": 1.0}


def test_gradients_are_exchanged_in_the_last_pack_alone():
    alone = accelerator()
    for last in (False, False, True):
        with run_pack(alone, nn.Identity(), last):
            pass
    assert alone.unsynchronised == 2
    assert (zero_stage(alone), zero_stage(accelerator(stage=1))) == (None, 1)


def test_the_learner_inside_an_engine_is_found():
    layer = nn.Identity()
    assert plain(SimpleNamespace(module=layer)) is plain(layer) is layer
