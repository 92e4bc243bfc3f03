"""A model to train, built from a configuration."""

import pytest
import torch

from rscovlm.errors import UsageError
from rscovlm.nano.base import write_base
from rscovlm.training.building import (
    apply_liger,
    build,
    choose_attention,
    heads_of,
    open_base,
    read_model,
    write_fresh,
)
from rscovlm.training.config import load_train_config
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.nano.material import SMALL
from tests.rscovlm.training.alone import config


def test_a_start_from_nothing_is_written_once_and_whole(tmp_path, monkeypatch):
    made = []

    def write(folder, seed):
        made.append(seed)
        write_base(folder, seed, shape=SMALL, lessons=50)

    monkeypatch.setattr("rscovlm.nano.base.write_base", write)
    config = load_train_config("nano", ["seed=5"])
    (tmp_path / ".partial-base").mkdir()  # of a run that was killed
    write_fresh(config, tmp_path)
    write_fresh(config, tmp_path)
    assert made == [5]
    assert (tmp_path / "base" / "model.safetensors").is_file()
    assert not (tmp_path / ".partial-base").exists()
    assert load_train_config("nano", ["model=nano"]).fresh is None, "a model in its place"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_qwen3_vl(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def base(checkpoint):
    return open_base(config(model=str(checkpoint)), checkpoint)


def test_bounds_of_the_run_take_the_place_of_the_checkpoints_and_stay_in_order(checkpoint):
    def bounds(**resolution):
        found = open_base(config(model=str(checkpoint), resolution=resolution), checkpoint).family.resolution
        return found.min_pixels // 32**2, found.max_pixels // 32**2

    # The checkpoint's own are 4 and 64 visual tokens of 32 px.
    assert bounds() == (4, 64)
    assert bounds(max_pixels=16 * 32**2) == (4, 16)
    assert bounds(max_pixels=2 * 32**2) == (2, 2)
    assert bounds(min_pixels=100 * 32**2) == (100, 100)


def test_a_box_format_by_name_is_the_familys_and_an_unknown_one_is_refused(checkpoint):
    def opened(name):
        return open_base(config(model=str(checkpoint), detection=name), checkpoint)

    assert opened("rscovlm-obb").family.detection == "rscovlm-obb"
    with pytest.raises(UsageError, match="detection: box format 'quadd' is unknown"):
        opened("quadd")


def test_attention_that_cannot_run_is_refused_and_any_other_is_as_configured():
    cpu = torch.device("cpu")
    assert choose_attention(config(), cpu)[0] == "sdpa"
    assert choose_attention(config(attention="eager"), cpu) == ("eager", "as configured")
    with pytest.raises(UsageError, match="flash_attention_2 cannot be used: FlashAttention needs CUDA"):
        choose_attention(config(attention="flash_attention_2"), cpu)


def test_liger_says_why_it_is_off_and_on_is_no_wish(base):
    cpu, model = torch.device("cpu"), torch.nn.Linear(1, 1)
    assert apply_liger(model, config(liger="off"), cpu) == "off: as configured"
    assert apply_liger(model, config(liger="auto"), cpu).startswith("off: its kernels need CUDA")
    with pytest.raises(UsageError, match="liger: on has no effect: its kernels need CUDA"):
        apply_liger(model, config(liger="on"), cpu)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is refused without CUDA")
def test_weights_of_four_bits_need_cuda(base):
    with pytest.raises(UsageError, match="qlora: holds weights in 4 bits on CUDA alone"):
        read_model(base.folder, config(adapters={"qlora": {}}), "sdpa")


def test_heads_are_the_same_in_every_process_and_repetition(base):
    def weights(seed):
        made = config(seed=seed, heads={"numbers": {"agb": {"target": "agb"}}})
        model = read_model(base.folder, made, "sdpa")
        torch.rand(7)  # whatever was drawn before
        return heads_of(model, made)["agb"].output.value.weight

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_what_is_frozen_is_kept_in_half_precision_and_what_learns_in_whole(base):
    frozen = {"freeze": ["vision", "merger"]}
    built = build(base, config(**frozen), torch.device("cpu"))
    dtypes = {learns: set() for learns in (True, False)}
    for parameter in built.learner.parameters():
        dtypes[parameter.requires_grad].add(parameter.dtype)
    assert dtypes == {True: {torch.float32}, False: {torch.bfloat16}}
    assert built.notes["precision"] == "bfloat16 by autocast, trained weights in float32"
    assert built.notes["attention"].startswith("sdpa: ")
    assert built.notes["checkpointing"] == "off"
    assert built.adapters is None
    assert built.learner.training
    whole = build(base, config(precision="fp32", **frozen), torch.device("cpu"))
    assert {parameter.dtype for parameter in whole.learner.parameters()} == {torch.float32}
    assert whole.notes["precision"] == "float32"
