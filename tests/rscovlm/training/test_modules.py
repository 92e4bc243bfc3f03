"""Which parameters learn, at which rate; what has no effect is refused."""

import shutil
from pathlib import Path

import pytest
import torch

from configs import ConfigError
from rscovlm.data.example import Example, Key
from rscovlm.data.packing import collate
from rscovlm.errors import UsageError
from rscovlm.models.checkpoints import resolve
from rscovlm.models.families import family_of
from rscovlm.training.building import build, open_base
from rscovlm.training.export import write_sidecars
from rscovlm.training.metrics import StepFlops, peak_flops
from rscovlm.training.modules import (
    build_optimizer,
    check_rates,
    group_of,
    rates_in,
    trainable_counts,
)
from rscovlm.training.parallel import deepspeed_settings
from rscovlm.training.schedule import rate_share
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from tests.rscovlm.training.jobs import settings
from tests.rscovlm.training.material import Painted
from tiling.view import Size
from zoom_chain.chat import Conversation

CPU = torch.device("cpu")
FAMILIES = {"qwen2.5-vl": tiny_qwen25_vl, "qwen3-vl": tiny_qwen3_vl}


@pytest.fixture(scope="module", params=FAMILIES)
def checkpoint(request, tmp_path_factory):
    return FAMILIES[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory):
    return tiny_qwen3_vl(tmp_path_factory.mktemp("qwen3"))


def built(checkpoint, **changes):
    config = settings(checkpoint, **changes)
    return config, build(open_base(config, Path()), config, CPU)


def test_every_parameter_belongs_to_one_group_and_deepstack_mergers_are_mergers(checkpoint):
    _, made = built(checkpoint)
    names = dict(made.learner.named_parameters())
    merger = {name for name in names if group_of(name) == "merger"}
    assert merger == {name for name in names if "merger" in name}
    assert {group_of(name) for name in names} == {"vision", "merger", "language"}
    assert sum(trainable_counts(made.learner).values()) == sum(p.numel() for p in names.values())
    with pytest.raises(UsageError, match="belongs to no known group"):
        group_of("model.audio.weight")


def test_matrices_decay_and_norms_and_biases_do_not_whatever_they_are_called(checkpoint):
    config, made = built(checkpoint, optimizer={"lr": 1e-3, "weight_decay": 0.1, "vision": {"lr": 1e-4}})
    optimizer = build_optimizer(made.learner, config)
    assert {group["group"]: group["lr"] for group in optimizer.param_groups} == {
        "vision": 1e-4,
        "merger": 1e-3,
        "language": 1e-3,
    }
    for group in optimizer.param_groups:
        assert {p.ndim >= 2 for p in group["params"]} == {group["weight_decay"] > 0} == {group["decays"]}


def test_an_engine_that_lost_a_rate_is_found_out(qwen3):
    config, made = built(qwen3)
    optimizer = build_optimizer(made.learner, config)
    counts = trainable_counts(made.learner)
    check_rates(rates_in(optimizer.param_groups), config, counts)
    for group in optimizer.param_groups:
        group["lr"] = 2e-3
    with pytest.raises(UsageError, match=r"group merger has lr 0.002 and decay 0 in the engine, not 0.001"):
        check_rates(rates_in(optimizer.param_groups), config, counts)


def test_an_engine_that_lost_a_decay_or_a_whole_group_is_found_out(qwen3):
    config, made = built(qwen3)
    optimizer = build_optimizer(made.learner, config)
    counts = trainable_counts(made.learner)
    (matrices, *_) = (group for group in optimizer.param_groups if group["weight_decay"])
    matrices["weight_decay"] = 0.0
    with pytest.raises(UsageError, match=r"^group \w+ has lr 0.002 and decay 0 in the engine, not 0.002 and"):
        check_rates(rates_in(optimizer.param_groups), config, counts)
    matrices["weight_decay"] = 0.1
    lost = [group for group in optimizer.param_groups if group["group"] != "language"]
    with pytest.raises(UsageError, match="the engine's optimizer has no group language"):
        check_rates(rates_in(lost), config, counts)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"freeze": ["vision"]},
            "checkpointing.vision has no effect: the vision tower is frozen",
        ),
        (
            {"freeze": ["merger"]},
            "optimizer.merger: sets rates, but merger has no trainable parameter",
        ),
        ({"liger": "on"}, "liger: on has no effect: its kernels need CUDA"),
        ({"attention": "flash_attention_2"}, "flash_attention_2 cannot be used: FlashAttention needs CUDA"),
        ({"adapters": {"qlora": {"full": ["merger"]}}}, "qlora: holds weights in 4 bits on CUDA alone"),
    ],
)
def test_an_option_without_effect_stops_the_run_with_the_reason(qwen3, changes, reason):
    with pytest.raises(UsageError, match=reason):
        built(qwen3, **changes)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_adapters_are_of_the_chosen_kind_in_the_chosen_towers_alone(qwen3, kind):
    settings = {"rank": 4, "towers": ["vision"], "full": ["merger"]}
    _, made = built(qwen3, adapters={kind: settings}, checkpointing={"vision": True})
    learning = {name for name, p in made.learner.named_parameters() if p.requires_grad}
    assert {group_of(name) for name in learning} == {"vision", "merger"}
    assert all(("lora_" in name) == (group_of(name) == "vision") for name in learning)
    # DoRA learns the length of each row beside its direction (Liu et al. 2024, equation 5).
    magnitudes = [name for name in learning if "lora_magnitude_vector" in name]
    directions = [name for name in learning if "lora_A" in name]
    assert len(magnitudes) == (len(directions) if kind == "dora" else 0)


def test_adapters_have_the_rank_scale_and_dropout_that_were_asked_for_and_spare_the_output_layer(qwen3):
    lora = {"rank": 4, "alpha": 12, "dropout": 0.25, "towers": ["language"]}
    _, made = built(qwen3, adapters={"lora": lora}, optimizer={"lr": 1e-3}, checkpointing={})
    adapted = {
        name: module for name, module in made.learner.named_modules() if hasattr(module, "lora_dropout")
    }
    names = dict(made.learner.named_parameters())
    assert adapted
    assert not any("lm_head" in name for name in adapted)
    # Four projections of attention and three of the MLP in each of three layers.
    assert len(adapted) == 7 * 3
    for name, module in adapted.items():
        assert module.lora_dropout["default"].p == 0.25, name
        assert module.scaling["default"] == 12 / 4, name
        assert names[f"{name}.lora_A.default.weight"].shape[0] == 4, name


def test_the_optimizer_has_the_betas_and_the_epsilon_that_were_asked_for(qwen3):
    config, made = built(qwen3, optimizer={"lr": 1e-3, "betas": [0.8, 0.95], "epsilon": 1e-5})
    for group in build_optimizer(made.learner, config).param_groups:
        assert (group["betas"], group["eps"]) == ((0.8, 0.95), 1e-5)


def test_checkpointing_is_on_in_the_tower_that_asks_for_it_and_in_no_other(checkpoint):
    _, made = built(checkpoint, checkpointing={"vision": False, "language": True})

    def layers(tower):
        return {
            layer.gradient_checkpointing
            for layer in tower.modules()
            if hasattr(layer, "_gradient_checkpointing_func")
        }

    assert layers(made.learner.model.model.language_model) >= {True}
    assert True not in layers(made.learner.model.model.visual)


def test_heads_learn_at_their_own_rate(qwen3):
    heads = {"numbers": {"agb": {"target": "agb_mg_ha"}}}
    config = settings(qwen3, optimizer={"lr": 1e-3, "heads": {"lr": 5e-3}}, heads=heads)
    made = build(open_base(config, Path()), config, CPU)
    rates = {rate.group: rate.lr for rate in rates_in(build_optimizer(made.learner, config).param_groups)}
    assert rates["heads"] == 5e-3


def test_a_deepspeed_file_with_its_own_optimizer_is_refused(tmp_path):
    file = tmp_path / "own.json"
    file.write_text('{"zero_optimization": {"stage": 1}, "optimizer": {"type": "AdamW"}}')
    config = settings("x", strategy="deepspeed", deepspeed=str(file))
    with pytest.raises(ConfigError, match=r"ignore what this run says under optimizer\.merger; remove it"):
        deepspeed_settings(config)
    missing = settings("x", strategy="deepspeed", deepspeed="zero9")
    with pytest.raises(ConfigError, match="shipped are zero0, zero1, zero1-offload, zero2"):
        deepspeed_settings(missing)


@pytest.mark.parametrize(
    "name", ["zero0", "zero1", "zero2", "zero3", "zero1-offload", "zero2-offload", "zero3-offload"]
)
def test_every_shipped_deepspeed_file_leaves_the_optimizer_to_the_run(name):
    precision = "fp32" if name == "zero0" else "bf16"
    decided = deepspeed_settings(settings("x", strategy="deepspeed", deepspeed=name, precision=precision))
    assert decided["gradient_accumulation_steps"] == 1
    assert decided["zero_optimization"]["stage"] == int(name[4])
    assert ("offload_optimizer" in decided["zero_optimization"]) == name.endswith("offload")


def test_what_deepspeed_could_not_save_is_refused():
    with pytest.raises(ConfigError, match="bf16 at stage 0 is not saved whole"):
        deepspeed_settings(settings("x", strategy="deepspeed", deepspeed="zero0"))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("cosine", [0.5, 1.0, 1.0, 0.5 * (1 + 2**-0.5), 0.5, 0.5 * (1 - 2**-0.5)]),
        ("linear", [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("wsd", [0.5, 1.0, 1.0, 1.0, 1.0, 0.5]),
    ],
)
def test_learning_rates_of_ten_steps_with_two_of_warm_up(shape, expected):
    schedule = settings("x", schedule={"shape": shape, "warmup": 0.2, "decay": 0.2}).schedule
    steps = [0, 1, 2, 4, 6, 8]
    if shape == "wsd":
        steps[-1] = 9
    assert [rate_share(schedule, step, 10) for step in steps] == pytest.approx(expected)


def test_model_flops_of_a_step_by_hand_with_the_vision_tower_and_with_it_frozen(qwen3):
    """One image of 4 x 4 visual tokens and some text; sizes are those of the tiny Qwen3-VL."""
    _, made = built(qwen3)
    base = open_base(settings(qwen3), Path())
    side = 4 * base.patches.factor
    asked = Conversation().say("user", Painted(Size(side, side), (1, 2, 3), 0), "What?")
    example = Example(asked.say("assistant", "red"), Key("a", 0, 0), "vqa")
    pack = collate([base.encoder.encode(example)], base.patches, base.encoder.image_id)
    tokens, learnt, patches = pack.length, int(pack.learnt.sum()), 8 * 8
    assert pack.image_grid_thw.tolist() == [[1, 8, 8]]

    # Width 64, 2 heads of 32 for queries and 1 for keys and values, an MLP of 96, 3 layers.
    language = 2 * tokens * 3 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 96)
    language += 2 * 2 * (tokens * (tokens + 1) // 2) * 64 * 3
    head = 2 * learnt * 64 * 2048
    # Width 32, an MLP of 48, 4 layers; a patch has 3 colours, 2 frames and 16 x 16 px.
    vision = 2 * patches * (4 * (4 * 32 * 32 + 2 * 32 * 48) + 3 * 2 * 16 * 16 * 32)
    vision += 2 * 2 * patches**2 * 32 * 4
    # One merger and two of DeepStack, each 4 x 32 wide within and 64 at its end.
    merger = 3 * 2 * (patches // 4) * (128 * 128 + 128 * 64)
    assert StepFlops.of(made.learner)(pack) == pytest.approx(3 * (language + head + vision + merger))

    _, without = built(qwen3, freeze=["vision"], checkpointing={}, optimizer={"lr": 1e-3})
    # A frozen tower has no backward pass.
    assert StepFlops.of(without.learner)(pack) == pytest.approx(3 * (language + head + merger) + vision)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("NVIDIA A800-SXM4-80GB", 312e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA H20", 148e12),
        ("NVIDIA GeForce RTX 4090", 165e12),
        ("Radeon", None),
    ],
)
def test_peak_flops_are_known_by_the_devices_name(device, expected):
    assert peak_flops(device) == expected


def test_an_export_is_run_at_the_image_sizes_it_was_trained_at_and_a_second_stage_inherits_them(
    qwen3, tmp_path
):
    """Above the 1,280 visual tokens that checkpoints of others are held to, and below what it came with."""
    token = 32 * 32

    def exported(name, model, **bounds):
        folder = tmp_path / name
        folder.mkdir()
        write_sidecars(folder, open_base(settings(model, resolution=bounds), Path()))
        shutil.copyfile(qwen3 / "config.json", folder / "config.json")
        resolution = family_of(folder).resolution
        return folder, (resolution.min_pixels, resolution.max_pixels)

    first, found = exported("first", qwen3, min_pixels=9 * token, max_pixels=3000 * token)
    assert found == (9 * token, 3000 * token)
    assert resolve(str(first), max_pixels=100 * token).family.resolution.max_pixels == 100 * token
    _, found = exported("second", first)
    assert found == (9 * token, 3000 * token)
    _, found = exported("third", first, max_pixels=50 * token)
    assert found == (9 * token, 50 * token)


def test_bounds_that_hold_no_visual_token_are_one_line(qwen3):
    with pytest.raises(UsageError, match=r"^resolution: max_pixels 100 is less than one visual token"):
        open_base(settings(qwen3, resolution={"max_pixels": 100}), Path())


def test_an_export_says_in_which_format_the_model_lists_objects(qwen3, tmp_path):
    config = settings(qwen3, detection="json-obb")
    write_sidecars(tmp_path, open_base(config, Path()))
    shutil.copyfile(qwen3 / "config.json", tmp_path / "config.json")
    assert family_of(tmp_path).detection == "rscovlm-json-obb@0-1000"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (qwen3 / name).read_bytes()
    with pytest.raises(UsageError, match="detection: box format 'quads' is unknown"):
        open_base(config.model_copy(update={"detection": "quads"}), Path())
